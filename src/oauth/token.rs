//! The token endpoint (RFC 6749 §3.2).

use axum::{extract::State, response::Response};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{
    asker::Asker,
    authorization_code, client_auth, client_credentials, device, dpop,
    error::{OAuthError, OAuthErrorBody, unkept},
    form::Submitted,
    issue::TokenResponse,
    password, refresh_token,
};
use crate::{app::App, model::GrantType};

/// A request for a token, as a form.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document; `Form` reads it")]
pub struct TokenRequest {
    /// `authorization_code`, `refresh_token`, `client_credentials`, `urn:ietf:params:oauth:grant-type:device_code`,
    /// `password` or `urn:deodar:grant-type:mfa-otp`.
    grant_type: String,
    /// For `authorization_code`.
    code: Option<String>,
    /// For `authorization_code`: where the code was sent.
    redirect_uri: Option<String>,
    /// For `authorization_code` (RFC 7636 §4.5).
    code_verifier: Option<String>,
    /// For `refresh_token`.
    refresh_token: Option<String>,
    /// For a device: what it was given.
    device_code: Option<String>,
    /// The resource server that the token is for (RFC 8707); may be there several times.
    resource: Option<String>,
    /// For `password`: a name or an address.
    username: Option<String>,
    /// For `password`.
    password: Option<String>,
    /// For the second step of `password`: what the first one answered.
    mfa_token: Option<String>,
    /// For the second step of `password`: the code.
    otp: Option<String>,
    /// Scopes, separated by spaces; all that the client may have when left out.
    scope: Option<String>,
    /// When not authenticating by HTTP Basic.
    client_id: Option<String>,
    /// When not authenticating by HTTP Basic.
    client_secret: Option<String>,
}

/// Get an access token. With a proof of possession in the header `DPoP` it is bound to the key (RFC 9449).
#[utoipa::path(post, path = "/oauth/token", tag = "oauth", security(("basic" = [])),
    request_body(content = TokenRequest, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, body = TokenResponse), (status = "default", body = OAuthErrorBody)))]
pub async fn token(State(app): State<App>, request: Submitted) -> Result<Response, OAuthError> {
    let Submitted { form, parts } = &request;
    let grant_type =
        form.get("grant_type").ok_or_else(|| OAuthError::InvalidRequest("`grant_type` is missing".into()))?;
    let registered = client_auth::authenticate(&app, &parts.headers, form).await?;
    let client = &registered.client;
    let jkt = dpop::proof_of(&app, &parts.headers, client).await?;
    let asker = Asker { registered: &registered, client, form, parts, jkt: jkt.as_deref() };
    let tokens = match grant_type {
        "authorization_code" => authorization_code::grant(&app, asker).await?,
        "refresh_token" => refresh_token::grant(&app, asker).await?,
        GrantType::DEVICE_CODE => device::grant(&app, asker).await?,
        "client_credentials" => client_credentials::grant(&app, asker).await?,
        "password" => Box::pin(password::grant(&app, asker)).await?,
        GrantType::MFA_OTP => Box::pin(password::second_step(&app, asker)).await?,
        _ => return Err(OAuthError::UnsupportedGrantType),
    };
    unkept(&tokens)
}
