//! Keys that clients publish themselves (`jwks_uri`): fetched when they are needed for the first time, kept for a while,
//! and fetched anew when a signature fits none of them, so that clients can replace their keys whenever they like.
//!
//! Anybody can present a token that says it is of a client, so this asks for a document once a minute at most.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use time::{Duration, OffsetDateTime};
use tokio::sync::Mutex;

use crate::{
    crypto::{ForeignKeys, InvalidJwt},
    fetch::Fetcher,
    model::Clock,
};

/// How long keys are used without looking whether they are still there.
const FRESH: Duration = Duration::minutes(10);
/// How long they are used when nobody can look.
const KEPT: Duration = Duration::hours(1);
/// The least time between two looks.
const PAUSE: Duration = Duration::MINUTE;
/// How many documents are kept.
const MOST: u64 = 10_000;

/// See the module.
pub(super) struct PublishedKeys {
    fetcher: Fetcher,
    clock: Clock,
    known: moka::sync::Cache<String, Arc<Mutex<Document>>>,
}

#[derive(Default)]
struct Document {
    keys: Option<(Arc<ForeignKeys>, OffsetDateTime)>,
    looked_at: Option<OffsetDateTime>,
}

impl PublishedKeys {
    pub(super) fn new(fetcher: Fetcher, clock: Clock) -> Self {
        Self { fetcher, clock, known: moka::sync::Cache::new(MOST) }
    }

    /// Verifies a signature and reads the claims, by the keys behind a URI.
    pub(super) async fn verify<T: DeserializeOwned>(&self, uri: &str, token: &str) -> Result<T, InvalidJwt> {
        let document = self.known.get_with(uri.to_owned(), Arc::default);
        let now = self.clock.now();
        let mut document = document.lock().await;
        if let Some(keys) = document.keys(now, FRESH)
            && let Ok(claims) = keys.verify(token)
        {
            return Ok(claims);
        }
        if document.looked_at.is_none_or(|at| at + PAUSE <= now) {
            document.looked_at = Some(now);
            if let Some(keys) = self.look(uri).await {
                document.keys = Some((Arc::new(keys), now));
            }
        }
        let keys = document.keys(now, KEPT).ok_or(InvalidJwt)?;
        drop(document);
        keys.verify(token)
    }

    async fn look(&self, uri: &str) -> Option<ForeignKeys> {
        let body = self.fetcher.get(uri).await.ok()?;
        ForeignKeys::read(&serde_json::from_slice(&body).ok()?).ok()
    }
}

impl Document {
    fn keys(&self, now: OffsetDateTime, longest: Duration) -> Option<Arc<ForeignKeys>> {
        self.keys.as_ref().filter(|(_, at)| now < *at + longest).map(|(keys, _)| Arc::clone(keys))
    }
}
