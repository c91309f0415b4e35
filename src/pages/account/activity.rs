//! `/account/activity`: what happened to the account.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;

use super::Me;
use crate::{
    app::App,
    pages::words::{Moment, event, moment},
    store::{
        self,
        audit::{EventRow, Filter},
    },
    web::{
        Cursor, EventView,
        browser::{Frame, PageResult, html},
    },
};

#[derive(Template)]
#[template(path = "pages/account/activity.html")]
pub struct ActivityPage<'a> {
    pub frame: &'a Frame,
    pub here: &'static str,
    pub person: &'a str,
    pub events: Vec<Line>,
    /// Where older ones begin.
    pub older: Option<String>,
}

/// One event.
pub struct Line {
    pub words: String,
    pub failed: bool,
    pub at: Moment,
    pub address: Option<String>,
    pub client: Option<String>,
}

/// Where to go on.
#[derive(Deserialize)]
pub struct Asked {
    before: Option<String>,
}

/// The list, newest first.
pub async fn show(State(app): State<App>, me: Me, Query(asked): Query<Asked>) -> PageResult {
    me.require(&app, "Deodar::viewSelf").await?;
    let filter = Filter { concerning: Some(me.person.id.to_string()), ..Filter::default() };
    let cursor = Cursor::new(Some(20), asked.before);
    let rows =
        store::audit::list(&app.pool, &filter, app.oldest_event(), EventView::after(&cursor)?, cursor.rows()?).await?;
    let view = |row: EventRow| Line {
        words: event(&row),
        failed: row.outcome != "success",
        at: moment(row.at),
        address: row.address,
        client: row.client_id,
    };
    let listed = cursor.page(rows, EventView::key, view);
    let page = ActivityPage {
        frame: &me.frame,
        here: "/account/activity",
        person: &me.person.username,
        events: listed.items,
        older: listed.next_cursor,
    };
    Ok(html(StatusCode::OK, &page, None))
}
