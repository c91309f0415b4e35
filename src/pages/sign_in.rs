//! `/login`: with a password.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;

use super::fault::{Faults, PASSWORD};
use crate::{
    accounts::{Error, NewSession, SignIn},
    app::App,
    model::{Secret, SessionRecord},
    web::browser::{
        Browser, Field, Frame, Notice, PageError, PageForm, PageResult, ReturnTo, enter, html, leave, see_other, wait,
    },
};

#[derive(Template)]
#[template(path = "pages/sign_in.html")]
pub(super) struct SignInPage<'a> {
    pub frame: &'a Frame,
    pub notice: Notice,
    pub return_to: &'a str,
    pub login: Field,
    pub password: Field,
    pub sign_up: bool,
}

/// For somebody who is signed in, and has to prove it once more.
#[derive(Template)]
#[template(path = "pages/sign_in_again.html")]
pub(super) struct SignInAgainPage<'a> {
    pub frame: &'a Frame,
    pub notice: Notice,
    pub return_to: &'a str,
    pub person: &'a str,
    pub password: Field,
    /// The query that leads to the whole form.
    pub another: String,
}

/// How somebody is led here.
#[derive(Default, Deserialize)]
pub struct Asked {
    return_to: Option<String>,
    login_hint: Option<String>,
    /// Whoever is signed in has to prove it once more.
    again: Option<String>,
    /// Whoever is signed in wants to be somebody else.
    another: Option<String>,
    news: Option<String>,
}

/// What the form holds; no `login` when it asked for the password alone.
#[derive(Deserialize)]
pub struct Sent {
    return_to: Option<String>,
    login: Option<String>,
    password: String,
}

/// Where to go on.
pub(super) fn destination(return_to: Option<&str>) -> ReturnTo {
    return_to.and_then(ReturnTo::parse).unwrap_or_else(ReturnTo::account)
}

/// The form, unless there is nothing to prove.
pub async fn show(State(app): State<App>, browser: Browser, Query(asked): Query<Asked>) -> PageResult {
    let to = destination(asked.return_to.as_deref());
    let session = if asked.another.is_some() { None } else { browser.session(&app).await? };
    match session {
        Some(_) if asked.again.is_none() => Ok(see_other(&browser.frame(&app).path(to.as_str()))),
        Some(session) => again(&app, &browser, &session, &to, &Faults::default()).await,
        None => {
            let news = Notice::done(news(asked.news.as_deref()));
            Ok(whole(&app, &browser, &asked.login_hint.unwrap_or_default(), &to, &Faults::told(news)))
        }
    }
}

/// What a page before this one has to tell.
fn news(name: Option<&str>) -> &'static str {
    match name {
        Some("reset") => "Your new password is set. Sign in with it.",
        Some("signed-out") => "You are signed out.",
        Some("closed") => "Your account is closed.",
        Some("late") => "That took too long. Please sign in once more.",
        _ => "",
    }
}

fn whole(app: &App, browser: &Browser, login: &str, to: &ReturnTo, faults: &Faults) -> Response {
    let field = Field::text("login", "Username or e-mail", "username").value(login);
    let password = Field::password(PASSWORD, "Password");
    let page = SignInPage {
        frame: &browser.frame(app),
        notice: faults.notice.clone(),
        return_to: to.as_str(),
        login: if login.is_empty() { field.focus() } else { field },
        password: if login.is_empty() { password } else { password.focus() },
        sign_up: app.accounts.sign_up_open(),
    };
    faults.answer(html(StatusCode::OK, &page, to.leads_to().as_deref()))
}

async fn again(app: &App, browser: &Browser, session: &SessionRecord, to: &ReturnTo, faults: &Faults) -> PageResult {
    let person = app.accounts.find(session.user).await?;
    let page = SignInAgainPage {
        frame: &browser.frame(app),
        notice: faults.notice.clone(),
        return_to: to.as_str(),
        person: &person.username,
        password: Field::password(PASSWORD, "Password").focus(),
        another: format!("{}&another=1", to.query()),
    };
    Ok(faults.answer(html(StatusCode::OK, &page, to.leads_to().as_deref())))
}

/// Judges the password.
pub async fn submit(State(app): State<App>, browser: Browser, PageForm(sent): PageForm<Sent>) -> PageResult {
    let to = destination(sent.return_to.as_deref());
    let session = browser.session(&app).await?;
    let password = Secret::new(sent.password);
    let (done, current) = match (&sent.login, session) {
        (Some(login), session) => (app.accounts.sign_in(login.trim(), password, None, &browser.origin).await, session),
        (None, Some(session)) => {
            (app.accounts.sign_in_again(session.clone(), password, &browser.origin).await, Some(session))
        }
        (None, None) => return Ok(see_other(&browser.frame(&app).path(&format!("/login{}&news=late", to.query())))),
    };
    match done {
        Ok(SignIn::Done(opened)) => finish(&app, &browser, current, &opened, &to).await,
        Ok(SignIn::SecondFactor(challenge)) => {
            Ok(wait(see_other(&browser.frame(&app).path(&format!("/login/mfa{}", to.query()))), &challenge))
        }
        Err(Error::Spent) => Ok(leave(see_other(&browser.frame(&app).path(&format!("/login{}", to.query()))))),
        Err(error) => match (sent.login, current) {
            (None, Some(session)) => {
                again(&app, &browser, &session, &to, &Faults::of(error, "That is not your password.")?).await
            }
            (login, _) => {
                let faults =
                    Faults::of(error, "The name or the password is not right. After several attempts, wait a moment.")?;
                Ok(whole(&app, &browser, &login.unwrap_or_default(), &to, &faults))
            }
        },
    }
}

/// The browser goes on in the session that was opened. One that it was in before ends, whoever's it was: two people, or
/// two sign-ins, are never mixed (V-026).
pub(super) async fn finish(
    app: &App,
    browser: &Browser,
    before: Option<SessionRecord>,
    opened: &NewSession,
    to: &ReturnTo,
) -> PageResult {
    if let Some(before) = before.filter(|before| before.id != opened.session.id) {
        match app.accounts.end_session(before.user, before.id, &browser.origin).await {
            Ok(_) | Err(Error::Missing(_)) => {}
            Err(error) => return Err(PageError::from(error)),
        }
    }
    Ok(enter(see_other(&browser.frame(app).path(to.as_str())), opened))
}
