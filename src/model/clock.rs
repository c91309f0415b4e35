//! The time of day.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

use time::OffsetDateTime;

/// Tells the time that all nodes share: the database's. Each node has a clock of its own, and is told how far it is off.
/// So whatever expires has expired for every node at once, and nothing that is good on one is refused by another. From
/// then on it counts by a clock that nobody sets: a machine whose time is put right tells no other time by that.
///
/// Clones tell the same time, and a test can move them all.
#[derive(Clone, Debug)]
pub struct Clock {
    /// When it began to count.
    since: Instant,
    /// What time it was then, in microseconds since 1970.
    began: Arc<AtomicI64>,
    /// How far tests moved the time of all nodes on, in microseconds.
    ahead: Arc<AtomicI64>,
}

impl Default for Clock {
    /// One that believes the machine until it is told better.
    #[expect(clippy::disallowed_methods, reason = "this is the clock")]
    fn default() -> Self {
        let now = OffsetDateTime::now_utc() - OffsetDateTime::UNIX_EPOCH;
        Self { since: Instant::now(), began: Arc::new(microseconds(now).into()), ahead: Arc::default() }
    }
}

impl Clock {
    /// What is no more than this is near enough, and would only make the time jump.
    const EXACT: time::Duration = time::Duration::milliseconds(100);

    /// Now, in UTC.
    pub fn now(&self) -> OffsetDateTime {
        self.told() + self.ahead()
    }

    /// How far the clock was moved on.
    pub fn ahead(&self) -> time::Duration {
        time::Duration::microseconds(self.ahead.load(Ordering::Relaxed))
    }

    /// Takes over the time that the database told while a question took so long; how far the clock was off, if it was
    /// for certain.
    pub fn set(&self, database: OffsetDateTime, took: Duration) -> Option<time::Duration> {
        let off = database + took / 2 - self.told();
        if off.abs() <= Self::EXACT + took {
            return None;
        }
        self.began.fetch_add(microseconds(off), Ordering::Relaxed);
        Some(off)
    }

    /// Moves the clock on. For tests of what happens later.
    pub fn advance(&self, by: Duration) {
        self.ahead.fetch_add(by.as_micros().try_into().unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// That of another machine, which is off by so much. For tests of what happens then.
    #[must_use]
    pub fn elsewhere(&self, off: time::Duration) -> Self {
        let began = self.began.load(Ordering::Relaxed) + microseconds(off);
        Self { since: self.since, began: Arc::new(began.into()), ahead: Arc::clone(&self.ahead) }
    }

    /// The time as the database told it, which tests do not move.
    fn told(&self) -> OffsetDateTime {
        let began = time::Duration::microseconds(self.began.load(Ordering::Relaxed));
        OffsetDateTime::UNIX_EPOCH + (began + self.since.elapsed())
    }
}

fn microseconds(duration: time::Duration) -> i64 {
    duration.whole_microseconds().try_into().unwrap_or_default()
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
