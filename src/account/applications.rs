//! Which applications one lets act.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    app::App,
    model::ClientId,
    store::consents::Consent,
    web::{ApiError, Caller, Page, PathOf, Problem},
};

/// An application that the caller agreed to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Application {
    #[schema(value_type = String)]
    client_id: ClientId,
    /// What people call it.
    client_name: String,
    /// Its home page.
    #[schema(required)]
    client_uri: Option<String>,
    /// What the caller agreed to, with spaces between.
    scope: String,
    /// When first.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When last.
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// List the applications that one agreed to, last first.
#[utoipa::path(get, path = "/api/v1/me/applications", tag = "account", responses(
    (status = 200, body = Page<Application>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Page<Application>>, ApiError> {
    let user = caller.require_self(&app, "Deodar::viewSelf").await?;
    let agreed = app.accounts.list_applications(user).await?;
    Ok(Json(Page { items: agreed.into_iter().map(Application::from).collect(), next_cursor: None }))
}

/// Take an agreement back. The application's tokens are dead, and it has to ask anew.
#[utoipa::path(delete, path = "/api/v1/me/applications/{client_id}", tag = "account",
    params(("client_id" = String, Path)), responses((status = 204),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<StatusCode, ApiError> {
    let user = caller.require_self(&app, "Deodar::manageApplications").await?;
    let id = id.parse().map_err(|_| ApiError::NotFound("such application".to_owned()))?;
    app.accounts.withdraw(user, &id, caller.origin()).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl From<Consent> for Application {
    fn from(consent: Consent) -> Self {
        Self {
            client_id: consent.client,
            client_name: consent.client_name,
            client_uri: consent.client_uri,
            scope: consent.scope.to_string(),
            created_at: consent.created_at,
            updated_at: consent.updated_at,
        }
    }
}
