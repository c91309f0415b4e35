//! What every grant for a person ends in: the tokens that follow from an authorization.

use serde::Serialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{asker::Asker, error::OAuthError, person_claims, revoke};
use crate::{
    app::App,
    crypto::Opaque,
    model::{Authorization, Claim, Client, Principal, ScopeSet},
    tokens::{AccessToken, IdToken, Issued, Permit, Subject, Wish},
};

/// RFC 6749 §5.1, OpenID Connect Core §3.1.3.3.
#[derive(Serialize, ToSchema)]
pub struct TokenResponse {
    access_token: String,
    /// `Bearer`, or `DPoP` for a token that is bound to a key.
    token_type: &'static str,
    /// Seconds.
    expires_in: u64,
    scope: String,
    /// With the scope `offline_access`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// With the scope `openid`.
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
}

/// Tokens to be issued.
pub struct Issue<'a> {
    /// To whom.
    pub client: &'a Client,
    /// What they follow from; it is in the database.
    pub authorization: &'a Authorization,
    /// By which grant.
    pub grant_type: &'a str,
    /// What for: the authorization's scope, or less.
    pub scope: &'a ScopeSet,
    /// For which resource servers: the authorization's, or fewer.
    pub resources: &'a [String],
    /// For the ID token.
    pub nonce: Option<&'a str>,
    /// What is given out beside them; its hash is in the database.
    pub refresh: Option<&'a Opaque>,
    /// Thumbprint of the key that the access token is bound to.
    pub jkt: Option<&'a str>,
}

impl Issue<'_> {
    /// Whether the person may still act and the policies allow it, judged at this moment (V-059). Whether the
    /// authorization goes on is what the statement decides that makes it, or that takes the next token from it: whoever
    /// won that has won, and if it ended a moment later, so have the tokens.
    pub async fn is_permitted(&self, app: &App) -> Result<bool, OAuthError> {
        let login = &self.authorization.login;
        app.pdp.ensure(None).await?;
        let active = app.pdp.standing(&Principal::User(login.user)).await?.active();
        if !active || app.pdp.is_revoked(&[format!("sid:{}", login.session)]) {
            return Ok(false);
        }
        let Self { client, grant_type, scope, resources, .. } = *self;
        let wish = Wish { client, login: Some(login), grant_type, scope, resources };
        Ok(wish.ask(&app.pdp).await? == Permit::Granted)
    }

    /// Issues them. An authorization that the policies do not allow ends.
    pub async fn issue(&self, app: &App, asker: Asker<'_>) -> Result<TokenResponse, OAuthError> {
        if !self.is_permitted(app).await? {
            revoke::end(app, self.authorization.id, "issue_refused", &asker.origin(app)).await?;
            return Err(OAuthError::InvalidGrant("the policies do not allow it, or this person is logged out"));
        }
        self.make(app).await
    }

    /// Issues them without asking once more.
    pub async fn make(&self, app: &App) -> Result<TokenResponse, OAuthError> {
        let name = app.tokens.subject(self.client, self.authorization.login.user).await?;
        let issued = app.tokens.issue(&AccessToken {
            client: self.client,
            subject: Subject::Person(self.authorization, &name),
            scope: self.scope,
            resources: self.resources,
            jkt: self.jkt,
        })?;
        let id_token = if self.scope.contains(ScopeSet::OPENID) {
            Some(self.id_token(app, &name, &issued.token).await?)
        } else {
            None
        };
        let refresh_token = self.refresh.map(|token| token.expose().to_owned());
        Ok(TokenResponse { refresh_token, id_token, ..TokenResponse::from(issued) })
    }

    async fn id_token(&self, app: &App, subject: &str, access_token: &str) -> Result<String, OAuthError> {
        let Authorization { login, claims, .. } = self.authorization;
        let claims: Map<String, Value> = if claims.id_token.is_empty() {
            Map::new()
        } else {
            let wanted =
                |claim: Claim| claims.id_token.contains(&claim) && self.client.metadata.scope.contains(claim.scope());
            person_claims::of(&app.accounts.find(login.user).await?, wanted)
        };
        let token = IdToken { client: self.client, subject, login, nonce: self.nonce, access_token, claims };
        Ok(app.tokens.issue_id(token)?)
    }
}

impl From<Issued> for TokenResponse {
    fn from(issued: Issued) -> Self {
        Self {
            access_token: issued.token,
            token_type: if issued.bound { "DPoP" } else { "Bearer" },
            expires_in: issued.expires_in,
            scope: issued.scope,
            refresh_token: None,
            id_token: None,
        }
    }
}
