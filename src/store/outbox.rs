//! Mail that waits to be sent.
//!
//! A mail that a node takes is leased to it: nobody else takes it before the lease ends, and somebody does when that
//! node is gone. What was sent or given up is deleted, content and all.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;
use uuid::Uuid;

use super::Error;

/// A mail that was taken to be sent.
pub struct Taken {
    /// Its id.
    pub id: Uuid,
    /// Recipient and content.
    pub sealed: Vec<u8>,
    /// How often it was taken, this time included. With the id it names this lease.
    pub attempts: i32,
}

/// Stores a mail, unless `most` of them wait already; whether it was stored.
pub async fn insert(
    conn: &mut PgConnection,
    id: Uuid,
    sealed: &[u8],
    now: OffsetDateTime,
    most: i64,
) -> Result<bool, Error> {
    let done = sqlx::query!(
        "INSERT INTO outbox (id, sealed, created_at, not_before)
         SELECT $1, $2, $3, $3 WHERE (SELECT count(*) FROM (SELECT FROM outbox LIMIT $4) AS waiting) < $4",
        id,
        sealed,
        now,
        most
    );
    Ok(done.execute(conn).await?.rows_affected() == 1)
}

/// Takes the mail that has been due for longest, until `lease`.
pub async fn take(db: impl PgExecutor<'_>, now: OffsetDateTime, lease: OffsetDateTime) -> Result<Option<Taken>, Error> {
    let taken = sqlx::query_as!(
        Taken,
        "UPDATE outbox SET not_before = $2, attempts = attempts + 1
         WHERE id = (SELECT id FROM outbox WHERE not_before <= $1 ORDER BY not_before LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING id, sealed, attempts",
        now,
        lease
    );
    Ok(taken.fetch_optional(db).await?)
}

/// Puts a mail back until `not_before`; nothing happens when the lease has passed to somebody else.
pub async fn put_back(db: impl PgExecutor<'_>, taken: &Taken, not_before: OffsetDateTime) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE outbox SET not_before = $3 WHERE id = $1 AND attempts = $2",
        taken.id,
        taken.attempts,
        not_before
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets a mail that was sent or given up.
pub async fn delete(db: impl PgExecutor<'_>, id: Uuid) -> Result<(), Error> {
    sqlx::query!("DELETE FROM outbox WHERE id = $1", id).execute(db).await?;
    Ok(())
}

/// Forgets mail from before `since`; how many there were.
pub async fn delete_older(db: impl PgExecutor<'_>, since: OffsetDateTime) -> Result<u64, Error> {
    Ok(sqlx::query!("DELETE FROM outbox WHERE created_at < $1", since).execute(db).await?.rows_affected())
}

/// How many mails wait.
pub async fn count(db: impl PgExecutor<'_>) -> Result<i64, Error> {
    Ok(sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM outbox"#).fetch_one(db).await?)
}
