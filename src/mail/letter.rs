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
