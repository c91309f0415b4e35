//! Second factors: TOTP, backup codes, bypasses, and logins that wait for one. What may be used once is used up in one
//! statement.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::Error;
use crate::model::{ClientId, UserId};

/// A TOTP secret.
pub struct TotpRow {
    /// Sealed.
    pub secret: Vec<u8>,
    /// The last step that was used.
    pub last_step: Option<i64>,
}

/// A login whose password was right.
pub struct Challenge {
    /// Who.
    pub user: UserId,
    /// The application that asks, if it is not a browser.
    pub client: Option<ClientId>,
    /// When the password was given.
    pub created_at: OffsetDateTime,
}

/// What is left of the backup codes.
pub struct Remaining {
    /// How many.
    pub count: i64,
    /// Until when.
    pub expires_at: Option<OffsetDateTime>,
}

/// Keeps a secret that is being set up; an earlier attempt is forgotten.
pub async fn put_pending_totp(
    db: impl PgExecutor<'_>,
    user: UserId,
    secret: &[u8],
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO totp (user_id, active, secret_sealed, created_at) VALUES ($1, false, $2, $3)
         ON CONFLICT (user_id, active) DO UPDATE SET secret_sealed = $2, created_at = $3",
        user.0,
        secret,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The secret in use, or the one being set up since `since`.
pub async fn find_totp(
    db: impl PgExecutor<'_>,
    user: UserId,
    active: bool,
    since: OffsetDateTime,
) -> Result<Option<TotpRow>, Error> {
    let row = sqlx::query!(
        "SELECT secret_sealed, last_step FROM totp WHERE user_id = $1 AND active = $2 AND (active OR created_at > $3)",
        user.0,
        active,
        since
    );
    Ok(row.fetch_optional(db).await?.map(|row| TotpRow { secret: row.secret_sealed, last_step: row.last_step }))
}

/// Puts the secret that was being set up into use, if it still is this one.
pub async fn activate_totp(db: impl PgExecutor<'_>, user: UserId, secret: &[u8], step: i64) -> Result<bool, Error> {
    let done = sqlx::query!(
        "WITH pending AS (DELETE FROM totp WHERE user_id = $1 AND NOT active AND secret_sealed = $2 RETURNING created_at)
         INSERT INTO totp (user_id, active, secret_sealed, last_step, created_at)
         SELECT $1, true, $2, $3, created_at FROM pending
         ON CONFLICT (user_id, active) DO UPDATE SET secret_sealed = $2, last_step = $3,
           created_at = excluded.created_at",
        user.0,
        secret,
        step
    );
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Uses a step up; false when it or a later one was used before.
pub async fn consume_step(db: impl PgExecutor<'_>, user: UserId, step: i64) -> Result<bool, Error> {
    let done = sqlx::query!(
        "UPDATE totp SET last_step = $2 WHERE user_id = $1 AND active AND (last_step IS NULL OR last_step < $2)",
        user.0,
        step
    );
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Takes everything of a person's second factor away; false when there was none in use.
pub async fn delete_all(db: impl PgExecutor<'_>, user: UserId) -> Result<bool, Error> {
    let row = sqlx::query_scalar!(
        r#"WITH person AS (SELECT id FROM users WHERE id = $1 FOR UPDATE),
                codes AS (DELETE FROM backup_codes WHERE user_id = $1),
                bypasses AS (DELETE FROM mfa_bypasses WHERE user_id = $1),
                challenges AS (DELETE FROM mfa_challenges WHERE user_id = $1),
                secrets AS (DELETE FROM totp WHERE user_id = (SELECT id FROM person) RETURNING active)
           SELECT coalesce(bool_or(active), false) AS "had!" FROM secrets"#,
        user.0
    );
    Ok(row.fetch_one(db).await?)
}

/// Adds backup codes.
pub async fn insert_backup_codes(
    db: impl PgExecutor<'_>,
    user: UserId,
    hashes: &[Vec<u8>],
    expires_at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO backup_codes (user_id, hash, expires_at) SELECT $1, hash, $3 FROM unnest($2::bytea[]) AS r (hash)",
        user.0,
        hashes,
        expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Removes the backup codes.
pub async fn delete_backup_codes(db: impl PgExecutor<'_>, user: UserId) -> Result<(), Error> {
    sqlx::query!("DELETE FROM backup_codes WHERE user_id = $1", user.0).execute(db).await?;
    Ok(())
}

/// Uses a backup code up. Its hashes are those under each master key.
pub async fn consume_backup_code(
    db: impl PgExecutor<'_>,
    user: UserId,
    hashes: &[Vec<u8>],
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let done = sqlx::query!(
        "DELETE FROM backup_codes WHERE user_id = $1 AND hash = ANY($2) AND expires_at > $3",
        user.0,
        hashes,
        now
    );
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// What is left of the backup codes.
pub async fn remaining_backup_codes(
    db: impl PgExecutor<'_>,
    user: UserId,
    now: OffsetDateTime,
) -> Result<Remaining, Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "count!", min(expires_at) AS expires_at FROM backup_codes
           WHERE user_id = $1 AND expires_at > $2"#,
        user.0,
        now
    );
    let row = row.fetch_one(db).await?;
    Ok(Remaining { count: row.count, expires_at: row.expires_at })
}

/// People whose backup codes expire before `soon` and who were not warned yet; they count as warned from now on.
pub async fn warn_of_expiry(
    db: impl PgExecutor<'_>,
    now: OffsetDateTime,
    soon: OffsetDateTime,
) -> Result<Vec<(UserId, OffsetDateTime)>, Error> {
    let rows = sqlx::query!(
        r#"WITH expiring AS (
             UPDATE backup_codes SET warned = true
             WHERE expires_at > $1 AND expires_at <= $2 AND NOT warned AND user_id IN (
               SELECT DISTINCT user_id FROM backup_codes WHERE expires_at > $1 AND expires_at <= $2 AND NOT warned LIMIT 500)
             RETURNING user_id, expires_at
           )
           SELECT user_id, min(expires_at) AS "expires_at!" FROM expiring GROUP BY user_id"#,
        now,
        soon
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(|row| (UserId(row.user_id), row.expires_at)).collect())
}

/// Lets a person in once without the second factor; an earlier bypass is dead.
pub async fn put_bypass(
    db: impl PgExecutor<'_>,
    user: UserId,
    hash: &[u8],
    by: &str,
    reason: &str,
    expires_at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO mfa_bypasses (user_id, hash, granted_by, reason, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (user_id) DO UPDATE SET hash = $2, granted_by = $3, reason = $4, expires_at = $5",
        user.0,
        hash,
        by,
        reason,
        expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Uses a bypass up. Answers who granted it.
pub async fn consume_bypass(
    db: impl PgExecutor<'_>,
    user: UserId,
    hashes: &[Vec<u8>],
    now: OffsetDateTime,
) -> Result<Option<String>, Error> {
    let by = sqlx::query_scalar!(
        "DELETE FROM mfa_bypasses WHERE user_id = $1 AND hash = ANY($2) AND expires_at > $3 RETURNING granted_by",
        user.0,
        hashes,
        now
    );
    Ok(by.fetch_optional(db).await?)
}

/// Keeps a login that waits for its second factor.
pub async fn insert_challenge(
    db: impl PgExecutor<'_>,
    hash: &[u8; 32],
    user: UserId,
    client: Option<&ClientId>,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO mfa_challenges (hash, user_id, client_id, created_at, expires_at, generation)
         SELECT $1, $2, $3, $4, $5, coalesce((SELECT generation FROM clients WHERE id = $3), 0)",
        hash.as_slice(),
        user.0,
        client.map(ClientId::as_str),
        now,
        expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A login that waits, if it still does at `now` and its person may act.
pub async fn find_challenge(
    db: impl PgExecutor<'_>,
    hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<Challenge>, Error> {
    let row = sqlx::query!(
        "SELECT user_id, client_id, c.created_at FROM mfa_challenges c JOIN users u ON u.id = user_id
         WHERE hash = $1 AND expires_at > $2 AND u.active
           AND NOT EXISTS (SELECT FROM clients WHERE id = c.client_id AND generation <> c.generation)",
        hash.as_slice(),
        now
    );
    Ok(row.fetch_optional(db).await?.map(|row| Challenge {
        user: UserId(row.user_id),
        client: row.client_id.and_then(|id| id.parse().ok()),
        created_at: row.created_at,
    }))
}

/// Ends the waiting; false when another request did so first.
pub async fn consume_challenge(db: impl PgExecutor<'_>, hash: &[u8; 32]) -> Result<bool, Error> {
    let done = sqlx::query!("DELETE FROM mfa_challenges WHERE hash = $1", hash.as_slice());
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Ends every waiting login of a person.
pub async fn delete_challenges(db: impl PgExecutor<'_>, user: UserId) -> Result<(), Error> {
    sqlx::query!("DELETE FROM mfa_challenges WHERE user_id = $1", user.0).execute(db).await?;
    Ok(())
}

/// Takes an administrator's bypass back.
pub async fn delete_bypass(db: impl PgExecutor<'_>, user: UserId) -> Result<(), Error> {
    sqlx::query!("DELETE FROM mfa_bypasses WHERE user_id = $1", user.0).execute(db).await?;
    Ok(())
}

/// Forgets what expired.
pub async fn prune(db: impl PgExecutor<'_>, now: OffsetDateTime) -> Result<u64, Error> {
    let done = sqlx::query!(
        "WITH codes AS (DELETE FROM backup_codes WHERE expires_at <= $1),
              bypasses AS (DELETE FROM mfa_bypasses WHERE expires_at <= $1)
         DELETE FROM mfa_challenges WHERE expires_at <= $1",
        now
    );
    Ok(done.execute(db).await?.rows_affected())
}
