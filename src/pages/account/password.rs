//! `/account/password`.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;

use super::{Me, Told};
use crate::{
    accounts::Error,
    app::App,
    model::Secret,
    pages::fault::Faults,
    web::browser::{Field, Frame, Notice, PageForm, PageResult, html},
};

#[derive(Template)]
#[template(path = "pages/account/password.html")]
pub struct PasswordPage<'a> {
    pub frame: &'a Frame,
    pub here: &'static str,
    pub notice: Notice,
    pub person: &'a str,
    pub current: Field,
    pub new: Field,
}

/// What the form holds.
#[derive(Deserialize)]
pub struct Sent {
    current: String,
    password: String,
}

/// The form.
pub async fn show(State(app): State<App>, me: Me, Query(told): Query<Told>) -> PageResult {
    me.require(&app, "Deodar::viewSelf").await?;
    Ok(page(&app, &me, &Faults::told(told.notice())))
}

fn page(app: &App, me: &Me, faults: &Faults) -> Response {
    let page = PasswordPage {
        frame: &me.frame,
        here: "/account/password",
        notice: faults.notice.clone(),
        person: &me.person.username,
        current: Field::password("current", "Current password").fault(faults.about("current")),
        new: Field::new_password("password", "New password", app.config.password_min_length)
            .fault(faults.about("password")),
    };
    faults.answer(html(StatusCode::OK, &page, None))
}

/// Changes it. Every other session ends.
pub async fn submit(State(app): State<App>, me: Me, PageForm(sent): PageForm<Sent>) -> PageResult {
    me.require(&app, "Deodar::updateSelf").await?;
    let (current, new) = (Secret::new(sent.current), Secret::new(sent.password));
    let (user, here) = (me.person.id, Some(me.session.id));
    match app.accounts.change_password(user, current, new, here, &me.browser.origin).await {
        Ok(_) => Ok(me.go("/account/password?done=password")),
        Err(Error::Wrong) => Ok(page(&app, &me, &Faults::field("current", "that is not your password"))),
        Err(error) => Ok(page(&app, &me, &Faults::of(error, "")?)),
    }
}
