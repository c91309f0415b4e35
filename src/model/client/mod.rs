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
    /// When it was last switched off or on, if ever.
    pub switched: Option<Switched>,
}

/// When a client was switched off or on. What came about for it before is good no more, so that being switched on again
/// gives nothing back (V-059); and one time stands for all of it, however much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Switched {
    /// When.
    pub at: OffsetDateTime,
    /// Tokens tell whole seconds, since 1970: those of the times before say an earlier one, and the first since say this.
    pub tokens_from: i64,
}

impl Client {
    /// A client that nobody registered over HTTP: of a command, of the demo data, of a test.
    pub fn new(id: ClientId, metadata: ClientMetadata, now: OffsetDateTime) -> Self {
        Self { id, metadata, first_party: false, self_registered: false, active: true, created_at: now, switched: None }
    }

    /// Switches it off or on.
    pub fn switch(&mut self, on: bool, now: OffsetDateTime) {
        // No token says a later second than this, or than the one from which on they were good.
        let next = now.unix_timestamp() + 1;
        let least = self.switched.map_or(next, |before| if on { before.tokens_from } else { before.tokens_from + 1 });
        self.active = on;
        self.switched = Some(Switched { at: now, tokens_from: next.max(least) });
    }

    /// Whether something that came about for it then was not ended by switching it off or on.
    pub fn keeps(&self, made_at: OffsetDateTime) -> bool {
        self.switched.is_none_or(|switched| made_at >= switched.at)
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
