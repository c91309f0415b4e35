//! Links sent by mail: one use, the newest only, judged in one statement.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::Error;
use crate::model::UserId;

/// What following the link does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Proves the address of a new account.
    VerifyEmail,
    /// Proves a new address of an existing account.
    ChangeEmail,
    /// Sets a new password.
    ResetPassword,
    /// Lets an administrator back in.
    Recover,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify_email",
            Self::ChangeEmail => "change_email",
            Self::ResetPassword => "reset_password",
            Self::Recover => "recover",
        }
    }
}

/// Keeps a token; an earlier one of the same person and purpose is dead.
pub async fn put(
    db: impl PgExecutor<'_>,
    purpose: Purpose,
    user: UserId,
    email: Option<&str>,
    hash: &[u8; 32],
    expires_at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO mail_tokens (hash, purpose, user_id, email, expires_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (user_id, purpose) DO UPDATE SET hash = $1, email = $4, expires_at = $5",
        hash.as_slice(),
        purpose.as_str(),
        user.0,
        email,
        expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Uses a token up. `None` for one that is unknown, used, replaced, expired or for something else.
pub async fn redeem(
    db: impl PgExecutor<'_>,
    purpose: Purpose,
    hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<(UserId, Option<String>)>, Error> {
    let row = sqlx::query!(
        "DELETE FROM mail_tokens WHERE hash = $1 AND purpose = $2 AND expires_at > $3 RETURNING user_id, email",
        hash.as_slice(),
        purpose.as_str(),
        now
    );
    Ok(row.fetch_optional(db).await?.map(|row| (UserId(row.user_id), row.email)))
}

/// Looks at a token without using it up.
pub async fn find(
    db: impl PgExecutor<'_>,
    purpose: Purpose,
    hash: &[u8; 32],
    now: OffsetDateTime,
) -> Result<Option<(UserId, Option<String>)>, Error> {
    let row = sqlx::query!(
        "SELECT user_id, email FROM mail_tokens WHERE hash = $1 AND purpose = $2 AND expires_at > $3",
        hash.as_slice(),
        purpose.as_str(),
        now
    );
    Ok(row.fetch_optional(db).await?.map(|row| (UserId(row.user_id), row.email)))
}

/// Makes every link of a person dead.
pub async fn delete_all(db: impl PgExecutor<'_>, user: UserId) -> Result<(), Error> {
    sqlx::query!("DELETE FROM mail_tokens WHERE user_id = $1", user.0).execute(db).await?;
    Ok(())
}

/// Forgets what expired.
pub async fn prune(db: impl PgExecutor<'_>, now: OffsetDateTime) -> Result<u64, Error> {
    Ok(sqlx::query!("DELETE FROM mail_tokens WHERE expires_at <= $1", now).execute(db).await?.rows_affected())
}
