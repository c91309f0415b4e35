//! Form bodies: each parameter once, an empty one counts as absent (RFC 6749 §3.1, §3.2).

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    http::header,
};

use super::error::OAuthError;

/// The parameters of a form body.
pub struct Form(Vec<(String, String)>);

impl Form {
    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = OAuthError;

    async fn from_request(request: Request, state: &S) -> Result<Self, OAuthError> {
        let invalid = |text: &str| OAuthError::InvalidRequest(text.to_owned());
        if request.uri().query().is_some_and(|query| !query.is_empty()) {
            return Err(invalid("parameters belong into the body, never into the URL"));
        }
        let ty = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !ty.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(invalid("send `Content-Type: application/x-www-form-urlencoded`"));
        }
        let body = Bytes::from_request(request, state).await.map_err(|_| invalid("the body cannot be read"))?;
        if std::str::from_utf8(&body).is_err() {
            return Err(invalid("the body is not text"));
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        for (name, value) in url::form_urlencoded::parse(&body).into_owned() {
            if parameters.len() >= 50 {
                return Err(invalid("too many parameters"));
            }
            if parameters.iter().any(|(known, _)| *known == name) {
                return Err(OAuthError::InvalidRequest("a parameter is there twice".to_owned()));
            }
            parameters.push((name, value));
        }
        parameters.retain(|(_, value)| !value.is_empty());
        Ok(Self(parameters))
    }
}
