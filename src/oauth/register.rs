//! Dynamic client registration (RFC 7591) and its management (RFC 7592).
//!
//! What a client says that does not apply here is left out or replaced rather than refused, as RFC 7591 §2 allows;
//! the answer says what was registered. It can never give itself what is an administrator's to give: scopes of this
//! server's own API, the password grant, doing without PKCE or without consent.

use axum::{
    Json,
    body::Bytes,
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::IntoResponse,
};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::{
    bearer::bearer,
    error::{OAuthError, OAuthErrorBody, no_store},
};
use crate::{
    app::App,
    config::Registration,
    crypto::{Opaque, digest},
    model::{
        Client, ClientId, ClientMetadata, EntityRef, Event, GrantType, Members, MetadataFault, Origin, Principal,
        ScopeSet,
    },
    pdp::Write,
    store::{self, clients::Known, revision::Change},
    tokens::{self, Registered},
    web::Caller,
};

/// A registered client (RFC 7591 §3.2.1).
#[derive(Debug, Serialize, ToSchema)]
pub struct Information {
    #[schema(value_type = String)]
    client_id: ClientId,
    /// Shown once, when it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    /// 0: it does not expire. With `client_secret`.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret_expires_at: Option<u8>,
    client_id_issued_at: i64,
    registration_access_token: String,
    registration_client_uri: String,
    #[serde(flatten)]
    metadata: ClientMetadata,
}

/// Register a client.
#[utoipa::path(post, path = "/oauth/register", tag = "oauth", request_body = ClientMetadata, responses(
    (status = 201, body = Information), (status = "default", body = OAuthErrorBody)))]
pub async fn register(
    State(app): State<App>,
    origin: Origin,
    mut parts: Parts,
    body: Bytes,
) -> Result<impl IntoResponse, OAuthError> {
    let admitted = admit(&app, &mut parts).await?;
    let metadata = read(&parts.headers, &body).and_then(adopt)?;
    app.clients.check_sector(&metadata).await.map_err(refused)?;
    let client = Client::new(ClientId::new(), metadata, app.clock.now());
    let secret = tokens::fresh_secret(client.metadata.token_endpoint_auth_method)?;
    let token = Opaque::new(Opaque::REGISTRATION)?;
    let known = Known {
        client: Client { self_registered: true, ..client },
        secret: secret.as_ref().map(Opaque::hash),
        registration: Some(token.hash()),
    };
    let mut write = app.pdp.write().await?;
    let event = Event::new("client_registered", &origin).with("name", known.client.name());
    let event = match admitted {
        Admitted::Anybody => event,
        Admitted::Caller(caller) => event.by(caller),
        Admitted::Initial(hash) => {
            let used = store::registration_tokens::consume(write.conn(), &hash, app.clock.now()).await?;
            let used = used.ok_or(OAuthError::InvalidToken { presented: true })?;
            event.with("registration_token", used.to_string())
        }
    };
    store::clients::insert(write.conn(), &known).await?;
    finish(&app, write, &known.client.id, event).await?;
    let information = Information::new(&app, known.client, secret.as_ref(), token.expose());
    Ok((StatusCode::CREATED, no_store(), Json(information)))
}

/// Show what is registered.
#[utoipa::path(get, path = "/oauth/register/{client_id}", tag = "oauth", params(("client_id" = String, Path)),
    responses((status = 200, body = Information), (status = "default", body = OAuthErrorBody)))]
pub async fn show(
    State(app): State<App>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, OAuthError> {
    let (found, token) = manage(&app, &headers, &id).await?;
    Ok((no_store(), Json(Information::new(&app, found.client.clone(), None, token))))
}

/// Replace what is registered. What is left out is taken away.
#[utoipa::path(put, path = "/oauth/register/{client_id}", tag = "oauth", params(("client_id" = String, Path)),
    request_body = ClientMetadata, responses((status = 200, body = Information),
    (status = "default", body = OAuthErrorBody)))]
pub async fn replace(
    State(app): State<App>,
    Path(id): Path<String>,
    origin: Origin,
    headers: HeaderMap,
    body: Bytes,
) -> Result<impl IntoResponse, OAuthError> {
    let (found, token) = manage(&app, &headers, &id).await?;
    let members = read(&headers, &body)?;
    check_identity(&members, &found)?;
    let metadata = adopt(members)?;
    app.clients.check_sector(&metadata).await.map_err(refused)?;
    let mut write = app.pdp.write().await?;
    let known = store::clients::find_known(write.conn(), &found.client.id).await?;
    // It may have been replaced or removed since.
    let known = known.filter(|known| Opaque::matches(token, known.registration.as_ref()));
    let mut known = known.ok_or(OAuthError::InvalidToken { presented: true })?;
    let method = metadata.token_endpoint_auth_method;
    let kept = known.secret.filter(|_| method.has_secret());
    let fresh = if kept.is_none() { tokens::fresh_secret(method)? } else { None };
    let changed = known.client.metadata.differs_in(&metadata);
    known.client.metadata = metadata;
    store::clients::update(write.conn(), &known.client, kept.or(fresh.as_ref().map(Opaque::hash))).await?;
    let event = Event::new("client_updated", &origin).by(Principal::Client(known.client.id.clone()));
    let event = event.with("changed", changed).with("secret", if fresh.is_some() { "new" } else { "kept" });
    finish(&app, write, &known.client.id, event).await?;
    Ok((no_store(), Json(Information::new(&app, known.client, fresh.as_ref(), token))))
}

/// Remove the client. Its tokens are dead at once.
#[utoipa::path(delete, path = "/oauth/register/{client_id}", tag = "oauth", params(("client_id" = String, Path)),
    responses((status = 204), (status = "default", body = OAuthErrorBody)))]
pub async fn remove(
    State(app): State<App>,
    Path(id): Path<String>,
    origin: Origin,
    headers: HeaderMap,
) -> Result<impl IntoResponse, OAuthError> {
    let (found, _) = manage(&app, &headers, &id).await?;
    let mut write = app.pdp.write().await?;
    if !store::clients::delete(write.conn(), &found.client.id).await? {
        return Err(OAuthError::InvalidToken { presented: true });
    }
    let principal = Principal::Client(found.client.id.clone());
    store::assignments::delete_all(write.conn(), &principal).await?;
    let event = Event::new("client_removed", &origin).by(principal);
    finish(&app, write, &found.client.id, event).await?;
    Ok((StatusCode::NO_CONTENT, no_store()))
}

/// Commits what was done to a client, on record.
async fn finish(app: &App, mut write: Write, client: &ClientId, event: Event<'_>) -> Result<(), OAuthError> {
    let principal = Principal::Client(client.clone());
    store::audit::insert(write.conn(), app.clock.now(), &event.on(principal.entity())).await?;
    write.changed(Change::Principal(principal));
    write.commit().await?;
    Ok(())
}

/// Who may register a client.
enum Admitted {
    Anybody,
    /// Whoever has an initial access token of this hash, which is still to be used up.
    Initial([u8; 32]),
    /// An administrator.
    Caller(Principal),
}

async fn admit(app: &App, parts: &mut Parts) -> Result<Admitted, OAuthError> {
    if app.config.registration == Registration::Off {
        return Err(OAuthError::AccessDenied("clients are registered by an administrator here"));
    }
    match bearer(&parts.headers) {
        Ok(None) if app.config.registration == Registration::Open => Ok(Admitted::Anybody),
        Ok(None) => Err(OAuthError::InvalidToken { presented: false }),
        Ok(Some(token)) if token.starts_with(Opaque::INITIAL_ACCESS) => {
            let hash = digest(token.as_bytes());
            let good = store::registration_tokens::is_good(&app.pool, &hash, app.clock.now());
            if store::within(good).await? {
                Ok(Admitted::Initial(hash))
            } else {
                Err(OAuthError::InvalidToken { presented: true })
            }
        }
        // An access token, which may be bound to a key.
        Ok(Some(_)) | Err(_) => {
            let caller = Caller::from_request_parts(parts, app).await?;
            caller.require(app, "Deodar::createClient", EntityRef::new("Deodar::Server", "deodar")).await?;
            Ok(Admitted::Caller(caller.principal().clone()))
        }
    }
}

/// The client whose registration this token manages.
async fn manage<'t>(
    app: &App,
    headers: &'t HeaderMap,
    id: &str,
) -> Result<(std::sync::Arc<Registered>, &'t str), OAuthError> {
    let token = bearer(headers)?.ok_or(OAuthError::InvalidToken { presented: false })?;
    let found = match id.parse() {
        Ok(id) => app.clients.find(&id).await?,
        Err(_) => None,
    };
    let found = found.filter(|found| found.has_registration_token(token));
    Ok((found.ok_or(OAuthError::InvalidToken { presented: true })?, token))
}

fn read(headers: &HeaderMap, body: &[u8]) -> Result<Members, OAuthError> {
    let ty = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !ty.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(OAuthError::Api(crate::web::ApiError::UnsupportedMediaType));
    }
    serde_json::from_slice(body).map_err(|error| OAuthError::InvalidClientMetadata(error.to_string()))
}

/// What is registered of what a client says.
fn adopt(mut members: Members) -> Result<ClientMetadata, OAuthError> {
    let decided = |name: &str| name == "require_pkce";
    members.0.retain(|name, value| {
        let known = ClientMetadata::MEMBERS.contains(&name.as_str()) && !decided(name) && !value.is_null();
        known && (name != "userinfo_signed_response_alg" || is_one_of(value, &["RS256", "ES256", "EdDSA"]))
    });
    let own = GrantType::ALL.into_iter().filter(|grant| *grant != GrantType::Password).map(GrantType::as_str);
    let own: Vec<&str> = own.collect();
    keep(&mut members, "grant_types", &own)?;
    keep(&mut members, "response_types", &["code"])?;
    members.0.entry("grant_types").or_insert_with(|| vec![GrantType::AuthorizationCode.as_str()].into());
    members.0.entry("scope").or_insert_with(|| ScopeSet::STANDARD.join(" ").into());
    let mut metadata =
        ClientMetadata::read(members).map_err(|error| OAuthError::InvalidClientMetadata(error.to_string()))?;
    metadata.scope = metadata.scope.without(&ScopeSet::RESERVED);
    tokens::checked(metadata).map_err(|mut faults| {
        let first = faults.iter().position(|fault| fault.code == "invalid_redirect_uri").unwrap_or_default();
        refused(faults.swap_remove(first))
    })
}

fn refused(fault: MetadataFault) -> OAuthError {
    let text = format!("`{}`: {}", fault.field, fault.message);
    if fault.code == "invalid_redirect_uri" {
        OAuthError::InvalidRedirectUri(text)
    } else {
        OAuthError::InvalidClientMetadata(text)
    }
}

/// Keeps the known words of a list. A list without any says nothing that could be registered.
fn keep(members: &mut Members, name: &str, known: &[&str]) -> Result<(), OAuthError> {
    let Some(Value::Array(words)) = members.0.get_mut(name) else { return Ok(()) };
    let some = !words.is_empty();
    words.retain(|word| !word.is_string() || is_one_of(word, known));
    if some && words.is_empty() {
        let text = format!("`{name}`: none of them is supported; write some of `{}`", known.join("`, `"));
        return Err(OAuthError::InvalidClientMetadata(text));
    }
    Ok(())
}

fn is_one_of(value: &Value, words: &[&str]) -> bool {
    value.as_str().is_some_and(|text| words.contains(&text))
}

/// RFC 7592 §2.2.
fn check_identity(members: &Members, found: &Registered) -> Result<(), OAuthError> {
    let wrong = |text: &str| Err(OAuthError::InvalidRequest(text.to_owned()));
    if members.0.get("client_id").and_then(Value::as_str) != Some(found.client.id.as_str()) {
        return wrong("`client_id` must be that of the client");
    }
    let ours =
        ["registration_access_token", "registration_client_uri", "client_secret_expires_at", "client_id_issued_at"];
    if let Some(name) = ours.iter().find(|name| members.0.contains_key(**name)) {
        return Err(OAuthError::InvalidRequest(format!("`{name}` is the server's to say: leave it out")));
    }
    match members.0.get("client_secret") {
        None => Ok(()),
        Some(Value::String(secret)) if found.has_secret(secret) => Ok(()),
        Some(_) => wrong("`client_secret` is not the client's: a client cannot choose its secret"),
    }
}

impl Information {
    fn new(app: &App, client: Client, secret: Option<&Opaque>, token: &str) -> Self {
        Self {
            client_secret: secret.map(|secret| secret.expose().to_owned()),
            client_secret_expires_at: secret.map(|_| 0),
            client_id_issued_at: client.created_at.unix_timestamp(),
            registration_access_token: token.to_owned(),
            registration_client_uri: format!("{}/oauth/register/{}", app.config.issuer, client.id),
            client_id: client.id,
            metadata: client.metadata,
        }
    }
}
