//! Token revocation (RFC 7009).
//!
//! A token that is unknown, or another client's, is none of the caller's business: the answer is 200, and nothing
//! happened (N-111, N-113). Revoking a refresh token ends everything that follows from the authorization (N-115).

use axum::{extract::State, http::HeaderMap, response::IntoResponse};
use time::{Duration, OffsetDateTime};

use super::{
    client_auth,
    error::{OAuthError, OAuthErrorBody, no_store},
    form::Form,
    introspect::TokenForm,
};
use crate::{
    app::App,
    crypto::{Opaque, digest},
    model::{AuthorizationId, Client, Event, Origin, Principal},
    store,
};

/// Revoke a token.
#[utoipa::path(post, path = "/oauth/revoke", tag = "oauth", security(("basic" = [])),
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 200), (status = "default", body = OAuthErrorBody)))]
pub async fn revoke(
    State(app): State<App>,
    headers: HeaderMap,
    origin: Origin,
    form: Form,
) -> Result<impl IntoResponse, OAuthError> {
    let caller = client_auth::authenticate(&app, &headers, &form).await?;
    let token = form.get("token").ok_or_else(|| OAuthError::InvalidRequest("`token` is missing".to_owned()))?;
    let origin = Origin { client: Some(caller.client.id.clone()), ..origin };
    if token.starts_with(Opaque::REFRESH) {
        refresh_token(&app, &caller.client, token, &origin).await?;
    } else {
        access_token(&app, &caller.client, token, &origin).await?;
    }
    Ok(no_store())
}

async fn refresh_token(app: &App, caller: &Client, token: &str, origin: &Origin) -> Result<(), OAuthError> {
    let found = app.refresh_tokens.find(digest(token.as_bytes())).await?;
    match found.filter(|found| found.authorization.client == caller.id && !found.ended) {
        Some(found) => end(app, found.authorization.id, "token_revoked", origin).await,
        None => Ok(()),
    }
}

async fn access_token(app: &App, caller: &Client, token: &str, origin: &Origin) -> Result<(), OAuthError> {
    let Ok(verified) = app.tokens.verify_for_anybody(token) else { return Ok(()) };
    let id = format!("jti:{}", verified.jti);
    if verified.client != caller.id || app.pdp.is_revoked(std::slice::from_ref(&id)) {
        return Ok(());
    }
    let until = OffsetDateTime::from_unix_timestamp(verified.expires_at).unwrap_or(app.clock.now());
    let mut write = app.pdp.write().await?;
    write.revoke(vec![id], until + Duration::MINUTE).await?;
    let event = Event::new("token_revoked", origin).by(Principal::Client(caller.id.clone()));
    let event = event.on(verified.principal.entity()).with("jti", verified.jti.as_str());
    store::audit::insert(write.conn(), app.clock.now(), &event).await?;
    write.commit().await?;
    Ok(())
}

/// Ends an authorization with every token that follows from it, on every node. Nothing happens if it has ended before.
pub async fn end(app: &App, id: AuthorizationId, why: &str, origin: &Origin) -> Result<(), OAuthError> {
    // On the heap: it happens rarely, at the end of what happens all the time.
    Box::pin(async {
        let now = app.clock.now();
        let mut write = app.pdp.write().await?;
        if store::authorizations::end(write.conn(), id, now).await? {
            write.revoke(vec![format!("grant:{id}")], app.tokens.access_expiry(now) + Duration::MINUTE).await?;
            let event = Event::new(why, origin).with("authorization", id.to_string());
            let event = match &origin.client {
                Some(client) => event.by(Principal::Client(client.clone())),
                None => event,
            };
            store::audit::insert(write.conn(), now, &event).await?;
        }
        write.commit().await?;
        Ok(())
    })
    .await
}
