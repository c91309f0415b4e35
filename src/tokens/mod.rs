//! Access tokens: the only place where they are made, and the only place where they are believed.
//!
//! A token says who was authenticated and how, never what may be done: that is asked of the policies each time
//! (contract §3, "Tokens").

mod clients;
mod keys;
mod verified;

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use self::{
    clients::{Clients, Registered, checked, fresh_secret},
    keys::{KeySet, Keys, KeysError, MAX_AGE, Rotation},
    verified::Verified,
};
use crate::{
    crypto::{self, CryptoError},
    model::{Algorithm, Client, ClientId, Clock, Principal, ScopeSet, SessionId, SessionRecord, UserId},
    pdp::Session,
};

/// How far clocks may be apart, in seconds.
const SKEW: i64 = 60;

/// Issues and verifies.
pub struct Tokens {
    issuer: String,
    lifetime: Duration,
    clock: Clock,
    keys: Keys,
    remembered: moka::sync::Cache<[u8; 32], Arc<Verified>>,
}

/// A token that was just made.
pub struct Issued {
    /// The token.
    pub token: String,
    /// In how many seconds it expires.
    pub expires_in: u64,
    /// What for.
    pub scope: ScopeSet,
}

/// The token is unknown, expired, for somebody else, or no access token at all.
#[derive(Debug, thiserror::Error)]
#[error("the access token is not valid here")]
pub struct InvalidToken;

/// RFC 9068 §2.2.
#[derive(Serialize, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    iat: i64,
    exp: i64,
    jti: String,
    scope: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acr: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amr: Option<Vec<String>>,
}

impl Tokens {
    /// `remember` is how many verified tokens are kept.
    pub fn new(issuer: String, lifetime: Duration, clock: Clock, keys: Keys, remember: u64) -> Self {
        Self { issuer, lifetime, clock, keys, remembered: moka::sync::Cache::new(remember) }
    }

    /// The public keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// A token for a client about itself (RFC 6749 §4.4).
    pub fn issue_to_client(&self, client: &Client, scope: ScopeSet) -> Result<Issued, CryptoError> {
        let now = self.clock.now().unix_timestamp();
        let expires_in = self.lifetime.as_secs();
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: client.id.to_string(),
            aud: self.issuer.clone(),
            client_id: client.id.to_string(),
            iat: now,
            exp: now + expires_in as i64,
            jti: Uuid::new_v4().to_string(),
            scope: scope.to_string(),
            nbf: None,
            sid: None,
            auth_time: None,
            acr: None,
            amr: None,
        };
        Ok(Issued { token: self.keys.sign(Algorithm::Es256, "at+jwt", &claims)?, expires_in, scope })
    }

    /// Takes over the signing keys that there are now. What a key that is gone signed is believed no more.
    pub async fn reload_keys(&self) -> Result<(), KeysError> {
        self.keys.reload().await?;
        self.remembered.invalidate_all();
        Ok(())
    }

    /// A token for a client about a person who is logged in. `grant` is what it was issued for, which can be ended by
    /// itself.
    pub fn issue_to_user(
        &self,
        client: &Client,
        session: &SessionRecord,
        grant: Uuid,
        scope: ScopeSet,
    ) -> Result<Issued, CryptoError> {
        let now = self.clock.now().unix_timestamp();
        let expires_in = self.lifetime.as_secs();
        let claims = Claims {
            iss: self.issuer.clone(),
            sub: session.user.to_string(),
            aud: self.issuer.clone(),
            client_id: client.id.to_string(),
            iat: now,
            exp: now + expires_in as i64,
            jti: format!("{grant}.{}", Uuid::new_v4().simple()),
            scope: scope.to_string(),
            nbf: None,
            sid: Some(session.id),
            auth_time: Some(session.auth_time.unix_timestamp()),
            acr: Some(session.acr().to_owned()),
            amr: Some(session.amr.clone()),
        };
        Ok(Issued { token: self.keys.sign(Algorithm::Es256, "at+jwt", &claims)?, expires_in, scope })
    }

    /// Believes a token, or not. What was believed once is remembered until it expires.
    pub fn verify(&self, token: &str) -> Result<Arc<Verified>, InvalidToken> {
        let now = self.clock.now().unix_timestamp();
        let key = crypto::digest(token.as_bytes());
        let verified = match self.remembered.get(&key) {
            Some(known) => known,
            None => {
                let fresh = Arc::new(self.verify_anew(token, now)?);
                self.remembered.insert(key, Arc::clone(&fresh));
                fresh
            }
        };
        if now < verified.expires_at { Ok(verified) } else { Err(InvalidToken) }
    }

    fn verify_anew(&self, token: &str, now: i64) -> Result<Verified, InvalidToken> {
        let claims: Claims = self.keys.verify(token, "at+jwt").map_err(|_| InvalidToken)?;
        let here = claims.iss == self.issuer && claims.aud == self.issuer;
        let timely = claims.iat <= now + SKEW && claims.nbf.is_none_or(|nbf| nbf <= now + SKEW) && claims.exp > now;
        if here && timely { claims.read() } else { Err(InvalidToken) }
    }
}

impl Claims {
    fn read(self) -> Result<Verified, InvalidToken> {
        let client: ClientId = self.client_id.parse().map_err(|_| InvalidToken)?;
        let scopes: ScopeSet = self.scope.parse().map_err(|_| InvalidToken)?;
        let grant = self.jti.split_once('.').map(|(grant, _)| format!("grant:{grant}"));
        let sid = self.sid.map(|id| format!("sid:{id}"));
        let revocable = [Some(format!("jti:{}", self.jti)), grant, sid].into_iter().flatten().collect();
        let (session_id, expires_at) = (self.sid, self.exp);
        if self.sub == self.client_id {
            let principal = Principal::Client(client.clone());
            return Ok(Verified { principal, client, scopes, session: None, session_id, revocable, expires_at });
        }
        let user: UserId = self.sub.parse().map_err(|_| InvalidToken)?;
        let amr = self.amr.unwrap_or_default();
        let session = Session {
            mfa: amr.iter().any(|method| method == "mfa"),
            acr: self.acr.unwrap_or_default(),
            amr,
            auth_time: self.auth_time.ok_or(InvalidToken)?,
            client: client.clone(),
            scopes: scopes.clone(),
        };
        let principal = Principal::User(user);
        Ok(Verified { principal, client, scopes, session: Some(session), session_id, revocable, expires_at })
    }
}
