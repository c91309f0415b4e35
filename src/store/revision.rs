//! The revision and the change log.

use std::time::Instant;

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::{Error, unreadable};
use crate::model::{Clock, GrantId, Principal, PrincipalKind, Revision, RoleName};

/// The channel on which a commit wakes the other nodes.
pub const CHANNEL: &str = "deodar_revision";

/// What a write changed, as other nodes have to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A role is new or inherits something else.
    Role(RoleName),
    /// A role is gone, with its grants.
    RoleRemoved(RoleName),
    /// A role got a grant.
    Grant(RoleName, GrantId),
    /// A role lost a grant.
    GrantRemoved(RoleName, GrantId),
    /// A principal's roles or status changed.
    Principal(Principal),
    /// Those of unnamed many changed.
    Principals,
    /// Another bundle is active.
    Bundle,
    /// Something ended before it expires: `sid:…`, `grant:…`, `jti:…`. Kept until then.
    Revoked(String, OffsetDateTime),
    /// There are other signing keys.
    Keys,
}

/// Locks the revision until the end of the transaction, and reads it. Whoever holds the lock is the only writer.
pub async fn lock(conn: &mut PgConnection) -> Result<Revision, Error> {
    Ok(Revision(sqlx::query_scalar!("SELECT revision FROM state FOR UPDATE").fetch_one(conn).await?))
}

/// Reads the revision and the number of the active bundle.
pub async fn get(db: impl PgExecutor<'_>) -> Result<(Revision, Option<i32>), Error> {
    let row = sqlx::query!("SELECT revision, bundle FROM state").fetch_one(db).await?;
    Ok((Revision(row.revision), row.bundle))
}

/// Reads the revision, and sets the clock by the database's.
pub async fn poll(db: impl PgExecutor<'_>, clock: &Clock) -> Result<Revision, Error> {
    let asked = Instant::now();
    let row = sqlx::query!(r#"SELECT revision, clock_timestamp() AS "now!" FROM state"#).fetch_one(db).await?;
    if let Some(off) = clock.set(row.now, asked.elapsed()) {
        let seconds = off.as_seconds_f64();
        tracing::warn!(seconds, "the clock of this machine is not the database's, and the database's counts");
    }
    Ok(Revision(row.revision))
}

/// Takes the next revision and logs what changed. Other nodes are woken when the transaction commits.
pub async fn advance(conn: &mut PgConnection, changes: &[Change]) -> Result<Revision, Error> {
    let revision = sqlx::query_scalar!("UPDATE state SET revision = revision + 1 RETURNING revision");
    let revision = revision.fetch_one(&mut *conn).await?;
    let rows: Vec<(&str, String, String)> = changes.iter().map(row).collect();
    let kinds: Vec<String> = rows.iter().map(|r| r.0.to_owned()).collect();
    let subjects: Vec<String> = rows.iter().map(|r| r.1.clone()).collect();
    let details: Vec<String> = rows.into_iter().map(|r| r.2).collect();
    sqlx::query!(
        "INSERT INTO change_log (revision, ordinal, kind, subject, detail)
         SELECT $1, n::int, kind, subject, detail
         FROM unnest($2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS row (kind, subject, detail, n)",
        revision,
        &kinds,
        &subjects,
        &details,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("SELECT pg_notify($1, $2)", CHANNEL, revision.to_string()).execute(conn).await?;
    Ok(Revision(revision))
}

/// The changes after `since`, in order; `None` when the log no longer reaches back that far or holds more than
/// `most` of them, so that reading everything anew is the better way.
pub async fn changes_since(conn: &mut PgConnection, since: Revision, most: i64) -> Result<Option<Vec<Change>>, Error> {
    let first = sqlx::query_scalar!("SELECT min(revision) FROM change_log WHERE revision > $1", since.0);
    if first.fetch_one(&mut *conn).await? != Some(since.0 + 1) {
        return Ok(None);
    }
    let rows = sqlx::query!(
        "SELECT kind, subject, detail FROM change_log WHERE revision > $1 ORDER BY revision, ordinal LIMIT $2",
        since.0,
        most + 1
    );
    let rows = rows.fetch_all(conn).await?;
    if rows.len() as i64 > most {
        return Ok(None);
    }
    rows.into_iter().map(|row| parse(&row.kind, &row.subject, &row.detail)).collect::<Result<_, _>>().map(Some)
}

/// Forgets changes that every node has seen long ago. A node that was away for longer loads everything.
pub async fn prune(db: impl PgExecutor<'_>) -> Result<u64, Error> {
    let done = sqlx::query!(
        "DELETE FROM change_log WHERE at < now() - interval '1 day' AND revision < (SELECT revision FROM state)"
    );
    Ok(done.execute(db).await?.rows_affected())
}

fn row(change: &Change) -> (&'static str, String, String) {
    match change {
        Change::Role(name) => ("role", name.to_string(), String::new()),
        Change::RoleRemoved(name) => ("role_removed", name.to_string(), String::new()),
        Change::Grant(role, id) => ("grant", role.to_string(), id.to_string()),
        Change::GrantRemoved(role, id) => ("grant_removed", role.to_string(), id.to_string()),
        Change::Principal(principal) => ("principal", principal.kind().as_str().to_owned(), principal.id()),
        Change::Principals => ("principals", String::new(), String::new()),
        Change::Bundle => ("bundle", String::new(), String::new()),
        Change::Revoked(id, until) => ("revoked", id.clone(), until.unix_timestamp().to_string()),
        Change::Keys => ("keys", String::new(), String::new()),
    }
}

fn parse(kind: &str, subject: &str, detail: &str) -> Result<Change, Error> {
    let role = || unreadable("a change of a role", subject.parse::<RoleName>());
    let grant = || unreadable("a change of a grant", detail.parse::<GrantId>());
    match kind {
        "role" => Ok(Change::Role(role()?)),
        "role_removed" => Ok(Change::RoleRemoved(role()?)),
        "grant" => Ok(Change::Grant(role()?, grant()?)),
        "grant_removed" => Ok(Change::GrantRemoved(role()?, grant()?)),
        "principals" => Ok(Change::Principals),
        "bundle" => Ok(Change::Bundle),
        "revoked" => {
            let until = detail.parse().ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
            let until = until.ok_or_else(|| Error::Unreadable(format!("a revocation until `{detail}`")))?;
            Ok(Change::Revoked(subject.to_owned(), until))
        }
        "keys" => Ok(Change::Keys),
        "principal" => PrincipalKind::parse(subject)
            .and_then(|kind| Principal::parse(kind, detail))
            .map(Change::Principal)
            .ok_or_else(|| Error::Unreadable(format!("a change of the principal `{subject}` `{detail}`"))),
        other => Err(Error::Unreadable(format!("a change of kind `{other}`"))),
    }
}
