//! Authorization requests that wait.

use serde_json::Value;
use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::{Error, unreadable};
use crate::model::{ClientId, ScopeSet, SessionId};

/// A request that waits.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Who asks.
    pub client: ClientId,
    /// At which of its generations.
    pub generation: i32,
    /// The parameters, as they were sent.
    pub parameters: Value,
    /// Since when it waits.
    pub created_at: OffsetDateTime,
    /// The session in which a person answered.
    pub answered_in: Option<SessionId>,
    /// What they agreed to; `None` when they said no, or have not answered.
    pub agreed: Option<ScopeSet>,
}

/// Lets a request wait until `expires_at`.
pub async fn insert(
    db: impl PgExecutor<'_>,
    hash: &[u8; 32],
    client: &ClientId,
    generation: i32,
    parameters: &Value,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO authorization_requests (hash, client_id, parameters, created_at, expires_at, generation)
         VALUES ($1, $2, $3, $4, $5, $6)",
        hash.as_slice(),
        client.as_str(),
        parameters,
        now,
        expires_at,
        generation
    )
    .execute(db)
    .await?;
    Ok(())
}

/// One that waits at `now`, of a client that was not switched off since.
pub async fn find(db: impl PgExecutor<'_>, hash: &[u8; 32], now: OffsetDateTime) -> Result<Option<Waiting>, Error> {
    let row = sqlx::query!(
        "SELECT client_id, r.generation, parameters, r.created_at, answered_in, agreed_scope
         FROM authorization_requests r JOIN clients c ON c.id = r.client_id
         WHERE hash = $1 AND expires_at > $2 AND c.active AND c.generation = r.generation",
        hash.as_slice(),
        now
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    Ok(Some(Waiting {
        client: unreadable("a client id", row.client_id.parse())?,
        generation: row.generation,
        parameters: row.parameters,
        created_at: row.created_at,
        answered_in: row.answered_in.map(SessionId),
        agreed: row.agreed_scope.map(|scope| unreadable("a scope", scope.parse())).transpose()?,
    }))
}

/// Notes a person's answer, once; false when somebody answered before, or it waits no more.
pub async fn answer(
    db: impl PgExecutor<'_>,
    hash: &[u8; 32],
    session: SessionId,
    agreed: Option<&ScopeSet>,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let update = sqlx::query!(
        "UPDATE authorization_requests SET answered_in = $2, agreed_scope = $3
         WHERE hash = $1 AND answered_in IS NULL AND expires_at > $4",
        hash.as_slice(),
        session.0,
        agreed.map(ToString::to_string),
        now
    );
    Ok(update.execute(db).await?.rows_affected() == 1)
}

/// Takes a request away to answer it; false when somebody else did.
pub async fn consume(db: impl PgExecutor<'_>, hash: &[u8; 32]) -> Result<bool, Error> {
    let done = sqlx::query!("DELETE FROM authorization_requests WHERE hash = $1", hash.as_slice());
    Ok(done.execute(db).await?.rows_affected() == 1)
}

/// Forgets those that waited too long.
pub async fn prune(db: impl PgExecutor<'_>, now: OffsetDateTime) -> Result<u64, Error> {
    let done = sqlx::query!("DELETE FROM authorization_requests WHERE expires_at <= $1", now);
    Ok(done.execute(db).await?.rows_affected())
}
