//! Client authentication (RFC 6749 §2.3, RFC 7523 §2.2).
//!
//! One way at a time. Whatever is wrong, the answer is the same, and an unknown client is as slow as a wrong secret.

use std::sync::Arc;

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{client_assertion, error::OAuthError, form::Form};
use crate::{app::App, model::AuthMethod, tokens::Registered};

/// What a request proves its client by.
enum Proof {
    Basic(String, String),
    Post(String, String),
    Assertion(String),
    Nothing(String),
}

/// Authenticates the client of a request. A public client is who it says it is: whatever it presents has to be its own.
pub async fn authenticate(app: &App, headers: &HeaderMap, form: &Form) -> Result<Arc<Registered>, OAuthError> {
    let basic = headers.contains_key(header::AUTHORIZATION);
    let failed = || OAuthError::InvalidClient { basic };
    let proof = Proof::of(headers, form)?;
    let (id, presented) = match &proof {
        Proof::Basic(id, secret) | Proof::Post(id, secret) => (id.clone(), Some(secret.as_str())),
        Proof::Assertion(assertion) => {
            let id = client_assertion::claimed(assertion).ok_or_else(failed)?;
            if form.get("client_id").is_some_and(|named| named != id) {
                return Err(failed());
            }
            (id, None)
        }
        Proof::Nothing(id) => (id.clone(), None),
    };
    let found = match id.parse() {
        Ok(id) => app.clients.find(&id).await?,
        Err(_) => None,
    };
    let found = found.ok_or_else(failed)?;
    let method = found.client.metadata.token_endpoint_auth_method;
    let proven = match &proof {
        // A client that registered one of the two secret methods may use the other: RFC 6749 §2.3.1 asks servers
        // to take Basic from every client with a password.
        Proof::Basic(..) | Proof::Post(..) => presented.is_some_and(|secret| found.has_secret(secret)),
        Proof::Assertion(assertion) => {
            method == AuthMethod::PrivateKeyJwt && Box::pin(client_assertion::verify(app, &found, assertion)).await?
        }
        Proof::Nothing(_) => method == AuthMethod::None,
    };
    if proven { Ok(found) } else { Err(failed()) }
}

/// As [`authenticate`], for what only a client that proves itself may do.
pub async fn authenticate_confidential(
    app: &App,
    headers: &HeaderMap,
    form: &Form,
) -> Result<Arc<Registered>, OAuthError> {
    let found = authenticate(app, headers, form).await?;
    let basic = headers.contains_key(header::AUTHORIZATION);
    if found.client.is_confidential() { Ok(found) } else { Err(OAuthError::InvalidClient { basic }) }
}

impl Proof {
    fn of(headers: &HeaderMap, form: &Form) -> Result<Self, OAuthError> {
        let basic = headers.contains_key(header::AUTHORIZATION);
        let failed = || OAuthError::InvalidClient { basic };
        let (id, secret, assertion) = (form.get("client_id"), form.get("client_secret"), form.get("client_assertion"));
        if [basic, secret.is_some(), assertion.is_some()].into_iter().filter(|way| *way).count() > 1 {
            let text =
                "authenticate by `Authorization: Basic`, by `client_secret` or by `client_assertion`: one of them";
            return Err(OAuthError::InvalidRequest(text.to_owned()));
        }
        if let Some(assertion) = assertion {
            let jwt = form.get("client_assertion_type") == Some(client_assertion::TYPE);
            return if jwt { Ok(Self::Assertion(assertion.to_owned())) } else { Err(failed()) };
        }
        if basic {
            let (named, secret) = read_basic(headers).ok_or_else(failed)?;
            if id.is_some_and(|id| id != named) {
                return Err(OAuthError::InvalidRequest("`client_id` names another client".to_owned()));
            }
            return Ok(Self::Basic(named, secret));
        }
        match (id, secret) {
            (Some(id), Some(secret)) => Ok(Self::Post(id.to_owned(), secret.to_owned())),
            (Some(id), None) => Ok(Self::Nothing(id.to_owned())),
            (None, _) => Err(failed()),
        }
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
        if !text.contains(['%', '+']) {
            return Some(text.to_owned());
        }
        let text = text.replace('&', "%26").replace('=', "%3D");
        url::form_urlencoded::parse(text.as_bytes()).next().map(|(key, _)| key.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}
