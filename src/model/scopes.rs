//! OAuth scopes.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// A set of scope tokens (RFC 6749 §3.3), written as one space-separated string.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct ScopeSet(BTreeSet<String>);

/// The text is not a scope list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("scopes are words of visible ASCII without `\"` and `\\`, separated by single spaces, at most 100 of them")]
pub struct InvalidScope;

impl ScopeSet {
    /// The scope that lets a client ask about any principal.
    pub const CHECK: &'static str = "authz:check";
    /// The scope that lets a client call the admin API.
    pub const ADMIN: &'static str = "admin";

    /// The scope of OpenID Connect.
    pub const OPENID: &'static str = "openid";
    /// The scope that asks for a refresh token.
    pub const OFFLINE: &'static str = "offline_access";
    /// What OpenID Connect defines and this server knows.
    pub const STANDARD: [&'static str; 4] = [Self::OPENID, "profile", "email", Self::OFFLINE];
    /// What means something to this server's own API: never for a client that registers itself.
    pub const RESERVED: [&'static str; 2] = [Self::ADMIN, Self::CHECK];

    /// Whether the scope is in the set.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// Whether every scope here is in `other`.
    pub fn is_subset(&self, other: &Self) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of the scopes that are in `other` too.
    #[must_use]
    pub fn intersection(&self, other: &Self) -> Self {
        Self(self.0.intersection(&other.0).cloned().collect())
    }

    /// The scopes of both.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self(self.0.union(&other.0).cloned().collect())
    }

    /// The scopes without these.
    #[must_use]
    pub fn without(&self, scopes: &[&str]) -> Self {
        Self(self.0.iter().filter(|scope| !scopes.contains(&scope.as_str())).cloned().collect())
    }

    /// The scopes in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// The scopes as people read them: what comes to everybody's mind first comes first.
    pub fn for_people(&self) -> impl Iterator<Item = &str> {
        let known = Self::STANDARD.into_iter().filter(|scope| self.contains(scope));
        known.chain(self.iter().filter(|scope| !Self::STANDARD.contains(scope)))
    }
}

impl FromIterator<String> for ScopeSet {
    fn from_iter<I: IntoIterator<Item = String>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

impl FromStr for ScopeSet {
    type Err = InvalidScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // RFC 6749 appendix A.4; the length bound comes first so that a megabyte of scope costs nothing.
        let legal = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
        if text.is_empty() {
            return Ok(Self::default());
        }
        if text.len() > 4096 || text.split(' ').count() > 100 {
            return Err(InvalidScope);
        }
        let words = text.split(' ').map(|word| {
            if !word.is_empty() && word.bytes().all(legal) { Ok(word.to_owned()) } else { Err(InvalidScope) }
        });
        words.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for ScopeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, scope) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str(" ")?;
            }
            f.write_str(scope)?;
        }
        Ok(())
    }
}

impl Serialize for ScopeSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ScopeSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}
