//! What a believed token says.

use std::collections::BTreeSet;

use crate::{
    model::{Claim, ClientId, Principal, ScopeSet, SessionId},
    pdp::Session,
};

/// A believed access token. Whether its principal may still act is asked of the decision point, each time.
#[derive(Debug)]
pub struct Verified {
    /// Who.
    pub principal: Principal,
    /// How the token names them (OpenID Connect Core §8).
    pub subject: String,
    /// By which client.
    pub client: ClientId,
    /// At which of its generations.
    pub generation: i32,
    /// What for.
    pub scopes: ScopeSet,
    /// For a person: how they logged in.
    pub session: Option<Session>,
    /// For a person: the session that the token stands in.
    pub session_id: Option<SessionId>,
    /// For which servers.
    pub audience: Vec<String>,
    /// Claims about the person that were asked for by name.
    pub userinfo_claims: BTreeSet<Claim>,
    /// Thumbprint of the key that it is bound to (RFC 9449).
    pub jkt: Option<String>,
    /// Its id.
    pub jti: String,
    /// What ends the token before it expires, as the decision point knows it.
    pub revocable: Vec<String>,
    /// Seconds since 1970.
    pub issued_at: i64,
    /// Seconds since 1970.
    pub expires_at: i64,
}
