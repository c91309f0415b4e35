//! A mail as it is sent: recipient, subject, and the same words as text and as HTML.

use askama::Template;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use super::message::{Message, Words};

/// See the module. Its links may hold tokens, so it cannot be printed.
#[derive(Clone, Serialize, Deserialize)]
pub struct Letter {
    /// Its name in the outbox and its `Message-ID`.
    pub id: Uuid,
    /// The one address it goes to.
    pub to: String,
    /// One line.
    pub subject: String,
    /// For every mail program.
    pub text: String,
    /// For those that show it.
    pub html: String,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    pub written_at: OffsetDateTime,
}

/// A letter could not be written or read.
#[derive(Debug, thiserror::Error)]
#[error("a mail cannot be written or read")]
pub struct Unwritable(#[source] Box<dyn std::error::Error + Send + Sync>);

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct Text<'a> {
    words: &'a Words,
    host: &'a str,
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct Html<'a> {
    words: &'a Words,
    host: &'a str,
}

impl Message {
    /// Writes it to one address, on behalf of the server that people know as `host`.
    ///
    /// # Errors
    /// When a template fails, which no message causes.
    pub fn letter(&self, host: &str, to: &str, now: OffsetDateTime) -> Result<Letter, Unwritable> {
        let words = self.words(host);
        let text = Text { words: &words, host }.render().map_err(unwritable)?;
        let html = Html { words: &words, host }.render().map_err(unwritable)?;
        Ok(Letter {
            id: Uuid::now_v7(),
            to: to.to_owned(),
            subject: plain(&words.subject),
            text,
            html,
            written_at: now,
        })
    }
}

impl Letter {
    /// As bytes, to be sealed.
    ///
    /// # Errors
    /// None that a letter causes.
    pub fn to_bytes(&self) -> Result<Vec<u8>, Unwritable> {
        serde_json::to_vec(self).map_err(unwritable)
    }

    /// From its bytes.
    ///
    /// # Errors
    /// When they are no letter, or one of another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Unwritable> {
        serde_json::from_slice(bytes).map_err(unwritable)
    }
}

/// Text on one line, without what changes how the rest is read: control characters and changes of direction.
pub fn plain(text: &str) -> String {
    const LONGEST: usize = 2000;
    let turns =
        |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    text.chars().filter(|c| !c.is_control() && !turns(*c)).take(LONGEST).collect()
}

fn unwritable(error: impl std::error::Error + Send + Sync + 'static) -> Unwritable {
    Unwritable(Box::new(error))
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const LINK: &str = "https://shop.test/x?token=a&b=\"";

    fn every() -> Vec<Message> {
        let (link, at) = (LINK.to_owned(), datetime!(2026-03-09 07:05 +1));
        let address = "192.0.2.7".parse().unwrap();
        vec![
            Message::VerifyEmail { link: link.clone() },
            Message::EmailTaken,
            Message::EmailChange { link: link.clone() },
            Message::EmailChanged { address: "anastasia@shop.test".to_owned() },
            Message::PasswordReset { link: link.clone() },
            Message::PasswordChanged,
            Message::MfaEnabled,
            Message::MfaDisabled,
            Message::BackupCodesRegenerated,
            Message::BackupCodesExpiring { at },
            Message::BypassIssued { by: Some("root".to_owned()) },
            Message::BypassIssued { by: None },
            Message::AccountDeactivated,
            Message::AccountDeleted,
            Message::NewDevice { device: "Firefox".to_owned(), address, at },
            Message::AccountRecovery { link },
        ]
    }

    fn letter(message: &Message) -> Letter {
        message.letter("shop.test", "ana@shop.test", OffsetDateTime::UNIX_EPOCH).unwrap()
    }

    #[test]
    fn every_mail_says_the_same_as_text_and_as_html() {
        for message in every() {
            let Letter { subject, text, html, .. } = letter(&message);
            let words = message.words("shop.test");
            assert!(subject.ends_with(" at shop.test") && subject.len() < 60, "{subject}");
            assert!(text.starts_with("Hello,\n\n") && text.ends_with("\n\n-- \nshop.test"), "{text}");
            assert!(!text.contains("\n\n\n") && !text.contains("{{"), "{text}");
            let all =
                words.body.iter().map(String::as_str).chain([words.ending]).chain(words.facts.iter().map(|f| f.0));
            for said in all {
                assert!(text.contains(said) && html.contains(said), "`{said}` is missing in {text}\n{html}");
            }
            assert_eq!(words.action.is_some(), text.contains(LINK), "{text}");
            assert_eq!(words.action.is_some(), html.contains("<a href=\"https://shop.test/x?token=a&#38;b=&#34;\""));
            for remote in ["<img", "<link", "<style", "<script", "url("] {
                assert!(!html.contains(remote), "{html}");
            }
        }
    }

    #[test]
    fn facts_are_shown_for_people() {
        let text = |n: usize| letter(&every()[n]).text;
        assert!(text(3).contains("New address: a…@shop.test\n"), "{}", text(3));
        assert!(text(9).contains("They end on: 9 March 2026, 06:05 UTC\n"), "{}", text(9));
        assert!(text(14).contains("Device: Firefox\nAddress: 192.0.2.7\nTime: "), "{}", text(14));
    }

    #[test]
    fn a_letter_survives_being_stored() {
        let written = letter(&Message::MfaEnabled);
        let read = Letter::from_bytes(&written.to_bytes().unwrap()).unwrap();
        assert_eq!(
            (read.id, read.to, read.html, read.written_at),
            (written.id, written.to, written.html, written.written_at)
        );
        assert!(Letter::from_bytes(b"{}").is_err());
    }
}
