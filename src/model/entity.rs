//! References to Cedar entities.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A Cedar entity by type name (`Document`, `Docs::Document`) and id. Not yet known to exist, nor to be of a
/// type that the schema declares.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EntityRef {
    /// The entity type, with its namespace.
    #[serde(rename = "type")]
    pub ty: String,
    /// The entity id: any text.
    pub id: String,
}

impl EntityRef {
    /// Puts the two together.
    pub fn new(ty: impl Into<String>, id: impl Into<String>) -> Self {
        Self { ty: ty.into(), id: id.into() }
    }
}

impl fmt::Display for EntityRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::\"{}\"", self.ty, self.id.escape_debug())
    }
}
