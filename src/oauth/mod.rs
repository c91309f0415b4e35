//! Face: the OpenID provider. One file for each endpoint and for each grant.

mod asker;
mod authorization_code;
mod authorize;
mod bearer;
mod client_assertion;
mod client_auth;
mod client_credentials;
mod cors;
mod device;
mod document;
mod dpop;
mod error;
mod form;
mod introspect;
mod issue;
mod jwks;
mod logout;
mod metadata;
mod parameters;
mod password;
mod person_claims;
mod refresh_token;
mod register;
mod resources;
mod revoke;
mod shown;
mod token;
mod userinfo;

use axum::{
    middleware,
    routing::{get, post},
};
use utoipa_axum::{router::OpenApiRouter, routes};

pub use self::cors::cors;
use self::parameters::Parameters;
use crate::{app::App, web::browser};

/// What clients call, which is limited by address.
pub fn limited_routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(token::token))
        .routes(routes!(authorize::pushed::push))
        .routes(routes!(device::authorize))
        .routes(routes!(register::register))
        .routes(routes!(register::show, register::replace, register::remove))
}

/// What people's browsers come to.
pub fn browser_routes(app: &App) -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(authorize::get, authorize::post))
        .route("/consent", get(authorize::ask_consent).post(authorize::answer_consent))
        .routes(routes!(logout::get, logout::post))
        .route(logout::CONFIRM, post(logout::confirm))
        .route("/device", get(device::page::show).post(device::page::submit))
        .route("/device/confirm", post(device::page::answer))
        .layer(middleware::from_fn_with_state(app.clone(), browser::browse))
}

/// Everything else.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(jwks::jwks))
        .routes(routes!(metadata::openid))
        .routes(routes!(metadata::openid_underscore))
        .routes(routes!(metadata::oauth))
        .route("/.well-known/oauth-authorization-server/{*path}", get(metadata::of_path))
        .routes(routes!(userinfo::get, userinfo::post))
        .routes(routes!(introspect::introspect))
        .routes(routes!(revoke::revoke))
}
