//! Roles and inheritance.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::{Error, unreadable};
use crate::model::RoleName;

/// A role as an administrator sees it.
pub struct RoleRow {
    /// Its name.
    pub name: RoleName,
    /// For people.
    pub description: String,
    /// What it inherits directly, in order.
    pub inherits: Vec<RoleName>,
    /// When.
    pub created_at: OffsetDateTime,
}

/// Adds a role; false when the name is taken.
pub async fn insert(db: impl PgExecutor<'_>, name: &RoleName, description: &str) -> Result<bool, Error> {
    let insert = sqlx::query!(
        "INSERT INTO roles (name, description) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        name.as_str(),
        description
    );
    Ok(insert.execute(db).await?.rows_affected() == 1)
}

/// Changes the description; false when there is no such role.
pub async fn update(db: impl PgExecutor<'_>, name: &RoleName, description: &str) -> Result<bool, Error> {
    let update = sqlx::query!("UPDATE roles SET description = $2 WHERE name = $1", name.as_str(), description);
    Ok(update.execute(db).await?.rows_affected() == 1)
}

/// Removes a role with its grants, assignments and inheritance; false when there is no such role.
pub async fn delete(db: impl PgExecutor<'_>, name: &RoleName) -> Result<bool, Error> {
    Ok(sqlx::query!("DELETE FROM roles WHERE name = $1", name.as_str()).execute(db).await?.rows_affected() == 1)
}

/// One role.
pub async fn find(db: impl PgExecutor<'_>, name: &RoleName) -> Result<Option<RoleRow>, Error> {
    let row = sqlx::query!(
        r#"SELECT name, description, created_at,
             ARRAY(SELECT inherits FROM role_inherits i WHERE i.role = r.name ORDER BY inherits) AS "inherits!"
           FROM roles r WHERE name = $1"#,
        name.as_str()
    );
    match row.fetch_optional(db).await? {
        Some(row) => read(row.name, row.description, row.inherits, row.created_at).map(Some),
        None => Ok(None),
    }
}

/// A page of roles after a name.
pub async fn list(db: impl PgExecutor<'_>, after: &str, limit: i64) -> Result<Vec<RoleRow>, Error> {
    let rows = sqlx::query!(
        r#"SELECT name, description, created_at,
             ARRAY(SELECT inherits FROM role_inherits i WHERE i.role = r.name ORDER BY inherits) AS "inherits!"
           FROM roles r WHERE name > $1 ORDER BY name LIMIT $2"#,
        after,
        limit
    );
    let rows = rows.fetch_all(db).await?;
    rows.into_iter().map(|r| read(r.name, r.description, r.inherits, r.created_at)).collect()
}

/// Every role with what it inherits.
pub async fn list_graph(db: impl PgExecutor<'_>) -> Result<Vec<(RoleName, Vec<RoleName>)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT r.name, coalesce(array_agg(i.inherits) FILTER (WHERE i.inherits IS NOT NULL), '{}') AS "inherits!"
           FROM roles r LEFT JOIN role_inherits i ON i.role = r.name GROUP BY r.name"#
    );
    rows.fetch_all(db).await?.into_iter().map(|row| graph_row(row.name, row.inherits)).collect()
}

/// The named roles that exist, each with what it inherits.
pub async fn list_graph_of(db: impl PgExecutor<'_>, names: &[String]) -> Result<Vec<(RoleName, Vec<RoleName>)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT r.name, ARRAY(SELECT inherits FROM role_inherits i WHERE i.role = r.name) AS "inherits!"
           FROM roles r WHERE r.name = ANY ($1)"#,
        names
    );
    rows.fetch_all(db).await?.into_iter().map(|row| graph_row(row.name, row.inherits)).collect()
}

/// Makes `role` inherit `other`; false when it did already.
pub async fn insert_inherits(db: impl PgExecutor<'_>, role: &RoleName, other: &RoleName) -> Result<bool, Error> {
    let insert = sqlx::query!(
        "INSERT INTO role_inherits (role, inherits) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        role.as_str(),
        other.as_str()
    );
    Ok(insert.execute(db).await?.rows_affected() == 1)
}

/// Ends an inheritance; false when there was none.
pub async fn delete_inherits(db: impl PgExecutor<'_>, role: &RoleName, other: &RoleName) -> Result<bool, Error> {
    let delete =
        sqlx::query!("DELETE FROM role_inherits WHERE role = $1 AND inherits = $2", role.as_str(), other.as_str());
    Ok(delete.execute(db).await?.rows_affected() == 1)
}

/// Which of the names are no roles.
pub async fn missing(conn: &mut PgConnection, names: &[String]) -> Result<Vec<String>, Error> {
    let missing = sqlx::query_scalar!(
        r#"SELECT name AS "name!" FROM unnest($1::text[]) AS wanted (name)
           WHERE NOT EXISTS (SELECT FROM roles r WHERE r.name = wanted.name)"#,
        names
    );
    Ok(missing.fetch_all(conn).await?)
}

fn read(
    name: String,
    description: String,
    inherits: Vec<String>,
    created_at: OffsetDateTime,
) -> Result<RoleRow, Error> {
    let (name, inherits) = graph_row(name, inherits)?;
    Ok(RoleRow { name, description, inherits, created_at })
}

fn graph_row(name: String, inherits: Vec<String>) -> Result<(RoleName, Vec<RoleName>), Error> {
    let inherits = inherits.into_iter().map(|i| unreadable("a role name", i.parse())).collect::<Result<_, _>>()?;
    Ok((unreadable("a role name", name.parse())?, inherits))
}
