//! The client credentials grant (RFC 6749 §4.4): a program asks for itself.

use super::{asker::Asker, error::OAuthError, issue::TokenResponse, resources};
use crate::{
    app::App,
    model::{GrantType, ScopeSet},
    tokens::{AccessToken, Permit, Subject},
};

/// Issues a token for the client itself. Without `scope` it gets all it may ask for.
pub async fn grant(app: &App, asker: Asker<'_>) -> Result<TokenResponse, OAuthError> {
    let Asker { registered, client, form, jkt, .. } = asker;
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
    let resources = resources::asked(form)?;
    let grant_type = GrantType::ClientCredentials.as_str();
    if registered.may_have(&app.pdp, grant_type, &scope, &resources).await? != Permit::Granted {
        return Err(OAuthError::InvalidScope("the policies do not allow this client such a token".to_owned()));
    }
    let token = AccessToken { client, subject: Subject::Client, scope: &scope, resources: &resources, jkt };
    Ok(app.tokens.issue(&token)?.into())
}
