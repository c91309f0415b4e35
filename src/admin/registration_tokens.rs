//! Tokens by which clients register themselves (RFC 7591 §1.2).

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    authority::{self, Act, Gives},
    server,
};
use crate::{
    app::App,
    crypto::Opaque,
    store::registration_tokens::{self, RegistrationToken},
    web::{ApiError, Body, Caller, Cursor, FieldFault, Page, Params, PathOf, Problem},
};

/// A token to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRegistrationToken {
    /// What it is for.
    #[serde(default)]
    description: String,
    /// How many clients may be registered with it, 1 to 10 000; 1 when left out.
    #[serde(default = "once")]
    uses: i32,
    /// Seconds that it is good for, up to a year; a day when left out.
    #[serde(default = "a_day")]
    expires_in: i64,
}

/// A token.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RegistrationToken)]
pub struct RegistrationTokenView {
    id: Uuid,
    /// Shown once, when it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<String>,
    description: String,
    uses_left: i32,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

fn once() -> i32 {
    1
}

fn a_day() -> i64 {
    86_400
}

/// List registration tokens, oldest first.
#[utoipa::path(get, path = "/api/v1/admin/registration-tokens", tag = "clients", params(Cursor), responses(
    (status = 200, body = Page<RegistrationTokenView>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(cursor): Params<Cursor>,
) -> Result<Json<Page<RegistrationTokenView>>, ApiError> {
    caller.require(&app, "Deodar::listRegistrationTokens", server()).await?;
    let after = cursor.after_parsed()?.unwrap_or_default();
    let rows = registration_tokens::list(&app.pool, after, cursor.rows()?).await?;
    Ok(Json(cursor.page(rows, |row| row.id.to_string(), |row| RegistrationTokenView::new(row, None))))
}

/// Make a registration token. It is shown in this answer and never again.
#[utoipa::path(post, path = "/api/v1/admin/registration-tokens", tag = "clients", request_body = NewRegistrationToken,
    responses((status = 201, body = RegistrationTokenView),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<NewRegistrationToken>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let mut faults = Vec::new();
    if body.description.chars().count() > 200 || body.description.chars().any(char::is_control) {
        let message = "at most 200 characters and no control characters";
        faults.push(FieldFault::new("description", "invalid_description", message));
    }
    if !(1..=10_000).contains(&body.uses) {
        faults.push(FieldFault::new("uses", "out_of_range", "write 1 to 10000"));
    }
    if !(1..=365 * a_day()).contains(&body.expires_in) {
        faults.push(FieldFault::new("expires_in", "out_of_range", "write 1 to 31536000 seconds"));
    }
    if !faults.is_empty() {
        return Err(ApiError::Unprocessable(faults));
    }
    let now = app.clock.now();
    let token = Opaque::new(Opaque::INITIAL_ACCESS)?;
    let row = RegistrationToken {
        id: Uuid::now_v7(),
        description: body.description,
        uses_left: body.uses,
        expires_at: now + Duration::seconds(body.expires_in),
        created_at: now,
    };
    let act = Act::new("Deodar::createRegistrationToken", server(), Gives::Nothing);
    let mut write = authority::begin(&app, &caller, &[act]).await?;
    registration_tokens::insert(write.conn(), &row, &token.hash()).await?;
    write.commit().await?;
    let view = RegistrationTokenView::new(row, Some(token));
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(view)))
}

/// Remove a registration token. Clients that were registered with it stay.
#[utoipa::path(delete, path = "/api/v1/admin/registration-tokens/{id}", tag = "clients",
    params(("id" = Uuid, Path)), responses((status = 204),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let missing = || ApiError::NotFound(format!("registration token `{}`", id.escape_debug()));
    let act = Act::new("Deodar::deleteRegistrationToken", server(), Gives::Nothing);
    let mut write = authority::begin(&app, &caller, &[act]).await?;
    let uuid = id.parse().map_err(|_| missing())?;
    if !registration_tokens::delete(write.conn(), uuid).await? {
        return Err(missing());
    }
    write.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

impl RegistrationTokenView {
    fn new(row: RegistrationToken, token: Option<Opaque>) -> Self {
        Self {
            id: row.id,
            token: token.map(|token| token.expose().to_owned()),
            description: row.description,
            uses_left: row.uses_left,
            expires_at: row.expires_at,
            created_at: row.created_at,
        }
    }
}
