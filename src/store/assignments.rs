//! Which principal holds which role.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::{Error, unreadable};
use crate::model::{Assignment, Principal, PrincipalKind, Revision, RoleName};

/// A principal's standing as of a revision.
#[derive(Clone, Debug)]
pub struct Standing {
    /// As of when.
    pub revision: Revision,
    /// Whether the principal exists and is active.
    pub active: bool,
    /// For a client: how often it was switched off.
    pub generation: i32,
    /// What it was assigned, expired or not.
    pub assignments: Vec<Assignment>,
}

/// Reads a principal's standing in one statement, hence as of one instant.
pub async fn standing(db: impl PgExecutor<'_>, principal: &Principal) -> Result<Standing, Error> {
    let (user, id) = match principal {
        Principal::User(id) => (Some(id.0), id.to_string()),
        Principal::Client(id) => (None, id.to_string()),
    };
    let rows = sqlx::query!(
        r#"SELECT state.revision,
             coalesce(u.active, c.active, false) AS "active!", coalesce(c.generation, 0) AS "generation!",
             a.role AS "role?", a.expires_at AS "expires_at?"
           FROM state
           LEFT JOIN users u ON u.id = $1
           LEFT JOIN clients c ON $1 IS NULL AND c.id = $2
           LEFT JOIN assignments a ON a.principal_type = $3 AND a.principal_id = $2"#,
        user,
        id,
        principal.kind().as_str(),
    );
    let rows = rows.fetch_all(db).await?;
    let first = rows.first().ok_or_else(|| Error::Unreadable("no revision".to_owned()))?;
    let (revision, active, generation) = (Revision(first.revision), first.active, first.generation);
    let held = rows.into_iter().filter_map(|row| Some((row.role?, row.expires_at)));
    let assignments =
        held.map(|(role, expires_at)| Ok(Assignment { role: unreadable("a role name", role.parse())?, expires_at }));
    Ok(Standing { revision, active, generation, assignments: assignments.collect::<Result<_, Error>>()? })
}

/// An assignment with the time it was made.
pub struct AssignmentRow {
    /// What is held, and until when.
    pub assignment: Assignment,
    /// Since when.
    pub created_at: OffsetDateTime,
}

/// A page of a principal's assignments after a role name.
pub async fn list(
    db: impl PgExecutor<'_>,
    principal: &Principal,
    after: &str,
    limit: i64,
) -> Result<Vec<AssignmentRow>, Error> {
    let rows = sqlx::query!(
        "SELECT role, expires_at, created_at FROM assignments
         WHERE principal_type = $1 AND principal_id = $2 AND role > $3 ORDER BY role LIMIT $4",
        principal.kind().as_str(),
        principal.id(),
        after,
        limit
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        let assignment = Assignment { role: unreadable("a role name", row.role.parse())?, expires_at: row.expires_at };
        Ok(AssignmentRow { assignment, created_at: row.created_at })
    });
    rows.collect()
}

/// Assigns a role or changes until when; false when it stood exactly so before.
pub async fn put(
    db: impl PgExecutor<'_>,
    principal: &Principal,
    role: &RoleName,
    expires_at: Option<OffsetDateTime>,
) -> Result<bool, Error> {
    let put = sqlx::query!(
        "INSERT INTO assignments (principal_type, principal_id, role, expires_at) VALUES ($1, $2, $3, $4)
         ON CONFLICT (principal_type, principal_id, role) DO UPDATE SET expires_at = excluded.expires_at
         WHERE assignments.expires_at IS DISTINCT FROM excluded.expires_at",
        principal.kind().as_str(),
        principal.id(),
        role.as_str(),
        expires_at
    );
    Ok(put.execute(db).await?.rows_affected() == 1)
}

/// Takes a role away; false when it was not held.
pub async fn delete(db: impl PgExecutor<'_>, principal: &Principal, role: &RoleName) -> Result<bool, Error> {
    let delete = sqlx::query!(
        "DELETE FROM assignments WHERE principal_type = $1 AND principal_id = $2 AND role = $3",
        principal.kind().as_str(),
        principal.id(),
        role.as_str()
    );
    Ok(delete.execute(db).await?.rows_affected() == 1)
}

/// Takes everything from a principal that is about to be deleted.
pub async fn delete_all(db: impl PgExecutor<'_>, principal: &Principal) -> Result<(), Error> {
    let delete = sqlx::query!(
        "DELETE FROM assignments WHERE principal_type = $1 AND principal_id = $2",
        principal.kind().as_str(),
        principal.id()
    );
    delete.execute(db).await?;
    Ok(())
}

/// Whether anybody holds the role directly.
pub async fn exists_for(db: impl PgExecutor<'_>, role: &RoleName) -> Result<bool, Error> {
    let found =
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM assignments WHERE role = $1) AS "found!""#, role.as_str());
    Ok(found.fetch_one(db).await?)
}

/// Active principals that hold a role for good, directly or by inheritance, each with all roles assigned for good.
pub async fn permanent_holders(
    conn: &mut PgConnection,
    role: &RoleName,
    limit: i64,
) -> Result<Vec<(Principal, Vec<RoleName>)>, Error> {
    let rows = sqlx::query!(
        r#"WITH RECURSIVE giving (role) AS (
             SELECT $1::text UNION SELECT i.role FROM role_inherits i JOIN giving g ON i.inherits = g.role
           ), holders AS (
             SELECT DISTINCT principal_type, principal_id FROM assignments a
             WHERE a.role IN (SELECT role FROM giving) AND a.expires_at IS NULL
               AND CASE principal_type
                     WHEN 'User' THEN EXISTS (SELECT FROM users u WHERE u.id::text = principal_id AND u.active)
                     ELSE EXISTS (SELECT FROM clients c WHERE c.id = principal_id AND c.active)
                   END
             LIMIT $2
           )
           SELECT h.principal_type AS "principal_type!", h.principal_id AS "principal_id!",
             ARRAY(SELECT a.role FROM assignments a WHERE a.principal_type = h.principal_type
                   AND a.principal_id = h.principal_id AND a.expires_at IS NULL) AS "roles!"
           FROM holders h"#,
        role.as_str(),
        limit
    );
    let rows = rows.fetch_all(conn).await?.into_iter().map(|row| {
        let kind = PrincipalKind::parse(&row.principal_type);
        let principal = kind.and_then(|kind| Principal::parse(kind, &row.principal_id));
        let principal = principal.ok_or_else(|| Error::Unreadable(format!("the principal `{}`", row.principal_id)))?;
        let roles = row.roles.iter().map(|r| unreadable("a role name", r.parse())).collect::<Result<_, _>>()?;
        Ok((principal, roles))
    });
    rows.collect()
}
