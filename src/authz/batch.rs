//! `POST /authz/check/batch`.

use axum::{Json, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::request::{CheckRequest, CheckResponse};
use crate::{
    app::App,
    model::Revision,
    web::{ApiError, Body, Caller, Object, Problem},
};

/// Several checks.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchRequest {
    /// 1 to 1000.
    #[schema(value_type = Vec<CheckRequest>)]
    checks: Vec<Object<CheckRequest>>,
}

/// Their answers, all as of one revision, in order.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchResponse {
    results: Vec<CheckResponse>,
    #[schema(value_type = i64)]
    revision: Revision,
}

const MOST: usize = 1000;

/// Ask several questions as of one revision.
#[utoipa::path(post, path = "/authz/check/batch", tag = "authz", request_body = BatchRequest, responses(
    (status = 200, body = BatchResponse),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn batch(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<BatchRequest>,
) -> Result<Json<BatchResponse>, ApiError> {
    if !(1..=MOST).contains(&body.checks.len()) {
        let message = format!("a batch holds 1 to {MOST} checks, this one {}", body.checks.len());
        return Err(ApiError::BadRequest { code: "batch_size", message });
    }
    let at_least = body.checks.iter().filter_map(|Object(check)| check.at_least_revision).max();
    let explain = body.checks.iter().any(|Object(check)| check.explain);
    let mut read = Vec::with_capacity(body.checks.len());
    for Object(check) in &body.checks {
        read.push(check.read(&app, &caller).await);
    }
    let requests: Vec<_> = read.iter().filter_map(|r| r.as_ref().ok().cloned()).collect();
    let batch = app.pdp.check_all(&requests, at_least, explain).await?;
    let mut answers = batch.answers.into_iter();
    let answered = read.into_iter().zip(&body.checks).map(|(read, Object(check))| match read {
        Err(error) => CheckResponse::failed(&error),
        Ok(_) => match answers.next() {
            Some(Ok(answer)) => CheckResponse::new(answer, None, check.explain),
            Some(Err(error)) => CheckResponse::failed(&error.into()),
            None => CheckResponse::failed(&ApiError::from(crate::pdp::Error::BrokenOff)),
        },
    });
    Ok(Json(BatchResponse { results: answered.collect(), revision: batch.revision }))
}
