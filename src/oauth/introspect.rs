//! Token introspection (RFC 7662): what a resource server may know of a token that was shown to it.
//!
//! Whoever is not concerned learns that the token is not active, and nothing more (N-105, N-106).

use axum::{Json, extract::State, http::HeaderMap, response::IntoResponse};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    client_auth,
    error::{OAuthError, OAuthErrorBody, no_store},
    form::Form,
};
use crate::{
    app::App,
    crypto::{Opaque, digest},
    model::{Authorization, Client, Principal},
    store::refresh_tokens::Presented,
    tokens::Verified,
    web,
};

/// A question, as a form.
#[derive(Deserialize, ToSchema)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document; `Form` reads it")]
pub struct TokenForm {
    /// The token.
    token: String,
    /// `access_token` or `refresh_token`; a wrong one does no harm.
    token_type_hint: Option<String>,
}

/// RFC 7662 §2.2. Nothing but `active` of a token that is not.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Introspection {
    /// Good.
    Active(Box<ActiveToken>),
    /// Not, or none of the caller's business.
    Inactive {
        /// `false`.
        active: bool,
    },
}

/// What there is to know of a token that is good.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveToken {
    /// `true`.
    active: bool,
    iss: String,
    sub: String,
    aud: Vec<String>,
    client_id: String,
    scope: String,
    /// `Bearer` or `DPoP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
}

/// The key that a token is bound to (RFC 9449 §6.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct Confirmation {
    /// Its thumbprint (RFC 7638).
    jkt: String,
}

/// Ask about a token.
#[utoipa::path(post, path = "/oauth/introspect", tag = "oauth", security(("basic" = [])),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, body = Introspection), (status = "default", body = OAuthErrorBody)))]
pub async fn introspect(
    State(app): State<App>,
    headers: HeaderMap,
    form: Form,
) -> Result<impl IntoResponse, OAuthError> {
    let caller = client_auth::authenticate_confidential(&app, &headers, &form).await?;
    let token = form.get("token").ok_or_else(|| OAuthError::InvalidRequest("`token` is missing".to_owned()))?;
    let token = active(&app, &caller.client, token).await?;
    Ok((
        no_store(),
        Json(token.map_or(Introspection::Inactive { active: false }, |token| Introspection::Active(Box::new(token)))),
    ))
}

async fn active(app: &App, caller: &Client, token: &str) -> Result<Option<ActiveToken>, OAuthError> {
    if token.starts_with(Opaque::REFRESH) {
        return Box::pin(refresh_token(app, caller, token)).await;
    }
    let Ok(verified) = app.tokens.verify_for_anybody(token) else { return Ok(None) };
    let concerned = verified.client == caller.id;
    if !concerned || !web::is_live(app, &verified).await? {
        return Ok(None);
    }
    let sub = match &verified.principal {
        Principal::User(user) => app.tokens.subject(caller, *user).await?,
        Principal::Client(id) => id.to_string(),
    };
    Ok(Some(ActiveToken::of(app, sub, &verified)))
}

/// A refresh token is nobody's business but its owner's (N-108).
async fn refresh_token(app: &App, caller: &Client, token: &str) -> Result<Option<ActiveToken>, OAuthError> {
    let found = app.refresh_tokens.find(digest(token.as_bytes())).await?;
    let now = app.clock.now();
    let good = |found: &Presented| {
        let timely = found.expires_at > now && found.authorization.expires_at > now;
        found.authorization.client == caller.id && timely && !found.used && !found.ended
    };
    let Some(found) = found.filter(good) else { return Ok(None) };
    app.pdp.ensure(None).await?;
    let active = app.pdp.standing(&Principal::User(found.authorization.login.user)).await?.active();
    if !active {
        return Ok(None);
    }
    let sub = app.tokens.subject(caller, found.authorization.login.user).await?;
    Ok(Some(ActiveToken::of_refresh(app, sub, found)))
}

impl ActiveToken {
    fn of(app: &App, sub: String, token: &Verified) -> Self {
        let session = token.session.as_ref();
        Self {
            active: true,
            iss: app.config.issuer.as_str().to_owned(),
            sub,
            aud: token.audience.clone(),
            client_id: token.client.to_string(),
            scope: token.scopes.to_string(),
            token_type: Some(if token.jkt.is_some() { "DPoP" } else { "Bearer" }),
            exp: token.expires_at,
            iat: token.issued_at,
            jti: Some(token.jti.clone()),
            sid: token.session_id.map(|id| id.to_string()),
            auth_time: session.map(|session| session.auth_time),
            acr: session.map(|session| session.acr.clone()),
            amr: session.map(|session| session.amr.clone()),
            cnf: token.jkt.clone().map(|jkt| Confirmation { jkt }),
        }
    }

    fn of_refresh(app: &App, sub: String, found: Presented) -> Self {
        let issuer = app.config.issuer.as_str().to_owned();
        let Authorization { client, login, scope, jkt, .. } = found.authorization;
        Self {
            active: true,
            sub,
            aud: vec![issuer.clone()],
            iss: issuer,
            client_id: client.to_string(),
            scope: scope.to_string(),
            token_type: None,
            exp: found.expires_at.unix_timestamp(),
            iat: found.issued_at.unix_timestamp(),
            jti: None,
            sid: Some(login.session.to_string()),
            auth_time: Some(login.auth_time.unix_timestamp()),
            acr: Some(login.acr().to_owned()),
            amr: Some(login.amr),
            cnf: jkt.map(|jkt| Confirmation { jkt }),
        }
    }
}
