//! What people let applications do.

use sqlx::{PgExecutor, types::Json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Error, unreadable};
use crate::model::{Authorization, AuthorizationId, ClientId, Login, RequestedClaims, SessionId, UserId};

/// Which authorizations of a person.
#[derive(Clone, Debug)]
pub enum Which<'a> {
    /// Those of these sessions.
    Sessions(&'a [SessionId]),
    /// Those for this client.
    Client(&'a ClientId),
    /// All, but for one session's.
    But(Option<SessionId>),
}

/// An authorization as its row has it.
pub(super) struct Row {
    pub id: Uuid,
    pub client_id: String,
    pub generation: i32,
    pub user_id: Uuid,
    pub session_id: Uuid,
    pub scope: String,
    pub resources: Vec<String>,
    pub auth_time: OffsetDateTime,
    pub amr: Vec<String>,
    pub claims: Json<RequestedClaims>,
    pub dpop_jkt: Option<String>,
    pub created_at: OffsetDateTime,
    pub expires_at: OffsetDateTime,
}

/// Ends one; false when it had ended or never began. Its tokens end by a revocation of `grant:<id>`.
pub async fn end(db: impl PgExecutor<'_>, id: AuthorizationId, now: OffsetDateTime) -> Result<bool, Error> {
    let update = sqlx::query!("UPDATE authorizations SET ended_at = $2 WHERE id = $1 AND ended_at IS NULL", id.0, now);
    Ok(update.execute(db).await?.rows_affected() == 1)
}

/// Ends some of a person's, and answers which.
pub async fn end_several(
    db: impl PgExecutor<'_>,
    user: UserId,
    which: Which<'_>,
    now: OffsetDateTime,
) -> Result<Vec<AuthorizationId>, Error> {
    let (sessions, client, but) = match which {
        Which::Sessions(ids) => (Some(ids.iter().map(|id| id.0).collect::<Vec<_>>()), None, None),
        Which::Client(id) => (None, Some(id.as_str()), None),
        Which::But(session) => (None, None, session.map(|id| id.0)),
    };
    let ids = sqlx::query_scalar!(
        "UPDATE authorizations SET ended_at = $2
         WHERE user_id = $1 AND ended_at IS NULL AND expires_at > $2
           AND ($3::uuid[] IS NULL OR session_id = ANY ($3))
           AND ($4::text IS NULL OR client_id = $4)
           AND ($5::uuid IS NULL OR session_id <> $5)
         RETURNING id",
        user.0,
        now,
        sessions.as_deref(),
        client,
        but
    );
    Ok(ids.fetch_all(db).await?.into_iter().map(AuthorizationId).collect())
}

/// Forgets those of which nothing is left.
pub async fn prune(db: impl PgExecutor<'_>, now: OffsetDateTime) -> Result<u64, Error> {
    Ok(sqlx::query!("DELETE FROM authorizations WHERE expires_at <= $1", now).execute(db).await?.rows_affected())
}

pub(super) fn read(row: Row) -> Result<Authorization, Error> {
    Ok(Authorization {
        id: AuthorizationId(row.id),
        client: unreadable("a client id", row.client_id.parse())?,
        generation: row.generation,
        login: Login {
            user: UserId(row.user_id),
            session: SessionId(row.session_id),
            auth_time: row.auth_time,
            amr: row.amr,
        },
        scope: unreadable("a scope", row.scope.parse())?,
        resources: row.resources,
        claims: row.claims.0,
        jkt: row.dpop_jkt,
        created_at: row.created_at,
        expires_at: row.expires_at,
    })
}
