//! Forms of our own pages.

use axum::{
    Form,
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderMap, header},
};
use serde::de::DeserializeOwned;

use super::{Browser, PageError};
use crate::{
    app::App,
    crypto::{Opaque, digest},
    web::ApiError,
};

/// A form that one of our pages sent from this very browser (N-172): the extractor refuses every other one, before
/// anything of it is looked at.
pub struct PageForm<T>(pub T);

/// The field that carries [`Browser::form_token`].
const TOKEN: &str = "form_token";

impl<T: DeserializeOwned> FromRequest<App> for PageForm<T> {
    type Rejection = PageError;

    async fn from_request(request: Request, app: &App) -> Result<Self, PageError> {
        let (mut parts, body) = request.into_parts();
        let browser = Browser::from_request_parts(&mut parts, app).await?;
        if !ours(&parts.headers) {
            return Err(refused("this form was not sent from a page of this server"));
        }
        let request = Request::from_parts(parts.clone(), body);
        let body = Bytes::from_request(request, app).await.map_err(|_| unreadable())?;
        let token = url::form_urlencoded::parse(&body).find(|(name, _)| name == TOKEN);
        let sent = token.map(|(_, value)| value).unwrap_or_default();
        let right = digest(browser.form_token().as_bytes());
        if !Opaque::matches(&sent, Some(&right)) {
            return Err(refused("this form is out of date: go back, load the page again and send it once more"));
        }
        // A field twice is no form of ours (V-054).
        let read = Form::<T>::from_request(Request::from_parts(parts, body.into()), app).await;
        read.map(|Form(fields)| Self(fields)).map_err(|_| unreadable())
    }
}

/// Whether a browser can have sent this from a page of ours. Every current one says where a request comes from.
fn ours(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let from = text("sec-fetch-site").is_none_or(|site| matches!(site, "same-origin" | "none"));
    let ty = text(header::CONTENT_TYPE.as_str()).unwrap_or_default();
    from && ty.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

fn refused(message: &str) -> PageError {
    ApiError::Forbidden(message.to_owned()).into()
}

fn unreadable() -> PageError {
    ApiError::BadRequest { code: "invalid_form", message: "this form is not complete: load its page again".to_owned() }
        .into()
}
