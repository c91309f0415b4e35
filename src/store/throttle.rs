//! Attempts that have not succeeded yet.

use sqlx::PgExecutor;
use time::{Duration, OffsetDateTime};

use super::Error;

/// Whether an attempt may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Now. It is counted already.
    Now,
    /// Not before this time.
    At(OffsetDateTime),
}

/// How attempts are slowed down.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// So many cost nothing.
    pub free: i32,
    /// After them one waits so long, and twice as long after every five more.
    pub first: Duration,
    /// But never longer than this, so that nobody is shut out for good.
    pub most: Duration,
    /// After so long without an attempt everything is forgotten.
    pub forgotten_after: Duration,
}

/// A subject that holds up another: its name, and its pace.
pub type Gate<'a> = (&'a str, Pace);

/// Counts an attempt before it is made, in one statement: however many arrive at once, no more are let through than
/// the pace allows (V-027), and none while `gate` is to wait. Those that cost nothing are told from the others by their number alone, for of two that arrive
/// at once the later one may be counted first.
pub async fn take(
    db: impl PgExecutor<'_> + Copy,
    subject: &str,
    pace: Pace,
    gate: Option<Gate<'_>>,
    now: OffsetDateTime,
) -> Result<Turn, Error> {
    let seconds = |d: Duration| d.as_seconds_f64();
    let taken = sqlx::query!(
        "INSERT INTO throttle AS t (subject, failures, last_at, blocked_until) SELECT $1, 1, $2, $2
         WHERE NOT EXISTS (SELECT FROM throttle WHERE subject = $7 AND failures >= $8 AND blocked_until > $2)
         ON CONFLICT (subject) DO UPDATE SET
           failures = CASE WHEN t.last_at < $3 THEN 1 ELSE t.failures + 1 END,
           last_at = $2,
           blocked_until = CASE WHEN t.last_at < $3 OR t.failures + 1 < $4 THEN $2::timestamptz
             ELSE $2 + make_interval(secs => least($6::float8, $5::float8 * power(2, least(30, (t.failures + 1 - $4) / 5))))
           END
         WHERE t.last_at < $3 OR t.failures < $4 OR t.blocked_until <= $2
         RETURNING failures",
        subject,
        now,
        now - pace.forgotten_after,
        pace.free,
        seconds(pace.first),
        seconds(pace.most),
        gate.map(|(subject, _)| subject),
        gate.map(|(_, pace)| pace.free),
    );
    if taken.fetch_optional(db).await?.is_some() {
        return Ok(Turn::Now);
    }
    if let Some((gate, pace)) = gate
        && let Some(until) = blocked_until(db, gate, pace, now).await?
    {
        return Ok(Turn::At(until));
    }
    let until = sqlx::query_scalar!("SELECT blocked_until FROM throttle WHERE subject = $1", subject);
    Ok(until.fetch_optional(db).await?.map_or(Turn::At(now), Turn::At))
}

/// Forgets the attempts of subjects that have succeeded or were pardoned.
pub async fn forget(db: impl PgExecutor<'_>, subjects: &[String]) -> Result<(), Error> {
    sqlx::query!("DELETE FROM throttle WHERE subject = ANY($1)", subjects).execute(db).await?;
    Ok(())
}

/// Takes one attempt back: it was no guess.
pub async fn give_back(db: impl PgExecutor<'_>, subject: &str) -> Result<(), Error> {
    sqlx::query!("UPDATE throttle SET failures = greatest(failures - 1, 0) WHERE subject = $1", subject)
        .execute(db)
        .await?;
    Ok(())
}

/// Forgets what nobody tried lately.
pub async fn prune(db: impl PgExecutor<'_>, before: OffsetDateTime) -> Result<u64, Error> {
    Ok(sqlx::query!("DELETE FROM throttle WHERE last_at < $1", before).execute(db).await?.rows_affected())
}

/// Until when a subject is to wait, if it is. Counts nothing. As in [`take`], attempts that cost nothing are told from the
/// others by their number: the time of one that arrived at the same instant may be later than `now`.
pub async fn blocked_until(
    db: impl PgExecutor<'_>,
    subject: &str,
    pace: Pace,
    now: OffsetDateTime,
) -> Result<Option<OffsetDateTime>, Error> {
    let until = sqlx::query_scalar!(
        "SELECT blocked_until FROM throttle WHERE subject = $1 AND failures >= $2 AND blocked_until > $3",
        subject,
        pace.free,
        now
    );
    Ok(until.fetch_optional(db).await?)
}
