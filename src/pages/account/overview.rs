//! `/account`: everything at a glance.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
};

use super::{Me, Told};
use crate::{
    app::App,
    web::browser::{Frame, Notice, PageResult, html},
};

#[derive(Template)]
#[template(path = "pages/account/overview.html")]
pub struct OverviewPage<'a> {
    pub frame: &'a Frame,
    pub here: &'static str,
    pub notice: Notice,
    pub person: &'a str,
    /// The address, if it is not confirmed yet.
    pub unproven: Option<&'a str>,
    pub rows: Vec<Row>,
}

/// A page of the account and what it would tell.
pub struct Row {
    pub path: &'static str,
    pub label: &'static str,
    pub state: String,
}

/// The overview.
pub async fn show(State(app): State<App>, me: Me, Query(told): Query<Told>) -> PageResult {
    me.require(&app, "Deodar::viewSelf").await?;
    let mfa = app.accounts.mfa(me.person.id).await?;
    let devices = app.accounts.list_sessions(me.person.id).await?.len();
    let second = match (mfa.totp, mfa.backup_codes) {
        (false, _) => "Off".to_owned(),
        (true, 1) => "On, 1 backup code left".to_owned(),
        (true, codes) => format!("On, {codes} backup codes left"),
    };
    let state = |path: &str| match path {
        "/account/profile" => me.person.display_name.clone().unwrap_or_else(|| me.person.username.clone()),
        "/account/password" => "Change it".to_owned(),
        "/account/mfa" => second.clone(),
        "/account/sessions" if devices == 1 => "Signed in here only".to_owned(),
        "/account/sessions" => format!("Signed in on {devices}"),
        "/account/applications" => "Who may know you".to_owned(),
        "/account/activity" => "What happened lately".to_owned(),
        _ => "Switch it off, or delete it".to_owned(),
    };
    let rows = super::SECTIONS.iter().skip(1).map(|(path, label)| Row { path, label, state: state(path) });
    let page = OverviewPage {
        frame: &me.frame,
        here: "/account",
        notice: told.notice(),
        person: &me.person.username,
        unproven: me.person.email.as_deref().filter(|_| !me.person.email_verified),
        rows: rows.collect(),
    };
    Ok(html(StatusCode::OK, &page, None))
}
