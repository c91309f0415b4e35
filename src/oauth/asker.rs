//! Who asks for tokens, and with what.

use axum::http::request::Parts;

use super::{error::OAuthError, form::Form};
use crate::{
    app::App,
    model::{Authorization, Client, Origin},
    tokens::Registered,
    web,
};

/// A request for tokens whose client is authenticated.
#[derive(Clone, Copy)]
pub struct Asker<'a> {
    /// Who.
    pub registered: &'a Registered,
    /// The same.
    pub client: &'a Client,
    /// With what.
    pub form: &'a Form,
    /// The rest of the request.
    pub parts: &'a Parts,
    /// Thumbprint of the key that it proves to have (RFC 9449).
    pub jkt: Option<&'a str>,
}

impl Asker<'_> {
    /// From where, for the record.
    pub fn origin(&self, app: &App) -> Origin {
        Origin { client: Some(self.client.id.clone()), ..web::origin(self.parts, app) }
    }

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
