//! `/verify-email`: an address proves itself.
//!
//! Following the link changes nothing: programs that read mail follow links too. The button does.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;

use crate::{
    accounts::Error,
    app::App,
    web::browser::{Browser, Frame, Message, PageForm, PageResult, html, see_other},
};

#[derive(Template)]
#[template(path = "pages/verify_email.html")]
pub(super) struct VerifyEmailPage<'a> {
    pub frame: &'a Frame,
    pub token: &'a str,
}

/// The link.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(default)]
    token: String,
    done: Option<String>,
}

/// What the form holds.
#[derive(Deserialize)]
pub struct Sent {
    token: String,
}

/// The button.
pub async fn show(State(app): State<App>, browser: Browser, Query(asked): Query<Asked>) -> PageResult {
    let frame = browser.frame(&app);
    if asked.done.is_some() {
        let page = Message {
            frame: &frame,
            title: "Your address is confirmed",
            paragraphs: vec!["Thank you. Everything is ready.".to_owned()],
            link: Some(("Go to your account", "/account")),
        };
        return Ok(html(StatusCode::OK, &page, None));
    }
    if !app.accounts.can_confirm_email(&asked.token).await? {
        return Ok(spent(&frame, "Sign in: your account can send you a new one.", ("Sign in", "/login")));
    }
    Ok(html(StatusCode::OK, &VerifyEmailPage { frame: &frame, token: &asked.token }, None))
}

/// Confirms.
pub async fn submit(State(app): State<App>, browser: Browser, PageForm(sent): PageForm<Sent>) -> PageResult {
    let frame = browser.frame(&app);
    match app.accounts.confirm_email(&sent.token, &browser.origin).await {
        Ok(_) => Ok(see_other(&frame.path("/verify-email?done=1"))),
        Err(Error::Spent) => Ok(spent(&frame, "Sign in: your account can send you a new one.", ("Sign in", "/login"))),
        Err(error) => Err(error.into()),
    }
}

/// A link that was used, replaced or is too old.
pub(super) fn spent(frame: &Frame, advice: &str, link: (&str, &str)) -> Response {
    let page = Message {
        frame,
        title: "This link does not work any more",
        paragraphs: vec!["Links work once and for a short time.".to_owned(), advice.to_owned()],
        link: Some(link),
    };
    html(StatusCode::BAD_REQUEST, &page, None)
}
