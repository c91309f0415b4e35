//! Signing keys.

use sqlx::{PgConnection, PgExecutor};
use time::{Duration, OffsetDateTime};

use super::{Error, unreadable};
use crate::model::Algorithm;

/// A key as it lies in the database.
#[derive(Clone)]
pub struct KeyRow {
    /// Its id, in the header of every token it signs.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// PKCS #8, sealed.
    pub private_sealed: Vec<u8>,
    /// The public part.
    pub public_key: Vec<u8>,
    /// When it was published.
    pub created_at: OffsetDateTime,
    /// From when it signs, unless a newer one of its algorithm does.
    pub signs_from: OffsetDateTime,
    /// Until when it verifies; `None` for the newest of its algorithm.
    pub verifies_until: Option<OffsetDateTime>,
}

/// Every key that verifies at `now`, oldest first.
pub async fn list(db: impl PgExecutor<'_>, now: OffsetDateTime) -> Result<Vec<KeyRow>, Error> {
    let rows = sqlx::query!(
        "SELECT kid, algorithm, private_sealed, public_key, created_at, signs_from, verifies_until FROM signing_keys
         WHERE verifies_until IS NULL OR verifies_until > $1 ORDER BY signs_from, kid",
        now
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        Ok(KeyRow {
            algorithm: unreadable("a signature algorithm", Algorithm::parse(&row.algorithm).ok_or(row.algorithm))?,
            kid: row.kid,
            private_sealed: row.private_sealed,
            public_key: row.public_key,
            created_at: row.created_at,
            signs_from: row.signs_from,
            verifies_until: row.verifies_until,
        })
    });
    rows.collect()
}

/// Publishes a key unless its algorithm has one that signs from later than `unless_after`; false when it has.
/// Those before it verify for `kept` after it begins to sign.
///
/// The caller holds the revision's lock, so that nodes that do the same at the same time agree on one.
pub async fn insert(
    conn: &mut PgConnection,
    key: &KeyRow,
    unless_after: Option<OffsetDateTime>,
    kept: Duration,
) -> Result<bool, Error> {
    let insert = sqlx::query!(
        "INSERT INTO signing_keys (kid, algorithm, private_sealed, public_key, created_at, signs_from)
         SELECT $1, $2, $3, $4, $5, $6 WHERE NOT EXISTS (
           SELECT FROM signing_keys WHERE algorithm = $2 AND signs_from > $7)",
        key.kid,
        key.algorithm.as_str(),
        key.private_sealed,
        key.public_key,
        key.created_at,
        key.signs_from,
        unless_after
    );
    if insert.execute(&mut *conn).await?.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query!(
        "UPDATE signing_keys SET verifies_until = $3 WHERE algorithm = $2 AND kid <> $1 AND verifies_until IS NULL",
        key.kid,
        key.algorithm.as_str(),
        key.signs_from + kept
    )
    .execute(conn)
    .await?;
    Ok(true)
}

/// Removes every key but these at once: what they signed is believed no more.
pub async fn delete_others(db: impl PgExecutor<'_>, kids: &[String]) -> Result<u64, Error> {
    Ok(sqlx::query!("DELETE FROM signing_keys WHERE kid <> ALL ($1)", kids).execute(db).await?.rows_affected())
}

/// Removes keys that verify nothing any more.
pub async fn prune(db: impl PgExecutor<'_>, now: OffsetDateTime) -> Result<u64, Error> {
    Ok(sqlx::query!("DELETE FROM signing_keys WHERE verifies_until <= $1", now).execute(db).await?.rows_affected())
}
