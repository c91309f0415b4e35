//! Signing out at the wish of an application (OpenID Connect RP-Initiated Logout 1.0).
//!
//! An ID token of the very session that the browser is in says that the application speaks for its person: the session
//! ends at once. Anybody else can make a link, so then the person is asked (§2, §6). Nothing leads away from here but to
//! an address that the client registered, byte for byte, and nothing at all after a hint that is not ours.

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::StatusCode,
    response::Response,
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use crate::{
    accounts::Error,
    app::App,
    model::{Client, Origin, SessionRecord},
    oauth::Parameters,
    tokens::Hint,
    web::{
        ApiError,
        browser::{Browser, Message, PageError, PageForm, PageResult, SignOut, html, leave, see_other, source},
    },
};

const PATH: &str = "/oauth/logout";
/// Path of the form of the page that asks.
pub const CONFIRM: &str = "/oauth/logout/confirm";
const URI: &str = "post_logout_redirect_uri";
/// The longest query that a form is made into.
const LONGEST: usize = 6 * 1024;

/// Sign out of the browser, and perhaps go back to the client.
#[utoipa::path(get, path = "/oauth/logout", tag = "oauth", security(()), params(
    ("id_token_hint" = Option<String>, Query), ("client_id" = Option<String>, Query),
    ("post_logout_redirect_uri" = Option<String>, Query), ("state" = Option<String>, Query)), responses(
    (status = 200, description = "A page: the person is signed out, or is asked"),
    (status = 303, description = "To `post_logout_redirect_uri`, with `state`"),
    (status = 400, description = "A page: the request contradicts itself")))]
pub async fn get(State(app): State<App>, browser: Browser, RawQuery(query): RawQuery) -> PageResult {
    let parameters = Parameters::read(query.unwrap_or_default().as_bytes())?;
    let session = browser.session(&app).await?;
    Asked::read(&app, &parameters).await?.answer(&app, &browser, session).await
}

/// The same by a form.
#[utoipa::path(post, path = "/oauth/logout", tag = "oauth", security(()),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200, description = "A page: the person is signed out, or is asked"),
    (status = 303, description = "To `post_logout_redirect_uri`, with `state`; or to the same by GET"),
    (status = 400, description = "A page: the request contradicts itself")))]
pub async fn post(State(app): State<App>, browser: Browser, body: Bytes) -> PageResult {
    let parameters = Parameters::read(&body)?;
    let session = browser.session(&app).await?;
    // A form from elsewhere comes without our cookies, which are `SameSite=Lax`; a link brings them.
    let query = parameters.encoded();
    if session.is_none() && query.len() <= LONGEST {
        return Ok(see_other(&browser.frame(&app).path(&format!("{PATH}?{query}"))));
    }
    Asked::read(&app, &parameters).await?.answer(&app, &browser, session).await
}

/// The answer of a person who was asked.
#[derive(Deserialize)]
pub struct Sent {
    client_id: Option<String>,
    post_logout_redirect_uri: Option<String>,
    state: Option<String>,
}

/// Ends the session of a person who was asked.
pub async fn confirm(State(app): State<App>, browser: Browser, PageForm(sent): PageForm<Sent>) -> PageResult {
    let fields = [("client_id", sent.client_id), (URI, sent.post_logout_redirect_uri), ("state", sent.state)];
    let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let asked = Asked::read(&app, &fields.collect::<Vec<_>>().into()).await?;
    match browser.session(&app).await? {
        Some(session) => asked.sign_out(&app, &browser, &session).await,
        None => Ok(asked.go_on(&app, &browser)),
    }
}

/// What is asked for, as far as it can be believed.
struct Asked {
    client: Option<Client>,
    hint: Option<Hint>,
    then: Then,
    /// Comes back as it was.
    state: Option<String>,
}

/// Where the person goes on.
enum Then {
    /// Nowhere.
    Nowhere,
    /// To an address that the client registered.
    To(String),
    /// The address is not the client's, or it is not known whose.
    Astray,
}

impl Asked {
    async fn read(app: &App, parameters: &Parameters) -> Result<Self, PageError> {
        if let Some(name) = parameters.repeated() {
            return Err(contradiction(format!("`{}` is there twice", name.escape_debug())));
        }
        let (token, named) = (parameters.get("id_token_hint"), parameters.get("client_id"));
        let hint = token.and_then(|token| app.tokens.read_hint(token).ok());
        if let (Some(hint), Some(named)) = (&hint, named)
            && hint.client != named
        {
            return Err(contradiction("`client_id` and `id_token_hint` are about different applications".to_owned()));
        }
        let foreign = token.is_some() && hint.is_none();
        let client = match hint.as_ref().map(|hint| hint.client.as_str()).or(named).map(str::parse) {
            Some(Ok(id)) if !foreign => app.clients.find(&id).await?.map(|found| found.client.clone()),
            _ => None,
        };
        let is_registered = |uri| client.as_ref().is_some_and(|it| it.metadata.has_post_logout_redirect_uri(uri));
        let then = match parameters.get(URI) {
            None => Then::Nowhere,
            Some(uri) if is_registered(uri) => Then::To(uri.to_owned()),
            Some(_) => Then::Astray,
        };
        let state = parameters.get("state").map(str::to_owned);
        Ok(Self { hint: hint.filter(|_| client.is_some()), client, then, state })
    }

    async fn answer(self, app: &App, browser: &Browser, session: Option<SessionRecord>) -> PageResult {
        let Some(session) = session else {
            // Without a hint it may be anybody's link: nobody is led from our address to another one by it.
            return Ok(if self.hint.is_some() { self.go_on(app, browser) } else { signed_out(app, browser) });
        };
        if !matches!(self.then, Then::Astray) && self.speaks_for(app, &session).await? {
            self.sign_out(app, browser, &session).await
        } else {
            self.ask(app, browser, &session).await
        }
    }

    /// Whether the hint is of this very session (N-131).
    async fn speaks_for(&self, app: &App, session: &SessionRecord) -> Result<bool, PageError> {
        let (Some(hint), Some(client)) = (&self.hint, &self.client) else { return Ok(false) };
        Ok(hint.sid == Some(session.id) && hint.sub == app.tokens.subject(client, session.user).await?)
    }

    async fn ask(&self, app: &App, browser: &Browser, session: &SessionRecord) -> PageResult {
        let person = app.accounts.find(session.user).await?;
        let uri = if let Then::To(uri) = &self.then { Some(uri.as_str()) } else { None };
        let client = self.client.as_ref();
        let fields = [("client_id", client.map(|it| it.id.as_str())), (URI, uri), ("state", self.state.as_deref())];
        let page = SignOut {
            frame: &browser.frame(app),
            person: &person.username,
            client: client.map(Client::name),
            action: CONFIRM,
            hidden: fields.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        };
        Ok(html(StatusCode::OK, &page, uri.and_then(source).as_deref()))
    }

    async fn sign_out(&self, app: &App, browser: &Browser, session: &SessionRecord) -> PageResult {
        let client = self.client.as_ref().map(|client| client.id.clone());
        let origin = Origin { client, ..browser.origin.clone() };
        match app.accounts.end_session(session.user, session.id, &origin).await {
            Ok(_) | Err(Error::Missing(_)) => Ok(leave(self.go_on(app, browser))),
            Err(error) => Err(error.into()),
        }
    }

    fn go_on(&self, app: &App, browser: &Browser) -> Response {
        let Then::To(uri) = &self.then else { return signed_out(app, browser) };
        let Some(state) = &self.state else { return see_other(uri) };
        let before = if uri.contains('?') { '&' } else { '?' };
        see_other(&format!("{uri}{before}state={}", utf8_percent_encode(state, NON_ALPHANUMERIC)))
    }
}

fn signed_out(app: &App, browser: &Browser) -> Response {
    let link = Some(("Sign in again", "/login"));
    let paragraphs = vec!["You can close this page.".to_owned()];
    let page = Message { frame: &browser.frame(app), title: "You are signed out", paragraphs, link };
    html(StatusCode::OK, &page, None)
}

fn contradiction(message: String) -> PageError {
    ApiError::BadRequest { code: "invalid_request", message }.into()
}
