//! Passwords: as presented ([`Password`]), as kept (`kept`), judged ([`PasswordPolicy`]), and hashed by a bounded pool
//! ([`Passwords`]).

mod hashing;
mod kept;
mod line;
mod memory;
mod policy;
mod pool;

use unicode_normalization::UnicodeNormalization;

pub use self::hashing::{PasswordError, Passwords, PoolSettings, Verified};
pub use self::kept::{ForeignHash, import_password_hash};
pub use self::policy::{PasswordFault, PasswordPolicy};
use crate::model::Secret;

/// The longest password, in code points after normalisation.
const MAX_CODE_POINTS: usize = 128;
/// The longest password that is looked at, in bytes as presented: 128 code points, also where each is decomposed.
const MAX_BYTES: usize = 1024;

/// A password as a person means it: normalised to NFKC, so that it is the same from every keyboard (NIST SP 800-63B
/// §3.1.1.2), and never too long to hash. May still be empty or weak.
#[derive(Clone, Debug)]
pub struct Password(Secret<String>);

impl Password {
    /// Takes a password as it was presented, to set it and to verify it alike.
    ///
    /// # Errors
    /// `TooLong` or `ControlCharacter`. No password that was ever set has either, so in a sign-in both mean "wrong".
    pub fn parse(presented: &Secret<String>) -> Result<Self, PasswordFault> {
        let presented = presented.expose();
        if presented.len() > MAX_BYTES {
            return Err(PasswordFault::TooLong);
        }
        let normal: String = presented.nfkc().collect();
        if normal.chars().count() > MAX_CODE_POINTS {
            return Err(PasswordFault::TooLong);
        }
        if normal.chars().any(char::is_control) {
            return Err(PasswordFault::ControlCharacter);
        }
        Ok(Self(Secret::new(normal)))
    }

    fn text(&self) -> &str {
        self.0.expose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Password, PasswordFault> {
        Password::parse(&Secret::new(text.to_owned()))
    }

    /// N-149.
    #[test]
    fn composed_and_decomposed_forms_are_one_password() {
        let (composed, decomposed) =
            ("caf\u{e9} cr\u{e8}me br\u{fb}l\u{e9}e", "cafe\u{301} cre\u{300}me bru\u{302}le\u{301}e");
        assert_ne!(composed, decomposed);
        assert_eq!(parse(composed).unwrap().text(), parse(decomposed).unwrap().text());
        assert_eq!(parse("\u{ff21}\u{a0}b").unwrap().text(), "A b");
    }

    /// N-146.
    #[test]
    fn spaces_case_and_emoji_are_kept() {
        let text = "  Correct horse \u{1f40e} Battery  ";
        assert_eq!(parse(text).unwrap().text(), text);
    }

    /// N-146.
    #[test]
    fn control_characters_are_refused() {
        for text in ["with a\0nul inside", "with a\ttab", "with a line\n", "\u{85}", "\u{7f}"] {
            assert_eq!(parse(text).unwrap_err(), PasswordFault::ControlCharacter);
        }
    }

    /// V-064.
    #[test]
    fn length_is_bounded_before_anything_is_done() {
        assert!(parse(&"x".repeat(128)).is_ok());
        assert_eq!(parse(&"x".repeat(129)).unwrap_err(), PasswordFault::TooLong);
        assert_eq!(parse(&"x".repeat(1 << 20)).unwrap_err(), PasswordFault::TooLong);
        // The longest forms of 128 code points, and one that grows eighteenfold.
        assert!(parse(&"\u{1f40e}".repeat(128)).is_ok());
        assert!(parse(&"e\u{301}".repeat(128)).is_ok());
        assert_eq!(parse(&"\u{fdfa}".repeat(128)).unwrap_err(), PasswordFault::TooLong);
    }

    #[test]
    fn a_password_does_not_print() {
        assert!(!format!("{:?}", parse("hunter2")).contains("hunter2"));
    }
}
