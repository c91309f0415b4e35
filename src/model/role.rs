//! Role names.

use std::{fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Serialize};

/// The name of a role: `[a-z][a-z0-9_.-]{0,62}`. Never renamed. `Role::"<name>"` in Cedar.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RoleName(Arc<str>);

/// The text is not a role name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a role name starts with a letter a-z and goes on with up to 62 of a-z, 0-9, `_`, `.`, `-`")]
pub struct InvalidRoleName;

impl RoleName {
    /// The role whose holders administer Deodar.
    pub fn admin() -> Self {
        Self("admin".into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for RoleName {
    type Err = InvalidRoleName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
        let rest = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'.' | b'-');
        if first && text.len() <= 63 && bytes.all(rest) { Ok(Self(text.into())) } else { Err(InvalidRoleName) }
    }
}

impl TryFrom<String> for RoleName {
    type Error = InvalidRoleName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<RoleName> for String {
    fn from(name: RoleName) -> Self {
        name.0.as_ref().to_owned()
    }
}

impl std::borrow::Borrow<str> for RoleName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::RoleName;

    #[test]
    fn the_grammar_is_exact() {
        for good in ["a", "admin", "a.b-c_9", &format!("a{}", "b".repeat(62))] {
            assert!(good.parse::<RoleName>().is_ok(), "{good}");
        }
        for bad in ["", "A", "9a", "a b", "a\"", "a\\", "a\n", "a\u{2028}", "a\0", "é", &format!("a{}", "b".repeat(63))]
        {
            assert!(bad.parse::<RoleName>().is_err(), "{bad:?}");
        }
    }
}
