//! `/account/sessions`: where one is signed in.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;

use super::{Button, Me, Told};
use crate::{
    accounts::Error,
    app::App,
    model::{SessionId, SessionRecord},
    pages::words::{Moment, device, moment},
    web::browser::{Frame, Notice, PageForm, PageResult, html, leave, see_other},
};

#[derive(Template)]
#[template(path = "pages/account/sessions.html")]
pub struct SessionsPage<'a> {
    pub frame: &'a Frame,
    pub here: &'static str,
    pub notice: Notice,
    pub person: &'a str,
    pub sessions: Vec<Device>,
}

/// One of them.
pub struct Device {
    pub id: String,
    pub device: String,
    pub address: String,
    pub since: Moment,
    pub last: Moment,
    pub here: bool,
}

/// Which one.
#[derive(Deserialize)]
pub struct Which {
    session: String,
}

/// The list, this browser first.
pub async fn show(State(app): State<App>, me: Me, Query(told): Query<Told>) -> PageResult {
    me.require(&app, "Deodar::viewSelf").await?;
    let view = |session: SessionRecord| Device {
        device: session.client.as_ref().map_or_else(|| device(&session.user_agent), ToString::to_string),
        here: session.id == me.session.id,
        id: session.id.to_string(),
        address: session.address,
        since: moment(session.created_at),
        last: moment(session.last_used_at),
    };
    let mut sessions: Vec<Device> = app.accounts.list_sessions(me.person.id).await?.into_iter().map(view).collect();
    sessions.sort_by_key(|session| !session.here);
    let page = SessionsPage {
        frame: &me.frame,
        here: "/account/sessions",
        notice: told.notice(),
        person: &me.person.username,
        sessions,
    };
    Ok(html(StatusCode::OK, &page, None))
}

/// Ends one, with its tokens.
pub async fn end(State(app): State<App>, me: Me, PageForm(sent): PageForm<Which>) -> PageResult {
    me.require(&app, "Deodar::manageSessions").await?;
    let Ok(id) = sent.session.parse::<SessionId>() else { return Ok(me.go("/account/sessions")) };
    match app.accounts.end_session(me.person.id, id, &me.browser.origin).await {
        Ok(_) if id == me.session.id => Ok(leave(see_other(&me.frame.path("/login?news=signed-out")))),
        Ok(_) | Err(Error::Missing(_)) => Ok(me.go("/account/sessions?done=ended")),
        Err(error) => Err(error.into()),
    }
}

/// Ends all but this one.
pub async fn end_others(State(app): State<App>, me: Me, PageForm(Button {}): PageForm<Button>) -> PageResult {
    me.require(&app, "Deodar::manageSessions").await?;
    app.accounts.end_sessions(me.person.id, Some(me.session.id), &me.browser.origin).await?;
    Ok(me.go("/account/sessions?done=ended"))
}
