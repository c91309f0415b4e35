//! ID tokens (OpenID Connect Core §2).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{SKEW, Tokens};
use crate::{
    crypto::{self, CryptoError, InvalidJwt},
    model::{Algorithm, Client, ClientId, Login, SessionId},
};

/// What an ID token says.
pub struct IdToken<'a> {
    /// To whom.
    pub client: &'a Client,
    /// How the person is named to that client.
    pub subject: &'a str,
    /// Who is logged in, and how.
    pub login: &'a Login,
    /// What the client ties it to its session by, byte for byte.
    pub nonce: Option<&'a str>,
    /// The access token that is issued beside it.
    pub access_token: &'a str,
    /// Further claims about the person.
    pub claims: Map<String, Value>,
}

/// An ID token of ours that somebody sends back to say whom they mean; it may have expired.
#[derive(Debug, Deserialize)]
pub struct Hint {
    /// The person, as they are named to the client.
    pub sub: String,
    /// The client.
    #[serde(rename = "aud")]
    pub client: String,
    /// The session.
    pub sid: Option<SessionId>,
    iss: String,
    iat: i64,
}

/// `typ` of ID tokens.
const ID: &str = "JWT";
/// `typ` of signed userinfo: not that of an ID token, which it must never be taken for.
const USERINFO: &str = "userinfo+jwt";

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    iat: i64,
    auth_time: i64,
    acr: &'static str,
    amr: &'a [String],
    sid: SessionId,
    at_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    #[serde(flatten)]
    more: Map<String, Value>,
}

impl Tokens {
    /// Makes an ID token, signed as the client registered.
    pub fn issue_id(&self, token: IdToken<'_>) -> Result<String, CryptoError> {
        let (now, algorithm) = (self.clock.now().unix_timestamp(), token.client.metadata.id_token_alg());
        let claims = Claims {
            iss: &self.settings.issuer,
            sub: token.subject,
            aud: token.client.id.as_str(),
            exp: now + self.settings.id.whole_seconds(),
            iat: now,
            auth_time: token.login.auth_time.unix_timestamp(),
            acr: token.login.acr(),
            amr: &token.login.amr,
            sid: token.login.session,
            at_hash: half_hash(algorithm, token.access_token),
            nonce: token.nonce,
            more: token.claims,
        };
        self.keys.sign(algorithm, ID, &claims)
    }

    /// Claims about a person as a token of their own (OpenID Connect Core §5.3.2).
    pub fn sign_userinfo(
        &self,
        algorithm: Algorithm,
        client: &ClientId,
        mut claims: Map<String, Value>,
    ) -> Result<String, CryptoError> {
        claims.insert("iss".to_owned(), self.settings.issuer.as_str().into());
        claims.insert("aud".to_owned(), client.as_str().into());
        self.keys.sign(algorithm, USERINFO, &claims)
    }

    /// Reads an ID token of ours that somebody sends back.
    ///
    /// # Errors
    /// We did not sign it, or it is something else. That it has expired is no error (N-050, N-133).
    pub fn read_hint(&self, token: &str) -> Result<Hint, InvalidJwt> {
        let hint: Hint = self.keys.verify(token, ID)?;
        let ours = hint.iss == self.settings.issuer && hint.iat <= self.clock.now().unix_timestamp() + SKEW;
        if ours { Ok(hint) } else { Err(InvalidJwt) }
    }
}

/// `at_hash` (OpenID Connect Core §3.1.3.6): the left half of the hash that the signature uses.
fn half_hash(algorithm: Algorithm, token: &str) -> String {
    match algorithm {
        Algorithm::Es256 | Algorithm::Rs256 => URL_SAFE_NO_PAD.encode(&crypto::digest(token.as_bytes())[..16]),
        Algorithm::EdDsa => URL_SAFE_NO_PAD.encode(&crypto::digest512(token.as_bytes())[..32]),
    }
}
