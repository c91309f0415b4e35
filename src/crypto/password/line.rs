//! When those who are turned away may come back.
//!
//! If all were told the same, they would all come back at the same instant, most of them in vain and in everybody's way.
//! So each is told when there will be a place that nobody before was told of. It is a forecast and no reservation:
//! whoever finds room is served, and who does not come back is missed by nobody.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// The least that `Retry-After` can say.
const SHORTEST: Duration = Duration::from_secs(1);
/// What nobody waits longer for. Bounds what a crowd that never comes back can make others wait.
const LONGEST: Duration = Duration::from_secs(20);
/// What a job takes, as long as none has ended.
const GUESS: Duration = Duration::from_millis(25);
/// How many of the last jobs an average is about.
const LATELY: u64 = 8;

/// See the module.
pub(super) struct Line {
    threads: u64,
    opened: Instant,
    /// Microseconds after `opened` of the last place that somebody was told of.
    told: AtomicU64,
    /// Microseconds from the beginning of a job to its end, lately and on average.
    work: AtomicU64,
    /// Microseconds of a processor that it takes.
    effort: AtomicU64,
}

impl Line {
    /// Before so many threads.
    pub(super) fn new(threads: usize) -> Self {
        Self {
            threads: threads.max(1) as u64,
            opened: Instant::now(),
            told: AtomicU64::new(0),
            work: AtomicU64::new(micros(GUESS)),
            effort: AtomicU64::new(micros(GUESS)),
        }
    }

    /// A job took so long, and so much of a processor.
    pub(super) fn worked(&self, took: Duration, effort: Duration) {
        average(&self.work, took);
        average(&self.effort, effort);
    }

    /// How long so many jobs take as things are.
    pub(super) fn takes(&self, jobs: usize) -> Duration {
        Duration::from_micros(jobs as u64 * self.work.load(Ordering::Relaxed) / self.threads)
    }

    /// When to come back. To the instant, so that those who do come one after another.
    pub(super) fn place(&self) -> Duration {
        self.place_at(self.opened.elapsed())
    }

    /// By what jobs take of a processor: how long they last just when many arrive at once says nothing about later. Whoever
    /// comes too early is sent away once more, but whoever comes too late leaves a thread idle.
    fn place_at(&self, now: Duration) -> Duration {
        let (now, one) = (micros(now), self.effort.load(Ordering::Relaxed) / self.threads);
        let next = |told: u64| (told.max(now + micros(SHORTEST)) + one).min(now + micros(LONGEST));
        let told = self.told.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |told| Some(next(told)));
        Duration::from_micros(next(told.unwrap_or_else(|told| told)) - now)
    }
}

/// Of two threads that end at once one may be forgotten, which an average survives.
fn average(kept: &AtomicU64, took: Duration) {
    let average = kept.load(Ordering::Relaxed);
    kept.store((average * (LATELY - 1) + micros(took)) / LATELY, Ordering::Relaxed);
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
        (0..100).for_each(|_| line.worked(SECOND * 60, took));
        line
    }

    /// Averages of whole microseconds are a few of them short.
    fn assert_near(told: Duration, expected: Duration) {
        assert!(told.abs_diff(expected) < SECOND / 100, "{told:?}, expected {expected:?}");
    }

    /// V-064. Two threads do ten jobs of a fifth of a second in each second, one after another.
    #[test]
    fn each_is_told_when_there_is_a_place() {
        let line = of_two_that_take(SECOND / 5);
        for place in 1..=45 {
            assert_near(line.place_at(SECOND), SECOND + SECOND / 10 * place);
        }
    }

    #[test]
    fn places_that_have_passed_are_told_to_nobody() {
        let line = of_two_that_take(SECOND);
        let told: Vec<Duration> = (0..9).map(|_| line.place_at(SECOND)).collect();
        assert_near(told[8], SECOND * 11 / 2);
        assert_near(line.place_at(SECOND * 4), SECOND * 3);
        assert_near(line.place_at(SECOND * 60), SECOND * 3 / 2);
    }

    #[test]
    fn nobody_is_sent_away_for_long() {
        let line = of_two_that_take(SECOND);
        let told: Vec<Duration> = (0..1000).map(|_| line.place_at(SECOND)).collect();
        assert_eq!(told.iter().max(), Some(&LONGEST));
        assert_near(line.place_at(SECOND * 1000), SECOND * 3 / 2);
        assert_eq!(Line::new(2).place_at(SECOND), SHORTEST + GUESS / 2, "nothing is known yet");
    }
}
