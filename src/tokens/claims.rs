//! The claims of an access token (RFC 9068 §2.2).

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{AccessToken, InvalidToken, SKEW, Settings, Subject, Verified};
use crate::{
    crypto::{self, CryptoError},
    model::{Claim, ClientId, Principal, ScopeSet, SessionId, UserId, amr},
    pdp::Session,
};

#[derive(Serialize, Deserialize)]
pub(super) struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation>,
    /// The person's id, sealed, where `sub` is a name that is for this client alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    /// Claims that were asked for by name (OpenID Connect Core §5.5).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    userinfo_claims: BTreeSet<Claim>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

/// Which key whoever presents the token has to prove to have (RFC 9449 §6.1).
#[derive(Serialize, Deserialize)]
struct Confirmation {
    jkt: String,
}

impl Claims {
    pub(super) fn new(
        settings: &Settings,
        token: &AccessToken<'_>,
        now: i64,
        seal: impl Fn(UserId) -> Result<String, CryptoError>,
    ) -> Result<Self, CryptoError> {
        let nonce = URL_SAFE_NO_PAD.encode(crypto::random::<16>()?);
        let client = token.client.id.to_string();
        let (sub, jti, login) = match token.subject {
            Subject::Client => (client.clone(), nonce, None),
            Subject::Person(authorization, name) => {
                (name.to_owned(), format!("{}.{nonce}", authorization.id), Some(&authorization.login))
            }
        };
        let pairwise = login.map(|login| login.user).filter(|user| user.to_string() != sub);
        Ok(Self {
            iss: settings.issuer.clone(),
            sub,
            aud: match token.resources {
                [] => Audience::One(settings.issuer.clone()),
                [one] => Audience::One(one.clone()),
                several => Audience::Several(several.to_vec()),
            },
            client_id: client,
            iat: now,
            exp: now + settings.access.whole_seconds(),
            jti,
            scope: token.scope.to_string(),
            nbf: None,
            sid: login.map(|login| login.session),
            auth_time: login.map(|login| login.auth_time.unix_timestamp()),
            acr: login.map(|login| login.acr().to_owned()),
            amr: login.map(|login| login.amr.clone()),
            cnf: token.jkt.map(|jkt| Confirmation { jkt: jkt.to_owned() }),
            uid: pairwise.map(seal).transpose()?,
            userinfo_claims: match token.subject {
                Subject::Client => BTreeSet::new(),
                Subject::Person(authorization, _) => authorization.claims.userinfo.clone(),
            },
        })
    }

    /// Whether we said so, and it holds at `now`.
    pub(super) fn are_timely(&self, issuer: &str, now: i64) -> bool {
        let soon = now + SKEW;
        self.iss == issuer && self.iat <= soon && self.nbf.is_none_or(|nbf| nbf <= soon) && self.exp > now
    }

    pub(super) fn read(self, open: impl Fn(&str) -> Option<UserId>) -> Result<Verified, InvalidToken> {
        let client: ClientId = self.client_id.parse().map_err(|_| InvalidToken)?;
        let scopes: ScopeSet = self.scope.parse().map_err(|_| InvalidToken)?;
        let authorization = self.jti.split_once('.').map(|(id, _)| format!("grant:{id}"));
        let sid = self.sid.map(|id| format!("sid:{id}"));
        let (principal, session) = if self.sub == self.client_id {
            (Principal::Client(client.clone()), None)
        } else {
            let user = match &self.uid {
                Some(sealed) => open(sealed),
                None => self.sub.parse().ok(),
            };
            let user = user.ok_or(InvalidToken)?;
            let methods = self.amr.unwrap_or_default();
            let session = Session {
                mfa: methods.iter().any(|method| method == amr::MFA),
                acr: self.acr.unwrap_or_default(),
                amr: methods,
                auth_time: self.auth_time.ok_or(InvalidToken)?,
                client: client.clone(),
                scopes: scopes.clone(),
            };
            (Principal::User(user), Some(session))
        };
        Ok(Verified {
            principal,
            client,
            scopes,
            session,
            session_id: self.sid,
            audience: match self.aud {
                Audience::One(one) => vec![one],
                Audience::Several(several) => several,
            },
            userinfo_claims: self.userinfo_claims,
            jkt: self.cnf.map(|confirmation| confirmation.jkt),
            revocable: [Some(format!("jti:{}", self.jti)), authorization, sid].into_iter().flatten().collect(),
            issued_at: self.iat,
            expires_at: self.exp,
            jti: self.jti,
        })
    }
}
