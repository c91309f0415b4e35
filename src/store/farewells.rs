//! Word to clients that sessions ended, and which clients sessions led to.

use sqlx::{PgConnection, PgExecutor, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, clients, unreadable};
use crate::model::{AuthorizationId, Client, ClientId, ClientMetadata, SessionId};

/// A client that there is something to tell.
pub struct Lane {
    /// Which.
    pub client: ClientId,
    /// How often it did not answer, in a row.
    pub failures: i32,
}

/// A session that ended.
pub struct Farewell {
    /// Its id.
    pub id: Uuid,
    /// The session.
    pub session: SessionId,
    /// The person, as they are named to the client.
    pub subject: String,
    /// How often it was told in vain.
    pub attempts: i32,
}

/// Which clients want to be told that these sessions and authorizations ended. What the sessions led to is forgotten.
pub async fn concerned(
    db: impl PgExecutor<'_>,
    sessions: &[SessionId],
    authorizations: &[AuthorizationId],
) -> Result<Vec<(SessionId, Client)>, Error> {
    let sessions: Vec<Uuid> = sessions.iter().map(|id| id.0).collect();
    let authorizations: Vec<Uuid> = authorizations.iter().map(|id| id.0).collect();
    let rows = sqlx::query!(
        r#"WITH led AS (
             DELETE FROM session_clients WHERE session_id = ANY ($1) RETURNING session_id, client_id
           ), ended AS (
             SELECT session_id, client_id FROM led
             UNION SELECT session_id, client_id FROM authorizations WHERE id = ANY ($2)
           )
           SELECT e.session_id AS "session!", c.id, c.metadata AS "metadata: Json<ClientMetadata>", c.first_party,
                  c.self_registered, c.active, c.created_at, c.generation
           FROM ended e JOIN clients c ON c.id = e.client_id
           WHERE c.active AND c.metadata ->> 'backchannel_logout_uri' IS NOT NULL"#,
        &sessions,
        &authorizations
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        let client = clients::read(clients::ClientRow {
            id: row.id,
            metadata: row.metadata,
            first_party: row.first_party,
            self_registered: row.self_registered,
            active: row.active,
            created_at: row.created_at,
            generation: row.generation,
        })?;
        Ok((SessionId(row.session), client))
    });
    rows.collect()
}

/// Notes that a client is to be told, unless it has not listened to `most` already; whether it was noted.
pub async fn insert(
    conn: &mut PgConnection,
    client: &ClientId,
    session: SessionId,
    subject: &str,
    now: OffsetDateTime,
    most: i64,
) -> Result<bool, Error> {
    let done = sqlx::query!(
        "WITH lane AS (INSERT INTO farewell_lanes (client_id, not_before) VALUES ($2, $5) ON CONFLICT DO NOTHING)
         INSERT INTO farewells (id, client_id, session_id, subject, created_at) SELECT $1, $2, $3, $4, $5
         WHERE (SELECT count(*) FROM (SELECT FROM farewells WHERE client_id = $2 LIMIT $6) AS waiting) < $6",
        Uuid::now_v7(),
        client.as_str(),
        session.0,
        subject,
        now,
        most
    );
    Ok(done.execute(conn).await?.rows_affected() == 1)
}

/// Takes the client whose turn it is, until `lease`.
pub async fn take(db: impl PgExecutor<'_>, now: OffsetDateTime, lease: OffsetDateTime) -> Result<Option<Lane>, Error> {
    let row = sqlx::query!(
        "UPDATE farewell_lanes SET not_before = $2 WHERE client_id = (
           SELECT client_id FROM farewell_lanes l
           WHERE not_before <= $1 AND EXISTS (SELECT FROM farewells f WHERE f.client_id = l.client_id)
           ORDER BY not_before LIMIT 1 FOR UPDATE SKIP LOCKED)
         RETURNING client_id, failures",
        now,
        lease
    );
    let lane = |client: String, failures| Ok(Lane { client: unreadable("a client id", client.parse())?, failures });
    row.fetch_optional(db).await?.map(|row| lane(row.client_id, row.failures)).transpose()
}

/// What a client is to be told, at most `limit`; what it did not want to hear comes last.
pub async fn list(db: impl PgExecutor<'_>, client: &ClientId, limit: i64) -> Result<Vec<Farewell>, Error> {
    let rows = sqlx::query!(
        "SELECT id, session_id, subject, attempts FROM farewells WHERE client_id = $1
         ORDER BY attempts, created_at LIMIT $2",
        client.as_str(),
        limit
    );
    let farewell = |(id, session, subject, attempts)| Farewell { id, session: SessionId(session), subject, attempts };
    let rows = rows.fetch_all(db).await?.into_iter();
    Ok(rows.map(|row| farewell((row.id, row.session_id, row.subject, row.attempts))).collect())
}

/// Forgets what was told, or given up.
pub async fn delete(db: impl PgExecutor<'_>, id: Uuid) -> Result<(), Error> {
    sqlx::query!("DELETE FROM farewells WHERE id = $1", id).execute(db).await?;
    Ok(())
}

/// Notes that something was told in vain.
pub async fn note_failure(db: impl PgExecutor<'_>, id: Uuid) -> Result<(), Error> {
    sqlx::query!("UPDATE farewells SET attempts = attempts + 1 WHERE id = $1", id).execute(db).await?;
    Ok(())
}

/// Gives a client's turn back: it has its next one at `not_before`.
pub async fn release(
    db: impl PgExecutor<'_>,
    client: &ClientId,
    not_before: OffsetDateTime,
    failures: i32,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE farewell_lanes SET not_before = $2, failures = $3 WHERE client_id = $1",
        client.as_str(),
        not_before,
        failures
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets what a client is to be told.
pub async fn delete_of(db: impl PgExecutor<'_>, client: &ClientId) -> Result<u64, Error> {
    let done = sqlx::query!("DELETE FROM farewells WHERE client_id = $1", client.as_str());
    Ok(done.execute(db).await?.rows_affected())
}

/// Forgets what is from before `since`; how much there was.
pub async fn delete_older(db: impl PgExecutor<'_>, since: OffsetDateTime) -> Result<u64, Error> {
    Ok(sqlx::query!("DELETE FROM farewells WHERE created_at < $1", since).execute(db).await?.rows_affected())
}
