//! Grants.

use std::collections::HashMap;

use futures_util::TryStreamExt;
use sqlx::{PgConnection, PgExecutor, Row};
use time::OffsetDateTime;

use super::{Error, unreadable};
use crate::model::{Effect, Grant, GrantId, NewGrant, ResourceScope, RoleName};

struct GrantRow {
    id: uuid::Uuid,
    role: String,
    effect: String,
    action: String,
    resource_type: String,
    resource_id: Option<String>,
    condition: Option<String>,
    description: String,
    created_at: OffsetDateTime,
}

/// Stores grants under the ids given, in one statement; the time they were stored at.
pub async fn insert(conn: &mut PgConnection, grants: &[(GrantId, NewGrant)]) -> Result<OffsetDateTime, Error> {
    let column = |f: fn(&NewGrant) -> String| grants.iter().map(|(_, g)| f(g)).collect::<Vec<_>>();
    let optional = |f: fn(&NewGrant) -> Option<String>| grants.iter().map(|(_, g)| f(g)).collect::<Vec<_>>();
    let ids: Vec<uuid::Uuid> = grants.iter().map(|(id, _)| id.0).collect();
    sqlx::query!(
        "INSERT INTO grants (id, role, effect, action, resource_type, resource_id, condition, description)
         SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[])",
        &ids,
        &column(|g| g.role.to_string()),
        &column(|g| g.effect.as_str().to_owned()),
        &column(|g| g.action.clone()),
        &column(|g| g.resource.ty.clone()),
        &optional(|g| g.resource.id.clone()) as &[Option<String>],
        &optional(|g| g.condition.clone()) as &[Option<String>],
        &column(|g| g.description.clone()),
    )
    .execute(&mut *conn)
    .await?;
    Ok(sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(conn).await?)
}

/// Removes grants; answers those that were there.
pub async fn delete(db: impl PgExecutor<'_>, ids: &[uuid::Uuid]) -> Result<Vec<Grant>, Error> {
    let rows = sqlx::query_as!(
        GrantRow,
        "DELETE FROM grants WHERE id = ANY ($1)
         RETURNING id, role, effect, action, resource_type, resource_id, condition, description, created_at",
        ids
    );
    rows.fetch_all(db).await?.into_iter().map(read).collect()
}

/// The grants among these ids.
pub async fn list_by_id(db: impl PgExecutor<'_>, ids: &[uuid::Uuid]) -> Result<Vec<Grant>, Error> {
    let rows = sqlx::query_as!(
        GrantRow,
        "SELECT id, role, effect, action, resource_type, resource_id, condition, description, created_at
         FROM grants WHERE id = ANY ($1)",
        ids
    );
    rows.fetch_all(db).await?.into_iter().map(read).collect()
}

/// A page of a role's grants after an id, in order of id, which is the order of creation.
pub async fn list(db: impl PgExecutor<'_>, role: &RoleName, after: GrantId, limit: i64) -> Result<Vec<Grant>, Error> {
    let rows = sqlx::query_as!(
        GrantRow,
        "SELECT id, role, effect, action, resource_type, resource_id, condition, description, created_at
         FROM grants WHERE role = $1 AND id > $2 ORDER BY id LIMIT $3",
        role.as_str(),
        after.0,
        limit
    );
    rows.fetch_all(db).await?.into_iter().map(read).collect()
}

/// One grant of each shape (action × type × with an id or not × condition), and how many there are of it.
pub async fn list_shapes(conn: &mut PgConnection) -> Result<Vec<(Grant, i64)>, Error> {
    let shapes = sqlx::query!(
        r#"SELECT min(id::text)::uuid AS "id!", count(*) AS "count!" FROM grants
           GROUP BY action, resource_type, resource_id IS NULL, condition"#
    );
    let shapes = shapes.fetch_all(&mut *conn).await?;
    let counts: HashMap<uuid::Uuid, i64> = shapes.into_iter().map(|shape| (shape.id, shape.count)).collect();
    let ids: Vec<uuid::Uuid> = counts.keys().copied().collect();
    let grants = list_by_id(conn, &ids).await?;
    let counted = grants.into_iter().map(|grant| {
        let count = counts.get(&grant.id.0).copied().unwrap_or(1);
        (grant, count)
    });
    Ok(counted.collect())
}

/// The grants of an enumerated type, for which every id has to be looked at; and those of one shape, for a report.
pub async fn list_of_type(conn: &mut PgConnection, ty: &str) -> Result<Vec<Grant>, Error> {
    let rows = sqlx::query_as!(
        GrantRow,
        "SELECT DISTINCT ON (action, resource_id, condition)
           id, role, effect, action, resource_type, resource_id, condition, description, created_at
         FROM grants WHERE resource_type = $1 AND resource_id IS NOT NULL ORDER BY action, resource_id, condition",
        ty
    );
    rows.fetch_all(conn).await?.into_iter().map(read).collect()
}

/// The ids of the grants of one shape, at most `limit`.
pub async fn list_ids_of_shape(conn: &mut PgConnection, grant: &NewGrant, limit: i64) -> Result<Vec<GrantId>, Error> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM grants WHERE action = $1 AND resource_type = $2 AND (resource_id IS NULL) = $3
           AND condition IS NOT DISTINCT FROM $4 ORDER BY id LIMIT $5",
        grant.action,
        grant.resource.ty,
        grant.resource.id.is_none(),
        grant.condition,
        limit
    );
    Ok(ids.fetch_all(conn).await?.into_iter().map(GrantId).collect())
}

/// A grant as it streams by while everything is loaded.
pub struct Streamed<'r> {
    /// Its id.
    pub id: GrantId,
    /// Whose.
    pub role: &'r str,
    /// Permit or forbid.
    pub effect: Effect,
    /// Action.
    pub action: &'r str,
    /// Entity type.
    pub ty: &'r str,
    /// Entity id.
    pub resource_id: Option<&'r str>,
    /// Cedar expression.
    pub condition: Option<&'r str>,
}

/// Hands every grant to `each`, the grants of one role after each other. Borrowed, because a million are loaded so.
pub async fn stream(conn: &mut PgConnection, mut each: impl FnMut(Streamed<'_>)) -> Result<(), Error> {
    let sql =
        "SELECT id, role, effect = 'permit', action, resource_type, resource_id, condition FROM grants ORDER BY role";
    let mut rows = sqlx::query(sql).fetch(conn);
    while let Some(row) = rows.try_next().await? {
        let effect = if row.try_get(2)? { Effect::Permit } else { Effect::Forbid };
        each(Streamed {
            id: GrantId(row.try_get(0)?),
            role: row.try_get(1)?,
            effect,
            action: row.try_get(3)?,
            ty: row.try_get(4)?,
            resource_id: row.try_get(5)?,
            condition: row.try_get(6)?,
        });
    }
    Ok(())
}

fn read(row: GrantRow) -> Result<Grant, Error> {
    let effect = match row.effect.as_str() {
        "permit" => Effect::Permit,
        _ => Effect::Forbid,
    };
    let grant = NewGrant {
        role: unreadable("a role name", row.role.parse())?,
        effect,
        action: row.action,
        resource: ResourceScope { ty: row.resource_type, id: row.resource_id },
        condition: row.condition,
        description: row.description,
    };
    Ok(Grant { id: GrantId(row.id), grant, created_at: row.created_at })
}
