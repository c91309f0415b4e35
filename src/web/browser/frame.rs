//! What every page has in common.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{assets, error::PageError};
use crate::{config::Issuer, web::ApiError};

/// Nothing but our own stylesheet and pictures; no script; forms go to us only.
pub(super) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; \
     form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// What the frame around every page says.
#[derive(Clone, Debug)]
pub struct Frame {
    /// What comes before every path: that of the issuer, mostly nothing.
    pub base: String,
    /// How people know this server.
    pub host: String,
    /// What ties a form to the browser.
    pub token: String,
}

impl Frame {
    /// For pages of this issuer.
    pub fn new(issuer: &Issuer, token: String) -> Self {
        let base = issuer.as_str().strip_prefix(issuer.origin()).unwrap_or_default().to_owned();
        Self { base, host: issuer.host().to_owned(), token }
    }

    /// A path of ours, as it is seen from outside.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// Where the stylesheet and the pictures are.
    pub fn assets(&self) -> String {
        format!("{}/assets/{}", self.base, assets::version())
    }
}

/// A page. `leads_to` is another origin or scheme that its form may end at: Chromium applies `form-action` to every
/// redirect that follows.
pub fn html(status: StatusCode, page: &impl Template, leads_to: Option<&str>) -> Response {
    let text = match page.render() {
        Ok(text) => text,
        Err(error) => return PageError::from(ApiError::Internal(Box::new(error))).into_response(),
    };
    let mut response = (status, axum::response::Html(text)).into_response();
    let form_action = leads_to
        .map(|target| CONTENT_SECURITY_POLICY.replace("form-action 'self'", &format!("form-action 'self' {target}")));
    if let Some(policy) = form_action.and_then(|policy| HeaderValue::try_from(policy).ok()) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

/// Goes on at another page with a GET, whatever the method was (N-031).
pub fn see_other(location: &str) -> Response {
    match HeaderValue::try_from(location) {
        Ok(location) => (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response(),
        Err(error) => PageError::from(ApiError::Internal(Box::new(error))).into_response(),
    }
}
