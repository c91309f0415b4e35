//! The claims of an access token (RFC 9068 §2.2).

use std::{borrow::Cow, collections::BTreeSet};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use super::{AccessToken, InvalidToken, SKEW, Settings, Subject, Verified};
use crate::{
    crypto::{self, CryptoError},
    model::{Claim, ClientId, Principal, ScopeSet, SessionId, UserId, amr},
    pdp::Session,
};

#[derive(Serialize, Deserialize)]
pub(super) struct Claims<'a> {
    iss: Cow<'a, str>,
    sub: Cow<'a, str>,
    aud: Audience<'a>,
    client_id: Cow<'a, str>,
    iat: i64,
    exp: i64,
    jti: String,
    scope: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    nbf: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    auth_time: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    acr: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    amr: Option<Cow<'a, [String]>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cnf: Option<Confirmation<'a>>,
    /// At which generation of the client; left out at the first.
    #[serde(default, rename = "gen", skip_serializing_if = "is_first")]
    generation: i32,
    /// The person's id, sealed, where `sub` is a name that is for this client alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    uid: Option<String>,
    /// Claims that were asked for by name (OpenID Connect Core §5.5).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    userinfo_claims: BTreeSet<Claim>,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(Cow<'a, str>),
    Several(Cow<'a, [String]>),
}

/// Which key whoever presents the token has to prove to have (RFC 9449 §6.1).
#[derive(Serialize, Deserialize)]
struct Confirmation<'a> {
    jkt: Cow<'a, str>,
}

fn is_first(generation: &i32) -> bool {
    *generation == 0
}

impl<'a> Claims<'a> {
    pub(super) fn new(
        settings: &'a Settings,
        token: &AccessToken<'a>,
        scope: &'a str,
        now: i64,
        seal: impl Fn(UserId) -> Result<String, CryptoError>,
    ) -> Result<Self, CryptoError> {
        let nonce = URL_SAFE_NO_PAD.encode(crypto::random::<16>()?);
        let client = token.client.id.as_str();
        let (sub, jti, login) = match token.subject {
            Subject::Client => (client, nonce, None),
            Subject::Person(authorization, name) => {
                (name, format!("{}.{nonce}", authorization.id), Some(&authorization.login))
            }
        };
        let pairwise = login.map(|login| login.user).filter(|user| user.to_string() != sub);
        Ok(Self {
            iss: Cow::Borrowed(&settings.issuer),
            sub: Cow::Borrowed(sub),
            aud: match token.resources {
                [] => Audience::One(Cow::Borrowed(&settings.issuer)),
                [one] => Audience::One(Cow::Borrowed(one)),
                several => Audience::Several(Cow::Borrowed(several)),
            },
            client_id: Cow::Borrowed(client),
            iat: now,
            exp: now + settings.access.whole_seconds(),
            jti,
            scope: Cow::Borrowed(scope),
            nbf: None,
            sid: login.map(|login| login.session),
            auth_time: login.map(|login| login.auth_time.unix_timestamp()),
            acr: login.map(|login| Cow::Borrowed(login.acr())),
            amr: login.map(|login| Cow::Borrowed(login.amr.as_slice())),
            cnf: token.jkt.map(|jkt| Confirmation { jkt: Cow::Borrowed(jkt) }),
            generation: match token.subject {
                Subject::Client => token.client.generation,
                Subject::Person(authorization, _) => authorization.generation,
            },
            uid: pairwise.map(seal).transpose()?,
            userinfo_claims: match token.subject {
                Subject::Client => BTreeSet::new(),
                Subject::Person(authorization, _) => {
                    let asked = authorization.claims.userinfo.iter().copied();
                    asked.filter(|claim| token.client.metadata.scope.contains(claim.scope())).collect()
                }
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
            let methods = self.amr.unwrap_or_default().into_owned();
            let session = Session {
                mfa: methods.iter().any(|method| method == amr::MFA),
                acr: self.acr.unwrap_or_default().into_owned(),
                amr: methods,
                auth_time: self.auth_time.ok_or(InvalidToken)?,
                client: client.clone(),
                scopes: scopes.clone(),
            };
            (Principal::User(user), Some(session))
        };
        Ok(Verified {
            principal,
            subject: self.sub.into_owned(),
            client,
            scopes,
            session,
            session_id: self.sid,
            audience: match self.aud {
                Audience::One(one) => vec![one.into_owned()],
                Audience::Several(several) => several.into_owned(),
            },
            userinfo_claims: self.userinfo_claims,
            jkt: self.cnf.map(|confirmation| confirmation.jkt.into_owned()),
            revocable: [Some(format!("jti:{}", self.jti)), authorization, sid].into_iter().flatten().collect(),
            generation: self.generation,
            issued_at: self.iat,
            expires_at: self.exp,
            jti: self.jti,
        })
    }
}
