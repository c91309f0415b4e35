//! The access token of a call to userinfo: in the header or in a form, never in the URL (RFC 6750 §2), and once.

use axum::{
    extract::{FromRequest, Request},
    http::{Method, header, request::Parts},
};

use super::{error::OAuthError, form::Form};
use crate::{
    app::App,
    web::{ApiError, Caller, Presented, Scheme},
};

/// Whoever shows a token.
pub struct Shown(pub Caller);

const TOKEN: &str = "access_token";

impl FromRequest<App> for Shown {
    type Rejection = OAuthError;

    async fn from_request(request: Request, app: &App) -> Result<Self, OAuthError> {
        let refused = |text: &str| Err(OAuthError::InvalidRequest(text.to_owned()));
        let query = request.uri().query().unwrap_or_default();
        if url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == TOKEN) {
            // It would end up in logs and histories (RFC 9700 §4.3.2).
            return refused("send the token in the header `Authorization`: the URL is no place for it");
        }
        let (parts, body) = request.into_parts();
        let form = if is_form(&parts) {
            Some(Form::from_request(Request::from_parts(parts.clone(), body), app).await?)
        } else {
            None
        };
        let in_form = form.as_ref().and_then(|form| form.get(TOKEN));
        let presented = match (Presented::in_header(&parts.headers)?, in_form) {
            (Some(_), Some(_)) => return refused("the token is there twice: in the header and in the form"),
            (Some(presented), None) => presented,
            (None, Some(token)) => Presented { scheme: Scheme::Bearer, token },
            (None, None) => return Err(ApiError::Unauthorized { presented: false }.into()),
        };
        Ok(Self(Caller::authenticate(app, &parts, presented).await?))
    }
}

fn is_form(parts: &Parts) -> bool {
    let ty = parts.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let ty = ty.split(';').next().unwrap_or_default().trim();
    parts.method == Method::POST && ty.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}
