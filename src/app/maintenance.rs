//! What is due from time to time, on every node.

use std::{sync::Arc, time::Duration};

use time::OffsetDateTime;
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
            if let Err(error) = forget_authorizations(&pool, clock.now()).await {
                tracing::warn!(error = %error, "cannot forget what people authorized and is over");
            }
            if let Err(error) = accounts.maintain().await {
                tracing::warn!(error = %error, "cannot forget what expired");
            }
            tokio::time::sleep(INTERVAL).await;
        }
    };
    stop.run_until_cancelled(work).await;
}

/// Codes stay for a while after they expired: one that is replayed still ends what followed from it.
async fn forget_authorizations(pool: &store::Pool, now: OffsetDateTime) -> Result<(), store::Error> {
    store::codes::prune(pool, now - time::Duration::DAY).await?;
    store::devices::prune(pool, now - time::Duration::DAY).await?;
    store::authorizations::prune(pool, now).await?;
    store::authorization_requests::prune(pool, now).await?;
    store::used_ids::prune(pool, now).await.map(drop)
}
