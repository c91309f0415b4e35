//! Tokens: the only place where they are made, and the only place where they are believed.
//!
//! A token says who was authenticated and how, never what may be done: that is asked of the policies each time
//! (contract §3, "Tokens").

mod claims;
mod client_keys;
mod clients;
mod document;
mod id_token;
mod keys;
mod logout_token;
mod permit;
mod proof;
mod refresh;
mod subject;
mod verified;

use std::sync::Arc;

use time::{Duration, OffsetDateTime};

use self::claims::Claims;
pub use self::{
    clients::{Clients, Registered, checked, fresh_secret},
    document::Document,
    id_token::{Hint, IdToken},
    keys::{Keys, KeysError, MAX_AGE, Rotation},
    permit::{Permit, Wish},
    proof::{InvalidProof, Proof, Proved},
    refresh::RefreshTokens,
    verified::Verified,
};
use crate::{
    crypto::{self, CryptoError},
    model::{Algorithm, Authorization, Client, Clock, ScopeSet},
};

/// How far clocks may be apart, in seconds.
const SKEW: i64 = 60;
/// `typ` of access tokens (RFC 9068 §2.1).
const ACCESS: &str = "at+jwt";

/// Issues and verifies.
pub struct Tokens {
    settings: Settings,
    clock: Clock,
    keys: Keys,
    remembered: moka::sync::Cache<[u8; 32], Arc<Verified>>,
}

/// Who issues, and for how long.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `iss` of every token.
    pub issuer: String,
    /// How long an access token is good for.
    pub access: Duration,
    /// How long an ID token is good for.
    pub id: Duration,
    /// How many verified tokens are remembered.
    pub remember: u64,
}

/// About whom an access token is.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// The client itself (RFC 6749 §4.4).
    Client,
    /// A person who is logged in and authorized the client, and how they are named to it.
    Person(&'a Authorization, &'a str),
}

/// What an access token says.
#[derive(Clone, Copy, Debug)]
pub struct AccessToken<'a> {
    /// To whom it is issued.
    pub client: &'a Client,
    /// About whom.
    pub subject: Subject<'a>,
    /// What for.
    pub scope: &'a ScopeSet,
    /// For which resource servers (RFC 8707); empty for this server itself.
    pub resources: &'a [String],
    /// Thumbprint of the key that it is bound to (RFC 9449).
    pub jkt: Option<&'a str>,
}

/// A token that was just made.
pub struct Issued {
    /// The token.
    pub token: String,
    /// In how many seconds it expires.
    pub expires_in: u64,
    /// What for, as text.
    pub scope: String,
    /// Whether it is bound to a key.
    pub bound: bool,
}

/// The token is unknown, expired, for somebody else, or no access token at all.
#[derive(Debug, thiserror::Error)]
#[error("the access token is not valid here")]
pub struct InvalidToken;

impl Tokens {
    /// Takes what it works with.
    pub fn new(settings: Settings, clock: Clock, keys: Keys) -> Self {
        let remembered = moka::sync::Cache::new(settings.remember);
        Self { settings, clock, keys, remembered }
    }

    /// The signing keys.
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Takes over the signing keys that there are now. What a key that is gone signed is believed no more.
    pub async fn reload_keys(&self) -> Result<(), KeysError> {
        self.keys.reload().await?;
        self.remembered.invalidate_all();
        Ok(())
    }

    /// When an access token that is made at `now` expires.
    pub fn access_expiry(&self, now: OffsetDateTime) -> OffsetDateTime {
        now + self.settings.access
    }

    /// Makes an access token (RFC 9068).
    pub fn issue(&self, token: &AccessToken<'_>) -> Result<Issued, CryptoError> {
        let (scope, now) = (token.scope.to_string(), self.clock.now().unix_timestamp());
        let claims = Claims::new(&self.settings, token, &scope, now, |user| self.keys.seal_user(user))?;
        Ok(Issued {
            token: self.keys.sign(Algorithm::Es256, ACCESS, &claims)?,
            expires_in: self.settings.access.whole_seconds().unsigned_abs(),
            scope,
            bound: token.jkt.is_some(),
        })
    }

    /// Believes a token for this server, or not. What was believed once is remembered until it expires.
    pub fn verify(&self, token: &str) -> Result<Arc<Verified>, InvalidToken> {
        let verified = self.verify_for_anybody(token)?;
        if verified.audience.contains(&self.settings.issuer) { Ok(verified) } else { Err(InvalidToken) }
    }

    /// Believes a token of ours, whoever it is for.
    pub fn verify_for_anybody(&self, token: &str) -> Result<Arc<Verified>, InvalidToken> {
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
        let claims: Claims<'_> = self.keys.verify(token, ACCESS).map_err(|_| InvalidToken)?;
        if claims.are_timely(&self.settings.issuer, now) {
            claims.read(|sealed| self.keys.open_user(sealed))
        } else {
            Err(InvalidToken)
        }
    }
}
