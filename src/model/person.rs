//! People's names and addresses, read once at the edge.
//!
//! Canonicalise, then validate, then compare by key: names that look or fold alike are the same name (NFKC, case
//! folding, UTS #39 against mixed scripts), and an address is compared by its folded local part and its IDNA domain.

use std::{fmt, str::FromStr};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};
use unicode_security::MixedScript;

/// A login name. 2 to 64 letters and digits of one script, `.`, `_` and `-` inside; never an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Username {
    text: String,
    key: String,
}

/// An address for mail, of the form that mail is sent to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    text: String,
    key: String,
}

/// The text is no login name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a username has 2 to 64 letters or digits of one script, with single `.`, `_` or `-` between them: for example \
     `ana.silva`"
)]
pub struct InvalidUsername;

/// The text is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an e-mail address: write one like `ana@example.com`")]
pub struct InvalidEmail;

/// A text for people: a name, a reason. Visible characters and single spaces, no line breaks, nothing invisible.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(String);

/// The text is not one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write one line of 1 to 200 visible characters")]
pub struct InvalidLine;

/// Folds away what does not tell names apart.
///
/// Through upper case, since letters exist that only meet there: `ı` and `i`, `ſ` and `s`.
fn fold(text: &str) -> String {
    let folded: String = text.nfkc().flat_map(char::to_lowercase).flat_map(char::to_uppercase).collect();
    folded.chars().flat_map(char::to_lowercase).filter(|c| *c != '\u{307}').nfkc().collect()
}

impl Username {
    /// As it was chosen.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What makes it unique.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl FromStr for Username {
    type Err = InvalidUsername;

    fn from_str(text: &str) -> Result<Self, InvalidUsername> {
        if text.len() > 512 {
            return Err(InvalidUsername);
        }
        let text: String = text.nfkc().collect();
        let separator = |c: char| matches!(c, '.' | '_' | '-');
        let fits = (2..=64).contains(&text.chars().count());
        let letter = |c: char| c.is_alphanumeric() || is_combining_mark(c);
        let word = |word: &str| word.starts_with(char::is_alphanumeric) && word.chars().all(letter);
        let words = text.split(separator).all(word);
        let key = fold(&text);
        if fits && words && text.is_single_script() && key.is_single_script() {
            Ok(Self { text, key })
        } else {
            Err(InvalidUsername)
        }
    }
}

impl Email {
    /// As mail is sent to it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What makes it unique.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The part before the `@`.
    pub fn local_part(&self) -> &str {
        self.text.split('@').next().unwrap_or_default()
    }

    /// With most of the local part hidden: `a…@example.com`.
    pub fn masked(&self) -> String {
        let domain = self.text.split('@').nth(1).unwrap_or_default();
        format!("{}…@{domain}", self.text.chars().next().unwrap_or('…'))
    }
}

impl FromStr for Email {
    type Err = InvalidEmail;

    /// An internet mailbox (RFC 5321 §2.3.11) with a dot-atom of ASCII before the `@`; the domain may be
    /// international and is kept in its ASCII form (RFC 5891).
    fn from_str(text: &str) -> Result<Self, InvalidEmail> {
        if text.len() > 512 {
            return Err(InvalidEmail);
        }
        let text: String = text.nfkc().collect();
        let (local, domain) = text.split_once('@').ok_or(InvalidEmail)?;
        let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
        let local_fits = local.len() <= 64 && local.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| InvalidEmail)?;
        let label = |label: &str| !label.is_empty() && label.bytes().any(|b| !b.is_ascii_digit());
        let domain_fits = domain.contains('.') && domain.rsplit('.').next().is_some_and(label);
        let text = format!("{local}@{domain}");
        if !local_fits || !domain_fits || text.len() > 254 {
            return Err(InvalidEmail);
        }
        Ok(Self { key: text.to_ascii_lowercase(), text })
    }
}

impl Line {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Line {
    type Err = InvalidLine;

    fn from_str(text: &str) -> Result<Self, InvalidLine> {
        // Besides control characters: what reorders or hides text (UAX #9, zero-width characters, line separators).
        let hidden = |c: char| {
            c.is_control()
                || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        };
        let trimmed = text.trim();
        if (1..=200).contains(&trimmed.chars().count()) && !trimmed.contains(hidden) {
            Ok(Self(trimmed.to_owned()))
        } else {
            Err(InvalidLine)
        }
    }
}

macro_rules! display {
    ($($name:ident $field:tt),*) => {$(
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.$field)
            }
        }
    )*};
}
display!(Username text, Email text, Line 0);

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Option<String> {
        text.parse::<Username>().ok().map(|name| name.key)
    }

    fn mail(text: &str) -> Option<String> {
        text.parse::<Email>().ok().map(|email| email.key)
    }

    /// V-055.
    #[test]
    fn names_that_fold_alike_are_one_name() {
        for alike in ["kim", "KIM", "Kim", "ｋｉｍ", "\u{212a}im", "kım", "KİM"] {
            assert_eq!(name(alike).as_deref(), Some("kim"), "{alike}");
        }
        assert_eq!(name("straße"), name("STRASSE"));
    }

    #[test]
    fn what_only_looks_like_a_name_is_refused() {
        let refused =
            ["", "a", "ana@example.com", "ana＠x", "an\u{200b}a", "\u{430}na", "ana ", "a..b", ".a", "a\nb", "a\0b"];
        for text in refused {
            assert_eq!(name(text), None, "{text:?}");
        }
        assert!(name(&"a".repeat(65)).is_none() && name("ana.silva-2_x").is_some() && name("анна").is_some());
    }

    /// V-054, V-055.
    #[test]
    fn an_address_has_one_spelling() {
        for alike in ["ana@example.com", "ANA@Example.COM", "ana＠example.com", "ana@ｅxample.com"] {
            assert_eq!(mail(alike).as_deref(), Some("ana@example.com"), "{alike}");
        }
        assert_eq!(mail("ana@bücher.example"), mail("ana@xn--bcher-kva.example"));
        for refused in [
            "",
            "ana",
            "@example.com",
            "ana@",
            "ana@localhost",
            "ana@127.0.0.1",
            "a@b@c.de",
            "ana@example.com,eve@evil.com",
            "ana@example.com\r\nBcc: eve@evil.com",
            "ana\u{200b}@example.com",
            "ana@exa mple.com",
            "añá@example.com",
            "a..b@example.com",
            "<ana@example.com>",
        ] {
            assert_eq!(mail(refused), None, "{refused:?}");
        }
    }

    #[test]
    fn a_line_hides_nothing() {
        assert_eq!("  Ana María O'Neil ".parse::<Line>().unwrap().as_str(), "Ana María O'Neil");
        for refused in ["", " ", "a\r\nb", "a\u{202e}b", "a\u{2028}b", "a\0", "a\u{200b}b"] {
            assert!(refused.parse::<Line>().is_err(), "{refused:?}");
        }
    }
}
