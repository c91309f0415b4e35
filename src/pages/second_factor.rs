//! `/login/mfa`: with a code, after the password or where a password was enough before.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;

use super::{
    fault::Faults,
    sign_in::{destination, finish},
};
use crate::{
    accounts::Error,
    app::App,
    web::browser::{Browser, Field, Frame, Notice, PageForm, PageResult, ReturnTo, html, see_other},
};

#[derive(Template)]
#[template(path = "pages/second_factor.html")]
pub(super) struct SecondFactorPage<'a> {
    pub frame: &'a Frame,
    pub notice: Notice,
    pub return_to: &'a str,
    pub code: Field,
    /// Whether it asks for a backup code.
    pub backup: bool,
    /// The query that leads to the other kind of code.
    pub other: String,
    /// The query that leads back to the password.
    pub again: String,
}

/// How somebody is led here.
#[derive(Deserialize)]
pub struct Asked {
    return_to: Option<String>,
    with: Option<String>,
}

/// What the form holds.
#[derive(Deserialize)]
pub struct Sent {
    return_to: Option<String>,
    with: Option<String>,
    code: String,
}

/// The form, for whoever has given the password, and for nobody else.
pub async fn show(State(app): State<App>, browser: Browser, Query(asked): Query<Asked>) -> PageResult {
    let to = destination(asked.return_to.as_deref());
    let backup = asked.with.as_deref() == Some("backup");
    if let Some(challenge) = browser.challenge()
        && app.accounts.is_waiting(challenge).await?
    {
        return Ok(form(&app, &browser, backup, &to, &Faults::default()));
    }
    let path = match browser.session(&app).await? {
        None => format!("/login{}", to.query()),
        Some(session) if session.mfa() => format!("/login{}&again=1", to.query()),
        Some(session) if app.accounts.mfa(session.user).await?.totp => {
            return Ok(form(&app, &browser, backup, &to, &Faults::default()));
        }
        Some(_) => format!("/account/mfa{}", to.query()),
    };
    Ok(see_other(&browser.frame(&app).path(&path)))
}

fn form(app: &App, browser: &Browser, backup: bool, to: &ReturnTo, faults: &Faults) -> Response {
    let code = if backup {
        Field::text("code", "Backup code", "off").hint("Eight letters and digits.")
    } else {
        Field::code("code", "Code")
    };
    let page = SecondFactorPage {
        frame: &browser.frame(app),
        notice: faults.notice.clone(),
        return_to: to.as_str(),
        code: code.focus(),
        backup,
        other: if backup { to.query() } else { format!("{}&with=backup", to.query()) },
        again: format!("{}&another=1", to.query()),
    };
    faults.answer(html(StatusCode::OK, &page, to.leads_to().as_deref()))
}

/// Judges the code.
pub async fn submit(State(app): State<App>, browser: Browser, PageForm(sent): PageForm<Sent>) -> PageResult {
    let to = destination(sent.return_to.as_deref());
    let backup = sent.with.as_deref() == Some("backup");
    let session = browser.session(&app).await?;
    let code = sent.code.trim();
    let done = match (browser.challenge(), &session) {
        (Some(challenge), None) => app.accounts.second_factor(challenge, code, None, &browser.origin).await,
        (Some(challenge), Some(session)) => {
            app.accounts.second_factor_in(session.clone(), challenge, code, &browser.origin).await
        }
        // Stronger than before; who has two factors already starts with the password.
        (None, Some(session)) if !session.mfa() => {
            app.accounts.second_factor_again(session.clone(), code, &browser.origin).await
        }
        (None, _) => Err(Error::Spent),
    };
    match done {
        Ok(opened) => finish(&app, &browser, session, &opened, &to).await,
        Err(Error::Spent) => Ok(see_other(&browser.frame(&app).path(&format!("/login{}&news=late", to.query())))),
        Err(error) => {
            Ok(form(&app, &browser, backup, &to, &Faults::of(error, "That code is not right, or was used.")?))
        }
    }
}
