//! Lists in pages: `{"items":[…],"next_cursor":"…"|null}` with `?limit=&cursor=`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::ApiError;

/// Where to go on, and how far.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Cursor {
    /// Most items, 1 to 200; 50 without.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// One page.
#[derive(Debug, Serialize, ToSchema)]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; null on the last one.
    pub next_cursor: Option<String>,
}

impl Cursor {
    /// From parameters that were read with others.
    pub fn new(limit: Option<i64>, cursor: Option<String>) -> Self {
        Self { limit, cursor }
    }

    const MOST: i64 = 200;
    const USUAL: i64 = 50;

    /// How many rows to read: one more than the page holds, which tells whether there is a next one.
    pub fn rows(&self) -> Result<i64, ApiError> {
        match self.limit.unwrap_or(Self::USUAL) {
            limit @ 1..=Self::MOST => Ok(limit + 1),
            _ => Err(ApiError::BadRequest { code: "invalid_query", message: "`limit` is 1 to 200".to_owned() }),
        }
    }

    /// The key to go on after; `None` for the first page.
    pub fn after(&self) -> Result<Option<String>, ApiError> {
        let invalid = || ApiError::BadRequest {
            code: "invalid_cursor",
            message: "`cursor` is not a `next_cursor` of this list".to_owned(),
        };
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let key = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        // PostgreSQL's text holds no NUL.
        key.filter(|key| !key.contains('\0')).ok_or_else(invalid).map(Some)
    }

    /// The key to go on after, read as what it is.
    pub fn after_parsed<K: std::str::FromStr>(&self) -> Result<Option<K>, ApiError> {
        let invalid = |_| ApiError::BadRequest {
            code: "invalid_cursor",
            message: "`cursor` is not a `next_cursor` of this list".to_owned(),
        };
        self.after()?.map(|key| key.parse().map_err(invalid)).transpose()
    }

    /// The page out of the rows that [`Cursor::rows`] asked for.
    pub fn page<R, T>(&self, mut rows: Vec<R>, key: impl Fn(&R) -> String, view: impl Fn(R) -> T) -> Page<T> {
        let most = self.limit.unwrap_or(Self::USUAL) as usize;
        let more = rows.len() > most;
        rows.truncate(most);
        let next_cursor = rows.last().filter(|_| more).map(|last| URL_SAFE_NO_PAD.encode(key(last)));
        Page { items: rows.into_iter().map(view).collect(), next_cursor }
    }
}
