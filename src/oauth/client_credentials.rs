//! The client credentials grant (RFC 6749 §4.4): a program asks for itself.

use super::{error::OAuthError, form::Form};
use crate::{
    app::App,
    model::{Client, GrantType, ScopeSet},
    tokens::{AccessToken, Issued, Subject},
};

/// Issues a token for the client itself. Without `scope` it gets all it may ask for.
pub fn grant(app: &App, client: &Client, form: &Form) -> Result<Issued, OAuthError> {
    if !client.may(GrantType::ClientCredentials) {
        return Err(OAuthError::UnauthorizedClient);
    }
    let scope = match form.get("scope") {
        None => client.metadata.scope.clone(),
        Some(text) => {
            let asked: ScopeSet = text.parse().map_err(|error| {
                let error: crate::model::InvalidScope = error;
                OAuthError::InvalidScope(error.to_string())
            })?;
            if !asked.is_subset(&client.metadata.scope) {
                return Err(OAuthError::InvalidScope("this client may not have every scope it asks for".to_owned()));
            }
            asked
        }
    };
    let token = AccessToken { client, subject: Subject::Client, scope: &scope, resources: &[], jkt: None };
    Ok(app.tokens.issue(&token)?)
}
