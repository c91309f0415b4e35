//! OAuth clients.

mod faults;
mod metadata;
mod redirect_uri;
mod words;

use time::OffsetDateTime;

pub use self::{
    faults::MetadataFault,
    metadata::{ClientMetadata, Members},
    words::{ApplicationType, AuthMethod, GrantType, ResponseType, SubjectType},
};
use super::ClientId;

/// A registered client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its identifier.
    pub id: ClientId,
    /// What it said of itself, checked.
    pub metadata: ClientMetadata,
    /// Of the same house as this server: nobody is asked for consent.
    pub first_party: bool,
    /// It registered itself: what it says of itself nobody has looked at.
    pub self_registered: bool,
    /// False: it gets no token, its tokens are dead, and every check about it is a deny.
    pub active: bool,
    /// When it was registered.
    pub created_at: OffsetDateTime,
    /// How often it was switched off. What came about for it at an earlier one is good no more, whenever that was: a
    /// node that had not heard of it yet says the number that it knew.
    pub generation: i32,
}

impl Client {
    /// A client that nobody registered over HTTP: of a command, of the demo data, of a test.
    pub fn new(id: ClientId, metadata: ClientMetadata, now: OffsetDateTime) -> Self {
        Self { id, metadata, first_party: false, self_registered: false, active: true, created_at: now, generation: 0 }
    }

    /// Switches it off or on. Being on again gives nothing back (V-059).
    pub fn switch(&mut self, on: bool) {
        if self.active && !on {
            self.generation = self.generation.saturating_add(1);
        }
        self.active = on;
    }

    /// What people call it.
    pub fn name(&self) -> &str {
        self.metadata.client_name.as_deref().unwrap_or(self.id.as_str())
    }

    /// Whether it registered the grant.
    pub fn may(&self, grant: GrantType) -> bool {
        self.metadata.grant_types.contains(&grant)
    }

    /// Whose clients may recognise people by the same name (OpenID Connect Core §8.1): a host. `None` when people are
    /// named to it as to everybody.
    pub fn sector(&self) -> Option<String> {
        (self.metadata.subject_type == SubjectType::Pairwise).then(|| self.metadata.sector()).flatten()
    }

    /// Whether it proves who it is.
    pub fn is_confidential(&self) -> bool {
        self.metadata.token_endpoint_auth_method != AuthMethod::None
    }
}
