//! Documents that clients fetch and keep.

use axum::{
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use time::Duration;

use crate::tokens::Document;

/// A JSON document, or 304 for a caller who has it (RFC 9110 §13.1.2).
pub fn answer(headers: &HeaderMap, document: &Document, max_age: Duration) -> Response {
    let Document { json, etag } = document;
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = known.flat_map(|list| list.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    let mut response = if known.into_iter().any(|tag| tag == *etag || tag == "*") {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, "application/json")], json.clone()).into_response()
    };
    let headers = response.headers_mut();
    let cached = format!("public, max-age={}", max_age.whole_seconds());
    for (name, value) in [(header::CACHE_CONTROL, cached.as_str()), (header::ETAG, etag.as_str())] {
        headers.extend(HeaderValue::try_from(value).ok().map(|value| (name, value)));
    }
    response
}
