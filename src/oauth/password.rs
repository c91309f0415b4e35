//! The password grant (RFC 6749 §4.3) and its second step, for clients that an administrator trusts with passwords.
//!
//! Off unless a client registers it, and for confidential clients only. It counts on the same counters as the login
//! page (D1).

use time::OffsetDateTime;

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
    store::sessions::Allowed,
};

/// Exchanges a name and a password for a token.
pub async fn grant(app: &App, asker: Asker<'_>) -> Result<TokenResponse, OAuthError> {
    let Asker { client, form, .. } = asker;
    let scope = scope(client, form)?;
    let missing = || OAuthError::InvalidRequest("`username` and `password` are needed".to_owned());
    let (username, password) = form.get("username").zip(form.get("password")).ok_or_else(missing)?;
    let wanted = Wanted::new(app, asker, scope)?;
    let password = Secret::new(password.to_owned());
    match app
        .accounts
        .sign_in(username, password, Some(&wanted.allowed()), &asker.origin(app))
        .await
        .map_err(refused)?
    {
        SignIn::Done(session) => wanted.issue(app, asker, &session, GrantType::Password.as_str()).await,
        SignIn::SecondFactor(token) => Err(OAuthError::MfaRequired { mfa_token: token.expose().to_owned() }),
    }
}

/// Exchanges `mfa_token` and a code for a token.
pub async fn second_step(app: &App, asker: Asker<'_>) -> Result<TokenResponse, OAuthError> {
    let Asker { client, form, .. } = asker;
    let scope = scope(client, form)?;
    let missing = || OAuthError::InvalidRequest("`mfa_token` and `otp` are needed".to_owned());
    let (token, code) = form.get("mfa_token").zip(form.get("otp")).ok_or_else(missing)?;
    let wanted = Wanted::new(app, asker, scope)?;
    let session =
        app.accounts.second_factor(token, code, Some(&wanted.allowed()), &asker.origin(app)).await.map_err(refused)?;
    wanted.issue(app, asker, &session, GrantType::MFA_OTP).await
}

/// What the application gets when the person is who they say.
struct Wanted {
    id: AuthorizationId,
    generation: i32,
    scope: ScopeSet,
    resources: Vec<String>,
    jkt: Option<String>,
    expires_at: OffsetDateTime,
    /// With when it expires unless it is used.
    refresh: Option<(Opaque, OffsetDateTime)>,
}

impl Wanted {
    fn new(app: &App, asker: Asker<'_>, scope: ScopeSet) -> Result<Self, OAuthError> {
        let ends = app.authorization_ends(app.clock.now());
        let offline = scope.contains(ScopeSet::OFFLINE) && asker.client.may(GrantType::RefreshToken);
        Ok(Self {
            id: AuthorizationId::new(),
            generation: asker.client.generation,
            scope: if offline { scope } else { scope.without(&[ScopeSet::OFFLINE]) },
            resources: resources::asked(asker.form)?,
            jkt: asker.jkt.map(str::to_owned),
            expires_at: if offline { ends.refresh } else { ends.access },
            refresh: if offline { Some((Opaque::new(Opaque::REFRESH)?, ends.idle)) } else { None },
        })
    }

    /// For the database, which takes it in together with the session.
    fn allowed(&self) -> Allowed<'_> {
        Allowed {
            id: self.id,
            generation: self.generation,
            scope: &self.scope,
            resources: &self.resources,
            jkt: self.jkt.as_deref(),
            expires_at: self.expires_at,
            refresh: self.refresh.as_ref().map(|(token, idle)| (token.hash(), *idle)),
        }
    }

    async fn issue(
        self,
        app: &App,
        asker: Asker<'_>,
        session: &NewSession,
        grant_type: &str,
    ) -> Result<TokenResponse, OAuthError> {
        let authorization = Authorization {
            id: self.id,
            client: asker.client.id.clone(),
            generation: asker.client.generation,
            login: Login::from(&session.session),
            scope: self.scope,
            resources: self.resources,
            claims: RequestedClaims::default(),
            jkt: self.jkt,
            created_at: session.session.created_at,
            expires_at: self.expires_at,
        };
        let issue = Issue {
            client: asker.client,
            authorization: &authorization,
            grant_type,
            scope: &authorization.scope,
            resources: &authorization.resources,
            nonce: None,
            refresh: self.refresh.as_ref().map(|(token, _)| token),
            jkt: asker.jkt,
        };
        issue.issue(app, asker).await
    }
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
