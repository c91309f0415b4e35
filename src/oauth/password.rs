//! The password grant (RFC 6749 §4.3) and its second step, for clients that an administrator trusts with passwords.
//!
//! Off unless a client registers it, and for confidential clients only. It counts on the same counters as the login
//! page (D1).

use super::{
    asker::Asker,
    error::OAuthError,
    form::Form,
    issue::{Issue, TokenResponse},
    resources,
};
use crate::{
    accounts::{Error, NewSession, SignIn},
    app::App,
    crypto::Opaque,
    model::{
        Authorization, AuthorizationId, Client, GrantType, InvalidScope, Login, RequestedClaims, ScopeSet, Secret,
    },
    store,
};

/// Exchanges a name and a password for a token.
pub async fn grant(app: &App, asker: Asker<'_>) -> Result<TokenResponse, OAuthError> {
    let Asker { client, form, origin, .. } = asker;
    let scope = scope(client, form)?;
    let missing = || OAuthError::InvalidRequest("`username` and `password` are needed".to_owned());
    let (username, password) = form.get("username").zip(form.get("password")).ok_or_else(missing)?;
    let signed_in = app.accounts.sign_in(username, Secret::new(password.to_owned()), origin).await.map_err(refused)?;
    match signed_in {
        SignIn::Done(session) => issue(app, asker, &session, scope, GrantType::Password.as_str()).await,
        SignIn::SecondFactor(token) => Err(OAuthError::MfaRequired { mfa_token: token.expose().to_owned() }),
    }
}

/// Exchanges `mfa_token` and a code for a token.
pub async fn second_step(app: &App, asker: Asker<'_>) -> Result<TokenResponse, OAuthError> {
    let Asker { client, form, origin, .. } = asker;
    let scope = scope(client, form)?;
    let missing = || OAuthError::InvalidRequest("`mfa_token` and `otp` are needed".to_owned());
    let (token, code) = form.get("mfa_token").zip(form.get("otp")).ok_or_else(missing)?;
    let session = app.accounts.second_factor(token, code, origin).await.map_err(refused)?;
    issue(app, asker, &session, scope, GrantType::MFA_OTP).await
}

async fn issue(
    app: &App,
    asker: Asker<'_>,
    session: &NewSession,
    scope: ScopeSet,
    grant_type: &str,
) -> Result<TokenResponse, OAuthError> {
    let Asker { client, form, origin, jkt } = asker;
    let (now, refresh) = (app.clock.now(), Opaque::new(Opaque::REFRESH)?);
    let ends = app.authorization_ends(now);
    let offline = scope.contains(ScopeSet::OFFLINE) && client.may(GrantType::RefreshToken);
    let scope = if offline { scope } else { scope.without(&[ScopeSet::OFFLINE]) };
    let authorization = Authorization {
        id: AuthorizationId::new(),
        client: client.id.clone(),
        login: Login::from(&session.session),
        scope,
        resources: resources::asked(form)?,
        claims: RequestedClaims::default(),
        jkt: jkt.map(str::to_owned),
        created_at: now,
        expires_at: if offline { ends.refresh } else { ends.access },
    };
    let hash = refresh.hash();
    let first = offline.then_some((&hash, ends.idle));
    store::within(store::authorizations::insert(&app.pool, &authorization, first)).await?;
    let issue = Issue {
        client,
        authorization: &authorization,
        grant_type,
        scope: &authorization.scope,
        resources: &authorization.resources,
        nonce: None,
        refresh: offline.then_some(&refresh),
        jkt,
    };
    issue.issue(app, origin).await
}

/// What is asked for, else everything that the client may have on behalf of a person. Asking about anybody is the
/// client's own affair.
fn scope(client: &Client, form: &Form) -> Result<ScopeSet, OAuthError> {
    if !client.may(GrantType::Password) || !client.is_confidential() {
        return Err(OAuthError::UnauthorizedClient);
    }
    let asked = match form.get("scope") {
        None => client.metadata.scope.clone(),
        Some(text) => text.parse().map_err(|error: InvalidScope| OAuthError::InvalidScope(error.to_string()))?,
    };
    if !asked.is_subset(&client.metadata.scope) {
        return Err(OAuthError::InvalidScope("this client may not have every scope it asks for".to_owned()));
    }
    Ok(asked.without(&[ScopeSet::CHECK]))
}

/// The same answer to a wrong password, to an unknown name and to a person who may not log in (N-101).
fn refused(error: Error) -> OAuthError {
    match error {
        Error::Wrong => {
            OAuthError::InvalidGrant("the credentials are wrong, or there were too many attempts: wait a moment")
        }
        Error::Spent => OAuthError::InvalidGrant("this login does not wait any more: begin again"),
        Error::Refused => OAuthError::InvalidGrant("the policies do not allow this person to log in here"),
        Error::MfaNeeded => OAuthError::InvalidGrant("a second factor is needed here, and this person has none"),
        other => other.into(),
    }
}
