//! Sessions of people.

use time::OffsetDateTime;

use super::{ClientId, SessionId, UserId};

/// Authentication methods (RFC 8176).
pub mod amr {
    /// A password.
    pub const PASSWORD: &str = "pwd";
    /// A one-time code.
    pub const OTP: &str = "otp";
    /// More than one factor.
    pub const MFA: &str = "mfa";
}

/// A session: a browser or an application in which a person is logged in.
#[derive(Clone, Debug)]
pub struct SessionRecord {
    /// `sid` of its tokens.
    pub id: SessionId,
    /// Who.
    pub user: UserId,
    /// The application, for a session that no browser holds.
    pub client: Option<ClientId>,
    /// When the person last proved who they are.
    pub auth_time: OffsetDateTime,
    /// How (RFC 8176).
    pub amr: Vec<String>,
    /// From where it was last used.
    pub address: String,
    /// By which browser.
    pub user_agent: String,
    /// Since when.
    pub created_at: OffsetDateTime,
    /// When it was last used, within a minute.
    pub last_used_at: OffsetDateTime,
    /// When it ends, however much it is used.
    pub expires_at: OffsetDateTime,
}

impl SessionRecord {
    /// `acr` of a login with a password.
    pub const ACR_PASSWORD: &'static str = "urn:deodar:acr:password";
    /// `acr` of a login with a second factor.
    pub const ACR_MFA: &'static str = "urn:deodar:acr:mfa";

    /// Whether a second factor was used.
    pub fn mfa(&self) -> bool {
        self.amr.iter().any(|method| method == amr::MFA)
    }

    /// Authentication context class.
    pub fn acr(&self) -> &'static str {
        if self.mfa() { Self::ACR_MFA } else { Self::ACR_PASSWORD }
    }
}
