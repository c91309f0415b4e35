//! Public keys (RFC 7517).

use axum::{extract::State, http::HeaderMap, response::Response};

use super::document::answer;
use crate::app::App;

/// The public keys that verify our tokens.
#[utoipa::path(get, path = "/oauth/jwks", tag = "oauth", security(()), responses((status = 200, body = Object)))]
pub async fn jwks(State(app): State<App>, headers: HeaderMap) -> Response {
    answer(&headers, &app.tokens.keys().set())
}
