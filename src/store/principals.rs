//! Principals of either kind.

use futures_util::TryStreamExt;
use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::{Error, unreadable};
use crate::model::{Principal, PrincipalKind, RoleName};

/// Whether the principal exists, active or not.
pub async fn exists(db: impl PgExecutor<'_>, principal: &Principal) -> Result<bool, Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT CASE $1::text
             WHEN 'User' THEN EXISTS (SELECT FROM users WHERE id::text = $2)
             ELSE EXISTS (SELECT FROM clients WHERE id = $2)
           END AS "found!""#,
        principal.kind().as_str(),
        principal.id()
    );
    Ok(found.fetch_one(db).await?)
}

/// Every active principal with the roles it holds at `now`.
pub async fn list_active(
    conn: &mut PgConnection,
    now: OffsetDateTime,
) -> Result<Vec<(Principal, Vec<RoleName>)>, Error> {
    let mut rows = sqlx::query!(
        r#"SELECT p.kind AS "kind!", p.id AS "id!", ARRAY(
             SELECT a.role FROM assignments a
             WHERE a.principal_type = p.kind AND a.principal_id = p.id AND (a.expires_at IS NULL OR a.expires_at > $1)
           ) AS "roles!"
           FROM (SELECT 'User' AS kind, id::text AS id FROM users WHERE active
                 UNION ALL SELECT 'Client', id FROM clients WHERE active) p
           ORDER BY p.kind, p.id"#,
        now
    )
    .fetch(conn);
    let mut found = Vec::new();
    while let Some(row) = rows.try_next().await? {
        let principal = PrincipalKind::parse(&row.kind).and_then(|kind| Principal::parse(kind, &row.id));
        let Some(principal) = principal else { continue };
        let roles = row.roles.iter().map(|r| unreadable("a role name", r.parse())).collect::<Result<_, _>>()?;
        found.push((principal, roles));
    }
    Ok(found)
}
