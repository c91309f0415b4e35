//! The authorization code grant (RFC 6749 §4.1.3). A code is worth one attempt: whatever is wrong with it, it is spent
//! (N-081, N-086), and one that comes twice ends everything that followed from it (N-084).

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    asker::Asker,
    error::OAuthError,
    issue::{Issue, TokenResponse},
    resources, revoke,
};
use crate::{
    app::App,
    crypto::{Opaque, digest},
    model::{GrantType, ScopeSet},
    store::{
        self,
        codes::{Attempt, Redeemed},
    },
};

const BAD: OAuthError = OAuthError::InvalidGrant("the code is not good: unknown, used, expired, or for something else");

/// Exchanges a code for tokens.
pub async fn grant(app: &App, asker: Asker<'_>) -> Result<TokenResponse, OAuthError> {
    let Asker { client, form, jkt, .. } = asker;
    if !client.may(GrantType::AuthorizationCode) {
        return Err(OAuthError::UnauthorizedClient);
    }
    let code = form.get("code").ok_or_else(|| OAuthError::InvalidRequest("`code` is missing".to_owned()))?;
    let refresh = Opaque::new(Opaque::REFRESH)?;
    let challenge = form.get("code_verifier").map(challenge);
    let now = app.clock.now();
    let attempt = Attempt {
        hash: digest(code.as_bytes()),
        client: &client.id,
        // A database has no text with a NUL, and neither has a redirect URI.
        redirect_uri: form.get("redirect_uri").filter(|uri| !uri.contains('\0')).unwrap_or_default(),
        challenge: challenge.as_deref(),
        jkt,
        refresh: refresh.hash(),
        now,
        ends: app.authorization_ends(now),
    };
    let grant = match store::within(store::codes::redeem(&app.pool, &attempt)).await? {
        Redeemed::Fresh(grant) => grant,
        Redeemed::Replayed(authorization) => {
            revoke::end(app, authorization, "code_replayed", &asker.origin(app)).await?;
            return Err(BAD);
        }
        Redeemed::Refused | Redeemed::Unknown => return Err(BAD),
    };
    let authorization = &grant.authorization;
    let resources = resources::narrowed(form, &authorization.resources)?;
    let scope = authorization.scope.intersection(&client.metadata.scope);
    let issue = Issue {
        client,
        authorization,
        grant_type: GrantType::AuthorizationCode.as_str(),
        scope: &scope,
        resources: &resources,
        nonce: grant.nonce.as_deref(),
        refresh: scope.contains(ScopeSet::OFFLINE).then_some(&refresh),
        jkt,
    };
    issue.issue(app, asker).await
}

/// What a verifier hashes to (RFC 7636 §4.6). One that is malformed hashes to nothing that a challenge can be.
fn challenge(verifier: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let fits = (43..=128).contains(&verifier.len()) && verifier.bytes().all(plain);
    if fits { URL_SAFE_NO_PAD.encode(digest(verifier.as_bytes())) } else { String::new() }
}
