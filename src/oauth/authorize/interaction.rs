//! What stands between a request and its answer: signing in, a second factor, consent.

use super::{
    destination::Destination,
    request::{AuthorizationRequest, Fault, Wanted, Whom},
    waiting::{Answer, Waiting},
};
use crate::{
    app::App,
    model::{Client, GrantType, Login, ScopeSet, SessionRecord},
    store,
    tokens::{Permit, Wish},
    web::ApiError,
};

/// What comes next.
#[derive(Debug)]
pub enum Next {
    /// Nothing: the client gets what was asked for, of this scope.
    Grant(ScopeSet),
    /// The person signs in.
    SignIn(How),
    /// The person gives a second factor.
    SecondFactor,
    /// The person is asked whether they agree.
    Consent,
    /// The client is told what is in the way.
    Refuse(Fault),
}

/// How a person signs in who may be signed in already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// Nobody is signed in.
    Anew,
    /// The same person once more.
    Again,
    /// Somebody else.
    AsAnother,
}

/// A request with everything that decides what comes next.
pub struct Interaction<'a> {
    /// Who asks.
    pub client: &'a Client,
    /// What for.
    pub request: &'a AuthorizationRequest,
    /// Where the answer goes.
    pub destination: &'a Destination,
    /// Who is signed in.
    pub session: Option<&'a SessionRecord>,
    /// The request, if it has waited already.
    pub waiting: Option<&'a Waiting>,
}

impl Interaction<'_> {
    /// Decides.
    pub async fn next(&self, app: &App) -> Result<Next, ApiError> {
        let next = self.wanted(app).await?;
        Ok(if self.request.prompt.none { next.unasked() } else { next })
    }

    async fn wanted(&self, app: &App) -> Result<Next, ApiError> {
        let Some(session) = self.session else { return Ok(Next::SignIn(How::Anew)) };
        let fresh = self.waiting.is_some_and(|waiting| waiting.has_new_login(session));
        if !fresh && self.wants_login(app, session) {
            return Ok(Next::SignIn(How::Again));
        }
        if let Some(whom) = &self.request.whom
            && !self.is_person(app, whom, session).await?
        {
            return Ok(match fresh {
                true => Next::Refuse(Fault::new("login_required", "another person is logged in")),
                false => Next::SignIn(How::AsAnother),
            });
        }
        if let Some(next) = self.second_factor(app, session).await? {
            return Ok(next);
        }
        self.consent(app, session).await
    }

    /// Whether a session is of the person that a client means.
    async fn is_person(&self, app: &App, whom: &Whom, session: &SessionRecord) -> Result<bool, ApiError> {
        if whom.client == self.client.id.as_str() {
            return Ok(whom.subject == app.tokens.subject(self.client, session.user).await?);
        }
        let other = match whom.client.parse() {
            Ok(id) => app.clients.find(&id).await?,
            Err(_) => None,
        };
        let Some(other) = other else { return Ok(false) };
        Ok(whom.subject == app.tokens.subject(&other.client, session.user).await?)
    }

    fn wants_login(&self, app: &App, session: &SessionRecord) -> bool {
        let prompt = self.request.prompt;
        let too_old = self.request.max_age.is_some_and(|seconds| {
            seconds == 0 || app.clock.now() - session.auth_time > time::Duration::seconds(seconds.into())
        });
        prompt.login || prompt.select_account || too_old
    }

    /// What the client wants, and what the policies want.
    async fn second_factor(&self, app: &App, session: &SessionRecord) -> Result<Option<Next>, ApiError> {
        let login = Login::from(session);
        let wish = Wish {
            client: self.client,
            login: Some(&login),
            grant_type: GrantType::AuthorizationCode.as_str(),
            scope: &self.request.scope,
            resources: &self.request.resources,
        };
        let permit = wish.ask(&app.pdp).await?;
        if permit == Permit::Refused {
            return Ok(Some(Next::Refuse(Fault::new("access_denied", "the policies do not allow this person here"))));
        }
        // What is only preferred is no reason to refuse where nobody can be asked (OpenID Connect Core §5.5.1.1).
        let wanted = match self.request.second_factor {
            Wanted::Preferred if self.request.prompt.none => Wanted::No,
            wanted => wanted,
        };
        if session.mfa() || (permit == Permit::Granted && wanted == Wanted::No) {
            return Ok(None);
        }
        let has_one = app.accounts.mfa(session.user).await?.totp;
        Ok(match (permit, wanted) {
            (Permit::AfterMfa, _) => Some(Next::SecondFactor),
            (_, _) if has_one => Some(Next::SecondFactor),
            (_, Wanted::Essential) => {
                let text = "this person has no second factor";
                Some(Next::Refuse(Fault::new("unmet_authentication_requirements", text)))
            }
            (_, Wanted::Preferred | Wanted::No) => None,
        })
    }

    async fn consent(&self, app: &App, session: &SessionRecord) -> Result<Next, ApiError> {
        let scope = &self.request.scope;
        match self.waiting.map_or(Answer::None, |waiting| waiting.answer_in(session)) {
            Answer::Agreed(agreed) => return Ok(Next::Grant(scope.intersection(agreed))),
            Answer::Declined => return Ok(Next::Refuse(Fault::new("access_denied", "the person does not agree"))),
            Answer::None => {}
        }
        if self.request.prompt.consent {
            return Ok(Next::Consent);
        }
        // Anybody can say that they are a public client. Its own `https` address vouches for it at best (RFC 8252 §8.6),
        // which is enough for what belongs to the house, and not for what a person agreed to (V-074).
        if self.client.first_party && (self.client.is_confidential() || self.destination.uri().starts_with("https:")) {
            return Ok(Next::Grant(scope.clone()));
        }
        if !self.client.is_confidential() {
            return Ok(Next::Consent);
        }
        let before = store::within(store::consents::find(&app.pool, session.user, &self.client.id)).await?;
        let Some(before) = before else { return Ok(Next::Consent) };
        Ok(if self.request.disclosed().is_subset(&before) { Next::Grant(scope.clone()) } else { Next::Consent })
    }
}

impl AuthorizationRequest {
    /// What a person is asked for: the scopes, and those whose claims are asked for one by one.
    pub fn disclosed(&self) -> ScopeSet {
        self.scope.union(&self.claims.iter().map(|claim| claim.scope().to_owned()).collect())
    }
}

impl Next {
    /// The same, where the person must not be asked (OpenID Connect Core §3.1.2.6).
    fn unasked(self) -> Self {
        let refuse = |error, text: &str| Self::Refuse(Fault::new(error, text));
        match self {
            Self::SignIn(_) => refuse("login_required", "the person is not logged in as the request asks"),
            Self::SecondFactor => refuse("interaction_required", "a second factor is needed"),
            Self::Consent => refuse("consent_required", "the person has not agreed to this"),
            Self::Grant(_) | Self::Refuse(_) => self,
        }
    }
}
