//! Refresh tokens. Each is used once and followed by the next; one that is used again ends them all.

use sqlx::{PgExecutor, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, authorizations};
use crate::model::{Authorization, AuthorizationId, RequestedClaims};

/// A refresh token that somebody presents.
pub struct Presented {
    /// What it follows from.
    pub authorization: Authorization,
    /// When it was issued.
    pub issued_at: OffsetDateTime,
    /// When it expires unless it is used.
    pub expires_at: OffsetDateTime,
    /// Whether it was used before.
    pub used: bool,
    /// Whether the authorization has ended.
    pub ended: bool,
}

/// One by its hash, in whatever state it is.
pub async fn find(db: impl PgExecutor<'_>, hash: &[u8; 32]) -> Result<Option<Presented>, Error> {
    let row = sqlx::query!(
        r#"SELECT a.id, client_id, user_id, session_id, scope, resources, auth_time, amr, dpop_jkt, a.created_at,
                  a.expires_at, claims AS "claims: Json<RequestedClaims>", t.created_at AS issued_at, t.expires_at AS token_expires_at,
                  t.used_at IS NOT NULL AS "used!", a.ended_at IS NOT NULL AS "ended!"
           FROM refresh_tokens t JOIN authorizations a ON a.id = t.authorization_id WHERE t.hash = $1"#,
        hash.as_slice()
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    let authorization = authorizations::read(authorizations::Row {
        id: row.id,
        client_id: row.client_id,
        user_id: row.user_id,
        session_id: row.session_id,
        scope: row.scope,
        resources: row.resources,
        auth_time: row.auth_time,
        amr: row.amr,
        claims: row.claims,
        dpop_jkt: row.dpop_jkt,
        created_at: row.created_at,
        expires_at: row.expires_at,
    })?;
    Ok(Some(Presented {
        authorization,
        issued_at: row.issued_at,
        expires_at: row.token_expires_at,
        used: row.used,
        ended: row.ended,
    }))
}

/// Uses a token and puts its successor in its place; `None` when it was used before, has expired, or is ended.
/// What was bound to no key is bound to `jkt` from then on. `idle` is when the successor expires unless it is used.
pub async fn rotate(
    db: impl PgExecutor<'_>,
    old: &[u8; 32],
    new: &[u8; 32],
    jkt: Option<&str>,
    now: OffsetDateTime,
    idle: OffsetDateTime,
) -> Result<Option<AuthorizationId>, Error> {
    let id: Option<Uuid> = sqlx::query_scalar!(
        "WITH spent AS (
           UPDATE refresh_tokens t SET used_at = $3 FROM authorizations a
           WHERE t.hash = $1 AND t.used_at IS NULL AND t.expires_at > $3
             AND a.id = t.authorization_id AND a.ended_at IS NULL AND a.expires_at > $3
           RETURNING t.authorization_id, a.expires_at
         ), bound AS (
           UPDATE authorizations a SET dpop_jkt = $5 FROM spent
           WHERE a.id = spent.authorization_id AND a.dpop_jkt IS NULL AND $5::text IS NOT NULL
         )
         INSERT INTO refresh_tokens (hash, authorization_id, created_at, expires_at)
         SELECT $2, authorization_id, $3, least($4, expires_at) FROM spent RETURNING authorization_id",
        old.as_slice(),
        new.as_slice(),
        now,
        idle,
        jkt
    )
    .fetch_optional(db)
    .await?;
    Ok(id.map(AuthorizationId))
}
