//! `/account/profile`: what a person says about themselves.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::Response,
};
use serde::Deserialize;

use super::{Me, Told};
use crate::{
    app::App,
    pages::{fault::Faults, words::day},
    web::{
        browser::{Field, Frame, Notice, PageForm, PageResult, html},
        profile,
    },
};

#[derive(Template)]
#[template(path = "pages/account/profile.html")]
pub struct ProfilePage<'a> {
    pub frame: &'a Frame,
    pub here: &'static str,
    pub notice: Notice,
    pub person: &'a str,
    pub since: String,
    pub display_name: Field,
    pub locale: Field,
    pub zoneinfo: Field,
    pub address: Option<&'a str>,
    pub confirmed: bool,
    pub email: Field,
    pub password: Field,
}

/// What the form holds; an empty field takes the value away.
#[derive(Deserialize)]
pub struct Sent {
    display_name: String,
    locale: String,
    zoneinfo: String,
}

/// The forms.
pub async fn show(State(app): State<App>, me: Me, Query(told): Query<Told>) -> PageResult {
    me.require(&app, "Deodar::viewSelf").await?;
    Ok(page(&me, None, "", &Faults::told(told.notice())))
}

/// The page, with what somebody wrote and what is wrong with it.
pub(super) fn page(me: &Me, sent: Option<&Sent>, email: &str, faults: &Faults) -> Response {
    let row = &me.person;
    let field = |name: &'static str, label, autocomplete, kept: &Option<String>, sent: Option<&String>| {
        let value = sent.cloned().or_else(|| kept.clone()).unwrap_or_default();
        Field::text(name, label, autocomplete).optional().value(value).fault(faults.about(name))
    };
    let page = ProfilePage {
        frame: &me.frame,
        here: "/account/profile",
        notice: faults.notice.clone(),
        person: &row.username,
        since: day(row.created_at),
        display_name: field("display_name", "Name", "name", &row.display_name, sent.map(|s| &s.display_name)),
        locale: field("locale", "Language", "off", &row.locale, sent.map(|s| &s.locale)).hint("Such as en, or pt-BR."),
        zoneinfo: field("zoneinfo", "Time zone", "off", &row.zoneinfo, sent.map(|s| &s.zoneinfo))
            .hint("Such as Europe/Lisbon."),
        address: row.email.as_deref(),
        confirmed: row.email_verified,
        email: Field::email("email", "New address").value(email).fault(faults.about("email")),
        password: Field::password("password", "Your password").fault(faults.about("password")),
    };
    faults.answer(html(StatusCode::OK, &page, None))
}

/// Saves.
pub async fn submit(State(app): State<App>, me: Me, PageForm(sent): PageForm<Sent>) -> PageResult {
    me.require(&app, "Deodar::updateSelf").await?;
    let value = |text: &str| Some(Some(text.trim().to_owned()).filter(|text| !text.is_empty()));
    let change = match profile::read(value(&sent.display_name), value(&sent.locale), value(&sent.zoneinfo)) {
        Ok(change) => change,
        Err(error) => return Ok(page(&me, Some(&sent), "", &Faults::read(error)?)),
    };
    app.accounts.update_profile(me.person.id, &change, &me.browser.origin).await?;
    Ok(me.go("/account/profile?done=saved"))
}
