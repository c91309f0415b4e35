//! Client authentication (RFC 6749 §2.3).

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{error::OAuthError, form::Form};
use crate::{
    app::App,
    model::{AuthMethod, ClientId},
    tokens::Registered,
};

/// Authenticates the client of a request. An unknown client takes as long as a wrong secret.
pub async fn authenticate(app: &App, headers: &HeaderMap, form: &Form) -> Result<Arc<Registered>, OAuthError> {
    let basic = headers.contains_key(header::AUTHORIZATION);
    let failed = || OAuthError::InvalidClient { basic };
    let (id, secret, method) = match (basic, form.get("client_id"), form.get("client_secret")) {
        (true, _, Some(_)) => {
            let text = "authenticate by `Authorization: Basic` or by `client_secret`, not by both";
            return Err(OAuthError::InvalidRequest(text.to_owned()));
        }
        (true, named, None) => {
            let (id, secret) = read_basic(headers).ok_or_else(failed)?;
            if named.is_some_and(|named| named != id) {
                return Err(OAuthError::InvalidRequest("`client_id` names another client".to_owned()));
            }
            (id, secret, AuthMethod::ClientSecretBasic)
        }
        (false, Some(id), Some(secret)) => (id.to_owned(), secret.to_owned(), AuthMethod::ClientSecretPost),
        (false, _, None) | (false, None, _) => return Err(failed()),
    };
    let found = match id.parse::<ClientId>() {
        Ok(id) => app.clients.find(&id).await?,
        Err(_) => None,
    };
    match found {
        // A client that registered one of the two secret methods may use the other: RFC 6749 §2.3.1 asks servers
        // to take Basic from every client with a password.
        Some(found) if found.has_secret(&secret) => {
            tracing::debug!(client = %found.client.id, ?method, "client authenticated");
            Ok(found)
        }
        _ => Err(failed()),
    }
}

/// Id and secret are form-encoded before they are joined (RFC 6749 §2.3.1).
fn read_basic(headers: &HeaderMap) -> Option<(String, String)> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (scheme, encoded) = sent.next()?.to_str().ok()?.split_once(' ')?;
    if sent.next().is_some() || !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let joined = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = joined.split_once(':')?;
    let decode = |text: &str| {
        let text = text.replace('&', "%26").replace('=', "%3D");
        url::form_urlencoded::parse(text.as_bytes()).next().map(|(key, _)| key.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}
