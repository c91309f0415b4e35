//! Claims about the person behind a token (OpenID Connect Core §5.3).

use axum::{Json, extract::State, http::header, response::IntoResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    app::App,
    model::Principal,
    web::{ApiError, Caller, Problem},
};

/// Claims (OpenID Connect Core §5.1), as far as the token's scopes go.
#[derive(Debug, Default, Serialize, ToSchema)]
pub struct UserInfo {
    /// Who.
    sub: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    preferred_username: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    locale: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    zoneinfo: Option<String>,
    /// Seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    updated_at: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_verified: Option<bool>,
}

/// Claims about the person behind the token.
#[utoipa::path(get, path = "/oauth/userinfo", tag = "oauth", responses((status = 200, body = UserInfo),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn get(State(app): State<App>, caller: Caller) -> Result<impl IntoResponse, ApiError> {
    claims(&app, &caller).await
}

/// Claims about the person behind the token.
#[utoipa::path(post, path = "/oauth/userinfo", tag = "oauth", responses((status = 200, body = UserInfo),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn post(State(app): State<App>, caller: Caller) -> Result<impl IntoResponse, ApiError> {
    claims(&app, &caller).await
}

async fn claims(app: &App, caller: &Caller) -> Result<impl IntoResponse + use<>, ApiError> {
    let scopes = &caller.token().scopes;
    let Principal::User(user) = caller.principal() else {
        return Err(ApiError::InsufficientScope("openid"));
    };
    if !scopes.contains("openid") {
        return Err(ApiError::InsufficientScope("openid"));
    }
    let row = app.accounts.find(*user).await?;
    let mut info = UserInfo { sub: user.to_string(), ..UserInfo::default() };
    if scopes.contains("profile") {
        info.name = row.display_name.clone();
        info.preferred_username = Some(row.username);
        info.locale = row.locale;
        info.zoneinfo = row.zoneinfo;
        info.updated_at = Some(row.updated_at.unix_timestamp());
    }
    if scopes.contains("email") && row.email.is_some() {
        info.email = row.email;
        info.email_verified = Some(row.email_verified);
    }
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(info)))
}
