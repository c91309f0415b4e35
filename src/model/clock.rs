//! The time of day.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use time::OffsetDateTime;

/// Tells the time that all nodes share: the database's. Each node has a clock of its own, and is told how far it is off.
/// So whatever expires has expired for every node at once, and nothing that is good on one is refused by another.
///
/// Clones tell the same time, and a test can move them all.
#[derive(Clone, Debug, Default)]
pub struct Clock {
    /// How far this machine is behind the database.
    behind_ms: Arc<AtomicI64>,
    /// How far tests moved the time of all nodes on.
    ahead_ms: Arc<AtomicI64>,
    /// How far a test lets this machine be ahead of what it is.
    wrong_ms: i64,
}

impl Clock {
    /// What is no more than this is near enough, and would only make the time jump.
    const EXACT: time::Duration = time::Duration::milliseconds(100);

    /// Now, in UTC.
    pub fn now(&self) -> OffsetDateTime {
        let corrected = self.behind_ms.load(Ordering::Relaxed) + self.ahead_ms.load(Ordering::Relaxed);
        self.machine() + time::Duration::milliseconds(corrected)
    }

    /// How far the clock was moved on.
    pub fn ahead(&self) -> time::Duration {
        time::Duration::milliseconds(self.ahead_ms.load(Ordering::Relaxed))
    }

    /// Takes over the time that the database told while a question took so long; how far the clock was off, if it was
    /// for certain.
    pub fn set(&self, database: OffsetDateTime, took: Duration) -> Option<time::Duration> {
        let behind = database + took / 2 - self.machine();
        let off = behind - time::Duration::milliseconds(self.behind_ms.load(Ordering::Relaxed));
        if off.abs() <= Self::EXACT + took {
            return None;
        }
        self.behind_ms.store(behind.whole_milliseconds().try_into().unwrap_or_default(), Ordering::Relaxed);
        Some(off)
    }

    /// Moves the clock on. For tests of what happens later.
    pub fn advance(&self, by: Duration) {
        self.ahead_ms.fetch_add(by.as_millis().try_into().unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// That of another machine, which is wrong by so much. For tests of what happens then.
    #[must_use]
    pub fn elsewhere(&self, wrong: time::Duration) -> Self {
        let wrong_ms = wrong.whole_milliseconds().try_into().unwrap_or_default();
        Self { behind_ms: Arc::default(), ahead_ms: Arc::clone(&self.ahead_ms), wrong_ms }
    }

    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn machine(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc() + time::Duration::milliseconds(self.wrong_ms)
    }
}

#[cfg(test)]
mod tests {
    use time::Duration;

    use super::Clock;

    const QUICK: std::time::Duration = std::time::Duration::ZERO;

    /// R8: a machine that is a minute ahead tells the database's time; tests move it with all others.
    #[test]
    fn a_clock_follows_the_database() {
        let (right, wrong) = (Clock::default(), Clock::default().elsewhere(Duration::minutes(1)));
        assert!((wrong.now() - right.now() - Duration::minutes(1)).abs() < Duration::seconds(1));
        let off = wrong.set(right.now(), QUICK).unwrap();
        assert!((off + Duration::minutes(1)).abs() < Duration::seconds(1));
        assert!((wrong.now() - right.now()).abs() < Duration::seconds(1));
        let slow = std::time::Duration::from_secs(2);
        assert_eq!(wrong.set(wrong.now() + Duration::milliseconds(20), QUICK), None);
        assert_eq!(wrong.set(wrong.now() + Duration::SECOND, slow), None);
        wrong.advance(std::time::Duration::from_secs(60));
        assert!((wrong.now() - right.now() - Duration::minutes(1)).abs() < Duration::seconds(1));
    }
}
