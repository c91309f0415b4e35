//! How a person is logged in.

use time::OffsetDateTime;

use super::{SessionId, SessionRecord, UserId, amr};

/// Who is logged in, since when and how: what a token says of it. A session may grow stronger or fresher afterwards;
/// what was issued before does not.
#[derive(Clone, Debug)]
pub struct Login {
    /// Who.
    pub user: UserId,
    /// In which session.
    pub session: SessionId,
    /// When they last proved who they are.
    pub auth_time: OffsetDateTime,
    /// How (RFC 8176).
    pub amr: Vec<String>,
}

impl Login {
    /// Whether a second factor was used.
    pub fn mfa(&self) -> bool {
        self.amr.iter().any(|method| method == amr::MFA)
    }

    /// Authentication context class.
    pub fn acr(&self) -> &'static str {
        if self.mfa() { SessionRecord::ACR_MFA } else { SessionRecord::ACR_PASSWORD }
    }
}

impl From<&SessionRecord> for Login {
    fn from(session: &SessionRecord) -> Self {
        Self { user: session.user, session: session.id, auth_time: session.auth_time, amr: session.amr.clone() }
    }
}
