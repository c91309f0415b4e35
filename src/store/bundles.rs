//! Versions of the hand-written Cedar.

use std::collections::BTreeMap;

use sqlx::{PgConnection, PgExecutor, types::Json};
use time::OffsetDateTime;

use super::Error;

/// Path → text.
pub type Files = BTreeMap<String, String>;

/// A version without its files.
pub struct BundleRow {
    /// Its number, from 1.
    pub number: i32,
    /// Whether decisions are made with it.
    pub active: bool,
    /// When it was pushed.
    pub created_at: OffsetDateTime,
}

/// Stores a version under the next number. The caller holds the revision's lock. A version with the same files is
/// not stored twice: its number is answered, and false.
pub async fn insert(conn: &mut PgConnection, files: &Files, digest: [u8; 32]) -> Result<(i32, bool), Error> {
    let known = sqlx::query_scalar!("SELECT number FROM bundles WHERE digest = $1", &digest[..]);
    if let Some(number) = known.fetch_optional(&mut *conn).await? {
        return Ok((number, false));
    }
    let number = sqlx::query_scalar!(
        "INSERT INTO bundles (number, files, digest)
         SELECT coalesce(max(number), 0) + 1, $1, $2 FROM bundles RETURNING number",
        Json(files) as _,
        &digest[..]
    );
    Ok((number.fetch_one(conn).await?, true))
}

/// Makes a version the active one.
pub async fn activate(db: impl PgExecutor<'_>, number: i32) -> Result<(), Error> {
    sqlx::query!("UPDATE state SET bundle = $1", number).execute(db).await?;
    Ok(())
}

/// The files of a version.
pub async fn find(db: impl PgExecutor<'_>, number: i32) -> Result<Option<(BundleRow, Files)>, Error> {
    let row = sqlx::query!(
        r#"SELECT number, files AS "files: Json<Files>", created_at,
             (SELECT bundle FROM state) IS NOT DISTINCT FROM number AS "active!"
           FROM bundles WHERE number = $1"#,
        number
    );
    let row = row.fetch_optional(db).await?;
    Ok(row.map(|r| (BundleRow { number: r.number, active: r.active, created_at: r.created_at }, r.files.0)))
}

/// A page of versions, newest first, below a number.
pub async fn list(db: impl PgExecutor<'_>, before: i32, limit: i64) -> Result<Vec<BundleRow>, Error> {
    let rows = sqlx::query_as!(
        BundleRow,
        r#"SELECT number, created_at, (SELECT bundle FROM state) IS NOT DISTINCT FROM number AS "active!"
           FROM bundles WHERE number < $1 ORDER BY number DESC LIMIT $2"#,
        before,
        limit
    );
    Ok(rows.fetch_all(db).await?)
}
