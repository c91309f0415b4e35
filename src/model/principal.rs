//! Who asks.

use std::fmt;

use time::OffsetDateTime;

use super::{ClientId, EntityRef, RoleName, UserId};

/// A principal that Deodar itself knows: a person or a program.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Principal {
    /// `User::"<uuid>"`.
    User(UserId),
    /// `Client::"<client_id>"`.
    Client(ClientId),
}

/// The two kinds, as the database and Cedar name them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// A person.
    User,
    /// A program.
    Client,
}

impl PrincipalKind {
    /// The Cedar entity type, which is also what the database stores.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "User",
            Self::Client => "Client",
        }
    }

    /// Reads the entity type back.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "User" => Some(Self::User),
            "Client" => Some(Self::Client),
            _ => None,
        }
    }
}

impl Principal {
    /// Which kind.
    pub fn kind(&self) -> PrincipalKind {
        match self {
            Self::User(_) => PrincipalKind::User,
            Self::Client(_) => PrincipalKind::Client,
        }
    }

    /// The entity id.
    pub fn id(&self) -> String {
        match self {
            Self::User(id) => id.to_string(),
            Self::Client(id) => id.to_string(),
        }
    }

    /// The Cedar entity.
    pub fn entity(&self) -> EntityRef {
        EntityRef::new(self.kind().as_str(), self.id())
    }

    /// Reads type and id; `None` when no such principal can exist.
    pub fn parse(kind: PrincipalKind, id: &str) -> Option<Self> {
        match kind {
            PrincipalKind::User => id.parse().ok().map(Self::User),
            PrincipalKind::Client => id.parse().ok().map(Self::Client),
        }
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entity().fmt(f)
    }
}

/// A principal holds a role, possibly until some time.
#[derive(Clone, Debug)]
pub struct Assignment {
    /// What is held.
    pub role: RoleName,
    /// From this instant on it is held no more.
    pub expires_at: Option<OffsetDateTime>,
}
