//! Face: OAuth 2.0. One file for each endpoint and for each grant.

mod client_auth;
mod client_credentials;
mod document;
mod error;
mod form;
mod jwks;
mod metadata;
mod password;
mod token;
mod userinfo;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

/// The token endpoint, which is limited by address.
pub fn token_route() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(token::token))
}

/// The documents that clients read.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(jwks::jwks))
        .routes(routes!(metadata::metadata))
        .routes(routes!(userinfo::get, userinfo::post))
}
