//! Face: operations. Health, metrics.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, telemetry};

/// Whether this node can serve, and what is missing.
#[derive(Debug, Serialize, ToSchema)]
pub struct Health {
    /// `ok` or `unavailable`.
    status: &'static str,
    /// What is missing.
    missing: Vec<&'static str>,
}

/// Health, for the main listener.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready))
}

/// Metrics, for a listener of their own or, in `dev`, the main one.
pub fn metrics() -> axum::Router {
    axum::Router::new().route("/metrics", get(render))
}

/// Whether the process runs.
#[utoipa::path(get, path = "/health/live", tag = "operations", security(()), responses((status = 200, body = Health)))]
pub async fn live() -> Json<Health> {
    Json(Health { status: "ok", missing: Vec::new() })
}

/// Whether this node can serve.
#[utoipa::path(get, path = "/health/ready", tag = "operations", security(()), responses(
    (status = 200, body = Health), (status = 503, body = Health)))]
pub async fn ready(State(app): State<App>) -> impl IntoResponse {
    let mut missing = Vec::new();
    if app.is_leaving() {
        missing.push("this node is stopping");
    }
    if app.pdp.ensure(None).await.is_err() {
        missing.push("a confirmed revision");
    }
    if crate::store::ping(&app.pool).await.is_err() {
        missing.push("the database");
    }
    let (status, word) =
        if missing.is_empty() { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable") };
    (status, [(header::CACHE_CONTROL, "no-store")], Json(Health { status: word, missing }))
}

async fn render() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], telemetry::metrics_handle().render())
}
