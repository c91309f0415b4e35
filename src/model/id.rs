//! Identifiers.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text is not an identifier of this kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an identifier")]
pub struct InvalidId;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh, time-ordered identifier (UUID v7, RFC 9562 §5.7).
            #[expect(clippy::new_without_default, reason = "a fresh identifier is not a default value")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            /// Only the canonical hyphenated lower-case form, so that one identifier has one spelling.
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                let id = Uuid::try_parse(text).map_err(|_| InvalidId)?;
                if id.to_string() == text { Ok(Self(id)) } else { Err(InvalidId) }
            }
        }
    };
}

id! {
    /// A person. `User::"<uuid>"` in Cedar.
    UserId
}
id! {
    /// A grant. Its Cedar policy has the id `grant:<uuid>`.
    GrantId
}
id! {
    /// A session: a browser or an application in which a person is logged in. `sid` of tokens.
    SessionId
}
id! {
    /// What a person lets an application do: the first half of the `jti` of its tokens.
    AuthorizationId
}

/// A program. `Client::"<client_id>"` in Cedar. Visible ASCII without `"` and `\`, at most 128 bytes, and never a
/// UUID: as the `sub` of a token it could be taken for a person (RFC 9700 §4.15).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct ClientId(String);

impl ClientId {
    /// A fresh identifier.
    #[expect(clippy::new_without_default, reason = "a fresh identifier is not a default value")]
    pub fn new() -> Self {
        Self(format!("c_{}", Uuid::now_v7().simple()))
    }

    /// The server's own pages, as the client of a login that no other client asks for. Never registered.
    pub fn own_pages() -> Self {
        Self("deodar".to_owned())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a resource indicator (RFC 8707) names this client: `urn:deodar:client:<client_id>`. So an API that is
    /// registered here is named without anybody having to prove whose URI something is.
    pub fn is_named_by(&self, resource: &str) -> bool {
        resource.strip_prefix("urn:deodar:client:") == Some(self.as_str())
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ClientId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let visible = |b: u8| (0x21..=0x7e).contains(&b) && b != b'"' && b != b'\\';
        let length = (1..=128).contains(&text.len());
        if length && text.bytes().all(visible) && Uuid::try_parse(text).is_err() {
            Ok(Self(text.into()))
        } else {
            Err(InvalidId)
        }
    }
}
