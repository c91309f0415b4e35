//! Who asks for tokens, and with what.

use super::{error::OAuthError, form::Form};
use crate::model::{Authorization, Client, Origin};

/// A request for tokens whose client is authenticated.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    /// Who.
    pub client: &'a Client,
    /// With what.
    pub form: &'a Form,
    /// From where.
    pub origin: &'a Origin,
    /// Thumbprint of the key that it proves to have (RFC 9449).
    pub jkt: Option<&'a str>,
}

impl Asker<'_> {
    /// Succeeds when what follows from the authorization may go to whoever asks.
    ///
    /// What began bound to a key stays bound: a bearer token in its place would be good for a thief of it. A client that
    /// proves who it is may change its key; for one that does not the key is all there is to it (RFC 9449 §5).
    pub fn may_refresh(&self, authorization: &Authorization) -> Result<(), OAuthError> {
        match (&authorization.jkt, self.jkt) {
            (None, _) => Ok(()),
            (Some(_), None) => {
                Err(OAuthError::InvalidProof("these tokens are bound to a key: send a proof in the header `DPoP`"))
            }
            (Some(jkt), Some(proven)) if self.client.is_confidential() || jkt == proven => Ok(()),
            (Some(_), Some(_)) => Err(OAuthError::InvalidGrant("the refresh token is bound to another key")),
        }
    }
}
