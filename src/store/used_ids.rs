//! Whatever may be presented once.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::Error;

/// Notes that something was presented; false when it was before. Remembered until `expires_at`, when it is no longer
/// good anyway.
pub async fn insert(db: impl PgExecutor<'_>, hash: &[u8; 32], expires_at: OffsetDateTime) -> Result<bool, Error> {
    let insert = sqlx::query!(
        "INSERT INTO used_ids (hash, expires_at) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        hash.as_slice(),
        expires_at
    );
    Ok(insert.execute(db).await?.rows_affected() == 1)
}

/// Forgets what is no longer good.
pub async fn prune(db: impl PgExecutor<'_>, now: OffsetDateTime) -> Result<u64, Error> {
    Ok(sqlx::query!("DELETE FROM used_ids WHERE expires_at <= $1", now).execute(db).await?.rows_affected())
}
