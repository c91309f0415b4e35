//! What an authorization request asks for, judged in the order in which the specifications want it judged.
//!
//! First [`identify`]: whatever is wrong with the client or its redirect URI is told to the person, and nobody is
//! redirected (RFC 6749 §4.1.2.1). Then [`read`]: whatever else is wrong is told to the client.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    destination::{Destination, ResponseMode},
    prompt::Prompt,
    requested::{self, Asked},
};
use crate::{
    app::App,
    config::Pkce,
    model::{ApplicationType, Client, GrantType, RequestedClaims, ScopeSet, SessionRecord},
    oauth::Parameters,
    tokens::Registered,
    web::ApiError,
};

/// An authorization request that makes sense.
#[derive(Debug)]
pub struct AuthorizationRequest {
    /// What may be granted: of what was asked for, what the client registered.
    pub scope: ScopeSet,
    /// For which resource servers (RFC 8707).
    pub resources: Vec<String>,
    /// Comes back in the ID token, byte for byte.
    pub nonce: Option<String>,
    /// S256 (RFC 7636 §4.2).
    pub challenge: Option<String>,
    /// What to ask the person, or not to.
    pub prompt: Prompt,
    /// Seconds since the person proved who they are.
    pub max_age: Option<u32>,
    /// Whether a second factor is asked for.
    pub second_factor: Wanted,
    /// The person that has to answer.
    pub whom: Option<Whom>,
    /// The name that the person probably has.
    pub login_hint: Option<String>,
    /// Claims that are asked for by name, of scopes that the client registered.
    pub claims: RequestedClaims,
    /// Thumbprint of the key that the code is bound to (RFC 9449 §10).
    pub jkt: Option<String>,
}

/// The person that a client means, as they are named to some client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whom {
    /// To which client.
    pub client: String,
    /// How.
    pub subject: String,
}

/// How much something is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// Not at all.
    No,
    /// If it can be had.
    Preferred,
    /// Or else the request fails.
    Essential,
}

/// What is wrong, as the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A code of RFC 6749 §4.1.2.1 or OpenID Connect Core §3.1.2.6.
    pub error: &'static str,
    /// For its developers.
    pub description: String,
}

impl Fault {
    /// Something wrong.
    pub fn new(error: &'static str, description: impl Into<String>) -> Self {
        Self { error, description: description.into() }
    }

    fn invalid(description: impl Into<String>) -> Self {
        Self::new("invalid_request", description)
    }
}

/// The client of a request, and where its answer goes.
///
/// # Errors
/// There is no such client, or the redirect URI is not its own.
pub async fn identify(app: &App, parameters: &Parameters) -> Result<(Arc<Registered>, Destination), ApiError> {
    let wrong = |message: &str| ApiError::BadRequest { code: "invalid_request", message: message.to_owned() };
    for name in ["client_id", "redirect_uri"] {
        if parameters.is_repeated(name) {
            return Err(wrong(&format!("the application sent `{name}` more than once")));
        }
    }
    let id = parameters.get("client_id").ok_or_else(|| wrong("the application did not say who it is (`client_id`)"))?;
    let client = match id.parse() {
        Ok(id) => app.clients.find(&id).await?,
        Err(_) => None,
    };
    let client = client.ok_or_else(|| wrong("no such application is registered here (`client_id`)"))?;
    let destination = Destination::prove(&client.client.metadata, parameters)
        .ok_or_else(|| wrong("the address to return to is not one that the application registered (`redirect_uri`)"))?;
    Ok((client, destination))
}

/// Reads the rest of a request. `pushed`: the client sent it directly (RFC 9126).
pub fn read(app: &App, client: &Client, parameters: &Parameters, pushed: bool) -> Result<AuthorizationRequest, Fault> {
    if let Some(name) = parameters.repeated() {
        // Its name may be anybody's text.
        let name = if name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') { name } else { "a parameter" };
        return Err(Fault::invalid(format!("`{name}` is there more than once")));
    }
    unsupported(parameters)?;
    response(client, parameters)?;
    if client.metadata.require_pushed_authorization_requests && !pushed {
        return Err(Fault::invalid("this client pushes its requests: send `request_uri` (RFC 9126)"));
    }
    let prompt = Prompt::read(parameters.get("prompt"))?;
    let asked = requested::read(parameters)?;
    Ok(AuthorizationRequest {
        scope: scope(client, parameters, prompt)?,
        resources: resources(parameters)?,
        nonce: nonce(parameters)?,
        challenge: challenge(app, client, parameters)?,
        max_age: max_age(parameters)?.or(client.metadata.default_max_age),
        second_factor: second_factor(parameters, &asked),
        whom: whom(app, parameters, &asked)?,
        login_hint: parameters.get("login_hint").map(str::to_owned),
        claims: asked.claims.within(&client.metadata.scope),
        jkt: jkt(parameters)?,
        prompt,
    })
}

/// What would change the meaning of a request and is not understood must not be passed over (N-026, N-027, N-028).
fn unsupported(parameters: &Parameters) -> Result<(), Fault> {
    for (name, error) in [
        ("request", "request_not_supported"),
        ("request_uri", "request_uri_not_supported"),
        ("registration", "registration_not_supported"),
    ] {
        if parameters.get(name).is_some() {
            return Err(Fault::new(error, format!("`{name}` is not supported here")));
        }
    }
    Ok(())
}

fn response(client: &Client, parameters: &Parameters) -> Result<(), Fault> {
    if parameters.get("response_mode").is_some_and(|mode| ResponseMode::parse(mode).is_none()) {
        return Err(Fault::invalid("`response_mode` is `query` or `form_post`"));
    }
    match parameters.get("response_type") {
        Some("code") if client.may(GrantType::AuthorizationCode) => Ok(()),
        Some("code") => Err(Fault::new("unauthorized_client", "this client did not register `authorization_code`")),
        Some(_) => Err(Fault::new("unsupported_response_type", "`response_type` is `code`")),
        None => Err(Fault::invalid("`response_type` is missing")),
    }
}

/// What the client did not register is left out, and the token response says so (RFC 6749 §3.3). Access while the person
/// is away needs that they were asked (OpenID Connect Core §11), unless the client is of the house or their own.
fn scope(client: &Client, parameters: &Parameters, prompt: Prompt) -> Result<ScopeSet, Fault> {
    let asked: ScopeSet = match parameters.get("scope") {
        Some(text) => text.parse().map_err(|_| Fault::new("invalid_scope", "`scope` is words with single spaces"))?,
        None => ScopeSet::default(),
    };
    // Asking about anybody is the client's own affair, never in somebody's name.
    let granted = asked.intersection(&client.metadata.scope).without(&[ScopeSet::CHECK]);
    let native = client.metadata.application_type == Some(ApplicationType::Native);
    let offline = client.may(GrantType::RefreshToken) && (prompt.consent || native || client.first_party);
    Ok(if offline { granted } else { granted.without(&[ScopeSet::OFFLINE]) })
}

/// RFC 8707 §2.
fn resources(parameters: &Parameters) -> Result<Vec<String>, Fault> {
    let resources: Vec<String> = parameters.values("resource").map(str::to_owned).collect();
    if resources.len() <= MOST_RESOURCES && resources.iter().all(|resource| is_resource(resource)) {
        Ok(resources)
    } else {
        Err(Fault::new("invalid_target", "`resource` is an absolute URI without a fragment, at most 10 of them"))
    }
}

/// Most resource servers of one token.
pub const MOST_RESOURCES: usize = 10;

/// Whether a text names a resource server.
pub fn is_resource(text: &str) -> bool {
    let plain = text.len() <= 512 && text.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'"' && b != b'\\');
    plain && !text.contains('#') && url::Url::parse(text).is_ok()
}

fn nonce(parameters: &Parameters) -> Result<Option<String>, Fault> {
    match parameters.get("nonce") {
        Some(nonce) if nonce.len() > 1024 || nonce.contains('\0') => {
            Err(Fault::invalid("`nonce` has at most 1024 bytes and no NUL"))
        }
        nonce => Ok(nonce.map(str::to_owned)),
    }
}

/// RFC 7636 §4.3, RFC 9700 §2.1.1. The plain method is none.
fn challenge(app: &App, client: &Client, parameters: &Parameters) -> Result<Option<String>, Fault> {
    match (parameters.get("code_challenge"), parameters.get("code_challenge_method")) {
        (Some(challenge), Some("S256")) if is_digest(challenge) => Ok(Some(challenge.to_owned())),
        (Some(_), Some("S256")) => Err(Fault::invalid("`code_challenge` is 43 characters of base64url")),
        (Some(_), None) => Err(Fault::invalid("send `code_challenge_method=S256`: `plain` is not supported")),
        (Some(_), Some(_)) => Err(Fault::invalid("transform algorithm not supported: use `S256`")),
        (None, Some(_)) => Err(Fault::invalid("`code_challenge` is missing")),
        (None, None) => {
            let exempt = app.config.pkce == Pkce::PublicClients || client.metadata.require_pkce == Some(false);
            if exempt && client.is_confidential() {
                Ok(None)
            } else {
                Err(Fault::invalid("`code_challenge` is missing"))
            }
        }
    }
}

fn jkt(parameters: &Parameters) -> Result<Option<String>, Fault> {
    match parameters.get("dpop_jkt") {
        Some(jkt) if !is_digest(jkt) => Err(Fault::invalid("`dpop_jkt` is a SHA-256 thumbprint in base64url")),
        jkt => Ok(jkt.map(str::to_owned)),
    }
}

/// Whether this is SHA-256 in base64url.
fn is_digest(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

/// Never a number that means no limit (N-047).
fn max_age(parameters: &Parameters) -> Result<Option<u32>, Fault> {
    let digits = |text: &&str| text.bytes().all(|b| b.is_ascii_digit());
    let read = |text: &str| Some(text).filter(digits).and_then(|text| text.parse().ok());
    let number = |text| read(text).ok_or_else(|| Fault::invalid("`max_age` is a number of seconds"));
    parameters.get("max_age").map(number).transpose()
}

/// `acr_values` is a wish, the first known one counts; `claims` can insist (OpenID Connect Core §5.5.1.1).
fn second_factor(parameters: &Parameters, asked: &Asked) -> Wanted {
    let known = |value: &&str| [SessionRecord::ACR_MFA, SessionRecord::ACR_PASSWORD].contains(value);
    match asked.acr {
        Wanted::No => match parameters.get("acr_values").unwrap_or_default().split(' ').find(known) {
            Some(SessionRecord::ACR_MFA) => Wanted::Preferred,
            Some(_) | None => Wanted::No,
        },
        wanted => wanted,
    }
}

fn whom(app: &App, parameters: &Parameters, asked: &Asked) -> Result<Option<Whom>, Fault> {
    let hinted = parameters.get("id_token_hint").map(|token| {
        let hint = app.tokens.read_hint(token).map_err(|_| Fault::invalid("`id_token_hint` is no ID token of ours"))?;
        Ok(Whom { client: hint.client, subject: hint.sub })
    });
    let hinted = hinted.transpose()?;
    let client = parameters.get("client_id").unwrap_or_default().to_owned();
    let named = asked.subject.clone().map(|subject| Whom { client, subject });
    match (hinted, named) {
        (Some(one), Some(other)) if one != other => Err(Fault::invalid("the request names two different people")),
        (hinted, named) => Ok(hinted.or(named)),
    }
}
