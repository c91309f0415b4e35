//! The authorization endpoint (RFC 6749 §3.1, OpenID Connect Core §3.1.2): a person lets a client act for them.
//!
//! One pass over a request, again and again until nothing stands in the way: who asks and where the answer goes, what is
//! asked, who is signed in, what they have to be asked. Whatever the person does in between leads back here.

mod consent;
mod destination;
mod interaction;
mod prompt;
pub mod pushed;
mod request;
mod requested;
mod waiting;

use axum::{
    body::Bytes,
    extract::{RawQuery, State},
    http::{HeaderMap, header},
    response::Response,
};

pub use self::{
    consent::{answer as answer_consent, ask as ask_consent},
    destination::ResponseMode,
    request::{Fault, MOST_RESOURCES, is_resource},
};
use self::{
    destination::Destination,
    interaction::{How, Interaction, Next},
    request::AuthorizationRequest,
    waiting::Waiting,
};
use crate::{
    app::App,
    crypto::Opaque,
    model::{Authorization, AuthorizationId, Client, CodeGrant, Event, Login, Principal, ScopeSet, SessionRecord},
    oauth::Parameters,
    store,
    web::{
        ApiError,
        browser::{Browser, PageError, PageResult, see_other},
    },
};

/// Let a person authorize a client.
#[utoipa::path(get, path = "/oauth/authorize", tag = "oauth", security(()), responses(
    (status = 303, description = "To the client with `code`, `state` and `iss`, or with `error`; or to sign in"),
    (status = 400, description = "A page: the client or its redirect URI is not known")))]
pub async fn get(State(app): State<App>, browser: Browser, RawQuery(query): RawQuery) -> PageResult {
    let parameters = Parameters::read(query.unwrap_or_default().as_bytes())?;
    authorize(&app, &browser, parameters, false).await
}

/// Let a person authorize a client, by a form (OpenID Connect Core §3.1.2.1).
#[utoipa::path(post, path = "/oauth/authorize", tag = "oauth", security(()),
    request_body(content = Object, content_type = "application/x-www-form-urlencoded"), responses(
    (status = 303, description = "To the client with `code`, `state` and `iss`, or with `error`; or to sign in"),
    (status = 400, description = "A page: the client or its redirect URI is not known")))]
pub async fn post(State(app): State<App>, browser: Browser, headers: HeaderMap, body: Bytes) -> PageResult {
    let ty = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !ty.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        return Err(ApiError::UnsupportedMediaType.into());
    }
    // A form from elsewhere comes without our cookies, which are `SameSite=Lax`; a link brings them.
    let origin = headers.get(header::ORIGIN).and_then(|origin| origin.to_str().ok());
    let withheld = origin.is_some_and(|origin| origin != app.config.issuer.origin());
    authorize(&app, &browser, Parameters::read(&body)?, withheld).await
}

/// `withheld`: the browser may have cookies of ours that it did not send.
async fn authorize(app: &App, browser: &Browser, parameters: Parameters, withheld: bool) -> PageResult {
    let waiting = Waiting::find(app, &parameters).await?;
    let parameters = waiting.as_ref().map_or(parameters, |waiting| waiting.parameters.clone());
    let (registered, destination) = request::identify(app, &parameters).await?;
    let client = &registered.client;
    let session = browser.session(app).await?;
    let at = Place { app, browser, client, destination: &destination, parameters: &parameters, waiting };
    if withheld && session.is_none() {
        let to = at.hold(None).await?;
        return Ok(see_other(&browser.frame(app).path(to.as_str())));
    }
    let pushed = at.waiting.as_ref().is_some_and(|waiting| waiting.pushed);
    let request = match request::read(app, client, &parameters, pushed) {
        Ok(request) => request,
        // Whoever registered themselves must not make this a way from our address to theirs that needs no click
        // (RFC 9700 §4.11.2).
        Err(_) if client.self_registered && session.is_none() && parameters.get("prompt") != Some("none") => {
            return at.sign_in(None, How::Anew, None).await;
        }
        Err(fault) => return at.refuse(&fault).await,
    };
    let session = session.as_ref();
    let interaction =
        Interaction { client, request: &request, destination: &destination, session, waiting: at.waiting.as_ref() };
    match (interaction.next(app).await?, session) {
        (Next::Grant(scope), Some(session)) => at.grant(&request, session, scope).await,
        (Next::Refuse(fault), _) => at.refuse(&fault).await,
        (Next::SignIn(how), _) => at.sign_in(session, how, request.login_hint.as_deref()).await,
        (Next::SecondFactor, _) => {
            let to = at.hold(session).await?;
            Ok(see_other(&browser.frame(app).path(&format!("/login/mfa{}", to.query()))))
        }
        (Next::Consent, _) => at.ask(session).await,
        (Next::Grant(_), None) => Err(ApiError::Internal("nobody can grant anything".into()).into()),
    }
}

/// A request on its way to an answer.
struct Place<'a> {
    app: &'a App,
    browser: &'a Browser,
    client: &'a Client,
    destination: &'a Destination,
    parameters: &'a Parameters,
    waiting: Option<Waiting>,
}

impl Place<'_> {
    /// The request as it waits for the person: it goes on waiting, or begins to.
    async fn hold(&self, session: Option<&SessionRecord>) -> Result<crate::web::browser::ReturnTo, ApiError> {
        match &self.waiting {
            Some(waiting) if waiting.taken => Ok(waiting.next()),
            before => waiting::hold(self.app, self.client, self.parameters, session, before.as_ref()).await,
        }
    }

    async fn sign_in(&self, session: Option<&SessionRecord>, how: How, hint: Option<&str>) -> PageResult {
        let to = self.hold(session).await?;
        let mut path = format!("/login{}", to.query());
        match how {
            How::Anew => {}
            How::Again => path.push_str("&again=1"),
            How::AsAnother => path.push_str("&another=1"),
        }
        if let Some(hint) = hint {
            path.push_str("&login_hint=");
            path.extend(url::form_urlencoded::byte_serialize(hint.as_bytes()));
        }
        Ok(see_other(&self.browser.frame(self.app).path(&path)))
    }

    async fn ask(&self, session: Option<&SessionRecord>) -> PageResult {
        let to = self.hold(session).await?;
        Ok(see_other(&self.browser.frame(self.app).path(&consent::path(&to))))
    }

    /// Nothing waits any longer.
    async fn refuse(&self, fault: &Fault) -> PageResult {
        if let Some(waiting) = &self.waiting {
            store::within(store::authorization_requests::consume(&self.app.pool, &waiting.hash)).await?;
        }
        Ok(self.answer(&[("error", fault.error), ("error_description", &fault.description)]))
    }

    /// Makes a code. The request that waited for it is used up with it.
    async fn grant(&self, request: &AuthorizationRequest, session: &SessionRecord, scope: ScopeSet) -> PageResult {
        let (app, now) = (self.app, self.app.clock.now());
        let lifetime = |setting: std::time::Duration| setting.try_into().unwrap_or(time::Duration::MINUTE);
        let until = now + lifetime(app.config.code_lifetime);
        let authorization = Authorization {
            id: AuthorizationId::new(),
            client: self.client.id.clone(),
            generation: self.waiting.as_ref().map_or(self.client.generation, |waiting| waiting.generation),
            login: Login::from(session),
            scope,
            resources: request.resources.clone(),
            claims: request.claims.clone(),
            jkt: request.jkt.clone(),
            created_at: now,
            expires_at: until,
        };
        let event = Event::new("authorized", &self.browser.origin).by(Principal::User(session.user));
        let event = event.on(Principal::Client(self.client.id.clone()).entity());
        let event = event.with("scope", authorization.scope.to_string());
        let code = CodeGrant {
            authorization,
            redirect_uri: self.destination.uri().to_owned(),
            nonce: request.nonce.clone(),
            challenge: request.challenge.clone(),
        };
        let secret = Opaque::new(Opaque::CODE)?;
        let write = async {
            let mut tx = app.pool.begin().await?;
            if let Some(waiting) = &self.waiting
                && !store::authorization_requests::consume(&mut *tx, &waiting.hash).await?
            {
                return Ok(false);
            }
            store::codes::insert(&mut *tx, &secret.hash(), &code, until).await?;
            store::audit::insert(&mut *tx, now, &event).await?;
            tx.commit().await?;
            Ok::<_, store::Error>(true)
        };
        if store::within(write).await? {
            Ok(self.answer(&[("code", secret.expose())]))
        } else {
            Err(PageError::from(waiting::over()))
        }
    }

    fn answer(&self, fields: &[(&str, &str)]) -> Response {
        self.destination.answer(self.app.config.issuer.as_str(), &self.browser.frame(self.app), fields)
    }
}
