//! Face: the OpenID provider. One file for each endpoint and for each grant.

mod bearer;
mod client_assertion;
mod client_auth;
mod client_credentials;
mod cors;
mod document;
mod error;
mod form;
mod introspect;
mod jwks;
mod metadata;
mod password;
mod register;
mod revoke;
mod token;
mod userinfo;

use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::cors::cors;
use crate::app::App;

/// What clients call, which is limited by address.
pub fn limited_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(token::token)).routes(routes!(register::register)).routes(routes!(
        register::show,
        register::replace,
        register::remove
    ))
}

/// Everything else.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(jwks::jwks))
        .routes(routes!(metadata::openid))
        .routes(routes!(metadata::openid_underscore))
        .routes(routes!(metadata::oauth))
        .routes(routes!(userinfo::get, userinfo::post))
        .routes(routes!(introspect::introspect))
        .routes(routes!(revoke::revoke))
}
