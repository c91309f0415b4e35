//! The device grant (RFC 8628): where a device asks for its codes, the pages on which a person types one, and what the
//! device is answered when it asks for tokens.

mod grant;
pub mod page;

use axum::{Json, extract::State, http::HeaderMap, response::IntoResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::grant::grant;
use super::{
    client_auth,
    error::{OAuthError, OAuthErrorBody, no_store},
    form::Form,
    resources,
};
use crate::{
    app::App,
    model::{AuthorizationId, Client, Device, GrantType, InvalidScope, ScopeSet},
};

/// Seconds between two questions of a device (RFC 8628 §3.2).
const INTERVAL: i32 = 5;

/// A request for codes, as a form.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document; `Form` reads it")]
pub struct DeviceRequest {
    /// When not authenticating by HTTP Basic.
    client_id: Option<String>,
    /// When not authenticating by HTTP Basic.
    client_secret: Option<String>,
    /// Scopes, separated by spaces. Those that the client did not register are left out.
    scope: Option<String>,
    /// The resource server that the token is for (RFC 8707); may be there several times.
    resource: Option<String>,
}

/// RFC 8628 §3.2.
#[derive(Serialize, ToSchema)]
pub struct DeviceResponse {
    /// For the token endpoint.
    device_code: String,
    /// For the person.
    user_code: String,
    /// Where the person types it.
    verification_uri: String,
    /// The same with the code in it, for a QR code.
    verification_uri_complete: String,
    /// Seconds.
    expires_in: u64,
    /// Seconds between two questions at the token endpoint.
    interval: i32,
}

/// Get codes for a device.
#[utoipa::path(post, path = "/oauth/device_authorization", tag = "oauth", security(("basic" = [])),
    request_body(content = DeviceRequest, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, body = DeviceResponse), (status = "default", body = OAuthErrorBody)))]
pub async fn authorize(
    State(app): State<App>,
    headers: HeaderMap,
    form: Form,
) -> Result<impl IntoResponse, OAuthError> {
    let registered = client_auth::authenticate(&app, &headers, &form).await?;
    let client = &registered.client;
    if !client.may(GrantType::DeviceCode) {
        return Err(OAuthError::UnauthorizedClient);
    }
    let device = Device {
        client: client.id.clone(),
        generation: client.generation,
        scope: scope(client, &form)?,
        resources: resources::asked(&form)?,
        authorization: AuthorizationId::new(),
    };
    let lifetime = app.config.device_code_lifetime;
    let waits = lifetime.try_into().unwrap_or(time::Duration::MINUTE);
    let codes = app.accounts.admit_device(&device, INTERVAL, waits).await?;
    let (user_code, verification_uri) = (codes.user.shown(), format!("{}/device", app.config.issuer));
    let body = DeviceResponse {
        device_code: codes.device.expose().to_owned(),
        verification_uri_complete: format!("{verification_uri}?user_code={user_code}"),
        verification_uri,
        user_code,
        expires_in: lifetime.as_secs(),
        interval: INTERVAL,
    };
    Ok((no_store(), Json(body)))
}

/// As in an authorization request: what the client did not register is left out. The person is always asked, so access
/// while they are away needs no more than a client that can make use of it.
fn scope(client: &Client, form: &Form) -> Result<ScopeSet, OAuthError> {
    let asked: ScopeSet = match form.get("scope") {
        Some(text) => text.parse().map_err(|error: InvalidScope| OAuthError::InvalidScope(error.to_string()))?,
        None => ScopeSet::default(),
    };
    let granted = asked.intersection(&client.metadata.scope).without(&[ScopeSet::CHECK]);
    Ok(if client.may(GrantType::RefreshToken) { granted } else { granted.without(&[ScopeSet::OFFLINE]) })
}
