//! Signing keys.

use axum::{Json, extract::State, http::StatusCode, response::IntoResponse};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::{
    authority::{self, Act, Gives},
    server,
};
use crate::{
    app::App,
    model::Algorithm,
    store::{self, keys::KeyRow, revision::Change},
    tokens::{KeysError, Rotation},
    web::{ApiError, Caller, Page, Params, Problem, Revised},
};

/// A signing key, as far as anybody may see it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyView {
    kid: String,
    alg: Algorithm,
    status: KeyStatus,
    /// When it was published.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// From when it signs.
    #[serde(with = "time::serde::rfc3339")]
    signs_from: OffsetDateTime,
    /// Until when what it signed is believed; null while it has no successor.
    #[serde(with = "time::serde::rfc3339::option")]
    verifies_until: Option<OffsetDateTime>,
}

/// What a key is good for at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// Clients are learning it; it signs nothing yet.
    Published,
    /// It signs.
    Signing,
    /// Its successor signs; what it signed is still believed.
    Retired,
}

/// Why keys are replaced.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Rotate {
    /// True: somebody else has the keys. The new ones sign at once, and every token that there is is dead.
    #[serde(default)]
    compromised: bool,
}

/// List the signing keys, oldest first.
#[utoipa::path(get, path = "/api/v1/admin/keys", tag = "keys", responses(
    (status = 200, body = Page<KeyView>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Page<KeyView>>, ApiError> {
    caller.require(&app, "Deodar::viewKeys", server()).await?;
    let now = app.clock.now();
    let rows = store::keys::list(&app.pool, now).await?;
    Ok(Json(Page { items: KeyView::of(rows, now), next_cursor: None }))
}

/// Replace the signing keys. The new ones are published now and sign in a few minutes, when everybody knows them.
#[utoipa::path(post, path = "/api/v1/admin/keys/rotate", tag = "keys", params(Rotate), responses(
    (status = 201, body = Page<KeyView>, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn rotate(
    State(app): State<App>,
    caller: Caller,
    Params(asked): Params<Rotate>,
) -> Result<impl IntoResponse, ApiError> {
    let act = || Act::new("Deodar::rotateKeys", server(), Gives::Nothing);
    caller.require(&app, act().action, act().resource).await?;
    let keys = app.tokens.keys();
    let fresh = keys.fresh(&Algorithm::ALL).await?;
    let why = if asked.compromised { Rotation::Compromised } else { Rotation::Planned };
    let mut write = authority::begin(&app, &caller, &[act()]).await?;
    keys.replace(write.conn(), &fresh, why).await?;
    write.changed(Change::Keys);
    let revision = write.commit().await?;
    app.tokens.reload_keys().await?;
    let now = app.clock.now();
    let items = KeyView::of(store::keys::list(&app.pool, now).await?, now);
    Ok(Revised(revision, (StatusCode::CREATED, Json(Page { items, next_cursor: None }))))
}

impl KeyView {
    fn of(rows: Vec<KeyRow>, now: OffsetDateTime) -> Vec<Self> {
        let signing: Vec<Option<String>> = Algorithm::ALL
            .into_iter()
            .map(|a| {
                rows.iter().rev().find(|row| row.algorithm == a && row.signs_from <= now).map(|row| row.kid.clone())
            })
            .collect();
        let view = |row: KeyRow| Self {
            status: match &row {
                row if signing.contains(&Some(row.kid.clone())) => KeyStatus::Signing,
                row if row.signs_from > now => KeyStatus::Published,
                _ => KeyStatus::Retired,
            },
            kid: row.kid,
            alg: row.algorithm,
            created_at: row.created_at,
            signs_from: row.signs_from,
            verifies_until: row.verifies_until,
        };
        rows.into_iter().map(view).collect()
    }
}

impl From<KeysError> for ApiError {
    fn from(error: KeysError) -> Self {
        match error {
            KeysError::Store(error) => error.into(),
            KeysError::BrokenOff(error) => error.into(),
            KeysError::Crypto(_) | KeysError::Seal(_) => Self::Internal(Box::new(error)),
        }
    }
}
