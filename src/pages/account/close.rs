//! `/account/close`: leaving.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use super::Me;
use crate::{
    accounts::Error,
    app::App,
    pages::fault::Faults,
    web::browser::{Field, Frame, Notice, PageForm, PageResult, html, leave},
};

#[derive(Template)]
#[template(path = "pages/account/close.html")]
pub struct ClosePage<'a> {
    pub frame: &'a Frame,
    pub here: &'static str,
    pub notice: Notice,
    pub person: &'a str,
    pub off_password: Field,
    pub delete_password: Field,
    pub delete_name: Field,
}

/// The password, and to delete also the username.
#[derive(Deserialize)]
pub struct Sent {
    password: String,
    username: Option<String>,
}

/// The forms.
pub async fn show(State(app): State<App>, me: Me) -> PageResult {
    me.require(&app, "Deodar::viewSelf").await?;
    Ok(page(&me, &Faults::default()))
}

fn page(me: &Me, faults: &Faults) -> Response {
    let password = |id| Field::password("password", "Your password").named(id);
    let page = ClosePage {
        frame: &me.frame,
        here: "/account/close",
        notice: faults.notice.clone(),
        person: &me.person.username,
        off_password: password("off-password"),
        delete_password: password("delete-password"),
        delete_name: Field::text("username", "Your username, to be sure", "off").fault(faults.about("username")),
    };
    faults.answer(html(StatusCode::OK, &page, None))
}

/// Switches the account off.
pub async fn deactivate(State(app): State<App>, me: Me, PageForm(sent): PageForm<Sent>) -> PageResult {
    close(&app, &me, sent.password, false).await
}

/// Deletes it.
pub async fn delete(State(app): State<App>, me: Me, PageForm(sent): PageForm<Sent>) -> PageResult {
    if sent.username.as_deref().map(str::trim) != Some(&me.person.username) {
        return Ok(page(&me, &Faults::field("username", "write your username to confirm that you mean this account")));
    }
    close(&app, &me, sent.password, true).await
}

async fn close(app: &App, me: &Me, password: String, remove: bool) -> PageResult {
    me.require(app, "Deodar::closeAccount").await?;
    if password.is_empty() {
        return Ok(page(me, &Faults::new("Give your password to close the account.")));
    }
    match app.accounts.close(me.person.id, &me.proof(Some(password)), remove, &me.browser.origin).await {
        Ok(_) => Ok(leave(me.go("/login?news=closed"))),
        Err(Error::Wrong) => Ok(page(me, &Faults::new("That is not your password."))),
        Err(error) => Ok(page(me, &Faults::of(error, "")?)),
    }
}
