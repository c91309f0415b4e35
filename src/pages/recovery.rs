//! `/forgot-password` and `/reset-password`: a new password by mail.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;

use super::{
    fault::{Faults, PASSWORD},
    verify_email::spent,
};
use crate::{
    accounts::Error,
    app::App,
    model::{Email, Secret},
    web::browser::{Browser, Field, Frame, Message, Notice, PageForm, PageResult, html, leave, see_other},
};

#[derive(Template)]
#[template(path = "pages/forgot_password.html")]
pub(super) struct ForgotPasswordPage<'a> {
    pub frame: &'a Frame,
    pub notice: Notice,
    pub email: Field,
}

#[derive(Template)]
#[template(path = "pages/reset_password.html")]
pub(super) struct ResetPasswordPage<'a> {
    pub frame: &'a Frame,
    pub notice: Notice,
    pub token: &'a str,
    pub password: Field,
}

/// Whom to write to.
#[derive(Deserialize)]
pub struct Address {
    email: String,
}

/// The link.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    token: String,
}

/// What the form holds.
#[derive(Deserialize)]
pub struct Sent {
    token: String,
    password: String,
}

/// Asks for the address.
pub async fn ask(State(app): State<App>, browser: Browser) -> PageResult {
    Ok(ask_again(&app, &browser, "", &Faults::default()))
}

fn ask_again(app: &App, browser: &Browser, email: &str, faults: &Faults) -> Response {
    let page = ForgotPasswordPage {
        frame: &browser.frame(app),
        notice: faults.notice.clone(),
        email: Field::email("email", "E-mail").value(email).fault(faults.about("email")).focus(),
    };
    faults.answer(html(StatusCode::OK, &page, None))
}

/// Sends a link. The answer is the same whether there is such an account.
pub async fn send(State(app): State<App>, browser: Browser, PageForm(sent): PageForm<Address>) -> PageResult {
    let email = match sent.email.trim().parse::<Email>() {
        Ok(email) => email,
        Err(error) => return Ok(ask_again(&app, &browser, &sent.email, &Faults::field("email", error))),
    };
    match app.accounts.request_reset(email, browser.origin.clone()).await {
        Ok(()) => Ok(see_other(&browser.frame(&app).path("/forgot-password/sent"))),
        Err(error) => Ok(ask_again(&app, &browser, &sent.email, &Faults::of(error, "")?)),
    }
}

/// Says where to look.
pub async fn sent(State(app): State<App>, browser: Browser) -> PageResult {
    let page = Message {
        frame: &browser.frame(&app),
        title: "Look into your mail",
        paragraphs: vec![
            "If there is an account with this address, a link to a new password is on its way.".to_owned(),
            "Nothing there? It can take a minute, or lie with the spam.".to_owned(),
        ],
        link: Some(("Back to sign-in", "/login")),
    };
    Ok(html(StatusCode::OK, &page, None))
}

/// Asks for the new password. Whoever holds the link is not signed in by it.
pub async fn show(State(app): State<App>, browser: Browser, Query(asked): Query<Asked>) -> PageResult {
    if app.accounts.can_reset(&asked.token).await? {
        Ok(form(&app, &browser, &asked.token, &Faults::default()))
    } else {
        Ok(dead(&browser.frame(&app)))
    }
}

fn form(app: &App, browser: &Browser, token: &str, faults: &Faults) -> Response {
    let page = ResetPasswordPage {
        frame: &browser.frame(app),
        notice: faults.notice.clone(),
        token,
        password: Field::new_password(PASSWORD, "New password", app.config.password_min_length)
            .fault(faults.about(PASSWORD))
            .focus(),
    };
    faults.answer(html(StatusCode::OK, &page, None))
}

fn dead(frame: &Frame) -> Response {
    spent(frame, "Ask for a new one.", ("Ask for a new link", "/forgot-password"))
}

/// Sets the password. Every session has ended, so this browser's has too.
pub async fn submit(State(app): State<App>, browser: Browser, PageForm(sent): PageForm<Sent>) -> PageResult {
    let password = Secret::new(sent.password);
    match app.accounts.reset_password(&sent.token, password, &browser.origin).await {
        Ok(_) => Ok(leave(see_other(&browser.frame(&app).path("/login?news=reset")))),
        Err(Error::Spent) => Ok(dead(&browser.frame(&app))),
        Err(error) => Ok(form(&app, &browser, &sent.token, &Faults::of(error, "")?)),
    }
}
