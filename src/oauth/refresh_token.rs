//! The refresh grant (RFC 6749 §6) with rotation (RFC 9700 §4.14.2): a token is used once and followed by the next. One
//! that comes twice was stolen, from the client or by it, and ends everything that follows from the authorization.

use super::{
    asker::Asker,
    error::OAuthError,
    form::Form,
    issue::{Issue, TokenResponse},
    resources, revoke,
};
use crate::{
    app::App,
    crypto::{Opaque, digest},
    model::{Client, GrantType, InvalidScope, Origin, ScopeSet},
    store::refresh_tokens::{Presented, Rotation},
};

const BAD: OAuthError = OAuthError::InvalidGrant("the refresh token is not good: unknown, used, expired or revoked");

/// Exchanges a refresh token for fresh tokens.
pub async fn grant(app: &App, asker: Asker<'_>) -> Result<TokenResponse, OAuthError> {
    let Asker { client, form, jkt, .. } = asker;
    if !client.may(GrantType::RefreshToken) {
        return Err(OAuthError::UnauthorizedClient);
    }
    let token = form.get("refresh_token");
    let token = token.ok_or_else(|| OAuthError::InvalidRequest("`refresh_token` is missing".to_owned()))?;
    let (hash, now) = (digest(token.as_bytes()), app.clock.now());
    let found = app
        .refresh_tokens
        .last_known(hash)
        .await?
        .filter(|found| found.authorization.client == client.id && !found.ended)
        .ok_or(BAD)?;
    let authorization = &found.authorization;
    if found.used {
        return replayed(app, &found, &asker.origin(app)).await;
    }
    let may = client.metadata.scope.contains(ScopeSet::OFFLINE);
    if !may || found.expires_at <= now || authorization.expires_at <= now {
        return Err(BAD);
    }
    asker.may_refresh(authorization)?;
    let scope = narrowed(form, &authorization.scope, client)?;
    let resources = resources::narrowed(form, &authorization.resources)?;
    let refresh = Opaque::new(Opaque::REFRESH)?;
    let issue = Issue {
        client,
        authorization,
        grant_type: GrantType::RefreshToken.as_str(),
        scope: &scope,
        resources: &resources,
        nonce: None,
        refresh: Some(&refresh),
        jkt,
    };
    if !issue.is_permitted(app).await? {
        return Err(OAuthError::InvalidGrant("the policies do not allow it any more, or this person is logged out"));
    }
    let rotation = Rotation {
        old: hash,
        new: refresh.hash(),
        jkt: jkt.map(str::to_owned),
        at: now,
        expires_at: app.authorization_ends(now).idle.min(authorization.expires_at),
    };
    if app.refresh_tokens.rotate(&found, rotation).await? {
        return issue.make(app).await;
    }
    // It was used or ended where this node did not see it, or somebody was faster with the very same token.
    match app.refresh_tokens.find(hash).await? {
        Some(found) if found.used && !found.ended => replayed(app, &found, &asker.origin(app)).await,
        _ => Err(BAD),
    }
}

async fn replayed(app: &App, found: &Presented, origin: &Origin) -> Result<TokenResponse, OAuthError> {
    revoke::end(app, found.authorization.id, "refresh_token_replayed", origin).await?;
    Err(BAD)
}

/// What was authorized and is still the client's to ask for; less of it, if the client wants less (N-091, N-092).
fn narrowed(form: &Form, authorized: &ScopeSet, client: &Client) -> Result<ScopeSet, OAuthError> {
    let authorized = authorized.intersection(&client.metadata.scope);
    let Some(text) = form.get("scope") else { return Ok(authorized) };
    let asked: ScopeSet = text.parse().map_err(|error: InvalidScope| OAuthError::InvalidScope(error.to_string()))?;
    if asked.is_subset(&authorized) {
        Ok(asked)
    } else {
        Err(OAuthError::InvalidScope(
            "these scopes are more than the person authorized, or than this client may have".to_owned(),
        ))
    }
}
