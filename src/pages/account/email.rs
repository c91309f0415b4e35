//! `/account/email`: another address, which counts once it is proven.

use axum::extract::State;
use serde::Deserialize;

use super::{Button, Me, profile};
use crate::{
    accounts::Error,
    app::App,
    model::Email,
    pages::fault::Faults,
    web::browser::{PageForm, PageResult},
};

/// What the form holds.
#[derive(Deserialize)]
pub struct Sent {
    email: String,
    password: Option<String>,
}

/// Sends a link to the new address.
pub async fn submit(State(app): State<App>, me: Me, PageForm(sent): PageForm<Sent>) -> PageResult {
    me.require(&app, "Deodar::updateSelf").await?;
    let email = match sent.email.trim().parse::<Email>() {
        Ok(email) => email,
        Err(error) => return Ok(profile::page(&me, None, &sent.email, &Faults::field("email", error))),
    };
    let proof = me.proof(sent.password);
    match app.accounts.change_email(me.person.id, &email, &proof, &me.browser.origin).await {
        Ok(()) => Ok(me.go("/account/profile?done=sent")),
        Err(Error::Wrong) => {
            Ok(profile::page(&me, None, &sent.email, &Faults::field("password", "that is not your password")))
        }
        Err(error) => Ok(profile::page(&me, None, &sent.email, &Faults::of(error, "")?)),
    }
}

/// Sends the link to the address that is not confirmed yet once more.
pub async fn send_link(State(app): State<App>, me: Me, PageForm(Button {}): PageForm<Button>) -> PageResult {
    me.require(&app, "Deodar::updateSelf").await?;
    match app.accounts.resend_verification(me.person.id).await {
        Ok(()) => Ok(me.go("/account?done=sent")),
        Err(Error::Conflict(_) | Error::Missing(_)) => Ok(me.go("/account")),
        Err(error) => Err(error.into()),
    }
}
