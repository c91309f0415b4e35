//! `/consent`: whether a person agrees. The answer is tied to the session that gave it and counts once.

use axum::{
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;

use super::{
    request,
    waiting::{self, Waiting},
};
use crate::{
    app::App,
    model::{Event, Outcome, Principal, SessionRecord},
    store,
    web::browser::{Browser, Consent, PageForm, PageResult, ReturnTo, Scope, html, see_other, source},
};

/// Which request.
#[derive(Deserialize)]
pub struct Asked {
    request: String,
}

/// What the form holds.
#[derive(Deserialize)]
pub struct Answered {
    request: String,
    decision: Decision,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Allow,
    Deny,
}

/// Where a person is asked about a request that waits.
pub fn path(to: &ReturnTo) -> String {
    let query = to.as_str().split_once('?').map(|(_, query)| query).unwrap_or_default();
    let uri = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "request_uri");
    let handle = uri.as_ref().and_then(|(_, uri)| uri.rsplit(':').next()).unwrap_or_default();
    format!("/consent?request={handle}")
}

/// Asks.
pub async fn ask(State(app): State<App>, browser: Browser, Query(asked): Query<Asked>) -> PageResult {
    let (waiting, session) = match at(&app, &browser, &asked.request).await? {
        (waiting, Some(session)) => (waiting, session),
        (waiting, None) => return Ok(see_other(&browser.frame(&app).path(waiting.next().as_str()))),
    };
    let (registered, destination) = request::identify(&app, &waiting.parameters).await?;
    let client = &registered.client;
    let Ok(request) = request::read(&app, client, &waiting.parameters, waiting.pushed) else {
        return Ok(see_other(&browser.frame(&app).path(waiting.next().as_str())));
    };
    let person = app.accounts.find(session.user).await?;
    let scopes = request.disclosed();
    let page = Consent {
        frame: &browser.frame(&app),
        action: "/consent",
        request: &waiting.handle,
        client: client.name(),
        home: client.metadata.client_uri.as_deref(),
        privacy: client.metadata.policy_uri.as_deref(),
        terms: client.metadata.tos_uri.as_deref(),
        verified: !client.self_registered,
        scopes: scopes.for_people().map(Scope::of).collect(),
        person: &person.username,
        goes_to: &destination.name(),
    };
    Ok(html(StatusCode::OK, &page, source(destination.uri()).as_deref()))
}

/// Takes the answer, and goes on with the request.
pub async fn answer(State(app): State<App>, browser: Browser, PageForm(sent): PageForm<Answered>) -> PageResult {
    let (waiting, session) = match at(&app, &browser, &sent.request).await? {
        (waiting, Some(session)) => (waiting, session),
        (waiting, None) => return Ok(see_other(&browser.frame(&app).path(waiting.next().as_str()))),
    };
    let (registered, _) = request::identify(&app, &waiting.parameters).await?;
    let client = &registered.client;
    let request = request::read(&app, client, &waiting.parameters, waiting.pushed).ok();
    let agreed = request.filter(|_| sent.decision == Decision::Allow).map(|request| request.disclosed());
    let outcome = if agreed.is_some() { Outcome::Success } else { Outcome::Denied };
    let event = Event::new("consent", &browser.origin).by(Principal::User(session.user)).ended(outcome);
    let event = event.on(Principal::Client(client.id.clone()).entity());
    let event = event.with("scope", agreed.as_ref().map(ToString::to_string).unwrap_or_default());
    let now = app.clock.now();
    let write = async {
        let mut tx = app.pool.begin().await?;
        let first =
            store::authorization_requests::answer(&mut *tx, &waiting.hash, session.id, agreed.as_ref(), now).await?;
        if first {
            if let Some(agreed) = &agreed {
                store::consents::put(&mut *tx, session.user, &client.id, agreed, now).await?;
            }
            store::audit::insert(&mut *tx, now, &event).await?;
            tx.commit().await?;
        }
        Ok::<_, store::Error>(first)
    };
    if store::within(write).await? {
        Ok(see_other(&browser.frame(&app).path(waiting.next().as_str())))
    } else {
        Err(waiting::over().into())
    }
}

/// The request that waits, and who is asked.
async fn at(
    app: &App,
    browser: &Browser,
    handle: &str,
) -> Result<(Waiting, Option<SessionRecord>), crate::web::browser::PageError> {
    let waiting = Waiting::by_handle(app, handle).await?.filter(|waiting| waiting.taken);
    Ok((waiting.ok_or_else(waiting::over)?, browser.session(app).await?))
}
