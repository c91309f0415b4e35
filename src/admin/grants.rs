//! Grants.

use std::collections::HashMap;

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
    roles::{existing, missing},
};
use crate::{
    app::App,
    model::{Effect, EntityRef, Grant, GrantId, NewGrant, ResourceScope, RoleName},
    pdp::{Write, off_runtime},
    policy::{GrantFault, GrantSource, faults, list as list_names},
    store::{self, revision::Change},
    web::{ApiError, Body, Caller, Cursor, FieldFault, Object, Page, Params, PathOf, Problem, Revised},
};

/// A grant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Grant)]
pub struct GrantView {
    #[schema(value_type = uuid::Uuid)]
    id: GrantId,
    #[schema(value_type = String)]
    role: RoleName,
    #[schema(value_type = String, example = "permit")]
    effect: Effect,
    action: String,
    #[schema(value_type = ScopeBody)]
    resource: ResourceScope,
    condition: Option<String>,
    description: String,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// A grant to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewGrant)]
pub struct GrantBody {
    /// The role; in a path that names it already, left out or the same.
    role: Option<String>,
    /// `permit` or `forbid`; `permit` when left out.
    #[serde(default = "permit")]
    #[schema(value_type = Option<String>, example = "permit")]
    effect: Effect,
    /// An action id of the schema (`read`, `Docs::read`); a group counts too.
    action: String,
    /// On what.
    #[schema(value_type = ScopeBody)]
    resource: Object<ScopeBody>,
    /// A Cedar expression that must hold as well.
    condition: Option<String>,
    /// For people.
    #[serde(default)]
    description: String,
}

/// Every resource of a type, or one resource and everything inside it.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ResourceScope)]
pub struct ScopeBody {
    /// Entity type.
    #[serde(rename = "type")]
    ty: String,
    /// Entity id.
    id: Option<String>,
}

/// Many grants, all or none.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantBatch {
    /// Grants to make. Together with `delete` up to 10 000.
    #[serde(default, alias = "grants")]
    #[schema(value_type = Vec<GrantBody>)]
    create: Vec<Object<GrantBody>>,
    /// Ids of grants to remove.
    #[serde(default)]
    #[schema(value_type = Vec<uuid::Uuid>)]
    delete: Vec<GrantId>,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct GrantBatchResult {
    /// The new grants, in the order they were asked for.
    created: Vec<GrantView>,
    /// The ids of the removed ones.
    #[schema(value_type = Vec<uuid::Uuid>)]
    deleted: Vec<GrantId>,
}

const MOST: usize = 10_000;
const MAX_DESCRIPTION: usize = 1000;

fn permit() -> Effect {
    Effect::Permit
}

/// List a role's own grants, oldest first.
#[utoipa::path(get, path = "/api/v1/admin/roles/{name}/grants", tag = "grants", params(("name" = String, Path), Cursor),
    responses((status = 200, body = Page<GrantView>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Params(cursor): Params<Cursor>,
) -> Result<Json<Page<GrantView>>, ApiError> {
    caller.require(&app, "Deodar::viewGrants", EntityRef::new("Role", name.as_str())).await?;
    let name = existing(&name)?;
    store::roles::find(&app.pool, &name).await?.ok_or_else(|| missing(&name))?;
    let after = GrantId(cursor.after_parsed()?.unwrap_or_default());
    let rows = store::grants::list(&app.pool, &name, after, cursor.rows()?).await?;
    Ok(Json(cursor.page(rows, |grant| grant.id.to_string(), GrantView::from)))
}

/// Grant something to a role.
#[utoipa::path(post, path = "/api/v1/admin/roles/{name}/grants", tag = "grants", params(("name" = String, Path)),
    request_body = GrantBody, responses((status = 201, body = GrantView, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    PathOf(name): PathOf<String>,
    Body(mut body): Body<GrantBody>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let role = existing(&name)?;
    if body.role.as_ref().is_some_and(|other| *other != name) {
        return Err(ApiError::field("role", "role_mismatch", format!("the path says `{name}`: leave `role` out")));
    }
    body.role = Some(name);
    let grants = read(vec![Object(body)], |_, field| field.to_owned())?;
    let mut write = begin(&app, &caller, &grants, &[]).await?;
    store::roles::find(write.conn(), &role).await?.ok_or_else(|| missing(&role))?;
    validate(&mut write, &grants, |_, field| field.to_owned()).await?;
    let mut created = insert(&mut write, grants).await?;
    let revision = write.commit().await?;
    let view = created.pop().ok_or_else(|| missing(&role))?;
    let location = format!("/api/v1/admin/grants/{}", view.id);
    Ok(Revised(revision, (StatusCode::CREATED, [(header::LOCATION, location)], Json(view))))
}

/// Show a grant.
#[utoipa::path(get, path = "/api/v1/admin/grants/{id}", tag = "grants", params(("id" = uuid::Uuid, Path)), responses(
    (status = 200, body = GrantView), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<Json<GrantView>, ApiError> {
    caller.require_admin_scope()?;
    let grant = match id.parse::<GrantId>() {
        Ok(id) => store::grants::list_by_id(&app.pool, &[id.0]).await?.pop(),
        Err(_) => None,
    };
    // Who may not look at the grants of a role does not learn which ids there are.
    let role = grant.as_ref().map_or("", |grant| grant.grant.role.as_str());
    caller.require(&app, "Deodar::viewGrants", EntityRef::new("Role", role)).await?;
    Ok(Json(grant.ok_or_else(|| missing_grant(&id))?.into()))
}

/// Remove a grant.
#[utoipa::path(delete, path = "/api/v1/admin/grants/{id}", tag = "grants", params(("id" = uuid::Uuid, Path)), responses(
    (status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let found = match id.parse::<GrantId>() {
        Ok(id) => store::grants::list_by_id(&app.pool, &[id.0]).await?,
        Err(_) => Vec::new(),
    };
    if found.is_empty() {
        caller.require(&app, "Deodar::deleteGrant", EntityRef::new("Role", "")).await?;
        return Err(missing_grant(&id));
    }
    let mut write = begin(&app, &caller, &[], &found).await?;
    remove(&mut write, &found).await?;
    let revision = write.commit().await?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

/// Make and remove many grants, all or none of them.
#[utoipa::path(post, path = "/api/v1/admin/grants:batch", tag = "grants", request_body = GrantBatch, responses(
    (status = 200, body = GrantBatchResult, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn batch(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<GrantBatch>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let size = body.create.len() + body.delete.len();
    if !(1..=MOST).contains(&size) {
        let message = format!("a batch holds 1 to {MOST} grants, this one {size}");
        return Err(ApiError::BadRequest { code: "batch_size", message });
    }
    let grants = read(body.create, in_batch)?;
    let ids: Vec<uuid::Uuid> = body.delete.iter().map(|id| id.0).collect();
    let found = store::grants::list_by_id(&app.pool, &ids).await?;
    let gone = body.delete.iter().enumerate().filter(|(_, id)| !found.iter().any(|grant| grant.id == **id));
    let faults: Vec<FieldFault> = gone
        .map(|(n, id)| FieldFault::new(format!("delete[{n}]"), "unknown_grant", format!("there is no grant `{id}`")))
        .collect();
    let mut write = begin(&app, &caller, &grants, &found).await?;
    if !faults.is_empty() {
        return Err(ApiError::Unprocessable(faults));
    }
    require_known_roles(&mut write, &grants)?;
    validate(&mut write, &grants, in_batch).await?;
    remove(&mut write, &found).await?;
    let created = insert(&mut write, grants).await?;
    let revision = write.commit().await?;
    Ok(Revised(revision, Json(GrantBatchResult { created, deleted: body.delete })))
}

/// Names a field of one grant of a batch.
fn in_batch(n: usize, field: &str) -> String {
    format!("create[{n}].{field}")
}

/// Reads bodies, as far as no schema is needed.
fn read(bodies: Vec<Object<GrantBody>>, at: impl Fn(usize, &str) -> String) -> Result<Vec<NewGrant>, ApiError> {
    let mut faults = Vec::new();
    let mut grants = Vec::with_capacity(bodies.len());
    for (n, Object(body)) in bodies.into_iter().enumerate() {
        let Object(scope) = body.resource;
        let field = |name: &str| at(n, name);
        let role = body.role.as_deref().unwrap_or_default().parse::<RoleName>();
        if let Err(error) = &role {
            faults.push(FieldFault::new(field("role"), "invalid_role_name", error.to_string()));
        }
        let texts = [
            ("action", Some(&body.action)),
            ("resource.type", Some(&scope.ty)),
            ("resource.id", scope.id.as_ref()),
            ("condition", body.condition.as_ref()),
            ("description", Some(&body.description)),
        ];
        for (name, text) in texts {
            if text.is_some_and(|text| text.contains('\0')) {
                faults.push(FieldFault::new(field(name), "invalid_text", "NUL cannot be stored: leave it out"));
            }
        }
        if body.description.len() > MAX_DESCRIPTION {
            let message = format!("a description has at most {MAX_DESCRIPTION} bytes");
            faults.push(FieldFault::new(field("description"), "invalid_description", message));
        }
        if let Ok(role) = role {
            let resource = ResourceScope { ty: scope.ty, id: scope.id };
            let GrantBody { effect, action, condition, description, .. } = body;
            grants.push(NewGrant { role, effect, action, resource, condition, description });
        }
    }
    if faults.is_empty() { Ok(grants) } else { Err(ApiError::Unprocessable(faults)) }
}

async fn begin(app: &App, caller: &Caller, create: &[NewGrant], delete: &[Grant]) -> Result<Write, ApiError> {
    let create = create.iter().map(|g| Act::on_role("Deodar::createGrant", &g.role, gives(g)).with("grant", note(g)));
    let delete = delete.iter().map(|g| {
        Act::on_role("Deodar::deleteGrant", &g.grant.role, Gives::Grant(&g.grant)).with("grant", note(&g.grant))
    });
    let acts: Vec<Act<'_>> = create.chain(delete).collect();
    authority::begin(app, caller, &acts).await
}

/// A grant as it goes on record.
fn note(grant: &NewGrant) -> serde_json::Value {
    let NewGrant { effect, action, resource, condition, .. } = grant;
    serde_json::json!({ "effect": effect, "action": action, "resource": resource, "condition": condition })
}

/// A permit hands out what it permits; a forbid takes from the holders of its role.
fn gives(grant: &NewGrant) -> Gives<'_> {
    match grant.effect {
        Effect::Permit => Gives::Grant(grant),
        Effect::Forbid => Gives::Roles(std::slice::from_ref(&grant.role)),
    }
}

/// A batch names roles in its body, so an unknown one is a faulty field.
fn require_known_roles(write: &mut Write, grants: &[NewGrant]) -> Result<(), ApiError> {
    let snapshot = write.base();
    let unknown = grants.iter().enumerate().filter(|(_, g)| snapshot.role_ix(g.role.as_str()).is_none());
    let unknown: Vec<(usize, &NewGrant)> = unknown.collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let known: Vec<String> = snapshot.roles().map(|(_, role)| role.name.to_string()).collect();
    let faults = unknown.into_iter().take(100).map(|(n, g)| {
        let hint = crate::policy::nearest(g.role.as_str(), known.iter()).map(|n| format!("; did you mean `{n}`?"));
        let message = format!("there is no role `{}`{}", g.role, hint.unwrap_or_default());
        FieldFault::new(format!("create[{n}].role"), "unknown_role", message)
    });
    Err(ApiError::Unprocessable(faults.collect()))
}

/// Checks grants against the active schema, each shape once.
async fn validate(write: &mut Write, grants: &[NewGrant], at: impl Fn(usize, &str) -> String) -> Result<(), ApiError> {
    let bundle = std::sync::Arc::clone(&write.base().bundle);
    let grants = grants.to_vec();
    let check = move || {
        let mut known: HashMap<(String, ResourceScope, Option<String>), Vec<GrantFault>> = HashMap::new();
        let mut found = Vec::new();
        for (n, grant) in grants.iter().enumerate() {
            let mut scope = grant.resource.clone();
            // What the validator sees of an id is only that there is one, unless the type lists its ids; the
            // length is looked at for each.
            let listed = bundle.vocabulary.entity_type(&scope.ty).is_ok_and(|ty| ty.ids.is_some());
            let long = scope.id.as_ref().is_some_and(|id| id.len() > 255);
            if !listed && !long {
                scope.id = scope.id.map(|_| String::new());
            }
            let key = (grant.action.clone(), scope, grant.condition.clone());
            let faulty = known.entry(key).or_insert_with(|| faults(&bundle.vocabulary, source(grant)));
            found.extend(faulty.iter().map(|fault| (n, fault.clone())));
        }
        found
    };
    let found = off_runtime(check).await?;
    if found.is_empty() {
        return Ok(());
    }
    let faults = found.into_iter().take(100).map(|(n, fault)| {
        let field = at(n, fault.field);
        FieldFault { field, ..FieldFault::from(fault) }
    });
    Err(ApiError::Unprocessable(faults.collect()))
}

fn source(grant: &NewGrant) -> GrantSource<'_> {
    GrantSource {
        id: GrantId(uuid::Uuid::nil()),
        role: grant.role.as_str(),
        effect: grant.effect,
        action: &grant.action,
        ty: &grant.resource.ty,
        resource_id: grant.resource.id.as_deref(),
        condition: grant.condition.as_deref(),
    }
}

async fn insert(write: &mut Write, grants: Vec<NewGrant>) -> Result<Vec<GrantView>, ApiError> {
    let grants: Vec<(GrantId, NewGrant)> = grants.into_iter().map(|grant| (GrantId::new(), grant)).collect();
    let created_at = store::grants::insert(write.conn(), &grants).await?;
    for (id, grant) in &grants {
        write.changed(Change::Grant(grant.role.clone(), *id));
    }
    let views = grants.into_iter().map(|(id, grant)| GrantView::from(Grant { id, grant, created_at }));
    Ok(views.collect())
}

async fn remove(write: &mut Write, grants: &[Grant]) -> Result<(), ApiError> {
    let ids: Vec<uuid::Uuid> = grants.iter().map(|grant| grant.id.0).collect();
    let removed = store::grants::delete(write.conn(), &ids).await?;
    if removed.len() != grants.len() {
        let lost: Vec<String> =
            grants.iter().filter(|g| !removed.iter().any(|r| r.id == g.id)).map(|g| g.id.to_string()).collect();
        return Err(ApiError::NotFound(format!("grant {} any more", list_names(&lost))));
    }
    for grant in removed {
        write.changed(Change::GrantRemoved(grant.grant.role, grant.id));
    }
    Ok(())
}

impl From<Grant> for GrantView {
    fn from(stored: Grant) -> Self {
        let NewGrant { role, effect, action, resource, condition, description } = stored.grant;
        Self { id: stored.id, role, effect, action, resource, condition, description, created_at: stored.created_at }
    }
}

fn missing_grant(id: &str) -> ApiError {
    ApiError::NotFound(format!("grant `{}`", id.escape_debug()))
}
