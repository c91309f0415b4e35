//! Form bodies: each parameter once, an empty one counts as absent (RFC 6749 §3.1, §3.2).

use axum::{
    RequestExt,
    body::to_bytes,
    extract::{FromRequest, Request},
    http::{header, request::Parts},
};

use super::{Parameters, error::OAuthError};

/// The parameters of a form body.
pub struct Form(Parameters);

/// A form with the rest of the request that it came with.
pub struct Submitted {
    /// The body.
    pub form: Form,
    /// All but the body.
    pub parts: Parts,
}

impl Form {
    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)
    }

    /// All of them.
    pub fn parameters(&self) -> &Parameters {
        &self.0
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        Ok(Submitted::from_request(request, state).await?.form)
    }
}

impl<S: Send + Sync> FromRequest<S> for Submitted {
    type Rejection = OAuthError;

    async fn from_request(request: Request, _: &S) -> Result<Self, OAuthError> {
        let invalid = |text: &str| OAuthError::InvalidRequest(text.to_owned());
        let (parts, body) = request.with_limited_body().into_parts();
        if parts.uri.query().is_some_and(|query| !query.is_empty()) {
            return Err(invalid("parameters belong into the body, never into the URL"));
        }
        let ty = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !ty.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(invalid("send `Content-Type: application/x-www-form-urlencoded`"));
        }
        let body = to_bytes(body, usize::MAX).await.map_err(|_| invalid("the body cannot be read"))?;
        let parameters = Parameters::read(&body)?;
        if parameters.repeated().is_some() {
            return Err(invalid("a parameter is there twice"));
        }
        Ok(Self { form: Form(parameters), parts })
    }
}
