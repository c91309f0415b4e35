//! What a believed token says.

use crate::{
    model::{ClientId, Principal, ScopeSet},
    pdp::Session,
};

/// A believed access token. Whether its principal may still act is asked of the decision point, each time.
#[derive(Debug)]
pub struct Verified {
    /// Who.
    pub principal: Principal,
    /// By which client.
    pub client: ClientId,
    /// What for.
    pub scopes: ScopeSet,
    /// For a person: how they logged in.
    pub session: Option<Session>,
    /// Seconds since 1970.
    pub expires_at: i64,
}
