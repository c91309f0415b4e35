//! The token in the `Authorization` header where it stands for no principal: whoever has it may use it (RFC 6750 §2.1).

use axum::http::{HeaderMap, header};

use super::error::OAuthError;
use crate::web::{Presented, Scheme};

/// The one token that was sent; `None` when there is no such header.
pub fn bearer(headers: &HeaderMap) -> Result<Option<&str>, OAuthError> {
    let invalid = OAuthError::InvalidToken { presented: true };
    if !headers.contains_key(header::AUTHORIZATION) {
        return Ok(None);
    }
    match Presented::in_header(headers) {
        Ok(Some(Presented { scheme: Scheme::Bearer, token })) => Ok(Some(token)),
        _ => Err(invalid),
    }
}
