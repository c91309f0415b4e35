//! Where one is logged in.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    app::App,
    model::{ClientId, SessionId, SessionRecord},
    web::{ApiError, Caller, Page, PathOf, Problem, Revised},
};

/// A browser or an application in which the caller is logged in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    #[schema(value_type = String)]
    id: SessionId,
    /// Whether this call comes from it.
    current: bool,
    /// The browser, as it calls itself.
    device: String,
    /// From where it was last used.
    address: String,
    /// The application, for a session that no browser holds.
    #[schema(value_type = Option<String>, required)]
    client_id: Option<ClientId>,
    /// How strongly it was authenticated.
    acr: &'static str,
    amr: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    auth_time: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    last_used_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// List where one is logged in, last used first.
#[utoipa::path(get, path = "/api/v1/me/sessions", tag = "account", responses((status = 200, body = Page<SessionView>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Page<SessionView>>, ApiError> {
    let user = caller.require_self(&app, "Deodar::viewSelf").await?;
    let current = caller.token().session_id;
    let sessions = app.accounts.list_sessions(user).await?;
    let items = sessions.into_iter().map(|session| SessionView::new(session, current)).collect();
    Ok(Json(Page { items, next_cursor: None }))
}

/// End one session. Its tokens are dead.
#[utoipa::path(delete, path = "/api/v1/me/sessions/{id}", tag = "account", params(("id" = String, Path)), responses(
    (status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn end(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<Revised<StatusCode>, ApiError> {
    let user = caller.require_self(&app, "Deodar::manageSessions").await?;
    let id = id.parse().map_err(|_| ApiError::NotFound("such session".to_owned()))?;
    let revision = app.accounts.end_session(user, id, caller.origin()).await?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

/// End every session, this one too.
#[utoipa::path(delete, path = "/api/v1/me/sessions", tag = "account", responses((status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn end_all(State(app): State<App>, caller: Caller) -> Result<Revised<StatusCode>, ApiError> {
    let user = caller.require_self(&app, "Deodar::manageSessions").await?;
    let revision = app.accounts.end_sessions(user, None, caller.origin()).await?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

impl SessionView {
    fn new(session: SessionRecord, current: Option<SessionId>) -> Self {
        Self {
            id: session.id,
            current: current == Some(session.id),
            acr: session.acr(),
            device: session.user_agent,
            address: session.address,
            client_id: session.client,
            amr: session.amr,
            auth_time: session.auth_time,
            created_at: session.created_at,
            last_used_at: session.last_used_at,
            expires_at: session.expires_at,
        }
    }
}
