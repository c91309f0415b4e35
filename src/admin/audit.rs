//! What happened, for auditors: as pages of JSON, or whole as CSV or as lines of JSON.

use axum::{
    Json,
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde::Deserialize;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};
use utoipa::IntoParams;

use super::server;
use crate::{
    app::App,
    model::Outcome,
    store::{
        self,
        audit::{EventRow, Filter},
    },
    web::{ApiError, Caller, Cursor, EventView, Page, Params, Problem},
};

/// Which events.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Query {
    /// By whom: the id of a user or client, also as `User::"…"`.
    actor: Option<String>,
    /// What.
    action: Option<String>,
    /// To whom or what: an id, also as `User::"…"`.
    target: Option<String>,
    /// `success`, `failure` or `denied`.
    outcome: Option<String>,
    /// From when on (RFC 3339).
    since: Option<String>,
    /// Up to when, exclusively (RFC 3339).
    until: Option<String>,
    /// Most items, 1 to 200; 50 without.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// How many rows of an export are read at once.
const CHUNK: i64 = 1000;
const COLUMNS: [&str; 12] = [
    "at",
    "action",
    "outcome",
    "actor_type",
    "actor_id",
    "target_type",
    "target_id",
    "address",
    "request_id",
    "client_id",
    "details",
    "id",
];

/// List what happened, newest first. With `Accept: text/csv` or `application/x-ndjson`: everything that fits the
/// filter, in one answer.
#[utoipa::path(get, path = "/api/v1/admin/audit", tag = "audit", params(Query), responses(
    (status = 200, content((Page<EventView> = "application/json"), (String = "text/csv"),
        (String = "application/x-ndjson"))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    headers: HeaderMap,
    Params(query): Params<Query>,
) -> Result<Response, ApiError> {
    caller.require(&app, "Deodar::viewAudit", server()).await?;
    let filter = query.filter()?;
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accepted.contains("text/csv") {
        return Ok(export(app, filter, "text/csv; charset=utf-8", header_line()?, csv_lines));
    }
    if accepted.contains("application/x-ndjson") {
        return Ok(export(app, filter, "application/x-ndjson", Vec::new(), json_lines));
    }
    let cursor = Cursor::new(query.limit, query.cursor);
    let rows =
        store::audit::list(&app.pool, &filter, app.oldest_event(), EventView::after(&cursor)?, cursor.rows()?).await?;
    Ok(Json(cursor.page(rows, EventView::key, EventView::from)).into_response())
}

type Lines = fn(Vec<EventRow>) -> Result<Vec<u8>, ApiError>;

/// Streams every event that fits, a chunk at a time. A failure on the way breaks the answer off, so that nobody takes a
/// part for the whole.
fn export(app: App, filter: Filter, ty: &'static str, start: Vec<u8>, lines: Lines) -> Response {
    let state = (app, filter, Some(None), Some(start));
    let chunks = stream::try_unfold(state, move |(app, filter, next, start)| async move {
        if let Some(start) = start.filter(|start| !start.is_empty()) {
            return Ok(Some((Bytes::from(start), (app, filter, next, None))));
        }
        let Some(before) = next else { return Ok(None) };
        let rows =
            store::audit::list(&app.pool, &filter, app.oldest_event(), before, CHUNK).await.map_err(ApiError::from)?;
        let Some(last) = rows.last() else { return Ok::<_, ApiError>(None) };
        let next = (rows.len() as i64 == CHUNK).then_some(Some((last.at, last.id)));
        Ok(Some((Bytes::from(lines(rows)?), (app, filter, next, None))))
    });
    ([(header::CONTENT_TYPE, ty), (header::CACHE_CONTROL, "no-store")], Body::from_stream(chunks)).into_response()
}

fn header_line() -> Result<Vec<u8>, ApiError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(COLUMNS).map_err(broken)?;
    writer.into_inner().map_err(broken)
}

fn csv_lines(rows: Vec<EventRow>) -> Result<Vec<u8>, ApiError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        let at = row.at.format(&Rfc3339).map_err(broken)?;
        let (details, id) = (row.details.to_string(), row.id.to_string());
        let text = |value: &Option<String>| harmless(value.as_deref().unwrap_or_default());
        let fields = [
            at,
            row.action.clone(),
            row.outcome.clone(),
            text(&row.actor_type),
            text(&row.actor_id),
            text(&row.target_type),
            text(&row.target_id),
            text(&row.address),
            text(&row.request_id),
            text(&row.client_id),
            details,
            id,
        ];
        writer.write_record(fields).map_err(broken)?;
    }
    writer.into_inner().map_err(broken)
}

/// Keeps a spreadsheet from taking a text for a formula (OWASP, CSV injection).
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text.to_owned() }
}

fn json_lines(rows: Vec<EventRow>) -> Result<Vec<u8>, ApiError> {
    let mut lines = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut lines, &EventView::from(row)).map_err(broken)?;
        lines.push(b'\n');
    }
    Ok(lines)
}

fn broken(error: impl std::error::Error + Send + Sync + 'static) -> ApiError {
    ApiError::Internal(Box::new(error))
}

impl Query {
    fn filter(&self) -> Result<Filter, ApiError> {
        let invalid = |name: &str, what: &str| ApiError::BadRequest {
            code: "invalid_query",
            message: format!("`{name}` is not {what}"),
        };
        let outcome = match self.outcome.as_deref() {
            None => None,
            Some("success") => Some(Outcome::Success),
            Some("failure") => Some(Outcome::Failure),
            Some("denied") => Some(Outcome::Denied),
            Some(_) => return Err(invalid("outcome", "`success`, `failure` or `denied`")),
        };
        let time = |name: &str, text: &Option<String>| match text {
            None => Ok(None),
            Some(text) => OffsetDateTime::parse(text, &Rfc3339)
                .map(Some)
                .map_err(|_| invalid(name, "a time such as `2026-11-23T08:00:00Z`")),
        };
        if [&self.actor, &self.action, &self.target].iter().any(|t| t.as_ref().is_some_and(|t| t.contains('\0'))) {
            return Err(invalid("actor, action or target", "text"));
        }
        Ok(Filter {
            actor: self.actor.as_deref().map(id),
            action: self.action.clone(),
            target: self.target.as_deref().map(id),
            concerning: None,
            outcome,
            since: time("since", &self.since)?,
            until: time("until", &self.until)?,
        })
    }
}

/// The id out of `User::"…"`, or the text itself.
fn id(text: &str) -> String {
    let quoted = text.split_once("::\"").and_then(|(_, rest)| rest.strip_suffix('"'));
    quoted.unwrap_or(text).to_owned()
}
