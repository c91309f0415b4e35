//! Token introspection (RFC 7662): what a resource server may know of a token that was shown to it.
//!
//! Whoever is not concerned learns that the token is not active, and nothing more (N-105, N-106).

use axum::{extract::State, response::Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    client_auth,
    error::{OAuthError, OAuthErrorBody, unkept},
    form::Submitted,
};
use crate::{
    app::App,
    crypto::{Opaque, digest},
    model::{Authorization, Client, Principal, ScopeSet, SessionId},
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
pub enum Introspection<'a> {
    /// Good.
    Active(Box<ActiveToken<'a>>),
    /// Not, or none of the caller's business.
    Inactive {
        /// `false`.
        active: bool,
    },
}

/// What there is to know of a token that is good.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveToken<'a> {
    /// `true`.
    active: bool,
    iss: &'a str,
    sub: &'a str,
    aud: Vec<&'a str>,
    client_id: &'a str,
    #[schema(value_type = String)]
    scope: &'a ScopeSet,
    /// `Bearer` or `DPoP`.
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    exp: i64,
    iat: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    sid: Option<SessionId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amr: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<'a>>,
}

/// The key that a token is bound to (RFC 9449 §6.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct Confirmation<'a> {
    /// Its thumbprint (RFC 7638).
    jkt: &'a str,
}

/// Ask about a token.
#[utoipa::path(post, path = "/oauth/introspect", tag = "oauth", security(("basic" = [])),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, body = Introspection), (status = "default", body = OAuthErrorBody)))]
pub async fn introspect(State(app): State<App>, request: Submitted) -> Result<Response, OAuthError> {
    let Submitted { form, parts } = &request;
    let caller = client_auth::authenticate_confidential(&app, &parts.headers, form).await?;
    let caller = &caller.client;
    let token = form.get("token").ok_or_else(|| OAuthError::InvalidRequest("`token` is missing".to_owned()))?;
    if token.starts_with(Opaque::REFRESH) {
        return Box::pin(refresh_token(&app, caller, token)).await;
    }
    let Ok(verified) = app.tokens.verify_for_anybody(token) else { return inactive() };
    let concerned = verified.client == caller.id || verified.audience.iter().any(|it| caller.id.is_named_by(it));
    if !concerned || !web::is_live(&app, &verified).await? {
        return inactive();
    }
    unkept(&Introspection::Active(Box::new(ActiveToken::of(&app, &verified))))
}

fn inactive() -> Result<Response, OAuthError> {
    unkept(&Introspection::Inactive { active: false })
}

/// A refresh token is nobody's business but its owner's (N-108).
async fn refresh_token(app: &App, caller: &Client, token: &str) -> Result<Response, OAuthError> {
    let found = app.refresh_tokens.find(digest(token.as_bytes())).await?;
    let now = app.clock.now();
    let good = |found: &Presented| {
        let timely = found.expires_at > now && found.authorization.expires_at > now;
        let Authorization { client, generation, .. } = &*found.authorization;
        let theirs = *client == caller.id && *generation >= caller.generation;
        theirs && caller.metadata.scope.contains(ScopeSet::OFFLINE) && timely && !found.used && !found.ended
    };
    let Some(found) = found.filter(good) else { return inactive() };
    app.pdp.ensure(None).await?;
    let active = app.pdp.standing(&Principal::User(found.authorization.login.user)).await?.active();
    if !active {
        return inactive();
    }
    let sub = app.tokens.subject(caller, found.authorization.login.user).await?;
    unkept(&Introspection::Active(Box::new(ActiveToken::of_refresh(app, &sub, &found))))
}

impl<'a> ActiveToken<'a> {
    fn of(app: &'a App, token: &'a Verified) -> Self {
        let session = token.session.as_ref();
        Self {
            active: true,
            iss: app.config.issuer.as_str(),
            sub: &token.subject,
            aud: token.audience.iter().map(String::as_str).collect(),
            client_id: token.client.as_str(),
            scope: &token.scopes,
            token_type: Some(if token.jkt.is_some() { "DPoP" } else { "Bearer" }),
            exp: token.expires_at,
            iat: token.issued_at,
            jti: Some(&token.jti),
            sid: token.session_id,
            auth_time: session.map(|session| session.auth_time),
            acr: session.map(|session| session.acr.as_str()),
            amr: session.map(|session| session.amr.as_slice()),
            cnf: token.jkt.as_deref().map(|jkt| Confirmation { jkt }),
        }
    }

    fn of_refresh(app: &'a App, sub: &'a str, found: &'a Presented) -> Self {
        let issuer = app.config.issuer.as_str();
        let Authorization { client, login, scope, jkt, .. } = &*found.authorization;
        Self {
            active: true,
            sub,
            aud: vec![issuer],
            iss: issuer,
            client_id: client.as_str(),
            scope,
            token_type: None,
            exp: found.expires_at.unix_timestamp(),
            iat: found.issued_at.unix_timestamp(),
            jti: None,
            sid: Some(login.session),
            auth_time: Some(login.auth_time.unix_timestamp()),
            acr: Some(login.acr()),
            amr: Some(&login.amr),
            cnf: jkt.as_deref().map(|jkt| Confirmation { jkt }),
        }
    }
}
