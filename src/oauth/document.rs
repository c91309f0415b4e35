//! Documents that clients fetch and keep.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};

use crate::tokens::Document;

/// How long a document may be kept: for [`MAX_AGE`](crate::tokens::MAX_AGE), by which keys are replaced.
const KEPT: &str = "public, max-age=300";

/// A JSON document, or 304 for a caller who has it (RFC 9110 §13.1.2).
pub fn answer(headers: &HeaderMap, document: &Document) -> Response {
    let Document { json, etag } = document;
    let known = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let known = known.flat_map(|list| list.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    let has_it = known.into_iter().any(|tag| tag.as_bytes() == *etag || tag == "*");
    let mut response = Response::new(if has_it { Body::empty() } else { Body::from(json.clone()) });
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(KEPT));
    if let Ok(etag) = HeaderValue::from_maybe_shared(etag.clone()) {
        headers.insert(header::ETAG, etag);
    }
    if has_it {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    response
}

#[cfg(test)]
mod tests {
    use crate::tokens::MAX_AGE;

    #[test]
    fn documents_are_kept_no_longer_than_keys_are_announced() {
        assert_eq!(super::KEPT, format!("public, max-age={}", MAX_AGE.whole_seconds()));
    }
}
