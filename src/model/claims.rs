//! Claims about people that a client asks for one by one (OpenID Connect Core §5.5).

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::ScopeSet;

/// A claim about a person that this server has (OpenID Connect Core §5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claim {
    /// What to call them.
    Name,
    /// Their login name.
    PreferredUsername,
    /// Their language.
    Locale,
    /// Their time zone.
    Zoneinfo,
    /// When any of these changed.
    UpdatedAt,
    /// Their address.
    Email,
    /// Whether they proved it.
    EmailVerified,
}

/// What was asked for by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RequestedClaims {
    /// From the userinfo endpoint.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub userinfo: BTreeSet<Claim>,
    /// In the ID token.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub id_token: BTreeSet<Claim>,
}

impl Claim {
    /// All of them, each with the scope that brings it (OpenID Connect Core §5.4).
    pub const ALL: [(Self, &'static str, &'static str); 7] = [
        (Self::Name, "name", "profile"),
        (Self::PreferredUsername, "preferred_username", "profile"),
        (Self::Locale, "locale", "profile"),
        (Self::Zoneinfo, "zoneinfo", "profile"),
        (Self::UpdatedAt, "updated_at", "profile"),
        (Self::Email, "email", "email"),
        (Self::EmailVerified, "email_verified", "email"),
    ];

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known, _)| *known == name).map(|(claim, ..)| claim)
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        Self::ALL.into_iter().find(|(claim, ..)| *claim == self).map_or("", |(_, name, _)| name)
    }

    /// The scope that brings it.
    pub fn scope(self) -> &'static str {
        Self::ALL.into_iter().find(|(claim, ..)| *claim == self).map_or("", |(.., scope)| scope)
    }

    /// Those that a scope brings.
    pub fn of_scope(scope: &str) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |(.., of)| *of == scope).map(|(claim, ..)| claim)
    }
}

impl RequestedClaims {
    /// Those that one of these scopes would bring as well.
    pub fn within(mut self, scopes: &ScopeSet) -> Self {
        for asked in [&mut self.userinfo, &mut self.id_token] {
            asked.retain(|claim| scopes.contains(claim.scope()));
        }
        self
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = Claim> {
        self.userinfo.iter().chain(&self.id_token).copied()
    }
}
