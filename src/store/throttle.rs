//! Attempts that have not succeeded yet.

use sqlx::PgExecutor;
use time::{Duration, OffsetDateTime};

use super::{Conn, Error, users::Credentials};
use crate::model::{Email, Secret, UserId, Username};

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
    conn: &mut Conn,
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
    let counted = taken.fetch_optional(&mut *conn).await?.is_some();
    if counted { Ok(Turn::Now) } else { Ok(Turn::At(next(conn, subject, gate, now).await?)) }
}

/// Whom a login name or an address stands for.
pub struct Login<'a> {
    /// A login name.
    pub username: Option<&'a Username>,
    /// An address: stands for whoever has proven it, else for the only one who claims it.
    pub email: Option<&'a Email>,
    /// What the subject of a person is: this, and the person's id.
    pub prefix: &'a str,
    /// The browser; and what follows in the subject if the person once logged in with it.
    pub device: Option<(&'a [u8; 32], &'a str)>,
    /// The subject if there is no such person.
    pub nobody: &'a str,
}

/// An attempt that was counted, or may not be made yet.
pub struct Attempt {
    /// What it is counted under.
    pub subject: String,
    /// Whether it may be made.
    pub turn: Turn,
    /// Who it is, and what the password is compared with.
    pub found: Option<Credentials>,
}

/// Finds out who wants to log in, and counts that as [`take`] does, in one statement. Not for other attempts: they must not
/// wait for whoever changes people.
pub async fn take_login(
    conn: &mut Conn,
    login: &Login<'_>,
    pace: Pace,
    gate: Option<Gate<'_>>,
    now: OffsetDateTime,
) -> Result<Attempt, Error> {
    let seconds = |d: Duration| d.as_seconds_f64();
    let taken = sqlx::query!(
        r#"WITH person AS (
             SELECT id, password_hash, active, password_changed_at, mfa FROM users WHERE username_key = $9
             UNION ALL
             SELECT id, password_hash, active, password_changed_at, mfa FROM users u
             WHERE email_key = $10 AND (email_verified
               OR NOT EXISTS (SELECT FROM users other WHERE other.email_key = $10 AND other.id <> u.id))
           ), counter AS (
             SELECT coalesce((SELECT $11::text || id::text || CASE
               WHEN EXISTS (SELECT FROM devices WHERE hash = $12 AND user_id = person.id) THEN $13::text ELSE '' END
               FROM person), $1) AS subject
           ), counted AS (
             INSERT INTO throttle AS t (subject, failures, last_at, blocked_until)
             SELECT subject, 1, $2, $2 FROM counter
             WHERE NOT EXISTS (SELECT FROM throttle WHERE subject = $7 AND failures >= $8 AND blocked_until > $2)
             ON CONFLICT (subject) DO UPDATE SET
               failures = CASE WHEN t.last_at < $3 THEN 1 ELSE t.failures + 1 END,
               last_at = $2,
               blocked_until = CASE WHEN t.last_at < $3 OR t.failures + 1 < $4 THEN $2::timestamptz
                 ELSE $2 + make_interval(secs =>
                   least($6::float8, $5::float8 * power(2, least(30, (t.failures + 1 - $4) / 5))))
               END
             WHERE t.last_at < $3 OR t.failures < $4 OR t.blocked_until <= $2
             RETURNING subject
           )
           SELECT subject AS "subject!", EXISTS (SELECT FROM counted) AS "counted!", id AS "id?", password_hash,
             active AS "active?", password_changed_at AS "password_changed_at?", mfa AS "mfa?"
           FROM counter LEFT JOIN person ON true"#,
        login.nobody,
        now,
        now - pace.forgotten_after,
        pace.free,
        seconds(pace.first),
        seconds(pace.most),
        gate.map(|(subject, _)| subject),
        gate.map(|(_, pace)| pace.free),
        login.username.map(Username::key),
        login.email.map(Email::key),
        login.prefix,
        login.device.map(|(hash, _)| hash.as_slice()),
        login.device.map(|(_, suffix)| suffix),
    );
    let row = taken.fetch_one(&mut *conn).await?;
    let known = row.id.zip(row.active).zip(row.password_changed_at).zip(row.mfa);
    let found = known.map(|(((id, active), password_changed_at), mfa)| Credentials {
        id: UserId(id),
        password_hash: row.password_hash.map(Secret::new),
        active,
        mfa,
        password_changed_at,
    });
    let turn = if row.counted { Turn::Now } else { Turn::At(next(conn, &row.subject, gate, now).await?) };
    Ok(Attempt { subject: row.subject, turn, found })
}

/// When whoever was not let through may try.
async fn next(
    conn: &mut Conn,
    subject: &str,
    gate: Option<Gate<'_>>,
    now: OffsetDateTime,
) -> Result<OffsetDateTime, Error> {
    if let Some((gate, pace)) = gate
        && let Some(until) = blocked_until(&mut *conn, gate, pace, now).await?
    {
        return Ok(until);
    }
    let until = sqlx::query_scalar!("SELECT blocked_until FROM throttle WHERE subject = $1", subject);
    Ok(until.fetch_optional(conn).await?.unwrap_or(now))
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
