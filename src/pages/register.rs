//! `/register`: an account of one's own.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use super::fault::{Faults, PASSWORD};
use crate::{
    accounts::{Error, Registration},
    app::App,
    model::{Email, Secret, Username},
    web::browser::{Browser, Field, Frame, Message, Notice, PageForm, PageResult, html, see_other},
};

#[derive(Template)]
#[template(path = "pages/register.html")]
pub(super) struct RegisterPage<'a> {
    pub frame: &'a Frame,
    pub notice: Notice,
    pub username: Field,
    pub email: Field,
    pub password: Field,
}

/// What the form holds.
#[derive(Default, Deserialize)]
pub struct Sent {
    username: String,
    email: String,
    password: String,
}

/// The form, where strangers may register.
pub async fn show(State(app): State<App>, browser: Browser) -> PageResult {
    if !app.accounts.sign_up_open() {
        return Err(Error::SignUpOff.into());
    }
    Ok(form(&app, &browser, &Sent::default(), &Faults::default()))
}

fn form(app: &App, browser: &Browser, sent: &Sent, faults: &Faults) -> Response {
    let page = RegisterPage {
        frame: &browser.frame(app),
        notice: faults.notice.clone(),
        username: Field::text("username", "Username", "username")
            .hint("Others may see it. Letters, digits, and . _ - between them.")
            .value(&sent.username)
            .fault(faults.about("username"))
            .focus_unless(faults.mark_fields()),
        email: Field::email("email", "E-mail").value(&sent.email).fault(faults.about("email")),
        password: Field::new_password(PASSWORD, "Password", app.config.password_min_length)
            .fault(faults.about(PASSWORD)),
    };
    faults.answer(html(StatusCode::OK, &page, None))
}

/// Registers. The answer is the same whether the name or the address is taken: whoever owns the address is told by mail.
pub async fn submit(State(app): State<App>, browser: Browser, PageForm(sent): PageForm<Sent>) -> PageResult {
    let username = sent.username.trim().parse::<Username>().map_err(|error| Faults::field("username", error));
    let email = sent.email.trim().parse::<Email>().map_err(|error| Faults::field("email", error));
    let (username, email) = match (username, email) {
        (Ok(username), Ok(email)) => (username, email),
        (Err(one), Err(other)) => return Ok(form(&app, &browser, &sent, &one.and(other))),
        (Err(faults), Ok(_)) | (Ok(_), Err(faults)) => return Ok(form(&app, &browser, &sent, &faults)),
    };
    let new = Registration { username, email, password: Secret::new(sent.password.clone()) };
    match app.accounts.register(new, &browser.origin).await {
        Ok(_) => Ok(see_other(&browser.frame(&app).path("/register/sent"))),
        Err(error) => Ok(form(&app, &browser, &sent, &Faults::of(error, "")?)),
    }
}

/// Says where to look.
pub async fn sent(State(app): State<App>, browser: Browser) -> PageResult {
    let page = Message {
        frame: &browser.frame(&app),
        title: "Look into your mail",
        paragraphs: vec![
            "We have sent you a link. Follow it, and your account is ready.".to_owned(),
            "Nothing there? It can take a minute, or lie with the spam.".to_owned(),
        ],
        link: Some(("Sign in", "/login")),
    };
    Ok(html(StatusCode::OK, &page, None))
}
