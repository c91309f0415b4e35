//! An access token as somebody presents it.

use axum::http::{HeaderMap, header};

use super::ApiError;

/// See the module.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    /// How.
    pub scheme: Scheme,
    /// The token.
    pub token: &'a str,
}

/// How a token is presented.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Whoever has it may use it (RFC 6750 §2.1).
    Bearer,
    /// Whoever has it proves to have a key, too (RFC 9449 §7.1).
    DPoP,
}

impl<'a> Presented<'a> {
    /// Reads the header `Authorization`; `None` when there is none, or one that is about something else.
    ///
    /// # Errors
    /// There are several, or no token is in it.
    pub fn in_header(headers: &'a HeaderMap) -> Result<Option<Self>, ApiError> {
        let mut sent = headers.get_all(header::AUTHORIZATION).iter();
        let Some(first) = sent.next() else { return Ok(None) };
        let invalid = ApiError::Unauthorized { presented: true };
        if sent.next().is_some() {
            return Err(invalid);
        }
        let Some((scheme, token)) = first.to_str().ok().and_then(|value| value.split_once(' ')) else {
            return Err(invalid);
        };
        let schemes = [("bearer", Scheme::Bearer), ("dpop", Scheme::DPoP)];
        let known = schemes.into_iter().find(|(name, _)| scheme.eq_ignore_ascii_case(name));
        Ok(known.map(|(_, scheme)| Self { scheme, token }))
    }
}
