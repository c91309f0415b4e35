//! Redis as one more way to be woken when another node has written.
//!
//! A hint and nothing else: PostgreSQL's own `NOTIFY` and the poll do the same. Redis may vanish at any moment.

use std::{sync::Arc, time::Duration};

use futures_util::StreamExt;
use redis::{Client, RedisError, aio::ConnectionManager};
use tokio::sync::watch;

use crate::{model::Revision, pdp::Pdp};

const CHANNEL: &str = "deodar:revision";
/// How long to leave Redis alone after it failed.
const PAUSE: Duration = Duration::from_secs(2);

/// Tells other nodes of every revision that arrives here, and listens to them, for as long as it is polled.
pub async fn exchange(client: Client, pdp: Arc<Pdp>) {
    let arrived = pdp.arrivals();
    tokio::join!(forever("telling", || tell(&client, arrived.clone())), forever("listening", || listen(&client, &pdp)));
}

async fn forever<F: Future<Output = Result<(), RedisError>>>(doing: &str, attempt: impl Fn() -> F) {
    loop {
        if let Err(error) = attempt().await {
            tracing::warn!(doing, error = %error, "redis is not available; nodes are woken by the database alone");
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn tell(client: &Client, mut arrived: watch::Receiver<Revision>) -> Result<(), RedisError> {
    let mut redis = ConnectionManager::new(client.clone()).await?;
    while arrived.changed().await.is_ok() {
        let revision = arrived.borrow_and_update().0;
        redis::cmd("PUBLISH").arg(CHANNEL).arg(revision).query_async::<()>(&mut redis).await?;
    }
    Ok(())
}

async fn listen(client: &Client, pdp: &Pdp) -> Result<(), RedisError> {
    let mut subscription = client.get_async_pubsub().await?;
    subscription.subscribe(CHANNEL).await?;
    let mut messages = subscription.on_message();
    while let Some(message) = messages.next().await {
        let told = message.get_payload::<i64>().map_or(Revision(i64::MAX), Revision);
        if told > pdp.snapshot().revision
            && let Err(error) = pdp.refresh().await
        {
            tracing::warn!(error = %error, "cannot confirm the revision");
        }
    }
    Ok(())
}
