//! `private_key_jwt`: a client proves itself by a token that it signed (RFC 7523 §3, OpenID Connect Core §9).

use serde::Deserialize;
use time::{Duration, OffsetDateTime};

use super::error::OAuthError;
use crate::{app::App, crypto, store, tokens::Registered};

/// The value of `client_assertion_type`.
pub const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// How long an assertion may be good for.
const LONGEST: Duration = Duration::minutes(5);
/// How far clocks may be apart.
const SKEW: Duration = Duration::minutes(1);

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: i64,
    jti: String,
    nbf: Option<i64>,
    iat: Option<i64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize)]
struct Subject {
    sub: String,
}

/// Which client an assertion claims to be of.
pub fn claimed(assertion: &str) -> Option<String> {
    crypto::unverified_claims::<Subject>(assertion).ok().map(|claims| claims.sub)
}

/// Whether the client signed it, for us, a moment ago, and has not presented it before.
pub async fn verify(app: &App, client: &Registered, assertion: &str) -> Result<bool, OAuthError> {
    let Ok(claims) = app.clients.verify::<Claims>(client, assertion).await else { return Ok(false) };
    let now = app.clock.now();
    let Ok(expires_at) = OffsetDateTime::from_unix_timestamp(claims.exp) else { return Ok(false) };
    let soon = (now + SKEW).unix_timestamp();
    let own = claims.iss == client.client.id.as_str() && claims.sub == claims.iss;
    let timely = expires_at > now - SKEW
        && expires_at <= now + LONGEST + SKEW
        && claims.nbf.is_none_or(|at| at <= soon)
        && claims.iat.is_none_or(|at| at <= soon);
    if !(own && timely && claims.aud.is_us(app) && (1..=255).contains(&claims.jti.len())) {
        return Ok(false);
    }
    // Length-delimited by the NUL, which no client id has.
    let id = crypto::digest(format!("assertion\0{}\0{}", claims.iss, claims.jti).as_bytes());
    Ok(store::within(store::used_ids::insert(&app.pool, &id, expires_at + SKEW)).await?)
}

impl Audience {
    fn is_us(&self, app: &App) -> bool {
        let issuer = app.config.issuer.as_str();
        // RFC 9126 §2 wants all three at the endpoint for pushed requests; which of ours is meant makes no difference.
        let endpoints = ["", "/oauth/token", "/oauth/par"];
        let us = |text: &String| text.strip_prefix(issuer).is_some_and(|rest| endpoints.contains(&rest));
        match self {
            Self::One(text) => us(text),
            Self::Several(texts) => texts.iter().any(us),
        }
    }
}
