//! Around every request: its id, its deadline, the body of an error, one log line, metrics.

use std::{
    any::Any,
    io::Write,
    panic::AssertUnwindSafe,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json,
    extract::{MatchedPath, Request},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt;

use super::{ApiError, browser, problem::causes};
use crate::{app::App, telemetry};

/// The id of a request, in its answer and in the log.
#[derive(Clone, Debug)]
pub struct RequestId(pub HeaderValue);

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Random for each process, so that the ids of nodes do not meet.
static NODE: LazyLock<String> =
    LazyLock::new(|| format!("{:016x}-", crate::crypto::random().map_or(0, u64::from_be_bytes)));
static COUNT: AtomicU64 = AtomicU64::new(0);
/// Calls that validate or write much.
const LONG: Duration = Duration::from_secs(30);

impl RequestId {
    /// What the caller sent, if it is short and harmless; else a fresh one.
    fn of(request: &Request) -> Self {
        let harmless = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':');
        let sent = request.headers().get(&REQUEST_ID);
        let usable = sent.filter(|v| (1..=128).contains(&v.len()) && v.as_bytes().iter().all(harmless));
        Self(usable.cloned().unwrap_or_else(|| {
            let (mut text, count) = ([0; 33], COUNT.fetch_add(1, Ordering::Relaxed));
            let mut rest = text.as_mut_slice();
            let written = write!(rest, "{}{count:x}", *NODE).map(|()| 33 - rest.len());
            let fresh = HeaderValue::from_bytes(&text[..written.unwrap_or_default()]);
            fresh.unwrap_or(HeaderValue::from_static("-"))
        }))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or("-")
    }
}

/// Answers a request by `work`. Everything in one place, since each layer of its own costs every request an allocation.
pub async fn track(app: &App, mut request: Request, work: impl AsyncFnOnce(Request) -> Response) -> Response {
    let started = Instant::now();
    let id = RequestId::of(&request);
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().cloned();
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    let deadline = if route.starts_with("/api/v1/admin") { LONG } else { app.config.request_timeout };
    let (navigates, oauth) = (browser::navigates(request.headers()), request.uri().path().starts_with("/oauth/"));
    request.extensions_mut().insert(id.clone());
    let work = AssertUnwindSafe(work(request)).catch_unwind();
    let mut response = match tokio::time::timeout(deadline, work).await {
        Ok(answered) => answered.unwrap_or_else(broke_off),
        Err(_) => {
            let message = "this took too long here";
            ApiError::Unavailable { code: "timeout", message, source: None }.into_response()
        }
    };
    if let Some(error) = response.extensions_mut().remove::<Arc<ApiError>>() {
        if let ApiError::Busy { retry_after } = *error {
            tokio::time::sleep(retry_after - Duration::from_secs(retry_after.as_secs())).await;
        }
        let body = if navigates || browser::is_page(&response) {
            browser::error_page(app, &error, id.as_str())
        } else if oauth {
            Json(serde_json::json!({ "error": error.oauth_code(), "error_description": error.to_string() }))
                .into_response()
        } else {
            problem(app, &error, &id)
        };
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response = body;
        response.headers_mut().extend(parts.headers);
        *response.status_mut() = parts.status;
        log_error(&error, &id, &method, route);
    }
    log(&id, &method, route, response.status(), started.elapsed());
    response.headers_mut().insert(REQUEST_ID.clone(), id.0);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Lets the others that are ready be answered first, so that answers are written one after another. Each of them wakes
    // whoever waits for it, who takes turns with us where processors are few, and takes the caches along. Measured with 64
    // connections (`make bench-peer`): a sixth more client_credentials and a quarter more introspections a second.
    tokio::task::yield_now().await;
    response
}

fn broke_off(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    ApiError::Internal(format!("panic: {}", text.unwrap_or("?")).into()).into_response()
}

fn problem(app: &App, error: &ApiError, id: &RequestId) -> Response {
    let mut body = Json(error.problem(id.as_str(), app.verbose)).into_response();
    body.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    body
}

fn log_error(error: &ApiError, id: &RequestId, method: &Method, route: &str) {
    let (status, code, _) = error.parts();
    let (request_id, source) = (id.as_str(), causes(error));
    if status.is_server_error() {
        tracing::error!(request_id, %method, route, code, source, "{error}");
    } else {
        tracing::debug!(request_id, %method, route, code, source, "{error}");
    }
}

/// What programs ask tens of thousands of times a second. A line about each costs as much as the answer, so they are
/// logged at `debug` only, unless they fail. What a person did by them is on record besides.
const FREQUENT: [&str; 7] =
    ["/authz/", "/health/", "/.well-known/", "/oauth/jwks", "/oauth/token", "/oauth/introspect", "/oauth/userinfo"];

fn log(id: &RequestId, method: &Method, route: &str, status: StatusCode, took: Duration) {
    let (request_id, status, ms) = (id.as_str(), status.as_u16(), took.as_secs_f64() * 1000.0);
    telemetry::answered(route, status, took);
    let frequent = FREQUENT.iter().any(|path| route.starts_with(path));
    if frequent && status < 400 {
        tracing::debug!(target: "deodar::access", request_id, %method, route, status, ms);
    } else {
        tracing::info!(target: "deodar::access", request_id, %method, route, status, ms);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A panic is an answer like any other, and tells nothing.
    #[test]
    fn a_panic_becomes_an_error() {
        for panic in [Box::new("told") as Box<dyn Any + Send>, Box::new("told".to_owned()), Box::new(7)] {
            let response = broke_off(panic);
            assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
            let error = response.extensions().get::<Arc<ApiError>>().unwrap();
            assert_eq!(error.to_string(), "something went wrong here");
        }
    }
}
