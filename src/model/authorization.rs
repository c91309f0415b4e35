//! What a person lets an application do.

use time::OffsetDateTime;

use super::{AuthorizationId, ClientId, Login, RequestedClaims, ScopeSet};

/// One person let one application act for them, once: by a code, a password, a device. Tokens follow from it until it
/// ends.
#[derive(Clone, Debug)]
pub struct Authorization {
    /// First half of the `jti` of its tokens.
    pub id: AuthorizationId,
    /// Which application.
    pub client: ClientId,
    /// At which of its generations.
    pub generation: i32,
    /// Who, and how they were logged in.
    pub login: Login,
    /// What for.
    pub scope: ScopeSet,
    /// For which resource servers (RFC 8707); empty for this server itself.
    pub resources: Vec<String>,
    /// Claims that were asked for by name (OpenID Connect Core §5.5).
    pub claims: RequestedClaims,
    /// Thumbprint of the key that its tokens are bound to (RFC 9449).
    pub jkt: Option<String>,
    /// Since when.
    pub created_at: OffsetDateTime,
    /// When the last token that could follow from it has expired.
    pub expires_at: OffsetDateTime,
}

/// A code that waits to be redeemed.
#[derive(Clone, Debug)]
pub struct CodeGrant {
    /// The authorization that follows from it.
    pub authorization: Authorization,
    /// Where it was sent.
    pub redirect_uri: String,
    /// What the client ties it to its session by.
    pub nonce: Option<String>,
    /// S256 (RFC 7636 §4.2); `None` only for a client that need not use PKCE.
    pub challenge: Option<String>,
}
