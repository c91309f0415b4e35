//! Events as the API shows them.

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{ApiError, Cursor};
use crate::store::audit::EventRow;

/// One thing that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventView {
    /// Time-ordered.
    pub id: Uuid,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who: a user or a client; null when it is not known.
    #[schema(required)]
    pub actor: Option<Party>,
    /// What.
    pub action: String,
    /// To whom or what.
    #[schema(required)]
    pub target: Option<Party>,
    /// `success`, `failure` or `denied`.
    pub outcome: String,
    /// From where.
    #[schema(required)]
    pub address: Option<String>,
    /// Finds the log line.
    #[schema(required)]
    pub request_id: Option<String>,
    /// By which application.
    #[schema(required)]
    pub client_id: Option<String>,
    /// What else there is to know.
    #[schema(value_type = Object)]
    pub details: serde_json::Value,
}

/// A user, a client, a role, or another entity.
#[derive(Debug, Serialize, ToSchema)]
pub struct Party {
    /// Entity type.
    #[serde(rename = "type")]
    pub ty: String,
    /// Entity id.
    pub id: String,
}

impl EventView {
    /// Where the page after this event begins.
    pub fn key(row: &EventRow) -> String {
        format!("{}/{}", row.at.unix_timestamp_nanos(), row.id)
    }

    /// Where to go on, as [`EventView::key`] wrote it.
    pub fn after(cursor: &Cursor) -> Result<Option<(OffsetDateTime, Uuid)>, ApiError> {
        let read = |key: String| {
            let (at, id) = key.split_once('/')?;
            let at = OffsetDateTime::from_unix_timestamp_nanos(at.parse().ok()?).ok()?;
            Some((at, id.parse().ok()?))
        };
        match cursor.after()? {
            None => Ok(None),
            Some(key) => read(key).map(Some).ok_or_else(|| ApiError::BadRequest {
                code: "invalid_cursor",
                message: "`cursor` is not a `next_cursor` of this list".to_owned(),
            }),
        }
    }
}

impl From<EventRow> for EventView {
    fn from(row: EventRow) -> Self {
        let party = |(ty, id)| Party { ty, id };
        Self {
            id: row.id,
            at: row.at,
            actor: row.actor_type.zip(row.actor_id).map(party),
            action: row.action,
            target: row.target_type.zip(row.target_id).map(party),
            outcome: row.outcome,
            address: row.address,
            request_id: row.request_id,
            client_id: row.client_id,
            details: row.details,
        }
    }
}
