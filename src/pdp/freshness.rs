//! How fresh an answer is, and whether it may be given.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::{Instant, timeout_at};

use super::{Error, Pdp};
use crate::model::Revision;

impl Pdp {
    /// Succeeds when this node is known to be current within the bound and has seen `at_least`, waiting for the
    /// latter as long as the settings allow.
    pub async fn ensure(&self, at_least: Option<Revision>) -> Result<(), Error> {
        if let Some(wanted) = at_least
            && self.live.load().revision < wanted
        {
            Box::pin(self.wait_for(wanted)).await?;
        }
        if self.unconfirmed_for() > self.settings.staleness_bound { Err(Error::Stale) } else { Ok(()) }
    }

    /// How long ago the revision was last known to be current.
    pub fn unconfirmed_for(&self) -> Duration {
        let confirmed = Duration::from_millis(self.confirmed.load(Ordering::Acquire));
        self.started.elapsed().saturating_sub(confirmed)
    }

    async fn wait_for(&self, wanted: Revision) -> Result<(), Error> {
        let deadline = Instant::now() + self.settings.revision_wait;
        let mut arrived = self.arrived.subscribe();
        let arrive = async {
            // The wake-up may be on its way, or lost: looking once costs a round trip and decides at once.
            if self.refresh().await.is_ok_and(|revision| revision >= wanted) {
                return true;
            }
            arrived.wait_for(|revision| *revision >= wanted).await.is_ok()
        };
        match timeout_at(deadline, arrive).await {
            Ok(true) => Ok(()),
            Ok(false) | Err(_) => Err(Error::RevisionUnavailable(wanted)),
        }
    }
}
