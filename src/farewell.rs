//! Word to clients that a session ended (OpenID Connect Back-Channel Logout 1.0).
//!
//! What is to be told is written in the transaction that ends the session, so neither happens without the other, and
//! no logout waits for a client. One task on each node tells it afterwards, again and again for a day.
//!
//! Clients take turns: each is told one thing after the other by one node at a time, and one that does not answer waits
//! longer and longer by itself. So a client that is away, or slow on purpose, holds up nobody.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    crypto::CryptoError,
    fetch::{Fetcher, Unreachable},
    model::{AuthorizationId, Client, Clock, SessionId, UserId},
    store::{
        self, Conn,
        farewells::{self, Farewell, Lane},
    },
    telemetry,
};

/// How often a node looks for what another one wrote, or what is due again.
const POLL: Duration = Duration::from_secs(2);
/// How many clients one node tells at once.
const TELLERS: usize = 8;
/// How long one turn may take, and how much it may be about.
const TURN: Duration = Duration::from_secs(5);
const BATCH: i64 = 50;
/// When a turn counts as broken off. Above its length and that of one request.
const LEASE: Duration = Duration::from_secs(30);
/// The first pause after a failure. Each is twice the one before, up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// How often one thing is told in vain.
const MOST_ATTEMPTS: i32 = 30;
/// What was not told by then is given up.
const LONGEST_AGE: Duration = Duration::from_hours(24);
/// How much waits for one client; more is dropped.
const MOST_WAITING: i64 = 10_000;

/// See the module.
pub struct Farewells {
    pool: store::Pool,
    fetcher: Fetcher,
    clock: Clock,
    waiting: Notify,
}

/// What came of telling a client something.
enum Told {
    /// It heard.
    Yes,
    /// It heard, and will never agree (§2.8).
    Refused,
    /// It did not answer, or not sensibly.
    No,
}

impl Farewells {
    /// Takes what it works with.
    pub fn new(pool: store::Pool, fetcher: Fetcher, clock: Clock) -> Self {
        Self { pool, fetcher, clock, waiting: Notify::new() }
    }

    /// Notes whom to tell that sessions of a person ended, and that authorizations did whose sessions had expired
    /// before. Call [`Farewells::wake`] after the transaction.
    pub async fn put(
        &self,
        conn: &mut Conn,
        user: UserId,
        sessions: &[SessionId],
        authorizations: &[AuthorizationId],
    ) -> Result<(), store::Error> {
        if sessions.is_empty() && authorizations.is_empty() {
            return Ok(());
        }
        let now = self.clock.now();
        for (session, client) in farewells::concerned(&mut *conn, sessions, authorizations).await? {
            let subject = store::subjects::name(&mut *conn, &client, user).await?;
            if !farewells::insert(conn, &client.id, session, &subject, now, MOST_WAITING).await? {
                tracing::error!(client = %client.id, "too much waits to be told to this client: a logout was dropped");
                count("dropped", 1);
            }
        }
        Ok(())
    }

    /// Tells what waits now, not at the next look.
    pub fn wake(&self) {
        self.waiting.notify_one();
    }

    /// Tells clients until cancelled. `sign` makes a fresh logout token.
    pub async fn run(&self, stop: CancellationToken, sign: impl Fn(&Client, &Farewell) -> Result<String, CryptoError>) {
        let rounds = async {
            loop {
                if let Err(error) = self.round(&sign).await {
                    tracing::warn!(error = %error, "cannot read what clients are to be told");
                }
                let _ = tokio::time::timeout(POLL, self.waiting.notified()).await;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    async fn round(
        &self,
        sign: &impl Fn(&Client, &Farewell) -> Result<String, CryptoError>,
    ) -> Result<(), store::Error> {
        let old = farewells::delete_older(&self.pool, self.clock.now() - LONGEST_AGE).await?;
        if old > 0 {
            tracing::error!(count = old, "clients did not hear of logouts for a day: they were given up");
            count("dropped", old);
        }
        // Mostly there is nothing to do, which one look tells.
        let Some(first) = self.take().await? else { return Ok(()) };
        let tellers = (1..TELLERS).map(|_| None).chain([Some(first)]);
        join_all(tellers.map(|lane| self.tell_due(lane, sign))).await.into_iter().collect()
    }

    async fn take(&self) -> Result<Option<Lane>, store::Error> {
        let now = self.clock.now();
        farewells::take(&self.pool, now, now + LEASE).await
    }

    async fn tell_due(
        &self,
        mut lane: Option<Lane>,
        sign: &impl Fn(&Client, &Farewell) -> Result<String, CryptoError>,
    ) -> Result<(), store::Error> {
        loop {
            let next = if let Some(lane) = lane.take() { Some(lane) } else { self.take().await? };
            let Some(lane) = next else { return Ok(()) };
            let failures = self.turn(&lane, sign).await?;
            let pause = if failures == 0 { Duration::ZERO } else { pause(failures) };
            farewells::release(&self.pool, &lane.client, self.clock.now() + pause, failures).await?;
        }
    }

    /// One client's turn. Answers how often it has not answered now, in a row.
    async fn turn(
        &self,
        lane: &Lane,
        sign: &impl Fn(&Client, &Farewell) -> Result<String, CryptoError>,
    ) -> Result<i32, store::Error> {
        let client = store::clients::find(&self.pool, &lane.client).await?.filter(|client| client.active);
        let to = client.and_then(|client| Some((client.metadata.backchannel_logout_uri.clone()?, client)));
        let Some((uri, client)) = to else {
            // It does not want to hear any more.
            return farewells::delete_of(&self.pool, &lane.client).await.map(|_| 0);
        };
        let (began, waiting) = (Instant::now(), farewells::list(&self.pool, &lane.client, BATCH).await?);
        for farewell in waiting {
            let token = match sign(&client, &farewell) {
                Ok(token) => token,
                Err(error) => {
                    tracing::error!(error = %error, "a logout token cannot be signed");
                    return Ok(lane.failures + 1);
                }
            };
            let told = Told::of(self.fetcher.post_form(&uri, &[("logout_token", &token)]).await);
            if !self.settle(&client, &farewell, &told).await? {
                return Ok(lane.failures + 1);
            }
            if began.elapsed() > TURN {
                break;
            }
        }
        Ok(0)
    }

    /// Whether the next one is worth trying.
    async fn settle(&self, client: &Client, farewell: &Farewell, told: &Told) -> Result<bool, store::Error> {
        let (client, attempts) = (&client.id, farewell.attempts + 1);
        match told {
            Told::Yes => {
                tracing::info!(%client, attempts, "a client was told of a logout");
                count("sent", 1);
            }
            Told::Refused => {
                tracing::warn!(%client, attempts, "a client refused to hear of a logout");
                count("dropped", 1);
            }
            Told::No if attempts >= MOST_ATTEMPTS => {
                tracing::error!(%client, attempts, "a client did not hear of a logout: it was given up");
                count("dropped", 1);
                farewells::delete(&self.pool, farewell.id).await?;
                return Ok(false);
            }
            Told::No => {
                tracing::warn!(%client, attempts, "a client did not hear of a logout: it will be told again");
                count("failed", 1);
                farewells::note_failure(&self.pool, farewell.id).await?;
                return Ok(false);
            }
        }
        farewells::delete(&self.pool, farewell.id).await?;
        Ok(true)
    }
}

impl Told {
    fn of(answer: Result<u16, Unreachable>) -> Self {
        match answer {
            Ok(200..=299) => Self::Yes,
            Ok(400) => Self::Refused,
            Ok(_) | Err(Unreachable) => Self::No,
        }
    }
}

fn count(outcome: &'static str, farewells: u64) {
    metrics::counter!(telemetry::FAREWELLS, "outcome" => outcome).increment(farewells);
}

fn pause(failures: i32) -> Duration {
    let doublings = u32::try_from(failures.saturating_sub(1)).unwrap_or_default().min(16);
    (PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}
