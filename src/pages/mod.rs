//! Face: people in a browser. Signing in and out, registering, recovering, and the account's own pages.
//!
//! Every page works without a script. What the face `oauth` asks people (consent, devices) is drawn by `web::browser`
//! and answered there.

pub mod account;
mod fault;
mod recovery;
mod register;
mod second_factor;
mod sign_in;
mod sign_out;
mod verify_email;
mod words;

use axum::{Router, extract::State, middleware, response::Response, routing::get};

use crate::{
    app::App,
    web::browser::{self, Browser},
};

/// Every page of this face.
pub fn routes(app: &App) -> Router<App> {
    Router::new()
        .route("/", get(home))
        .route("/login", get(sign_in::show).post(sign_in::submit))
        .route("/login/mfa", get(second_factor::show).post(second_factor::submit))
        .route("/logout", get(sign_out::show).post(sign_out::submit))
        .route("/register", get(register::show).post(register::submit))
        .route("/register/sent", get(register::sent))
        .route("/verify-email", get(verify_email::show).post(verify_email::submit))
        .route("/forgot-password", get(recovery::ask).post(recovery::send))
        .route("/forgot-password/sent", get(recovery::sent))
        .route("/reset-password", get(recovery::show).post(recovery::submit))
        .merge(account::routes())
        .layer(middleware::from_fn_with_state(app.clone(), browser::browse))
        .merge(browser::assets())
}

async fn home(State(app): State<App>, browser: Browser) -> Response {
    browser::see_other(&browser.frame(&app).path("/account"))
}
