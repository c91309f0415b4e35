//! The code that a device shows and a person types (RFC 8628 §6.1).

use super::{CryptoError, Sealer, random};

/// Consonants that are hard to take for each other, and make no words.
const ALPHABET: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
const LENGTH: usize = 8;
/// Longer texts are no codes, however much decoration somebody copied.
const LONGEST: usize = 64;
const PURPOSE: &str = "user code";

/// A code in its canonical form: 34 bits, which are enough for the minutes that it lives, as long as guesses are counted.
///
/// The database keeps a keyed hash: so few bits are soon searched through, but not without the master key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserCode(String);

impl UserCode {
    /// A fresh code.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn new() -> Result<Self, CryptoError> {
        let mut code = String::with_capacity(LENGTH);
        while code.len() < LENGTH {
            // Of 256 values 240 are taken, so that every letter is as likely as every other.
            let usable = random::<16>()?.into_iter().filter(|byte| *byte < 240);
            code.extend(usable.take(LENGTH - code.len()).map(|byte| char::from(ALPHABET[usize::from(byte % 20)])));
        }
        Ok(Self(code))
    }

    /// Reads a code as a person may write it: in any case, with any dashes and spaces. `None` for what is no code.
    pub fn parse(typed: &str) -> Option<Self> {
        if typed.len() > LONGEST {
            return None;
        }
        let mut code = String::new();
        for c in typed.chars() {
            match c.to_ascii_uppercase() {
                c if u8::try_from(c).is_ok_and(|byte| ALPHABET.contains(&byte)) => code.push(c),
                // Hyphen, the dashes that word processors make of it, and the minus sign.
                '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' => {}
                c if c.is_whitespace() => {}
                _ => return None,
            }
        }
        (code.len() == LENGTH).then_some(Self(code))
    }

    /// The code as it is shown: in two groups of four.
    pub fn shown(&self) -> String {
        format!("{}-{}", &self.0[..4], &self.0[4..])
    }

    /// What the database keeps of it.
    ///
    /// # Errors
    /// When there is no master key.
    pub fn hash(&self, sealer: &Sealer) -> Result<[u8; 32], CryptoError> {
        sealer.keyed_hash(PURPOSE, self.0.as_bytes())
    }

    /// What the database may have kept of it, under the current master key and those before it.
    ///
    /// # Errors
    /// As [`Self::hash`].
    pub fn hashes(&self, sealer: &Sealer) -> Result<Vec<[u8; 32]>, CryptoError> {
        sealer.keyed_hashes(PURPOSE, self.0.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn codes_differ_and_use_the_whole_alphabet() {
        let codes: Vec<UserCode> = (0..200).map(|_| UserCode::new().unwrap()).collect();
        let letters: BTreeSet<u8> = codes.iter().flat_map(|code| code.0.bytes()).collect();
        assert_eq!(letters, ALPHABET.iter().copied().collect());
        assert_eq!(codes.iter().map(|code| &code.0).collect::<BTreeSet<_>>().len(), 200);
        assert!(codes.iter().all(|code| UserCode::parse(&code.shown()).as_ref() == Some(code)));
    }

    #[test]
    fn a_code_may_be_written_in_many_ways() {
        for text in ["WDJB-MJHT", "wdjbmjht", " wdjb mjht\n", "WD-JB-MJ-HT", "wdJB\u{2013}MJht"] {
            assert_eq!(UserCode::parse(text).unwrap().shown(), "WDJB-MJHT", "{text}");
        }
        for text in ["", "WDJB-MJH", "WDJB-MJHTB", "WDJB-MJHA", "WDJB_MJHT", "WDJB-MJH0", &"W ".repeat(1 << 20)] {
            assert_eq!(UserCode::parse(text), None);
        }
    }
}
