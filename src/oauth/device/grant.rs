//! What a device is answered at the token endpoint (RFC 8628 §3.4, §3.5).

use crate::{
    app::App,
    crypto::{Opaque, digest},
    model::{GrantType, ScopeSet},
    oauth::{
        asker::Asker,
        error::OAuthError,
        issue::{Issue, TokenResponse},
        resources, revoke,
    },
    store::{
        self,
        devices::{Attempt, Redeemed},
    },
};

const BAD: OAuthError = OAuthError::InvalidGrant("the device code is not good: unknown or used");

/// Exchanges the code of a device for tokens, once somebody let it in.
pub async fn grant(app: &App, asker: Asker<'_>) -> Result<TokenResponse, OAuthError> {
    let Asker { client, form, jkt, .. } = asker;
    if !client.may(GrantType::DeviceCode) {
        return Err(OAuthError::UnauthorizedClient);
    }
    let missing = || OAuthError::InvalidRequest("`device_code` is missing".to_owned());
    let code = form.get("device_code").ok_or_else(missing)?;
    let (refresh, now) = (Opaque::new(Opaque::REFRESH)?, app.clock.now());
    let attempt = Attempt {
        hash: digest(code.as_bytes()),
        client: &client.id,
        jkt,
        refresh: refresh.hash(),
        now,
        ends: app.authorization_ends(now),
    };
    let authorization = match store::within(store::devices::redeem(&app.pool, &attempt)).await? {
        Redeemed::Fresh(authorization) => authorization,
        Redeemed::Pending => return Err(OAuthError::Pending { slower: false }),
        Redeemed::TooEarly => return Err(OAuthError::Pending { slower: true }),
        Redeemed::Denied => return Err(OAuthError::Denied),
        Redeemed::Expired => return Err(OAuthError::Expired),
        Redeemed::Replayed(authorization) => {
            revoke::end(app, authorization, "device_code_replayed", &asker.origin(app)).await?;
            return Err(BAD);
        }
        Redeemed::Unknown => return Err(BAD),
    };
    let resources = resources::narrowed(form, &authorization.resources)?;
    let scope = authorization.scope.intersection(&client.metadata.scope);
    let issue = Issue {
        client,
        authorization: &authorization,
        grant_type: GrantType::DeviceCode.as_str(),
        scope: &scope,
        resources: &resources,
        nonce: None,
        refresh: scope.contains(ScopeSet::OFFLINE).then_some(&refresh),
        jkt,
    };
    issue.issue(app, asker).await
}
