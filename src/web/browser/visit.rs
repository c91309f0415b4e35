//! One request of a browser: who it says it is, and what ties a form to it.

use axum::{
    extract::{FromRequestParts, Request, State},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::{
    cookies::{self, Cookies},
    error::PageError,
    frame::{CONTENT_SECURITY_POLICY, Frame},
};
use crate::{
    accounts::NewSession,
    app::App,
    crypto::{Opaque, digest},
    model::{Origin, SessionRecord},
    web::ApiError,
};

/// See the module.
#[derive(Clone)]
pub struct Browser {
    cookies: Cookies,
    /// What forms are tied to, besides the session.
    secret: String,
    /// From where.
    pub origin: Origin,
}

/// The prefix of the secrets that forms are tied to.
const FORM_SECRET: &str = "df_";

/// A layer around everything that answers a browser: gives it its secret for forms, and keeps the answer out of caches
/// and frames.
pub async fn browse(State(app): State<App>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let cookies = Cookies::read(&parts.headers);
    let known = cookies.form().map(str::to_owned);
    let secret = match known.clone().map_or_else(|| Opaque::new(FORM_SECRET).map(|new| new.expose().to_owned()), Ok) {
        Ok(secret) => secret,
        Err(error) => return PageError::from(ApiError::Internal(Box::new(error))).into_response(),
    };
    let device = cookies.device().map(|token| digest(token.as_bytes()));
    let origin = Origin { device, ..crate::web::origin(&parts, &app) };
    parts.extensions.insert(Browser { cookies, secret: secret.clone(), origin });
    let mut response = next.run(Request::from_parts(parts, body)).await;
    // A page may hold a form; where there is none, nothing has to be remembered (N-036).
    let page = response.headers().get(header::CONTENT_TYPE).is_some_and(|ty| ty.as_bytes().starts_with(b"text/html"));
    if known.is_none() && page {
        cookies::send(response.headers_mut(), Cookies::set_form(&secret));
    }
    protect(response.headers_mut());
    response
}

/// Keeps an answer out of caches, frames and the addresses that other servers see.
pub(super) fn protect(headers: &mut HeaderMap) {
    let fixed = [
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ];
    for (name, value) in fixed {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

impl FromRequestParts<App> for Browser {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, PageError> {
        let missing = || PageError::from(ApiError::Internal("the layer `browse` is missing".into()));
        parts.extensions.get::<Self>().cloned().ok_or_else(missing)
    }
}

impl Browser {
    /// The session that the browser is in.
    pub async fn session(&self, app: &App) -> Result<Option<SessionRecord>, PageError> {
        match self.cookies.session() {
            Some(token) => Ok(app.accounts.find_session(token, &self.origin).await?),
            None => Ok(None),
        }
    }

    /// The token of a sign-in that waits for its second factor.
    pub fn challenge(&self) -> Option<&str> {
        self.cookies.challenge()
    }

    /// What a form of this browser carries. Tied to the session too, so that no form outlives a sign-in or a sign-out.
    ///
    /// A hash is enough: the two secrets are known to this browser and to nobody else.
    pub fn form_token(&self) -> String {
        let session = self.cookies.session().unwrap_or_default();
        let hash = digest(format!("form\0{}\0{session}", self.secret).as_bytes());
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// What every page says.
    pub fn frame(&self, app: &App) -> Frame {
        Frame::new(&app.config.issuer, self.form_token())
    }
}

/// The browser is in this session from now on.
pub fn enter(mut response: Response, opened: &NewSession) -> Response {
    let headers = response.headers_mut();
    if let Some(token) = &opened.token {
        cookies::send(headers, Cookies::set_session(token.expose()));
    }
    if let Some(device) = &opened.device {
        cookies::send(headers, Cookies::set_device(device.expose()));
    }
    cookies::send(headers, Cookies::clear_challenge());
    response
}

/// The session goes on under another token.
pub fn renew(mut response: Response, token: &Opaque) -> Response {
    cookies::send(response.headers_mut(), Cookies::set_session(token.expose()));
    response
}

/// The browser waits for a second factor.
pub fn wait(mut response: Response, challenge: &Opaque) -> Response {
    cookies::send(response.headers_mut(), Cookies::set_challenge(challenge.expose()));
    response
}

/// The browser is in no session any more.
pub fn leave(mut response: Response) -> Response {
    cookies::send(response.headers_mut(), Cookies::clear_session());
    cookies::send(response.headers_mut(), Cookies::clear_challenge());
    response
}
