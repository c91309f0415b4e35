//! What ended before it expires, kept in memory: sessions, grants, tokens.
//!
//! Few of them live at a time, since nothing is kept longer than the access tokens that it concerns. So every node
//! knows all, and looking at a token costs no statement.

use std::{
    collections::HashMap,
    sync::{PoisonError, RwLock, RwLockWriteGuard},
};

use time::OffsetDateTime;

/// See the module.
pub struct Revoked(RwLock<HashMap<String, OffsetDateTime>>);

impl Revoked {
    /// Starts with what the database holds.
    pub fn new(known: Vec<(String, OffsetDateTime)>) -> Self {
        Self(RwLock::new(known.into_iter().collect()))
    }

    /// Whether any of these is ended.
    pub fn contains_any(&self, ids: &[String]) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        !known.is_empty() && ids.iter().any(|id| known.contains_key(id))
    }

    /// Learns of more.
    pub fn extend(&self, more: Vec<(String, OffsetDateTime)>) {
        if !more.is_empty() {
            self.write().extend(more);
        }
    }

    /// Forgets what nothing can refer to any more.
    pub fn prune(&self, now: OffsetDateTime) {
        self.write().retain(|_, until| *until > now);
    }

    fn write(&self) -> RwLockWriteGuard<'_, HashMap<String, OffsetDateTime>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}
