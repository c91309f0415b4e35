//! Public keys (RFC 7517).

use axum::{extract::State, http::header, response::IntoResponse};

use crate::app::App;

/// The public keys that verify our tokens.
#[utoipa::path(get, path = "/oauth/jwks", tag = "oauth", security(()), responses((status = 200, body = Object)))]
pub async fn jwks(State(app): State<App>) -> impl IntoResponse {
    let headers = [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
    (headers, app.tokens.keys().jwks().to_owned())
}
