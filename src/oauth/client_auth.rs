//! Client authentication (RFC 6749 §2.3, RFC 7523 §2.2).
//!
//! One way at a time. Whatever is wrong, the answer is the same, and an unknown client is as slow as a wrong secret.

use std::{borrow::Cow, sync::Arc};

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{client_assertion, error::OAuthError, form::Form};
use crate::{app::App, model::AuthMethod, tokens::Registered};

/// What a request proves its client by.
enum Proof<'a> {
    Basic(String, String),
    Post(&'a str, &'a str),
    Assertion(&'a str),
    Nothing(&'a str),
}

/// Authenticates the client of a request. A public client is who it says it is: whatever it presents has to be its own.
pub async fn authenticate(app: &App, headers: &HeaderMap, form: &Form) -> Result<Arc<Registered>, OAuthError> {
    let failed = || OAuthError::InvalidClient;
    let proof = Proof::of(headers, form)?;
    let (id, presented) = match &proof {
        Proof::Basic(id, secret) => (Cow::Borrowed(id.as_str()), Some(secret.as_str())),
        Proof::Post(id, secret) => (Cow::Borrowed(*id), Some(*secret)),
        Proof::Assertion(assertion) => {
            let id = client_assertion::claimed(assertion).ok_or_else(failed)?;
            if form.get("client_id").is_some_and(|named| named != id) {
                return Err(failed());
            }
            (Cow::Owned(id), None)
        }
        Proof::Nothing(id) => (Cow::Borrowed(*id), None),
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
    if found.client.is_confidential() { Ok(found) } else { Err(OAuthError::InvalidClient) }
}

impl<'a> Proof<'a> {
    fn of(headers: &HeaderMap, form: &'a Form) -> Result<Self, OAuthError> {
        let basic = headers.contains_key(header::AUTHORIZATION);
        let failed = || OAuthError::InvalidClient;
        let (id, secret, assertion) = (form.get("client_id"), form.get("client_secret"), form.get("client_assertion"));
        if [basic, secret.is_some(), assertion.is_some()].into_iter().filter(|way| *way).count() > 1 {
            let text =
                "authenticate by `Authorization: Basic`, by `client_secret` or by `client_assertion`: one of them";
            return Err(OAuthError::InvalidRequest(text.to_owned()));
        }
        if let Some(assertion) = assertion {
            let jwt = form.get("client_assertion_type") == Some(client_assertion::TYPE);
            return if jwt { Ok(Self::Assertion(assertion)) } else { Err(failed()) };
        }
        if basic {
            let (named, secret) = read_basic(headers).ok_or_else(failed)?;
            if id.is_some_and(|id| id != named) {
                return Err(OAuthError::InvalidRequest("`client_id` names another client".to_owned()));
            }
            return Ok(Self::Basic(named, secret));
        }
        match (id, secret) {
            (Some(id), Some(secret)) => Ok(Self::Post(id, secret)),
            (Some(id), None) => Ok(Self::Nothing(id)),
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
    let mut id = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let secret = id.split_off(id.find(':')? + 1);
    id.pop();
    let decode = |text: String| {
        if !text.contains(['%', '+']) {
            return Some(text);
        }
        let text = text.replace('&', "%26").replace('=', "%3D");
        url::form_urlencoded::parse(text.as_bytes()).next().map(|(key, _)| key.into_owned())
    };
    Some((decode(id)?, decode(secret)?))
}
