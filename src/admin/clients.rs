//! OAuth clients, by the member names of RFC 7591.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};

use super::{
    authority::{self, Act, Gives},
    client_body::{ClientBody, ClientView, changed_metadata, new_metadata, refused, split},
    server,
};
use crate::{
    app::App,
    crypto::Opaque,
    model::{Client, ClientId, ClientMetadata, EntityRef, Members, Principal},
    store::{self, clients::Known, revision::Change},
    tokens,
    web::{ApiError, Body, Caller, Cursor, Page, Params, PathOf, Problem, Revised},
};

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
#[utoipa::path(post, path = "/api/v1/admin/clients", tag = "clients", request_body = ClientBody, responses(
    (status = 201, body = ClientView, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<Members>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let (members, decided, _) = split(body)?;
    let mut client = Client::new(ClientId::new(), new_metadata(members)?, app.clock.now());
    if client.metadata.sector_identifier_uri.is_some() {
        caller.require(&app, "Deodar::createClient", server()).await?;
        check_sector(&app, &client.metadata).await?;
    }
    client.first_party = decided.first_party.unwrap_or(false);
    client.active = decided.active.unwrap_or(true);
    let secret = tokens::fresh_secret(client.metadata.token_endpoint_auth_method)?;
    let scopes = client.metadata.scope.clone();
    let act = Act::new("Deodar::createClient", server(), Gives::Scopes(&scopes));
    let act = act.about(EntityRef::new("Client", client.id.as_str())).with("client_name", client.name());
    let mut write = authority::begin(&app, &caller, &[act]).await?;
    let known = Known { client, secret: secret.as_ref().map(Opaque::hash), registration: None };
    store::clients::insert(write.conn(), &known).await?;
    let client = known.client;
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

/// Change a client. A change to a method that needs a secret shows a fresh one, once.
#[utoipa::path(patch, path = "/api/v1/admin/clients/{id}", tag = "clients", params(("id" = String, Path)),
    request_body = ClientBody, responses((status = 200, body = ClientView, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    Body(body): Body<Members>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let id = existing(&id)?;
    let (members, decided, scope) = split(body)?;
    let checked = check_sector_of_change(&app, &caller, &id, &members).await?;
    let asked = scope.unwrap_or_default();
    let acts =
        [act("Deodar::updateClient", &id), Act { gives: Gives::Scopes(&asked), ..act("Deodar::updateClient", &id) }];
    let mut write = authority::begin(&app, &caller, &acts).await?;
    let known = store::clients::find_known(write.conn(), &id).await?.ok_or_else(|| missing(id.as_str()))?;
    let mut client = known.client;
    client.metadata = changed_metadata(&client, members)?;
    if checked.is_some_and(|checked| !same_sector(&checked, &client.metadata)) {
        let message = "somebody else changed this client at the same moment: try again".to_owned();
        return Err(ApiError::Conflict { code: "changed_meanwhile", message });
    }
    client.first_party = decided.first_party.unwrap_or(client.first_party);
    client.switch(decided.active.unwrap_or(client.active));
    let method = client.metadata.token_endpoint_auth_method;
    let kept = known.secret.filter(|_| method.has_secret());
    let fresh = if kept.is_none() { tokens::fresh_secret(method)? } else { None };
    store::clients::update(write.conn(), &client, kept.or(fresh.as_ref().map(Opaque::hash))).await?;
    write.changed(Change::Principal(Principal::Client(id)));
    let revision = write.commit().await?;
    Ok(Revised(revision, no_store(ClientView::new(client, fresh))))
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
    responses((status = 200, body = ClientView, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn rotate_secret(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let id = existing(&id)?;
    let secret = Opaque::new(Opaque::CLIENT_SECRET)?;
    let mut write = authority::begin(&app, &caller, &[act("Deodar::rotateClientSecret", &id)]).await?;
    let client = store::clients::find(write.conn(), &id).await?.ok_or_else(|| missing(id.as_str()))?;
    if !store::clients::rotate_secret(write.conn(), &id, secret.hash()).await? {
        let message = "this client proves itself without a secret".to_owned();
        return Err(ApiError::Conflict { code: "public_client", message });
    }
    write.changed(Change::Principal(Principal::Client(id)));
    let revision = write.commit().await?;
    Ok(Revised(revision, no_store(ClientView::new(client, Some(secret)))))
}

/// Has the client's sector asked about a change that touches it, before the write is open; gives what was asked about.
async fn check_sector_of_change(
    app: &App,
    caller: &Caller,
    id: &ClientId,
    members: &Members,
) -> Result<Option<ClientMetadata>, ApiError> {
    if !["sector_identifier_uri", "redirect_uris"].iter().any(|name| members.0.contains_key(*name)) {
        return Ok(None);
    }
    caller.require(app, "Deodar::updateClient", EntityRef::new("Client", id.as_str())).await?;
    let client = store::clients::find(&app.pool, id).await?.ok_or_else(|| missing(id.as_str()))?;
    let metadata = changed_metadata(&client, members.clone())?;
    if !same_sector(&metadata, &client.metadata) {
        check_sector(app, &metadata).await?;
    }
    Ok(Some(metadata))
}

async fn check_sector(app: &App, metadata: &ClientMetadata) -> Result<(), ApiError> {
    app.clients.check_sector(metadata).await.map_err(|fault| refused([fault]))
}

fn same_sector(one: &ClientMetadata, other: &ClientMetadata) -> bool {
    one.sector_identifier_uri == other.sector_identifier_uri && one.redirect_uris == other.redirect_uris
}

/// An act that gives the means to act as the client.
fn act(action: &'static str, id: &ClientId) -> Act<'static> {
    let resource = EntityRef::new("Client", id.as_str());
    Act::new(action, resource, Gives::Principal(Principal::Client(id.clone())))
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
