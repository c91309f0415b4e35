//! People, as far as checks need them.

use sqlx::PgExecutor;

use super::Error;
use crate::model::{Secret, UserId};

/// Adds a person; false when the name is taken.
pub async fn insert(
    db: impl PgExecutor<'_>,
    id: UserId,
    username: &str,
    password_hash: &Secret<String>,
) -> Result<bool, Error> {
    let insert = sqlx::query!(
        "INSERT INTO users (id, username, password_hash) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        id.0,
        username,
        password_hash.expose()
    );
    Ok(insert.execute(db).await?.rows_affected() == 1)
}

/// The id of a person by name.
pub async fn find_id(db: impl PgExecutor<'_>, username: &str) -> Result<Option<UserId>, Error> {
    let id = sqlx::query_scalar!("SELECT id FROM users WHERE username = $1", username);
    Ok(id.fetch_optional(db).await?.map(UserId))
}

/// Switches a person on or off; false when that changes nothing.
pub async fn set_active(db: impl PgExecutor<'_>, id: UserId, active: bool) -> Result<bool, Error> {
    let update = sqlx::query!("UPDATE users SET active = $2 WHERE id = $1 AND active <> $2", id.0, active);
    Ok(update.execute(db).await?.rows_affected() == 1)
}
