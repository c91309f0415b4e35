//! Codes that a person keeps on paper for the day without the phone, and the code that an administrator gives instead.

use super::{CryptoError, Sealer, random};
use crate::model::{Secret, UserId};

/// Crockford's base 32: no `I`, `L`, `O` and `U`.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
/// Between two codes that somebody copied with their decoration; longer texts are no codes.
const LONGEST: usize = 64;

/// A one-time code in its canonical form: 5 random bits for each character.
///
/// The database keeps a keyed hash: 40 bits are soon searched through, but not without the master key. Why no slow hash:
/// ten of them would be tried for each code that is presented.
#[derive(Clone, Debug)]
pub struct BackupCode(Secret<String>);

impl BackupCode {
    /// The length of a backup code.
    pub const LENGTH: usize = 8;
    /// The length of a code that an administrator gives to somebody who has lost every other factor.
    pub const BYPASS_LENGTH: usize = 12;

    /// A fresh code of `length` characters, at most 32.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new(length: usize) -> Result<Self, CryptoError> {
        let bytes = random::<32>()?;
        Ok(Self(Secret::new(
            bytes.iter().take(length).map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect(),
        )))
    }

    /// A set of `count` backup codes, all different.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn set(count: usize) -> Result<Vec<Self>, CryptoError> {
        let mut codes: Vec<Self> = Vec::with_capacity(count);
        while codes.len() < count {
            let code = Self::new(Self::LENGTH)?;
            if codes.iter().all(|other| other.expose() != code.expose()) {
                codes.push(code);
            }
        }
        Ok(codes)
    }

    /// Reads a code as a person may write it: in any case, with spaces and dashes, with `O` for `0` and `I` or `L` for
    /// `1` (N-166). `None` for what is no code of either length.
    pub fn parse(presented: &str) -> Option<Self> {
        if presented.len() > LONGEST {
            return None;
        }
        let mut code = String::new();
        for c in presented.chars() {
            match c.to_ascii_uppercase() {
                'O' => code.push('0'),
                'I' | 'L' => code.push('1'),
                c if u8::try_from(c).is_ok_and(|byte| ALPHABET.contains(&byte)) => code.push(c),
                // Hyphen, the dashes that word processors make of it, and the minus sign.
                '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {}
                c if c.is_whitespace() => {}
                _ => return None,
            }
        }
        matches!(code.len(), Self::LENGTH | Self::BYPASS_LENGTH).then(|| Self(Secret::new(code)))
    }

    /// The code as it is shown to its owner, once: in groups of four.
    pub fn shown(&self) -> String {
        let mut shown = String::new();
        for (n, c) in self.expose().chars().enumerate() {
            if n > 0 && n % 4 == 0 {
                shown.push('-');
            }
            shown.push(c);
        }
        shown
    }

    /// What the database keeps of a code of this user.
    ///
    /// # Errors
    /// When there is no master key.
    pub fn hash(&self, sealer: &Sealer, user: UserId) -> Result<[u8; 32], CryptoError> {
        sealer.keyed_hash(PURPOSE, &self.bound_to(user))
    }

    /// What the database may have kept of it, under the current master key and those before it.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub fn hashes(&self, sealer: &Sealer, user: UserId) -> Result<Vec<[u8; 32]>, CryptoError> {
        sealer.keyed_hashes(PURPOSE, &self.bound_to(user))
    }

    /// The canonical form.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    fn bound_to(&self, user: UserId) -> Vec<u8> {
        // The id has a fixed length.
        [user.0.as_bytes().as_slice(), self.expose().as_bytes()].concat()
    }
}

const PURPOSE: &str = "backup code";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn sealer(keys: &[u8]) -> Sealer {
        Sealer::new(keys.iter().map(|byte| Secret::new([*byte; 32])))
    }

    #[test]
    fn a_set_has_ten_different_codes_of_eight_unambiguous_characters() {
        let codes = BackupCode::set(10).unwrap();
        assert_eq!(codes.iter().map(BackupCode::expose).collect::<BTreeSet<_>>().len(), 10);
        for code in &codes {
            assert_eq!(code.expose().len(), 8);
            assert!(code.expose().bytes().all(|c| ALPHABET.contains(&c) && !b"ILOU".contains(&c)), "{}", code.expose());
            assert_eq!(code.shown().len(), 9);
            assert!(!format!("{code:?}").contains(code.expose()));
        }
        assert_eq!(BackupCode::new(BackupCode::BYPASS_LENGTH).unwrap().shown().len(), 14);
    }

    #[test]
    fn every_character_of_the_alphabet_occurs() {
        let codes = BackupCode::set(200).unwrap();
        let seen: BTreeSet<u8> = codes.iter().flat_map(|code| code.expose().bytes()).collect();
        assert_eq!(seen.len(), 32);
    }

    /// N-166.
    #[test]
    fn a_code_may_be_written_in_many_ways() {
        for text in ["0A1B-2C1D", "0a1b2c1d", " oAiB 2cLd ", "0-A-1-B-2-C-1-D", "OalB\u{2013}2CID\n"] {
            assert_eq!(BackupCode::parse(text).unwrap().expose(), "0A1B2C1D", "{text}");
        }
        assert!(BackupCode::parse("0123-4567-89AB").is_some());
        for text in ["", "0A1B2C1", "0A1B2C1DE", "0A1B2C1U", "0A1B_2C1D", "ÀA1B2C1D", &"0 ".repeat(1 << 20)] {
            assert!(BackupCode::parse(text).is_none());
        }
    }

    #[test]
    fn what_is_shown_is_what_is_read() {
        let code = BackupCode::new(BackupCode::LENGTH).unwrap();
        assert_eq!(BackupCode::parse(&code.shown()).unwrap().expose(), code.expose());
    }

    /// N-165: the code of one user is none of another.
    #[test]
    fn the_hash_depends_on_user_code_and_key() {
        let (ana, ben) = (UserId::new(), UserId::new());
        let code = BackupCode::parse("0A1B2C1D").unwrap();
        let hash = code.hash(&sealer(&[1]), ana).unwrap();
        assert_eq!(hash, BackupCode::parse("oaib-2cld").unwrap().hash(&sealer(&[1]), ana).unwrap());
        assert_ne!(hash, code.hash(&sealer(&[1]), ben).unwrap());
        assert_ne!(hash, code.hash(&sealer(&[2]), ana).unwrap());
        assert_ne!(hash, BackupCode::parse("0A1B2C1E").unwrap().hash(&sealer(&[1]), ana).unwrap());
    }

    #[test]
    fn codes_outlive_a_rotation_of_the_master_key() {
        let user = UserId::new();
        let code = BackupCode::new(BackupCode::LENGTH).unwrap();
        let kept = code.hash(&sealer(&[1]), user).unwrap();
        assert!(code.hashes(&sealer(&[2, 1]), user).unwrap().contains(&kept));
        assert!(!code.hashes(&sealer(&[2]), user).unwrap().contains(&kept));
    }
}
