//! Grants: role × action × resource scope.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{GrantId, RoleName};

/// What a matching policy does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Allows, unless a forbid matches too.
    Permit,
    /// Denies, whatever permits.
    Forbid,
}

impl Effect {
    /// `permit` or `forbid`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Permit => "permit",
            Self::Forbid => "forbid",
        }
    }
}

/// Which resources a grant is about: every resource of a type, or one resource and everything inside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceScope {
    /// Entity type name.
    #[serde(rename = "type")]
    pub ty: String,
    /// Entity id; absent for the whole type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// A grant as somebody asks for it. Its names are checked against the active schema before it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewGrant {
    /// Who gets it.
    pub role: RoleName,
    /// Permit or forbid.
    pub effect: Effect,
    /// Action id: `read`, or with a namespace `Docs::read`.
    pub action: String,
    /// On what.
    pub resource: ResourceScope,
    /// A Cedar expression that must hold as well.
    pub condition: Option<String>,
    /// For people.
    pub description: String,
}

/// A stored grant. Immutable: it is made and deleted, never changed, so whatever was derived from its id stays true.
#[derive(Clone, Debug)]
pub struct Grant {
    /// Names the Cedar policy, as `grant:<id>`.
    pub id: GrantId,
    /// What was asked for.
    pub grant: NewGrant,
    /// When.
    pub created_at: OffsetDateTime,
}
