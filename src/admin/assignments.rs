//! Which principal holds which role.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    authority::{self, Act, Gives},
    roles::{existing, missing},
};
use crate::{
    app::App,
    model::{Principal, PrincipalKind, RoleName},
    store::{self, assignments::AssignmentRow, revision::Change},
    web::{ApiError, Caller, Cursor, OptionalBody, Page, Params, PathOf, Problem, Revised},
};

/// A role that a principal holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Assignment)]
pub struct AssignmentView {
    #[schema(value_type = String)]
    role: RoleName,
    /// From this instant on it is held no more.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    expires_at: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// How long a role is held.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AssignmentBody {
    /// Until when; for good when left out.
    #[serde(default, with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
}

/// List the roles of a user.
#[utoipa::path(get, path = "/api/v1/admin/users/{id}/roles", tag = "assignments", params(("id" = String, Path), Cursor),
    responses((status = 200, body = Page<AssignmentView>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list_of_user(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    Params(cursor): Params<Cursor>,
) -> Result<Json<Page<AssignmentView>>, ApiError> {
    list(&app, &caller, PrincipalKind::User, &id, &cursor).await
}

/// List the roles of a client.
#[utoipa::path(get, path = "/api/v1/admin/clients/{id}/roles", tag = "assignments",
    params(("id" = String, Path), Cursor), responses((status = 200, body = Page<AssignmentView>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list_of_client(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    Params(cursor): Params<Cursor>,
) -> Result<Json<Page<AssignmentView>>, ApiError> {
    list(&app, &caller, PrincipalKind::Client, &id, &cursor).await
}

/// Give a role to a user.
#[utoipa::path(put, path = "/api/v1/admin/users/{id}/roles/{role}", tag = "assignments",
    params(("id" = String, Path), ("role" = String, Path)), request_body = Option<AssignmentBody>,
    responses((status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn assign_to_user(
    State(app): State<App>,
    caller: Caller,
    PathOf((id, role)): PathOf<(String, String)>,
    OptionalBody(body): OptionalBody<AssignmentBody>,
) -> Result<impl IntoResponse, ApiError> {
    assign(&app, &caller, PrincipalKind::User, &id, &role, body).await
}

/// Give a role to a client.
#[utoipa::path(put, path = "/api/v1/admin/clients/{id}/roles/{role}", tag = "assignments",
    params(("id" = String, Path), ("role" = String, Path)), request_body = Option<AssignmentBody>,
    responses((status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn assign_to_client(
    State(app): State<App>,
    caller: Caller,
    PathOf((id, role)): PathOf<(String, String)>,
    OptionalBody(body): OptionalBody<AssignmentBody>,
) -> Result<impl IntoResponse, ApiError> {
    assign(&app, &caller, PrincipalKind::Client, &id, &role, body).await
}

/// Take a role from a user.
#[utoipa::path(delete, path = "/api/v1/admin/users/{id}/roles/{role}", tag = "assignments",
    params(("id" = String, Path), ("role" = String, Path)), responses(
    (status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn unassign_from_user(
    State(app): State<App>,
    caller: Caller,
    PathOf((id, role)): PathOf<(String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    unassign(&app, &caller, PrincipalKind::User, &id, &role).await
}

/// Take a role from a client.
#[utoipa::path(delete, path = "/api/v1/admin/clients/{id}/roles/{role}", tag = "assignments",
    params(("id" = String, Path), ("role" = String, Path)), responses(
    (status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn unassign_from_client(
    State(app): State<App>,
    caller: Caller,
    PathOf((id, role)): PathOf<(String, String)>,
) -> Result<impl IntoResponse, ApiError> {
    unassign(&app, &caller, PrincipalKind::Client, &id, &role).await
}

async fn list(
    app: &App,
    caller: &Caller,
    kind: PrincipalKind,
    id: &str,
    cursor: &Cursor,
) -> Result<Json<Page<AssignmentView>>, ApiError> {
    caller.require(app, "Deodar::viewAssignments", crate::model::EntityRef::new(kind.as_str(), id)).await?;
    let principal = principal(kind, id)?;
    if !store::principals::exists(&app.pool, &principal).await? {
        return Err(unknown(kind, id));
    }
    let after = cursor.after()?.unwrap_or_default();
    let rows = store::assignments::list(&app.pool, &principal, &after, cursor.rows()?).await?;
    Ok(Json(cursor.page(rows, |row| row.assignment.role.to_string(), AssignmentView::from)))
}

async fn assign(
    app: &App,
    caller: &Caller,
    kind: PrincipalKind,
    id: &str,
    role: &str,
    body: AssignmentBody,
) -> Result<impl IntoResponse + use<>, ApiError> {
    caller.require_admin_scope()?;
    let role = existing(role)?;
    let principal = principal(kind, id)?;
    let act = Act::on_role("Deodar::assignRole", &role, Gives::Roles(std::slice::from_ref(&role)));
    let act = act.about(principal.entity()).with("role", role.as_str());
    let mut write = authority::begin(app, caller, &[act]).await?;
    if !store::principals::exists(write.conn(), &principal).await? {
        return Err(unknown(kind, id));
    }
    store::roles::find(write.conn(), &role).await?.ok_or_else(|| missing(&role))?;
    if body.expires_at.is_some_and(|end| end <= app.clock.now()) {
        return Err(ApiError::field(
            "expires_at",
            "in_the_past",
            "this time has passed: give a later one or leave it out",
        ));
    }
    if store::assignments::put(write.conn(), &principal, &role, body.expires_at).await? {
        write.changed(Change::Principal(principal));
    }
    let revision = write.commit().await?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

async fn unassign(
    app: &App,
    caller: &Caller,
    kind: PrincipalKind,
    id: &str,
    role: &str,
) -> Result<impl IntoResponse + use<>, ApiError> {
    caller.require_admin_scope()?;
    let role = existing(role)?;
    let principal = principal(kind, id)?;
    let act = Act::on_role("Deodar::unassignRole", &role, Gives::Loss(&role));
    let act = act.about(principal.entity()).with("role", role.as_str());
    let mut write = authority::begin(app, caller, &[act]).await?;
    if !store::assignments::delete(write.conn(), &principal, &role).await? {
        return Err(ApiError::NotFound(format!("assignment of `{role}` to {principal}")));
    }
    write.changed(Change::Principal(principal));
    let revision = write.commit().await?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

fn principal(kind: PrincipalKind, id: &str) -> Result<Principal, ApiError> {
    Principal::parse(kind, id).ok_or_else(|| unknown(kind, id))
}

fn unknown(kind: PrincipalKind, id: &str) -> ApiError {
    ApiError::NotFound(format!("{} `{}`", kind.as_str().to_lowercase(), id.escape_debug()))
}

impl From<AssignmentRow> for AssignmentView {
    fn from(row: AssignmentRow) -> Self {
        Self { role: row.assignment.role, expires_at: row.assignment.expires_at, created_at: row.created_at }
    }
}
