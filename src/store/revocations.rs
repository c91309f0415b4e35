//! What was ended before it expires.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::Error;

/// Notes that something is ended. Kept until every token that it could concern has expired.
pub async fn insert(db: impl PgExecutor<'_>, ids: &[String], expires_at: OffsetDateTime) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO revocations (id, expires_at) SELECT id, $2 FROM unnest($1::text[]) AS row (id)
         ON CONFLICT (id) DO UPDATE SET expires_at = greatest(revocations.expires_at, excluded.expires_at)",
        ids,
        expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Everything that matters at `now`, each until when.
pub async fn list(db: impl PgExecutor<'_>, now: OffsetDateTime) -> Result<Vec<(String, OffsetDateTime)>, Error> {
    let rows = sqlx::query!("SELECT id, expires_at FROM revocations WHERE expires_at > $1", now);
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (row.id, row.expires_at)).collect())
}

/// Forgets what matters no more.
pub async fn prune(db: impl PgExecutor<'_>, now: OffsetDateTime) -> Result<u64, Error> {
    Ok(sqlx::query!("DELETE FROM revocations WHERE expires_at <= $1", now).execute(db).await?.rows_affected())
}
