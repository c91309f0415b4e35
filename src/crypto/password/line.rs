//! When those who are turned away may come back.
//!
//! If all were told the same, they would all come back at the same instant, most of them in vain and in everybody's way.
//! So each is told when there will be a place that nobody before was told of. It is a forecast and no reservation:
//! whoever finds room is served, and who does not come back is missed by nobody.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// What nobody waits longer for. Bounds what a crowd that never comes back can make others wait.
const LONGEST: Duration = Duration::from_secs(20);
/// How many of the last jobs an average is about.
const LATELY: u64 = 8;

/// See the module.
pub(super) struct Line {
    threads: u64,
    opened: Instant,
    /// Microseconds after `opened` of the last place that somebody was told of.
    told: AtomicU64,
    /// Microseconds that a thread was busy with a job, lately and on average.
    work: AtomicU64,
}

impl Line {
    /// Before so many threads.
    pub(super) fn new(threads: usize) -> Self {
        Self {
            threads: threads.max(1) as u64,
            opened: Instant::now(),
            told: AtomicU64::new(0),
            work: AtomicU64::new(0),
        }
    }

    /// A job took so long.
    pub(super) fn worked(&self, took: Duration) {
        let average = match self.work.load(Ordering::Relaxed) {
            0 => micros(took),
            average => (average * (LATELY - 1) + micros(took)) / LATELY,
        };
        // Of two threads that end at once one may be forgotten, which an average survives.
        self.work.store(average, Ordering::Relaxed);
    }

    /// How long so many jobs take.
    pub(super) fn takes(&self, jobs: usize) -> Duration {
        Duration::from_micros(jobs as u64 * self.work.load(Ordering::Relaxed) / self.threads)
    }

    /// In how many seconds to come back.
    pub(super) fn place(&self) -> u64 {
        self.place_at(self.opened.elapsed())
    }

    fn place_at(&self, now: Duration) -> u64 {
        let (now, one) = (micros(now), micros(self.takes(1)));
        let next = |told: u64| (told.max(now) + one).min(now + micros(LONGEST));
        let told = self.told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |told| Some(next(told)));
        let place = next(told.unwrap_or_else(|told| told));
        (place - now).div_ceil(1_000_000).max(1)
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn of_two_that_take(took: Duration) -> Line {
        let line = Line::new(2);
        (0..100).for_each(|_| line.worked(took));
        line
    }

    /// V-064. Two threads do ten jobs of a fifth of a second in each second.
    #[test]
    fn each_second_is_told_to_as_many_as_it_can_serve() {
        let line = of_two_that_take(SECOND / 5);
        let told: Vec<u64> = (0..45).map(|_| line.place_at(SECOND)).collect();
        for second in 1..=4 {
            let count = told.iter().filter(|&&told| told == second).count();
            assert!((9..=11).contains(&count), "{count} in second {second}: {told:?}");
        }
        assert!(told.is_sorted());
    }

    #[test]
    fn places_that_have_passed_are_told_to_nobody() {
        let line = of_two_that_take(SECOND);
        assert_eq!((0..9).map(|_| line.place_at(SECOND)).last(), Some(5));
        assert_eq!(line.place_at(SECOND * 4), 2);
        assert_eq!(line.place_at(SECOND * 60), 1);
    }

    #[test]
    fn nobody_is_sent_away_for_long() {
        let line = of_two_that_take(SECOND);
        let told: Vec<u64> = (0..1000).map(|_| line.place_at(SECOND)).collect();
        assert_eq!(told.iter().max(), Some(&20));
        assert_eq!(line.place_at(SECOND * 1000), 1);
        assert_eq!(Line::new(2).place_at(SECOND), 1, "nothing is known yet");
    }
}
