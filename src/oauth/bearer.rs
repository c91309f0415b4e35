//! The token in the `Authorization` header (RFC 6750 §2.1).

use axum::http::{HeaderMap, header};

use super::error::OAuthError;

/// The one token that was sent; `None` when there is no such header.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, OAuthError> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let Some(first) = sent.next() else { return Ok(None) };
    let invalid = OAuthError::InvalidToken { presented: true };
    if sent.next().is_some() {
        return Err(invalid);
    }
    match first.to_str().ok().and_then(|value| value.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token)),
        _ => Err(invalid),
    }
}
