//! Logout tokens (OpenID Connect Back-Channel Logout §2.4).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

use super::Tokens;
use crate::{
    crypto::{self, CryptoError},
    model::{Client, SessionId},
};

/// `typ` of logout tokens: so that none is ever taken for an ID token.
const LOGOUT: &str = "logout+jwt";
/// How long one is good for, in seconds.
const LIFETIME: i64 = 120;

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    sid: SessionId,
    events: Events,
}

#[derive(Serialize)]
struct Events {
    #[serde(rename = "http://schemas.openid.net/event/backchannel-logout")]
    logout: Nothing,
}

#[derive(Serialize)]
struct Nothing {}

impl Tokens {
    /// Makes a logout token, signed as the client's ID tokens are. `subject` is how the person is named to it.
    pub fn issue_logout(&self, client: &Client, subject: &str, session: SessionId) -> Result<String, CryptoError> {
        let now = self.clock.now().unix_timestamp();
        let claims = Claims {
            iss: &self.settings.issuer,
            sub: subject,
            aud: client.id.as_str(),
            iat: now,
            exp: now + LIFETIME,
            jti: URL_SAFE_NO_PAD.encode(crypto::random::<16>()?),
            sid: session,
            events: Events { logout: Nothing {} },
        };
        self.keys.sign(client.metadata.id_token_alg(), LOGOUT, &claims)
    }
}
