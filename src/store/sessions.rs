//! Sessions of people, and the devices that they once used.

use serde_json::Value;
use sqlx::PgExecutor;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use super::{Error, users::Credentials};
use crate::model::{AuthorizationId, ClientId, Event, ScopeSet, SessionId, SessionRecord, UserId};

struct Row {
    id: Uuid,
    user_id: Uuid,
    client_id: Option<String>,
    auth_time: OffsetDateTime,
    amr: Vec<String>,
    address: String,
    user_agent: String,
    created_at: OffsetDateTime,
    last_used_at: OffsetDateTime,
    expires_at: OffsetDateTime,
}

/// SHA-256 of a token of 256 random bits.
pub type TokenHash = [u8; 32];

/// How long sessions last.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Without being used.
    pub idle: Duration,
    /// At most.
    pub absolute: Duration,
}

/// A login by password alone, as it was judged.
pub struct Judged<'a> {
    /// By what.
    pub by: &'a Credentials,
    /// What its attempts were counted under.
    pub attempts: &'a str,
}

/// What an application is allowed in a session that opens, when the session is its own: the first of its tokens follow.
pub struct Allowed<'a> {
    /// Its id.
    pub id: AuthorizationId,
    /// At which generation of the application.
    pub generation: i32,
    /// What for.
    pub scope: &'a ScopeSet,
    /// For which resource servers.
    pub resources: &'a [String],
    /// Thumbprint of the key that its tokens are bound to.
    pub jkt: Option<&'a str>,
    /// When the last token that could follow from it has expired.
    pub expires_at: OffsetDateTime,
    /// Its first refresh token, where there is to be one: its hash, and when it expires unless it is used.
    pub refresh: Option<(TokenHash, OffsetDateTime)>,
}

/// Opens a session, with what its application is `allowed`, and puts that on record, in one statement as every login makes
/// it. One that was `judged` forgets its attempts; false, and nothing written, when the person is not as judged any more:
/// switched off, with another password, or with a second factor. The person is locked, so nobody changes them meanwhile.
pub async fn open(
    db: impl PgExecutor<'_>,
    session: &SessionRecord,
    token: Option<TokenHash>,
    idle: Duration,
    judged: Option<&Judged<'_>>,
    allowed: Option<&Allowed<'_>>,
    event: &Event<'_>,
) -> Result<bool, Error> {
    let (actor, target) = (event.actor.as_ref(), event.target.as_ref());
    let first = allowed.and_then(|allowed| allowed.refresh.as_ref());
    let opened = sqlx::query!(
        "WITH person AS (
           SELECT id FROM users
           WHERE id = $2 AND ($12::timestamptz IS NULL OR (active AND password_changed_at = $12 AND mfa = $13))
           FOR UPDATE
         ), pardoned AS (
           DELETE FROM throttle WHERE subject = $14 AND EXISTS (SELECT FROM person)
         ), opened AS (
           INSERT INTO sessions (id, user_id, token_hash, client_id, auth_time, amr, address, user_agent, created_at,
                                 last_used_at, idle_expires_at, expires_at)
           SELECT $1, id, $3, $4, $5, $6, $7, $8, $9, $9, $10, $11 FROM person
           RETURNING id
         ), authorized AS (
           INSERT INTO authorizations (id, client_id, user_id, session_id, scope, resources, auth_time, amr, dpop_jkt,
                                       created_at, expires_at, generation)
           SELECT $24, $4, $2, id, $25, $26, $5, $6, $27, $9, $28, coalesce($31::integer, 0) FROM opened WHERE $24::uuid IS NOT NULL
           RETURNING id
         ), led AS (
           INSERT INTO session_clients (session_id, client_id) SELECT $1, $4 FROM authorized
         ), given AS (
           INSERT INTO refresh_tokens (hash, authorization_id, created_at, expires_at)
           SELECT $29::bytea, id, $9, $30::timestamptz FROM authorized WHERE $29::bytea IS NOT NULL
         )
         INSERT INTO audit (id, at, actor_type, actor_id, action, target_type, target_id, outcome, address, request_id,
                            client_id, details)
         SELECT $15, $9, $16, $17, $18, $19, $20, $21, $7, $22, $4, $23 FROM opened",
        session.id.0,
        session.user.0,
        token.as_ref().map(|hash| hash.as_slice()),
        session.client.as_ref().map(ClientId::as_str),
        session.auth_time,
        &session.amr,
        session.address,
        session.user_agent,
        session.created_at,
        session.created_at + idle,
        session.expires_at,
        judged.map(|judged| judged.by.password_changed_at),
        judged.is_some_and(|judged| judged.by.mfa),
        judged.map(|judged| judged.attempts),
        Uuid::now_v7(),
        actor.map(|a| a.kind().as_str()),
        actor.map(|a| a.id()),
        event.action,
        target.map(|t| t.ty.as_str()),
        target.map(|t| t.id.as_str()),
        event.outcome.as_str(),
        event.origin.request_id,
        Value::Object(event.details.clone()),
        allowed.map(|allowed| allowed.id.0),
        allowed.map(|allowed| allowed.scope.to_string()),
        allowed.map(|allowed| allowed.resources),
        allowed.and_then(|allowed| allowed.jkt),
        allowed.map(|allowed| allowed.expires_at),
        first.map(|(hash, _)| hash.as_slice()),
        first.map(|(_, expires_at)| *expires_at),
        allowed.map(|allowed| allowed.generation),
    );
    Ok(opened.execute(db).await?.rows_affected() == 1)
}

/// The session that a cookie opens at `now`, if its person may act. Notes the use, once a minute at most.
pub async fn touch(
    db: impl PgExecutor<'_>,
    token: &TokenHash,
    now: OffsetDateTime,
    idle: Duration,
    address: &str,
) -> Result<Option<SessionRecord>, Error> {
    let row = sqlx::query_as!(
        Row,
        r#"WITH found AS (
             SELECT s.* FROM sessions s JOIN users u ON u.id = s.user_id
             WHERE s.token_hash = $1 AND s.expires_at > $2 AND s.idle_expires_at > $2 AND u.active
           ), used AS (
             UPDATE sessions s SET last_used_at = $2, idle_expires_at = $3, address = $4 FROM found
             WHERE s.id = found.id AND (found.last_used_at < $5 OR found.address <> $4)
           )
           SELECT id AS "id!", user_id AS "user_id!", client_id, auth_time AS "auth_time!", amr AS "amr!",
             address AS "address!", user_agent AS "user_agent!", created_at AS "created_at!",
             last_used_at AS "last_used_at!", expires_at AS "expires_at!" FROM found"#,
        token.as_slice(),
        now,
        now + idle,
        address,
        now - Duration::MINUTE
    );
    Ok(row.fetch_optional(db).await?.map(read))
}

/// A session that has not ended at `now`, if its person may act.
pub async fn find(db: impl PgExecutor<'_>, id: SessionId, now: OffsetDateTime) -> Result<Option<SessionRecord>, Error> {
    let row = sqlx::query_as!(
        Row,
        "SELECT s.id, user_id, client_id, auth_time, amr, address, user_agent, s.created_at, last_used_at, expires_at
         FROM sessions s JOIN users u ON u.id = s.user_id
         WHERE s.id = $1 AND expires_at > $2 AND idle_expires_at > $2 AND u.active",
        id.0,
        now
    );
    Ok(row.fetch_optional(db).await?.map(read))
}

/// Everything a person has open at `now`, last used first.
pub async fn list(db: impl PgExecutor<'_>, user: UserId, now: OffsetDateTime) -> Result<Vec<SessionRecord>, Error> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, user_id, client_id, auth_time, amr, address, user_agent, created_at, last_used_at, expires_at
         FROM sessions WHERE user_id = $1 AND expires_at > $2 AND idle_expires_at > $2
         ORDER BY last_used_at DESC, id LIMIT 1000",
        user.0,
        now
    );
    Ok(rows.fetch_all(db).await?.into_iter().map(read).collect())
}

/// Makes a session stronger or fresher: the person has proven who they are once more. Its cookie is a new one.
pub async fn strengthen(
    db: impl PgExecutor<'_>,
    id: SessionId,
    token: &TokenHash,
    amr: &[String],
    at: OffsetDateTime,
) -> Result<bool, Error> {
    let update = sqlx::query!(
        "UPDATE sessions SET token_hash = $2, amr = $3, auth_time = $4 WHERE id = $1",
        id.0,
        token.as_slice(),
        amr,
        at
    );
    Ok(update.execute(db).await?.rows_affected() == 1)
}

/// Ends sessions of a person: one, all, or all but one. Answers which.
pub async fn delete(
    db: impl PgExecutor<'_>,
    user: UserId,
    only: Option<SessionId>,
    but: Option<SessionId>,
) -> Result<Vec<SessionId>, Error> {
    let ids = sqlx::query_scalar!(
        "DELETE FROM sessions WHERE user_id = $1 AND ($2::uuid IS NULL OR id = $2) AND ($3::uuid IS NULL OR id <> $3)
         RETURNING id",
        user.0,
        only.map(|id| id.0),
        but.map(|id| id.0)
    );
    Ok(ids.fetch_all(db).await?.into_iter().map(SessionId).collect())
}

/// Ends the sessions that a person has by an application. Answers which.
pub async fn delete_of_client(
    db: impl PgExecutor<'_>,
    user: UserId,
    client: &ClientId,
) -> Result<Vec<SessionId>, Error> {
    let ids = sqlx::query_scalar!(
        "DELETE FROM sessions WHERE user_id = $1 AND client_id = $2 RETURNING id",
        user.0,
        client.as_str()
    );
    Ok(ids.fetch_all(db).await?.into_iter().map(SessionId).collect())
}

/// Forgets sessions that expired with what they led to, and devices not seen since `stale`.
pub async fn prune(db: impl PgExecutor<'_>, now: OffsetDateTime, stale: OffsetDateTime) -> Result<u64, Error> {
    let done = sqlx::query!(
        "WITH stale AS (DELETE FROM devices WHERE seen_at < $2),
           gone AS (DELETE FROM sessions WHERE expires_at <= $1 OR idle_expires_at <= $1 RETURNING id)
         DELETE FROM session_clients USING gone WHERE session_id = gone.id",
        now,
        stale
    );
    Ok(done.execute(db).await?.rows_affected())
}

/// Whether this browser once logged in as this person.
pub async fn knows_device(db: impl PgExecutor<'_>, user: UserId, device: &TokenHash) -> Result<bool, Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM devices WHERE hash = $1 AND user_id = $2) AS "found!""#,
        device.as_slice(),
        user.0
    );
    Ok(found.fetch_one(db).await?)
}

/// Remembers that this browser logged in as this person.
pub async fn remember_device(
    db: impl PgExecutor<'_>,
    user: UserId,
    device: &TokenHash,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO devices (hash, user_id, seen_at) VALUES ($1, $2, $3)
         ON CONFLICT (hash, user_id) DO UPDATE SET seen_at = $3",
        device.as_slice(),
        user.0,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets a person's devices.
pub async fn forget_devices(db: impl PgExecutor<'_>, user: UserId) -> Result<(), Error> {
    sqlx::query!("DELETE FROM devices WHERE user_id = $1", user.0).execute(db).await?;
    Ok(())
}

fn read(row: Row) -> SessionRecord {
    SessionRecord {
        id: SessionId(row.id),
        user: UserId(row.user_id),
        client: row.client_id.and_then(|id| id.parse().ok()),
        auth_time: row.auth_time,
        amr: row.amr,
        address: row.address,
        user_agent: row.user_agent,
        created_at: row.created_at,
        last_used_at: row.last_used_at,
        expires_at: row.expires_at,
    }
}

/// Whether any browser once logged in as this person.
pub async fn has_devices(db: impl PgExecutor<'_>, user: UserId) -> Result<bool, Error> {
    let found = sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM devices WHERE user_id = $1) AS "found!""#, user.0);
    Ok(found.fetch_one(db).await?)
}
