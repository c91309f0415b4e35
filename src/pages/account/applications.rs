//! `/account/applications`: who may know the person.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;

use super::{Me, Told};
use crate::{
    accounts::Error,
    app::App,
    model::ClientId,
    pages::words::{Moment, moment, scopes},
    store::consents::Consent,
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
    let view = |consent: Consent| Application {
        id: consent.client.to_string(),
        name: consent.client_name,
        scopes: scopes(&consent.scope),
        since: moment(consent.created_at),
    };
    let page = ApplicationsPage {
        frame: &me.frame,
        here: "/account/applications",
        notice: told.notice(),
        person: &me.person.username,
        applications: app.accounts.list_applications(me.person.id).await?.into_iter().map(view).collect(),
    };
    Ok(html(StatusCode::OK, &page, None))
}

/// Takes the access of one back.
pub async fn revoke(State(app): State<App>, me: Me, PageForm(sent): PageForm<Which>) -> PageResult {
    me.require(&app, "Deodar::manageApplications").await?;
    let Ok(client) = sent.client.parse::<ClientId>() else { return Ok(me.go("/account/applications")) };
    match app.accounts.withdraw(me.person.id, &client, &me.browser.origin).await {
        Ok(()) | Err(Error::Missing(_)) => Ok(me.go("/account/applications?done=revoked")),
        Err(error) => Err(error.into()),
    }
}
