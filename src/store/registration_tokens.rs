//! Initial access tokens of dynamic registration (RFC 7591 §1.2).

use sqlx::PgExecutor;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Error;

/// A token that lets clients be registered, without the token itself.
pub struct RegistrationToken {
    /// Its id.
    pub id: Uuid,
    /// What it is for.
    pub description: String,
    /// How many more clients.
    pub uses_left: i32,
    /// Until when.
    pub expires_at: OffsetDateTime,
    /// Since when.
    pub created_at: OffsetDateTime,
}

/// Adds one.
pub async fn insert(db: impl PgExecutor<'_>, token: &RegistrationToken, hash: &[u8; 32]) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO registration_tokens (id, hash, description, uses_left, expires_at, created_at)
         VALUES ($1, $2, $3, $4, $5, $6)",
        token.id,
        hash.as_slice(),
        token.description,
        token.uses_left,
        token.expires_at,
        token.created_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether a token is good at `now`. Only [`consume`] decides.
pub async fn is_good(db: impl PgExecutor<'_>, hash: &[u8; 32], now: OffsetDateTime) -> Result<bool, Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM registration_tokens WHERE hash = $1 AND uses_left > 0 AND expires_at > $2)
           AS "found!""#,
        hash.as_slice(),
        now
    );
    Ok(found.fetch_one(db).await?)
}

/// Uses a token once, and answers its id; `None` when it is unknown, used up or expired.
pub async fn consume(db: impl PgExecutor<'_>, hash: &[u8; 32], now: OffsetDateTime) -> Result<Option<Uuid>, Error> {
    let update = sqlx::query_scalar!(
        "UPDATE registration_tokens SET uses_left = uses_left - 1 WHERE hash = $1 AND uses_left > 0 AND expires_at > $2
         RETURNING id",
        hash.as_slice(),
        now
    );
    Ok(update.fetch_optional(db).await?)
}

/// A page of tokens after an id.
pub async fn list(db: impl PgExecutor<'_>, after: Uuid, limit: i64) -> Result<Vec<RegistrationToken>, Error> {
    let rows = sqlx::query_as!(
        RegistrationToken,
        "SELECT id, description, uses_left, expires_at, created_at FROM registration_tokens
         WHERE id > $1 ORDER BY id LIMIT $2",
        after,
        limit
    );
    Ok(rows.fetch_all(db).await?)
}

/// Removes one; false when there is none.
pub async fn delete(db: impl PgExecutor<'_>, id: Uuid) -> Result<bool, Error> {
    Ok(sqlx::query!("DELETE FROM registration_tokens WHERE id = $1", id).execute(db).await?.rows_affected() == 1)
}

/// Removes those that expired.
pub async fn prune(db: impl PgExecutor<'_>, now: OffsetDateTime) -> Result<u64, Error> {
    Ok(sqlx::query!("DELETE FROM registration_tokens WHERE expires_at <= $1", now).execute(db).await?.rows_affected())
}
