//! Pushed authorization requests (RFC 9126): a client sends what it asks for directly, and people's browsers carry no more
//! than a handle.

use axum::{
    Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
};
use serde::Serialize;
use time::Duration;
use utoipa::ToSchema;

use super::{request, waiting};
use crate::{
    app::App,
    oauth::{
        client_auth, dpop,
        error::{OAuthError, OAuthErrorBody, no_store},
        form::Form,
    },
    web::ApiError,
};

/// How long the person has to come with it, in seconds (RFC 9126 §2.2).
const LIFETIME: i64 = 90;
/// What proves the client and is no part of the request (RFC 9126 §2.1).
const PROOF: [&str; 3] = ["client_secret", "client_assertion", "client_assertion_type"];

/// RFC 9126 §2.2.
#[derive(Serialize, ToSchema)]
pub struct Pushed {
    /// For the authorization endpoint, once.
    request_uri: String,
    /// Seconds.
    expires_in: i64,
}

/// Push an authorization request.
#[utoipa::path(post, path = "/oauth/par", tag = "oauth", security(("basic" = [])),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 201, body = Pushed), (status = "default", body = OAuthErrorBody)))]
pub async fn push(State(app): State<App>, headers: HeaderMap, form: Form) -> Result<impl IntoResponse, OAuthError> {
    let registered = client_auth::authenticate(&app, &headers, &form).await?;
    let client = &registered.client;
    let parameters = form.parameters().without(&PROOF).with("client_id", client.id.as_str());
    if parameters.get("request_uri").is_some() {
        return Err(OAuthError::InvalidRequest("`request_uri` cannot be pushed itself".to_owned()));
    }
    // The code is bound to the key that the client proves already now (RFC 9449 §10.1).
    let parameters = match (dpop::proof(&app, &headers, "/oauth/par").await?, parameters.get("dpop_jkt")) {
        (Some(jkt), Some(named)) if jkt != named => {
            return Err(OAuthError::InvalidRequest("`dpop_jkt` is not the key of the proof".to_owned()));
        }
        (Some(jkt), _) => parameters.with("dpop_jkt", &jkt),
        (None, _) => parameters,
    };
    request::identify(&app, &parameters).await.map_err(|error| match error {
        ApiError::BadRequest { message, .. } => OAuthError::InvalidRequest(message),
        other => other.into(),
    })?;
    request::read(&app, client, &parameters, true).map_err(OAuthError::Authorization)?;
    let request_uri = waiting::push(&app, client, &parameters, Duration::seconds(LIFETIME)).await?;
    Ok((StatusCode::CREATED, no_store(), Json(Pushed { request_uri, expires_in: LIFETIME })))
}
