//! OAuth clients, by the member names of RFC 7591.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    authority::{self, Act, Gives},
    server,
};
use crate::{
    app::App,
    crypto::Opaque,
    model::{AuthMethod, Client, ClientId, EntityRef, GrantType, Principal, ScopeSet},
    store::{self, revision::Change},
    web::{ApiError, Body, Caller, Cursor, FieldFault, Page, Params, PathOf, Problem, Revised},
};

/// A client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Client)]
pub struct ClientView {
    #[schema(value_type = String)]
    client_id: ClientId,
    /// Shown once, when it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    client_name: String,
    redirect_uris: Vec<String>,
    grant_types: Vec<GrantType>,
    /// Scopes it may ask for, separated by spaces.
    #[schema(value_type = String)]
    scope: ScopeSet,
    token_endpoint_auth_method: AuthMethod,
    active: bool,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// A client to be registered.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    /// For people.
    client_name: String,
    /// Exact URIs that authorization answers may go to.
    #[serde(default)]
    redirect_uris: Vec<String>,
    /// `client_credentials` when left out.
    #[serde(default = "client_credentials")]
    grant_types: Vec<GrantType>,
    /// Scopes it may ask for, separated by spaces.
    #[serde(default)]
    scope: String,
    /// `client_secret_basic` when left out.
    #[serde(default = "basic")]
    token_endpoint_auth_method: AuthMethod,
}

/// What may change of a client.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientChange {
    client_name: Option<String>,
    redirect_uris: Option<Vec<String>>,
    grant_types: Option<Vec<GrantType>>,
    scope: Option<String>,
    /// A client that is switched off gets no token, and its tokens are dead.
    active: Option<bool>,
}

fn client_credentials() -> Vec<GrantType> {
    vec![GrantType::ClientCredentials]
}

fn basic() -> AuthMethod {
    AuthMethod::ClientSecretBasic
}

/// List clients, oldest first.
#[utoipa::path(get, path = "/api/v1/admin/clients", tag = "clients", params(Cursor), responses(
    (status = 200, body = Page<ClientView>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(cursor): Params<Cursor>,
) -> Result<Json<Page<ClientView>>, ApiError> {
    caller.require(&app, "Deodar::listClients", server()).await?;
    let rows = store::clients::list(&app.pool, &cursor.after()?.unwrap_or_default(), cursor.rows()?).await?;
    Ok(Json(cursor.page(rows, |client| client.id.to_string(), |client| ClientView::new(client, None))))
}

/// Register a client. Its secret is shown in this answer and never again.
#[utoipa::path(post, path = "/api/v1/admin/clients", tag = "clients", request_body = NewClient, responses(
    (status = 201, body = ClientView, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<NewClient>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let client = Client {
        id: ClientId::new(),
        name: body.client_name,
        redirect_uris: body.redirect_uris,
        grant_types: body.grant_types,
        scope: read_scope(&body.scope)?,
        auth_method: body.token_endpoint_auth_method,
        active: true,
        created_at: app.clock.now(),
    };
    validate(&client)?;
    let secret = match client.auth_method {
        AuthMethod::None => None,
        AuthMethod::ClientSecretBasic | AuthMethod::ClientSecretPost => Some(fresh_secret()?),
    };
    let act = Act::new("Deodar::createClient", server(), Gives::Scopes(&client.scope));
    let act = act.about(EntityRef::new("Client", client.id.as_str())).with("client_name", client.name.as_str());
    let mut write = authority::begin(&app, &caller, &[act]).await?;
    store::clients::insert(write.conn(), &client, secret.as_ref().map(Opaque::hash)).await?;
    // A check about it may have found nobody a moment ago, and that is remembered.
    write.changed(Change::Principal(Principal::Client(client.id.clone())));
    let revision = write.commit().await?;
    let location = format!("/api/v1/admin/clients/{}", client.id);
    let view = ClientView::new(client, secret);
    Ok(Revised(revision, (StatusCode::CREATED, [(header::LOCATION, location)], no_store(view))))
}

/// Show a client.
#[utoipa::path(get, path = "/api/v1/admin/clients/{id}", tag = "clients", params(("id" = String, Path)), responses(
    (status = 200, body = ClientView),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<Json<ClientView>, ApiError> {
    caller.require(&app, "Deodar::viewClient", EntityRef::new("Client", id.as_str())).await?;
    let found = store::clients::find(&app.pool, &existing(&id)?).await?;
    Ok(Json(ClientView::new(found.ok_or_else(|| missing(&id))?, None)))
}

/// Change a client.
#[utoipa::path(patch, path = "/api/v1/admin/clients/{id}", tag = "clients", params(("id" = String, Path)),
    request_body = ClientChange, responses((status = 200, body = ClientView, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    Body(body): Body<ClientChange>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let id = existing(&id)?;
    let scope = body.scope.as_deref().map(read_scope).transpose()?;
    let asked = scope.clone().unwrap_or_default();
    let acts =
        [act("Deodar::updateClient", &id), Act { gives: Gives::Scopes(&asked), ..act("Deodar::updateClient", &id) }];
    let mut write = authority::begin(&app, &caller, &acts).await?;
    let mut client = store::clients::find(write.conn(), &id).await?.ok_or_else(|| missing(id.as_str()))?;
    let was_active = client.active;
    client.name = body.client_name.unwrap_or(client.name);
    client.redirect_uris = body.redirect_uris.unwrap_or(client.redirect_uris);
    client.grant_types = body.grant_types.unwrap_or(client.grant_types);
    client.scope = scope.unwrap_or(client.scope);
    client.active = body.active.unwrap_or(client.active);
    validate(&client)?;
    store::clients::update(write.conn(), &client).await?;
    if client.active != was_active {
        write.changed(Change::Principal(Principal::Client(id)));
    }
    let revision = write.commit().await?;
    Ok(Revised(revision, Json(ClientView::new(client, None))))
}

/// Remove a client. Its tokens are dead at once.
#[utoipa::path(delete, path = "/api/v1/admin/clients/{id}", tag = "clients", params(("id" = String, Path)), responses(
    (status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let id = existing(&id)?;
    let mut write = authority::begin(&app, &caller, &[act("Deodar::deleteClient", &id)]).await?;
    if !store::clients::delete(write.conn(), &id).await? {
        return Err(missing(id.as_str()));
    }
    let principal = Principal::Client(id);
    store::assignments::delete_all(write.conn(), &principal).await?;
    write.changed(Change::Principal(principal));
    let revision = write.commit().await?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

/// Replace the secret of a client. The new one is shown in this answer and never again; the old one is dead.
#[utoipa::path(post, path = "/api/v1/admin/clients/{id}/secret", tag = "clients", params(("id" = String, Path)),
    responses((status = 200, body = ClientView),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn rotate_secret(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let id = existing(&id)?;
    let secret = fresh_secret()?;
    let mut write = authority::begin(&app, &caller, &[act("Deodar::rotateClientSecret", &id)]).await?;
    let client = store::clients::find(write.conn(), &id).await?.ok_or_else(|| missing(id.as_str()))?;
    if !store::clients::rotate_secret(write.conn(), &id, secret.hash()).await? {
        let message = "a public client has no secret".to_owned();
        return Err(ApiError::Conflict { code: "public_client", message });
    }
    write.commit().await?;
    Ok(no_store(ClientView::new(client, Some(secret))))
}

impl ClientView {
    fn new(client: Client, secret: Option<Opaque>) -> Self {
        Self {
            client_id: client.id,
            client_secret: secret.map(|secret| secret.expose().to_owned()),
            client_name: client.name,
            redirect_uris: client.redirect_uris,
            grant_types: client.grant_types,
            scope: client.scope,
            token_endpoint_auth_method: client.auth_method,
            active: client.active,
            created_at: client.created_at,
        }
    }
}

/// An act that gives the means to act as the client.
fn act(action: &'static str, id: &ClientId) -> Act<'static> {
    let resource = EntityRef::new("Client", id.as_str());
    Act::new(action, resource, Gives::Principal(Principal::Client(id.clone())))
}

fn validate(client: &Client) -> Result<(), ApiError> {
    let mut faults = Vec::new();
    if client.name.is_empty() || client.name.chars().count() > 200 || client.name.chars().any(char::is_control) {
        let message = "a name has 1 to 200 characters and no control characters";
        faults.push(FieldFault::new("client_name", "invalid_client_name", message));
    }
    if client.auth_method == AuthMethod::None
        && client.grant_types.iter().any(|g| matches!(g, GrantType::ClientCredentials | GrantType::Password))
    {
        let message = "a client without a secret can use neither `client_credentials` nor `password`";
        faults.push(FieldFault::new("grant_types", "invalid_client_metadata", message));
    }
    if client.redirect_uris.len() > 100 {
        faults.push(FieldFault::new("redirect_uris", "invalid_redirect_uri", "at most 100 redirect URIs"));
    }
    for (n, uri) in client.redirect_uris.iter().enumerate().take(100) {
        if let Err(message) = check_redirect_uri(uri) {
            faults.push(FieldFault::new(format!("redirect_uris[{n}]"), "invalid_redirect_uri", message));
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(ApiError::Unprocessable(faults)) }
}

/// RFC 9700 §2.6, RFC 8252 §7: `https`, or `http` on a loopback address for native clients; compared by string.
fn check_redirect_uri(uri: &str) -> Result<(), &'static str> {
    let plain = uri.len() <= 2048 && uri.bytes().all(|b| (0x21..=0x7e).contains(&b) && b != b'*' && b != b'\\');
    let url =
        url::Url::parse(uri).ok().filter(|_| plain).ok_or("not an absolute URI of at most 2048 ASCII characters")?;
    let loopback = matches!(url.host_str(), Some("127.0.0.1" | "[::1]"));
    match url.scheme() {
        "https" if url.has_host() => {}
        "http" if loopback => {}
        "http" => return Err("`http` is for `127.0.0.1` and `[::1]` only: write `https`"),
        // Private-use schemes of native apps are reversed domain names (RFC 8252 §7.1).
        scheme if scheme.contains('.') => {}
        _ => return Err("write an `https` URI, or a private-use scheme with a dot in it"),
    }
    if uri.contains('#') {
        return Err("a redirect URI has no fragment");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("a redirect URI has no user information");
    }
    if url.query_pairs().any(|(key, _)| matches!(&*key, "code" | "state" | "iss" | "error")) {
        return Err("the query must not hold parameters of the answer (`code`, `state`, `iss`, `error`)");
    }
    Ok(())
}

fn read_scope(text: &str) -> Result<ScopeSet, ApiError> {
    text.parse()
        .map_err(|error: crate::model::InvalidScope| ApiError::field("scope", "invalid_scope", error.to_string()))
}

fn fresh_secret() -> Result<Opaque, ApiError> {
    Opaque::new(Opaque::CLIENT_SECRET).map_err(|error| ApiError::Internal(Box::new(error)))
}

fn no_store(view: ClientView) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], Json(view))
}

fn existing(id: &str) -> Result<ClientId, ApiError> {
    id.parse().map_err(|_| missing(id))
}

fn missing(id: &str) -> ApiError {
    ApiError::NotFound(format!("client `{}`", id.escape_debug()))
}
