//! Which passwords may be set: long ones that nobody guesses early (NIST SP 800-63B §3.1.1.2, OWASP ASVS 6.2).

use std::collections::HashSet;

use unicode_normalization::UnicodeNormalization;

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
    /// Judges a new password. `context` is what is known of its owner: user name, mail address and so on. Takes a few
    /// milliseconds: async callers ask [`super::Passwords::judge`].
    ///
    /// # Errors
    /// Every fault.
    pub fn judge(&self, password: &Password, context: &[&str]) -> Result<(), Vec<PasswordFault>> {
        let text = password.text();
        let words = words(context);
        let mut faults = Vec::new();
        if text.chars().count() < self.min_length {
            faults.push(PasswordFault::TooShort { min: self.min_length });
        }
        let lower = text.to_lowercase();
        let contained = words.iter().filter(|word| lower.contains(word.as_str()));
        faults.extend(contained.map(|word| PasswordFault::ContainsContext { word: word.clone() }));
        if self.is_common(text, &words) {
            faults.push(PasswordFault::TooCommon);
        }
        let lacking = self.require.iter().filter(|class| !text.chars().any(|c| belongs(c, **class)));
        faults.extend(lacking.map(|class| PasswordFault::Lacks(*class)));
        if faults.is_empty() { Ok(()) } else { Err(faults) }
    }

    fn is_common(&self, text: &str, words: &[String]) -> bool {
        // The cost grows faster than the length, and a good beginning is good enough.
        let beginning: String = text.chars().take(64).collect();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let is_weak = |text: &str| u8::from(zxcvbn::zxcvbn(text, &words).score()) < self.min_strength;
        is_weak(&beginning) || without_repetition(&beginning).is_some_and(|text| is_weak(&text))
    }
}

/// Every word once, where one is there again: what stands between the words would make it look strong.
fn without_repetition(text: &str) -> Option<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let all: Vec<&str> = words.collect();
    let mut seen = HashSet::new();
    let once: Vec<&str> = all.iter().copied().filter(|word| seen.insert(word.to_lowercase())).collect();
    (once.len() < all.len()).then(|| once.join(" "))
}

/// The words to look for, in small letters: each text of the context, the local part of an address, and our own name.
/// Those under four letters occur by chance.
fn words(context: &[&str]) -> Vec<String> {
    let local_parts = context.iter().filter_map(|text| Some(text.rsplit_once('@')?.0));
    let all = context.iter().copied().chain(local_parts).chain(["deodar"]);
    let mut words: Vec<String> = all.map(|word| word.trim().nfkc().collect::<String>().to_lowercase()).collect();
    words.retain(|word| word.chars().count() >= 4);
    words.sort();
    words.dedup();
    words
}

fn belongs(c: char, class: CharacterClass) -> bool {
    match class {
        CharacterClass::Lower => c.is_lowercase(),
        CharacterClass::Upper => c.is_uppercase(),
        CharacterClass::Digit => c.is_numeric(),
        CharacterClass::Symbol => !c.is_alphanumeric(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;

    const DEFAULT: PasswordPolicy = PasswordPolicy { min_length: 15, min_strength: 3, require: Vec::new() };
    const SHORT: PasswordPolicy = PasswordPolicy { min_length: 8, min_strength: 2, require: Vec::new() };

    fn codes(policy: &PasswordPolicy, text: &str, context: &[&str]) -> Vec<&'static str> {
        let password = Password::parse(&Secret::new(text.to_owned())).unwrap();
        let faults = policy.judge(&password, context).err().unwrap_or_default();
        faults.iter().map(PasswordFault::code).collect()
    }

    /// N-146.
    #[test]
    fn fifteen_characters_are_enough_whatever_they_are() {
        for text in [
            "vkqtwzjpmxhrbnd",
            "mauve otter dry",
            "trombone glacier",
            "correct horse battery staple",
            "夕立の後の虹は七色だったと思う",
            "\u{1f40e}\u{1f50b}\u{1f4ce}\u{1f335}\u{1f9e9}\u{1f6f6}\u{1f3bb}\u{1f9c2}\u{1f98e}\u{1f9f2}\u{1f96d}\u{1f6f0}\u{1f9a9}\u{1fa81}\u{1f94c}",
        ] {
            assert_eq!(codes(&DEFAULT, text, &[]), [""; 0], "{text}");
        }
        assert_eq!(codes(&DEFAULT, "vkqtwzjpmxhrbn", &[]), ["too_short"]);
        assert_eq!(codes(&DEFAULT, "", &[]), ["too_short", "too_common"]);
    }

    /// N-147.
    #[test]
    fn what_is_guessed_first_is_refused_at_any_length() {
        for text in [
            "passwordpassword",
            "password password",
            "Password-password password",
            "123456789012345",
            "qwertyuiopasdfgh",
            "aaaaaaaaaaaaaaa",
            "abcabcabcabcabc",
            "abcdefghijklmnop",
            "PasswordPassword1",
            "1q2w3e4r5t6y7u8i",
            "iloveyouiloveyou",
        ] {
            assert_eq!(codes(&DEFAULT, text, &[]), ["too_common"], "{text}");
        }
    }

    /// N-147.
    #[test]
    fn common_passwords_are_refused_where_short_ones_may_be_set() {
        for text in [
            "password",
            "12345678",
            "baseball",
            "football",
            "jennifer",
            "superman",
            "trustno1",
            "sunshine",
            "starwars",
            "computer",
            "corvette",
            "princess",
            "Password1",
            "P@ssw0rd",
            "11111111",
            "qwertyui",
            "iloveyou",
            "zaq12wsx",
            "december",
            "firebird",
            "1qaz2wsx",
            "mercedes",
            "welcome1",
            "asdfasdf",
            "butthead",
            "passw0rd!",
        ] {
            assert_eq!(codes(&SHORT, text, &[]), ["too_common"], "{text}");
        }
        assert_eq!(codes(&SHORT, "vkqtwzjp", &[]), [""; 0]);
    }

    /// N-147.
    #[test]
    fn the_words_of_an_account_are_refused_in_any_case() {
        let context = ["ana.maria", "marmota@my-company.com"];
        for text in [
            "vkqtw ANA.Maria zjpm",
            "vkqtwzMARMOTAjpmx",
            "marmota@my-company.com",
            "my old Deodar tree zq",
            "vkMaRmOtAqtwzjp",
        ] {
            assert!(codes(&DEFAULT, text, &context).contains(&"contains_context"), "{text}");
        }
        assert!(codes(&DEFAULT, "deodardeodardeodar", &[]).contains(&"contains_context"));
        // Of another account, and too short to mean anything.
        assert_eq!(codes(&DEFAULT, "vkqtwzMARMOTAjpmx", &["ben"]), [""; 0]);
        assert_eq!(codes(&DEFAULT, "vkqtwzjpanambennd", &["ana", "ben@x.org"]), [""; 0]);
    }

    #[test]
    fn composition_is_asked_for_only_when_set() {
        use CharacterClass::{Digit, Lower, Symbol, Upper};
        let policy = PasswordPolicy { require: vec![Lower, Upper, Digit, Symbol], ..DEFAULT };
        assert_eq!(codes(&policy, "vkqtwzjpmxhrbnd", &[]), ["lacks_upper", "lacks_digit", "lacks_symbol"]);
        assert_eq!(codes(&policy, "7394 ZKQTWJ 5508", &[]), ["lacks_lower"]);
        assert_eq!(codes(&policy, "7394 zKQTWJ 5508", &[]), [""; 0]);
    }

    #[test]
    fn every_fault_is_reported_and_says_what_to_write() {
        let password = Password::parse(&Secret::new("Marmota1".to_owned())).unwrap();
        let faults = DEFAULT.judge(&password, &["marmota"]).unwrap_err();
        let codes: Vec<_> = faults.iter().map(PasswordFault::code).collect();
        assert_eq!(codes, ["too_short", "contains_context", "too_common"]);
        assert_eq!(
            faults[0].to_string(),
            "the password is too short; write 15 characters or more, such as a few unrelated words"
        );
        assert!(faults.iter().all(|fault| fault.to_string().contains("; ")));
    }
}
