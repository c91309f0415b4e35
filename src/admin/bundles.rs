//! Versions of the hand-written Cedar.

use std::sync::Arc;

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
    model::{Fields, json_fields},
    pdp::{self, BrokenGrants, Write},
    policy::{Bundle, Diagnostic, Files},
    store::{self, bundles::BundleRow, revision::Change},
    web::{ApiError, Body, Caller, Cursor, FieldFault, Page, Params, PathOf, Problem, Revised},
};

/// A version of the hand-written Cedar.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Bundle)]
pub struct BundleView {
    /// From 1.
    number: i32,
    /// Whether decisions are made with it.
    active: bool,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// Path → text; left out in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Files>,
    /// Findings that do not keep it from being used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    warnings: Vec<String>,
}

/// A version to be stored.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewBundle {
    /// Path → text: `policies/*.cedar` and `schema/*.cedarschema`.
    #[serde(deserialize_with = "json_fields")]
    #[schema(value_type = std::collections::BTreeMap<String, String>)]
    files: Fields,
}

/// List versions, newest first.
#[utoipa::path(get, path = "/api/v1/admin/bundles", tag = "bundles", params(Cursor), responses(
    (status = 200, body = Page<BundleView>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(cursor): Params<Cursor>,
) -> Result<Json<Page<BundleView>>, ApiError> {
    caller.require(&app, "Deodar::listBundles", server()).await?;
    let before = cursor.after_parsed()?.unwrap_or(i32::MAX);
    let rows = store::bundles::list(&app.pool, before, cursor.rows()?).await?;
    Ok(Json(cursor.page(rows, |row| row.number.to_string(), |row| BundleView::new(row, None, &[]))))
}

/// Store a version without making it active. Files that are stored already answer with their number.
#[utoipa::path(post, path = "/api/v1/admin/bundles", tag = "bundles", request_body = NewBundle, responses(
    (status = 201, body = BundleView), (status = 200, description = "stored before", body = BundleView),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<NewBundle>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require(&app, "Deodar::createBundle", server()).await?;
    let files = read(body.files)?;
    let compiled = pdp::compile(0, files.clone()).await??;
    let mut write = authority::begin(&app, &caller, &[act("Deodar::createBundle")]).await?;
    refuse_broken(&mut write, &compiled).await?;
    let (number, new) = store::bundles::insert(write.conn(), &files, pdp::digest(&files)).await?;
    let found = store::bundles::find(write.conn(), number).await?;
    write.commit().await?;
    let (row, files) = found.ok_or_else(|| missing(number))?;
    let status = if new { StatusCode::CREATED } else { StatusCode::OK };
    let location = format!("/api/v1/admin/bundles/{number}");
    Ok((status, [(header::LOCATION, location)], Json(BundleView::new(row, Some(files), &compiled.warnings))))
}

/// Show a version with its files.
#[utoipa::path(get, path = "/api/v1/admin/bundles/{n}", tag = "bundles", params(("n" = i32, Path)), responses(
    (status = 200, body = BundleView), (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    PathOf(number): PathOf<i32>,
) -> Result<Json<BundleView>, ApiError> {
    caller.require(&app, "Deodar::viewBundle", server()).await?;
    let (row, files) = store::bundles::find(&app.pool, number).await?.ok_or_else(|| missing(number))?;
    Ok(Json(BundleView::new(row, Some(files), &[])))
}

/// Decide with this version from now on.
#[utoipa::path(post, path = "/api/v1/admin/bundles/{n}/activate", tag = "bundles", params(("n" = i32, Path)), responses(
    (status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn activate(
    State(app): State<App>,
    caller: Caller,
    PathOf(number): PathOf<i32>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require(&app, "Deodar::activateBundle", server()).await?;
    let (_, files) = store::bundles::find(&app.pool, number).await?.ok_or_else(|| missing(number))?;
    let bundle = pdp::compile(number, files).await??;
    app.pdp.remember(Arc::clone(&bundle));
    let mut write = authority::begin(&app, &caller, &[act("Deodar::activateBundle").with("bundle", number)]).await?;
    if write.base().bundle.number != number {
        refuse_broken(&mut write, &bundle).await?;
        store::bundles::activate(write.conn(), number).await?;
        write.changed(Change::Bundle);
    }
    let revision = write.commit().await?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

impl BundleView {
    fn new(row: BundleRow, files: Option<Files>, warnings: &[Diagnostic]) -> Self {
        let warnings = warnings.iter().map(ToString::to_string).collect();
        Self { number: row.number, active: row.active, created_at: row.created_at, files, warnings }
    }
}

fn act(action: &'static str) -> Act<'static> {
    Act::new(action, server(), Gives::Nothing)
}

fn read(fields: Fields) -> Result<Files, ApiError> {
    if fields.is_empty() {
        return Err(ApiError::field("files", "empty", "a bundle holds at least one file: `policies/x.cedar` → text"));
    }
    let read = fields.into_iter().map(|(path, text)| match text.as_str() {
        Some(text) if !text.contains('\0') && !path.contains('\0') => Ok((path, text.to_owned())),
        _ => {
            Err(ApiError::field("files", "invalid_file", format!("`{}` must be text without NUL", path.escape_debug())))
        }
    });
    read.collect()
}

async fn refuse_broken(write: &mut Write, bundle: &Arc<Bundle>) -> Result<(), ApiError> {
    let broken = pdp::broken_grants(write.conn(), bundle).await?;
    if broken.is_empty() {
        return Ok(());
    }
    let faults = broken.into_iter().map(|BrokenGrants { ids, count, fault }| FieldFault {
        grants: ids.iter().map(ToString::to_string).collect(),
        ..FieldFault::new("files", "breaks_grants", format!("{count} grants would break: {}", fault.message))
    });
    Err(ApiError::Unprocessable(faults.collect()))
}

fn missing(number: i32) -> ApiError {
    ApiError::NotFound(format!("bundle {number}"))
}
