//! Face: OAuth 2.0. One file for each endpoint and for each grant.

mod bearer;
mod client_auth;
mod client_credentials;
mod document;
mod error;
mod form;
mod jwks;
mod metadata;
mod password;
mod register;
mod token;
mod userinfo;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::app::App;

/// What clients call, which is limited by address.
pub fn limited_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(token::token)).routes(routes!(register::register)).routes(routes!(
        register::show,
        register::replace,
        register::remove
    ))
}

/// The documents that clients read.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(jwks::jwks))
        .routes(routes!(metadata::metadata))
        .routes(routes!(userinfo::get, userinfo::post))
}
