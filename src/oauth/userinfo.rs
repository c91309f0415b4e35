//! Claims about the person behind a token (OpenID Connect Core §5.3).

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::ToSchema;

use super::{
    error::{OAuthError, OAuthErrorBody},
    person_claims,
    shown::Shown,
};
use crate::{
    app::App,
    model::{Claim, Principal, ScopeSet},
    web::{ApiError, Caller},
};

/// Claims (OpenID Connect Core §5.1), as far as the token goes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the answer in the OpenAPI document; `person_claims` writes it")]
pub struct UserInfo {
    /// Who.
    sub: String,
    /// What to call them.
    name: Option<String>,
    preferred_username: Option<String>,
    locale: Option<String>,
    zoneinfo: Option<String>,
    /// Seconds since 1970.
    updated_at: Option<i64>,
    email: Option<String>,
    /// Whether they proved it.
    email_verified: Option<bool>,
}

/// Claims about the person behind the token.
#[utoipa::path(get, path = "/oauth/userinfo", tag = "oauth", responses((status = 200, body = UserInfo),
    (status = "default", body = OAuthErrorBody)))]
pub async fn get(State(app): State<App>, Shown(caller): Shown) -> Result<Response, OAuthError> {
    claims(&app, &caller).await
}

/// Claims about the person behind the token, which may also be in the form as `access_token`.
#[utoipa::path(post, path = "/oauth/userinfo", tag = "oauth", responses((status = 200, body = UserInfo),
    (status = "default", body = OAuthErrorBody)))]
pub async fn post(State(app): State<App>, Shown(caller): Shown) -> Result<Response, OAuthError> {
    claims(&app, &caller).await
}

async fn claims(app: &App, caller: &Caller) -> Result<Response, OAuthError> {
    let token = caller.token();
    let user = match caller.principal() {
        Principal::User(user) if token.scopes.contains(ScopeSet::OPENID) => *user,
        Principal::User(_) | Principal::Client(_) => {
            return Err(ApiError::InsufficientScope(ScopeSet::OPENID).into());
        }
    };
    let found = app.clients.find(&token.client).await?.ok_or(ApiError::Unauthorized { presented: true })?;
    let may = |claim: Claim| found.client.metadata.scope.contains(claim.scope());
    let asked = |claim: Claim| token.scopes.contains(claim.scope()) || token.userinfo_claims.contains(&claim);
    let wanted = |claim: Claim| may(claim) && asked(claim);
    let mut claims = person_claims::of(&app.accounts.find(user).await?, wanted);
    claims.insert("sub".to_owned(), app.tokens.subject(&found.client, user).await?.into());
    let signed = found.client.metadata.userinfo_signed_response_alg;
    let no_store = [(header::CACHE_CONTROL, "no-store")];
    Ok(match signed {
        None => (no_store, Json(claims)).into_response(),
        Some(algorithm) => {
            let jwt = app.tokens.sign_userinfo(algorithm, &token.client, claims)?;
            (no_store, [(header::CONTENT_TYPE, "application/jwt")], jwt).into_response()
        }
    })
}
