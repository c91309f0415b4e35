//! Devices that wait for a person to let them in (RFC 8628).

use super::{AuthorizationId, ClientId, ScopeSet};

/// A device that waits.
#[derive(Clone, Debug)]
pub struct Device {
    /// Which application runs on it.
    pub client: ClientId,
    /// At which of its generations.
    pub generation: i32,
    /// What it asks for.
    pub scope: ScopeSet,
    /// For which resource servers (RFC 8707).
    pub resources: Vec<String>,
    /// The authorization that follows when somebody lets it in.
    pub authorization: AuthorizationId,
}
