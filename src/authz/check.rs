//! `POST /authz/check`.

use axum::{Json, extract::State};

use super::request::{CheckRequest, CheckResponse};
use crate::{
    app::App,
    web::{ApiError, Body, Caller, Problem},
};

/// Ask whether a principal may do something.
#[utoipa::path(post, path = "/authz/check", tag = "authz", request_body = CheckRequest, responses(
    (status = 200, body = CheckResponse),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn check(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<CheckRequest>,
) -> Result<Json<CheckResponse>, ApiError> {
    let request = body.read(&app, &caller).await?;
    let (answer, revision) = app.pdp.check(&request, body.at_least_revision, body.explain).await?;
    Ok(Json(CheckResponse::new(answer, Some(revision), body.explain)))
}
