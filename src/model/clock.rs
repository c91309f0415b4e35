//! The time of day.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;

/// Tells the time. Clones tell the same time, and a test can move them all.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicI64>,
}

impl Clock {
    /// Now, in UTC.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + time::Duration::milliseconds(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// How far the clock was moved on.
    pub fn ahead(&self) -> time::Duration {
        time::Duration::milliseconds(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Moves the clock on. For tests of what happens later.
    pub fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(by.as_millis().try_into().unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}
