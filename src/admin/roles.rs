//! Roles and inheritance.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    authority::{self, Act, Gives},
    grants::GrantView,
    server,
};
use crate::{
    app::App,
    model::{EntityRef, RoleName},
    pdp::Write,
    store::{self, revision::Change, roles::RoleRow},
    web::{ApiError, Body, Caller, Cursor, FieldFault, Page, Params, PathOf, Problem, Revised},
};

/// A role.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Role)]
pub struct RoleView {
    /// `[a-z][a-z0-9_.-]{0,62}`; never changes.
    #[schema(value_type = String)]
    name: RoleName,
    /// For people.
    description: String,
    /// Roles whose grants are this role's too.
    #[schema(value_type = Vec<String>)]
    inherits: Vec<RoleName>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// A role to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRole {
    /// `[a-z][a-z0-9_.-]{0,62}`.
    name: String,
    /// For people.
    #[serde(default)]
    description: String,
    /// Existing roles to inherit.
    #[serde(default)]
    inherits: Vec<String>,
}

/// What may change of a role.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RoleChange {
    /// For people.
    description: Option<String>,
}

/// A grant that a role has, own or inherited.
#[derive(Debug, Serialize, ToSchema)]
pub struct EffectiveGrant {
    #[serde(flatten)]
    grant: GrantView,
    /// From this role to the one that it is granted to.
    #[schema(value_type = Vec<String>)]
    path: Vec<RoleName>,
}

const MAX_DESCRIPTION: usize = 1000;

/// List roles, by name.
#[utoipa::path(get, path = "/api/v1/admin/roles", tag = "roles", params(Cursor), responses(
    (status = 200, body = Page<RoleView>), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(cursor): Params<Cursor>,
) -> Result<Json<Page<RoleView>>, ApiError> {
    caller.require(&app, "Deodar::listRoles", server()).await?;
    let rows = store::roles::list(&app.pool, &cursor.after()?.unwrap_or_default(), cursor.rows()?).await?;
    Ok(Json(cursor.page(rows, |row| row.name.to_string(), RoleView::from)))
}

/// Make a role.
#[utoipa::path(post, path = "/api/v1/admin/roles", tag = "roles", request_body = NewRole, responses(
    (status = 201, body = RoleView, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<NewRole>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let mut faults = Vec::new();
    let name = body.name.parse::<RoleName>();
    if let Err(error) = &name {
        faults.push(FieldFault::new("name", "invalid_role_name", error.to_string()));
    }
    let inherits = read_names(&body.inherits, &mut faults);
    check_description(&body.description, &mut faults);
    let (Ok(name), true) = (name, faults.is_empty()) else { return Err(ApiError::Unprocessable(faults)) };

    let act = Act::on_role("Deodar::createRole", &name, Gives::Roles(&inherits)).with("inherits", names(&inherits));
    let mut write = authority::begin(&app, &caller, &[act]).await?;
    require_roles(&mut write, "inherits", &inherits).await?;
    if !store::roles::insert(write.conn(), &name, &body.description).await? {
        let message = format!("there is a role `{name}` already");
        return Err(ApiError::Conflict { code: "role_exists", message });
    }
    for other in &inherits {
        store::roles::insert_inherits(write.conn(), &name, other).await?;
    }
    write.changed(Change::Role(name.clone()));
    check_graph(&app, &mut write).await?;
    let view = find(&mut write, &name).await?;
    let location = format!("/api/v1/admin/roles/{name}");
    let revision = write.commit().await?;
    Ok(Revised(revision, (StatusCode::CREATED, [(header::LOCATION, location)], Json(view))))
}

/// Show a role.
#[utoipa::path(get, path = "/api/v1/admin/roles/{name}", tag = "roles", params(("name" = String, Path)), responses(
    (status = 200, body = RoleView), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<Json<RoleView>, ApiError> {
    caller.require(&app, "Deodar::viewRole", EntityRef::new("Role", name.as_str())).await?;
    let name = existing(&name)?;
    let row = store::roles::find(&app.pool, &name).await?.ok_or_else(|| missing(&name))?;
    Ok(Json(row.into()))
}

/// Change the description of a role.
#[utoipa::path(patch, path = "/api/v1/admin/roles/{name}", tag = "roles", params(("name" = String, Path)),
    request_body = RoleChange, responses((status = 200, body = RoleView, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Body(body): Body<RoleChange>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let name = existing(&name)?;
    let mut faults = Vec::new();
    check_description(body.description.as_deref().unwrap_or_default(), &mut faults);
    if !faults.is_empty() {
        return Err(ApiError::Unprocessable(faults));
    }
    let act = Act::on_role("Deodar::updateRole", &name, Gives::Nothing);
    let mut write = authority::begin(&app, &caller, &[act]).await?;
    if let Some(description) = &body.description {
        store::roles::update(write.conn(), &name, description).await?;
    }
    let view = find(&mut write, &name).await?;
    let revision = write.commit().await?;
    Ok(Revised(revision, Json(view)))
}

/// Remove a role with its grants, its assignments and its place in the inheritance of others.
#[utoipa::path(delete, path = "/api/v1/admin/roles/{name}", tag = "roles", params(("name" = String, Path)), responses(
    (status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    PathOf(name): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let name = existing(&name)?;
    let act = Act::on_role("Deodar::deleteRole", &name, Gives::Loss(&name));
    let mut write = authority::begin(&app, &caller, &[act]).await?;
    if name == RoleName::admin() {
        let message = "the role `admin` cannot be removed".to_owned();
        return Err(ApiError::Conflict { code: "last_administrator", message });
    }
    if store::assignments::exists_for(write.conn(), &name).await? {
        write.changed(Change::Principals);
    }
    if !store::roles::delete(write.conn(), &name).await? {
        return Err(missing(&name));
    }
    write.changed(Change::RoleRemoved(name));
    let revision = write.commit().await?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

/// Make a role inherit another.
#[utoipa::path(put, path = "/api/v1/admin/roles/{name}/inherits/{other}", tag = "roles",
    params(("name" = String, Path), ("other" = String, Path)), responses(
    (status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn inherit(
    State(app): State<App>,
    caller: Caller,
    PathOf((name, other)): PathOf<(String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let (name, other) = (existing(&name)?, existing(&other)?);
    let act = Act::on_role("Deodar::inheritRole", &name, Gives::Roles(std::slice::from_ref(&other)));
    let act = act.with("inherits", other.as_str());
    let mut write = authority::begin(&app, &caller, &[act]).await?;
    find(&mut write, &name).await?;
    find(&mut write, &other).await?;
    if name == other {
        return Err(cycle(&[name.clone(), name]));
    }
    if store::roles::insert_inherits(write.conn(), &name, &other).await? {
        write.changed(Change::Role(name));
        check_graph(&app, &mut write).await?;
    }
    let revision = write.commit().await?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

/// End an inheritance.
#[utoipa::path(delete, path = "/api/v1/admin/roles/{name}/inherits/{other}", tag = "roles",
    params(("name" = String, Path), ("other" = String, Path)), responses(
    (status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn disinherit(
    State(app): State<App>,
    caller: Caller,
    PathOf((name, other)): PathOf<(String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let (name, other) = (existing(&name)?, existing(&other)?);
    let act =
        Act::on_role("Deodar::inheritRole", &name, Gives::Loss(&other)).with("no_longer_inherits", other.as_str());
    let mut write = authority::begin(&app, &caller, &[act]).await?;
    if !store::roles::delete_inherits(write.conn(), &name, &other).await? {
        return Err(ApiError::NotFound(format!("inheritance of `{other}` by `{name}`")));
    }
    write.changed(Change::Role(name));
    let revision = write.commit().await?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

/// Show every grant of a role, own and inherited, each with the way to it.
#[utoipa::path(get, path = "/api/v1/admin/roles/{name}/effective", tag = "roles",
    params(("name" = String, Path), Cursor), responses((status = 200, body = Page<EffectiveGrant>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn effective(
    State(app): State<App>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Params(cursor): Params<Cursor>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require(&app, "Deodar::viewGrants", EntityRef::new("Role", name.as_str())).await?;
    let name = existing(&name)?;
    let after: uuid::Uuid = cursor.after_parsed()?.unwrap_or_default();
    let limit = usize::try_from(cursor.rows()?).unwrap_or_default();
    let snapshot = app.pdp.snapshot();
    let ix = snapshot.role_ix(name.as_str()).ok_or_else(|| missing(&name))?;
    let mut found: Vec<_> =
        snapshot.effective(ix).filter(|(_, g)| g.id.0 > after).map(|(path, g)| (g.id.0, path)).collect();
    found.sort();
    found.truncate(limit);
    let ids: Vec<uuid::Uuid> = found.iter().map(|(id, _)| *id).collect();
    let mut stored = store::grants::list_by_id(&app.pool, &ids).await?;
    stored.sort_by_key(|grant| grant.id);
    let rows: Vec<_> = stored
        .into_iter()
        .filter_map(|grant| {
            let at = found.binary_search_by_key(&grant.id.0, |(id, _)| *id).ok()?;
            Some((grant, std::mem::take(&mut found[at].1)))
        })
        .collect();
    let page = cursor.page(rows, |(g, _)| g.id.to_string(), |(g, path)| EffectiveGrant { grant: g.into(), path });
    let name = HeaderName::from_static("deodar-revision");
    Ok(([(name, snapshot.revision.to_string())], Json(page)))
}

impl From<RoleRow> for RoleView {
    fn from(row: RoleRow) -> Self {
        Self { name: row.name, description: row.description, inherits: row.inherits, created_at: row.created_at }
    }
}

/// A name in a path; what is no role name names no role.
pub fn existing(name: &str) -> Result<RoleName, ApiError> {
    name.parse().map_err(|_| ApiError::NotFound(format!("role `{}`", name.escape_debug())))
}

/// The answer for a role that does not exist.
pub fn missing(name: &RoleName) -> ApiError {
    ApiError::NotFound(format!("role `{name}`"))
}

async fn find(write: &mut Write, name: &RoleName) -> Result<RoleView, ApiError> {
    let row = store::roles::find(write.conn(), name).await?;
    row.map(RoleView::from).ok_or_else(|| missing(name))
}

fn read_names(names: &[String], faults: &mut Vec<FieldFault>) -> Vec<RoleName> {
    let mut read = Vec::with_capacity(names.len());
    for (n, name) in names.iter().enumerate() {
        match name.parse() {
            Ok(name) => read.push(name),
            Err(error) => {
                let error: crate::model::InvalidRoleName = error;
                faults.push(FieldFault::new(format!("inherits[{n}]"), "invalid_role_name", error.to_string()));
            }
        }
    }
    read
}

fn check_description(text: &str, faults: &mut Vec<FieldFault>) {
    if text.len() > MAX_DESCRIPTION || text.contains('\0') {
        let message = format!("a description has at most {MAX_DESCRIPTION} bytes and no NUL");
        faults.push(FieldFault::new("description", "invalid_description", message));
    }
}

/// Refuses names that are no roles, with the nearest that is one.
pub async fn require_roles(write: &mut Write, field: &str, names: &[RoleName]) -> Result<(), ApiError> {
    let texts: Vec<String> = names.iter().map(ToString::to_string).collect();
    let missing = store::roles::missing(write.conn(), &texts).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let snapshot = write.base();
    let known: Vec<String> = snapshot.roles().map(|(_, role)| role.name.to_string()).collect();
    let faults = missing.iter().map(|name| {
        let hint = crate::policy::nearest(name, known.iter()).map(|n| format!("; did you mean `{n}`?"));
        FieldFault::new(field, "unknown_role", format!("there is no role `{name}`{}", hint.unwrap_or_default()))
    });
    Err(ApiError::Unprocessable(faults.collect()))
}

/// Refuses cycles and graphs that are too deep or too wide. The write holds the lock, so what it sees is all there is.
async fn check_graph(app: &App, write: &mut Write) -> Result<(), ApiError> {
    let graph = store::roles::list_graph(write.conn()).await?;
    let (depth, width) = (app.config.role_depth as usize, app.config.role_width as usize);
    match crate::model::check_roles(&graph, depth, width) {
        Ok(()) => Ok(()),
        Err(crate::model::BadGraph::Cycle(path)) => Err(cycle(&path)),
        Err(other) => Err(ApiError::field("inherits", "limit_exceeded", other.to_string())),
    }
}

fn cycle(path: &[RoleName]) -> ApiError {
    let way = path.iter().map(RoleName::as_str).collect::<Vec<_>>().join(" → ");
    ApiError::Conflict { code: "inheritance_cycle", message: format!("roles would inherit themselves: {way}") }
}

fn names(roles: &[RoleName]) -> Vec<String> {
    roles.iter().map(ToString::to_string).collect()
}
