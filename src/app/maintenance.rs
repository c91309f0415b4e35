//! What is due from time to time, on every node.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use crate::{accounts::Accounts, model::Clock, store};

const INTERVAL: Duration = Duration::from_mins(10);

/// Does everything that is due, again and again, until cancelled. A failure costs nothing but time.
pub async fn run(
    pool: store::Pool,
    accounts: Arc<Accounts>,
    clock: Clock,
    retention: Duration,
    stop: CancellationToken,
) {
    let work = async {
        loop {
            if let Err(error) =
                store::audit::maintain(&pool, clock.ahead(), retention.try_into().unwrap_or(time::Duration::MAX)).await
            {
                tracing::warn!(error = %error, "cannot tend the record of events");
            }
            if let Err(error) = store::revision::prune(&pool).await {
                tracing::warn!(error = %error, "cannot prune the change log");
            }
            if let Err(error) = accounts.maintain().await {
                tracing::warn!(error = %error, "cannot forget what expired");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    stop.run_until_cancelled(work).await;
}
