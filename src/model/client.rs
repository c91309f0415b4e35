//! OAuth clients.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{ClientId, ScopeSet};

/// How a client may ask for tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GrantType {
    /// RFC 6749 §4.1.
    AuthorizationCode,
    /// RFC 6749 §6.
    RefreshToken,
    /// RFC 6749 §4.4.
    ClientCredentials,
    /// RFC 6749 §4.3; off unless a client registers it.
    Password,
}

impl GrantType {
    /// The second step of [`Self::Password`] for a person with a second factor.
    pub const MFA_OTP: &'static str = "urn:deodar:grant-type:mfa-otp";

    /// The value of `grant_type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AuthorizationCode => "authorization_code",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::Password => "password",
        }
    }
}

/// How a client proves who it is at the token endpoint (RFC 7591 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// HTTP Basic.
    ClientSecretBasic,
    /// Form parameters.
    ClientSecretPost,
    /// A public client.
    None,
}

impl AuthMethod {
    /// The value of `token_endpoint_auth_method`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ClientSecretBasic => "client_secret_basic",
            Self::ClientSecretPost => "client_secret_post",
            Self::None => "none",
        }
    }
}

/// A registered client.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its identifier.
    pub id: ClientId,
    /// For people.
    pub name: String,
    /// Where authorization answers may go.
    pub redirect_uris: Vec<String>,
    /// What it may do at the token endpoint.
    pub grant_types: Vec<GrantType>,
    /// What it may ask for.
    pub scope: ScopeSet,
    /// How it authenticates.
    pub auth_method: AuthMethod,
    /// False: it gets no token, its tokens are dead, and every check about it is a deny.
    pub active: bool,
    /// When it was registered.
    pub created_at: OffsetDateTime,
}
