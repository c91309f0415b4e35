//! What happened to one's own account.

use axum::{Json, extract::State};

use crate::{
    app::App,
    store::{self, audit::Filter},
    web::{ApiError, Caller, Cursor, EventView, Page, Params, Problem},
};

/// List what happened to one's own account, newest first.
#[utoipa::path(get, path = "/api/v1/me/activity", tag = "account", params(Cursor), responses(
    (status = 200, body = Page<EventView>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(cursor): Params<Cursor>,
) -> Result<Json<Page<EventView>>, ApiError> {
    let user = caller.require_self(&app, "Deodar::viewSelf").await?;
    let filter = Filter { concerning: Some(user.to_string()), ..Filter::default() };
    let rows =
        store::audit::list(&app.pool, &filter, app.oldest_event(), EventView::after(&cursor)?, cursor.rows()?).await?;
    Ok(Json(cursor.page(rows, EventView::key, EventView::from)))
}
