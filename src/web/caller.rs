//! Who calls, by access token.

use std::sync::Arc;

use axum::{extract::FromRequestParts, http::request::Parts};

use super::{
    ApiError, dpop,
    presented::{Presented, Scheme},
};
use crate::{
    app::App,
    model::{EntityRef, Fields, Json, Origin, Principal, ScopeSet, UserId},
    pdp::{AccessRequest, ResourceInput, Subject},
    tokens::{Proved, Verified},
};

/// An authenticated caller whose principal may act at this moment.
pub struct Caller {
    token: Arc<Verified>,
    origin: Origin,
}

impl FromRequestParts<App> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let presented = Presented::in_header(&parts.headers)?.ok_or(ApiError::Unauthorized { presented: false })?;
        Self::authenticate(app, parts, presented).await
    }
}

impl Caller {
    /// Whoever presents this token with this request.
    ///
    /// A token that is bound to a key is good for nothing without the key, and one that is not has no key to prove
    /// (RFC 9449 §7.1, §7.2): neither passes for the other.
    pub async fn authenticate(app: &App, parts: &Parts, presented: Presented<'_>) -> Result<Self, ApiError> {
        let Presented { scheme, token } = presented;
        let invalid = || ApiError::Unauthorized { presented: true };
        let verified = app.tokens.verify(token).map_err(|_| invalid())?;
        if (scheme == Scheme::DPoP) != verified.jkt.is_some() || !is_live(app, &verified).await? {
            return Err(invalid());
        }
        if let Some(jkt) = &verified.jkt {
            let (method, path) = (parts.method.as_str(), parts.uri.path());
            dpop::prove(app, &parts.headers, Proved { method, path, token: Some(token) }, jkt).await?;
        }
        let origin = Origin { client: Some(verified.client.clone()), ..super::origin(parts, app) };
        Ok(Self { token: verified, origin })
    }

    /// The token, believed.
    pub fn token(&self) -> &Verified {
        &self.token
    }

    /// The principal.
    pub fn principal(&self) -> &Principal {
        &self.token.principal
    }

    /// Where the call comes from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Succeeds when the token was issued for the admin API.
    pub fn require_admin_scope(&self) -> Result<(), ApiError> {
        if self.token.scopes.contains(ScopeSet::ADMIN) {
            Ok(())
        } else {
            Err(ApiError::InsufficientScope(ScopeSet::ADMIN))
        }
    }

    /// Succeeds with the person when the policies allow them the call upon their own account.
    pub async fn require_self(&self, app: &App, action: &str) -> Result<UserId, ApiError> {
        let Principal::User(user) = self.principal() else {
            return Err(ApiError::Forbidden("this is about people: send a user's access token".to_owned()));
        };
        let request = self.request(action, self.principal().entity(), true);
        let (answer, _) = app.pdp.check(&request, None, false).await?;
        if answer.allow { Ok(*user) } else { Err(refusal(&request)) }
    }

    /// Succeeds when the policies allow the call. For calls that only read.
    pub async fn require(&self, app: &App, action: &str, resource: EntityRef) -> Result<(), ApiError> {
        self.require_admin_scope()?;
        let request = self.request(action, resource, true);
        let (answer, _) = app.pdp.check(&request, None, false).await?;
        if answer.allow { Ok(()) } else { Err(refusal(&request)) }
    }

    /// The question whether this caller may make a call of the admin API.
    pub fn request(&self, action: &str, resource: EntityRef, held: bool) -> AccessRequest {
        AccessRequest {
            principal: Subject::plain(self.principal().entity()),
            action: action.to_owned(),
            resource: ResourceInput::plain(resource),
            context: Fields::from([("held".to_owned(), Json::Bool(held))]),
            session: self.token.session.clone(),
        }
    }
}

/// Whether what a token stands for still holds. The token outlives it by minutes; its principal, the client that it was
/// issued to, and the session do not (D4).
pub async fn is_live(app: &App, token: &Verified) -> Result<bool, ApiError> {
    app.pdp.ensure(None).await?;
    if app.pdp.is_revoked(&token.revocable) {
        return Ok(false);
    }
    let client = Principal::Client(token.client.clone());
    let standing = app.pdp.standing(&client).await?;
    Ok(standing.active()
        && token.generation >= standing.generation()
        && (token.principal == client || app.pdp.standing(&token.principal).await?.active()))
}

/// The answer to a caller whom the policies refuse.
pub fn refusal(request: &AccessRequest) -> ApiError {
    ApiError::Forbidden(format!("the policies do not allow you `{}` on {}", request.action, request.resource.entity))
}
