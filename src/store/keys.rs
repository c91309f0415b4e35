//! Signing keys.

use sqlx::{PgConnection, PgExecutor};

use super::Error;

/// A key as it lies in the database.
pub struct KeyRow {
    /// Its id, in the header of every token it signs.
    pub kid: String,
    /// PKCS #8, sealed.
    pub private_sealed: Vec<u8>,
    /// Uncompressed point.
    pub public_key: Vec<u8>,
}

/// Every key, oldest first.
pub async fn list(db: impl PgExecutor<'_>) -> Result<Vec<KeyRow>, Error> {
    let rows =
        sqlx::query_as!(KeyRow, "SELECT kid, private_sealed, public_key FROM signing_keys ORDER BY created_at, kid");
    Ok(rows.fetch_all(db).await?)
}

/// Stores a first key if there is none. The caller holds the revision's lock, so that nodes that start at the same
/// time agree on one.
pub async fn insert_first(conn: &mut PgConnection, key: &KeyRow) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO signing_keys (kid, algorithm, private_sealed, public_key)
         SELECT $1, 'ES256', $2, $3 WHERE NOT EXISTS (SELECT FROM signing_keys)",
        key.kid,
        key.private_sealed,
        key.public_key
    )
    .execute(conn)
    .await?;
    Ok(())
}
