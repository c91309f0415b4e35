//! `/logout`: out of this browser.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;

use crate::{
    accounts::Error,
    app::App,
    web::browser::{Browser, PageForm, PageResult, SignOut, html, leave, see_other},
};

/// Nothing but the token of the form.
#[derive(Deserialize)]
pub struct Sent {}

/// Asks first: a link alone signs nobody out.
pub async fn show(State(app): State<App>, browser: Browser) -> PageResult {
    let frame = browser.frame(&app);
    let Some(session) = browser.session(&app).await? else {
        return Ok(see_other(&frame.path("/login?news=signed-out")));
    };
    let person = app.accounts.find(session.user).await?;
    let page = SignOut { frame: &frame, person: &person.username, client: None, action: "/logout", hidden: Vec::new() };
    Ok(html(StatusCode::OK, &page, None))
}

/// Ends the session with everything that came of it.
pub async fn submit(State(app): State<App>, browser: Browser, PageForm(Sent {}): PageForm<Sent>) -> PageResult {
    if let Some(session) = browser.session(&app).await? {
        match app.accounts.end_session(session.user, session.id, &browser.origin).await {
            Ok(_) | Err(Error::Missing(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(leave(see_other(&browser.frame(&app).path("/login?news=signed-out"))))
}
