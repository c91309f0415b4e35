//! Errors as pages, for the same causes as [`ApiError`].

use askama::Template;
use axum::{
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};

use super::Frame;
use crate::{
    app::App,
    web::{ApiError, problem::causes},
};

/// An error that a person sees. Travels as the [`ApiError`] that it is, to the layer that writes and logs all errors.
#[derive(Debug)]
pub struct PageError(ApiError);

/// What most handlers of pages answer with.
pub type PageResult = Result<Response, PageError>;

/// Marks an error that is to be shown as a page, whatever the request accepts.
#[derive(Clone)]
struct AsPage;

impl<E: Into<ApiError>> From<E> for PageError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(AsPage);
        response
    }
}

#[derive(Template)]
#[template(path = "pages/error.html")]
struct ErrorPage<'a> {
    frame: &'a Frame,
    title: &'static str,
    text: String,
    wait: Option<u64>,
    request_id: &'a str,
    debug: Option<&'a str>,
}

/// Whether a browser asks for a page to show (Fetch Metadata): whatever goes wrong then is for a person. `Accept` does
/// not tell, for some programs claim to like HTML.
pub(in crate::web) fn navigates(asked: &HeaderMap) -> bool {
    asked.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate")
}

/// Whether a page answered with this error.
pub(in crate::web) fn is_page(response: &Response) -> bool {
    response.extensions().get::<AsPage>().is_some()
}

/// The page of an error.
pub(in crate::web) fn error_page(app: &App, error: &ApiError, request_id: &str) -> Response {
    let frame = Frame::new(&app.config.issuer, String::new());
    let (status, ..) = error.parts();
    let wait = match error {
        ApiError::TooMany { retry_after } => Some(*retry_after),
        ApiError::Busy { retry_after } => Some(retry_after.as_secs()),
        _ => None,
    };
    let (title, text) = words(status, error);
    let debug = app.verbose.then(|| causes(error)).filter(|text| !text.is_empty());
    let page = ErrorPage { frame: &frame, title, text, wait, request_id, debug: debug.as_deref() };
    let text = page.render().unwrap_or_else(|_| title.to_owned());
    let mut response = (status, axum::response::Html(text)).into_response();
    super::visit::protect(response.headers_mut());
    response
}

/// A heading, and what to do. What went wrong inside is for the log.
fn words(status: StatusCode, error: &ApiError) -> (&'static str, String) {
    match status {
        StatusCode::NOT_FOUND => {
            ("There is nothing here", "Check the address, or follow the link again from where you found it.".to_owned())
        }
        StatusCode::FORBIDDEN => ("That is not allowed", sentence(&error.to_string())),
        StatusCode::TOO_MANY_REQUESTS => (
            "One moment, please",
            "There were too many attempts in a short time. That keeps guessers out, and it passes.".to_owned(),
        ),
        StatusCode::SERVICE_UNAVAILABLE => {
            ("Back in a moment", "This server cannot answer just now. Try again in a few seconds.".to_owned())
        }
        status if status.is_server_error() => (
            "Something went wrong here",
            "It is our fault, not yours, and it is on record. Try again; if it stays, tell whoever runs this server."
                .to_owned(),
        ),
        _ => ("That did not work", sentence(&error.to_string())),
    }
}

/// An error's text as a sentence: a capital letter and a full stop.
pub fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str().replace('`', "\""))
}
