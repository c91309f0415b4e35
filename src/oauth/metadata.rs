//! Authorization server metadata (RFC 8414): lists only what works.

use axum::{Json, extract::State, http::header, response::IntoResponse};
use serde_json::json;

use crate::app::App;

/// What this authorization server can do.
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "oauth", security(()),
    responses((status = 200, body = Object)))]
pub async fn metadata(State(app): State<App>) -> impl IntoResponse {
    let issuer = app.config.issuer.as_str();
    let document = json!({
        "issuer": issuer,
        "token_endpoint": format!("{issuer}/oauth/token"),
        "userinfo_endpoint": format!("{issuer}/oauth/userinfo"),
        "jwks_uri": format!("{issuer}/oauth/jwks"),
        "response_types_supported": [],
        "grant_types_supported": ["client_credentials", "password", "urn:deodar:grant-type:mfa-otp"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "scopes_supported": ["openid", "profile", "email", "admin", "authz:check"],
        "service_documentation": format!("{issuer}/docs"),
    });
    ([(header::CACHE_CONTROL, "public, max-age=300")], Json(document))
}
