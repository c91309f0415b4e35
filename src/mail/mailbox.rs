//! Mail that is kept for reading instead of being sent.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Letter;

/// How many mails are kept; the oldest goes first.
const ROOM: usize = 200;

/// The newest mails, in memory. Clones are the same mailbox.
#[derive(Clone, Default)]
pub struct Mailbox(Arc<Mutex<VecDeque<Kept>>>);

/// A mail that was delivered here.
#[derive(Clone, Serialize)]
pub struct Kept {
    /// The letter's id.
    pub id: Uuid,
    /// The address it went to.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The words.
    pub text: String,
    /// The same as HTML.
    pub html: String,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339")]
    pub sent_at: OffsetDateTime,
}

impl Mailbox {
    /// Delivers a letter; the second copy of one is folded into the first.
    pub fn deliver(&self, letter: &Letter) {
        let Letter { id, to, subject, text, html, written_at: sent_at } = letter.clone();
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.iter().all(|mail| mail.id != id) {
            kept.push_front(Kept { id, to, subject, text, html, sent_at });
            kept.truncate(ROOM);
        }
    }

    /// Every mail, newest first.
    pub fn list(&self) -> Vec<Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// One mail.
    pub fn find(&self, id: Uuid) -> Option<Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().find(|mail| mail.id == id).cloned()
    }
}
