//! Mail on its way: put into the outbox in the transaction of what it tells of, sent afterwards.
//!
//! At least once, never at most once: a row is deleted after the mail server has taken its mail, so a node that dies
//! in between leaves it for the next attempt. Both copies carry the row's id as `Message-ID`, by which mail programs
//! fold them into one. A lost reset link would be worse than a double one.
//!
//! Nobody waits for a mail server: requests only write a row, and one task on each node sends. Nodes share the work by
//! taking one row each at a time; a row is leased, so that a node that is gone holds up its mail for the lease alone.

use std::{
    error::Error,
    sync::{Arc, Once},
    time::Duration,
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{
    crypto::{CryptoError, SealBroken, Sealer},
    mail::{Letter, Mailer, Message, SendError, Session, Unwritable, plain},
    model::Clock,
    store::{self, outbox, outbox::Taken},
    telemetry,
};

const PURPOSE: &str = "mail";
/// How often a node looks for mail that another one wrote, or that is due again.
const POLL: Duration = Duration::from_secs(2);
/// How long a node may take for one mail. Above the sum of the mailer's timeouts.
const LEASE: Duration = Duration::from_mins(2);
/// The first pause after a failure. Each is twice the one before, up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_secs(10);
/// Bounds what a person waits for once the mail server is back.
const LONGEST_PAUSE: Duration = Duration::from_mins(5);
/// What was not sent by then is of no use any more: links have ended.
const LONGEST_AGE: Duration = Duration::from_hours(24);

/// See the module.
pub struct Post {
    pool: store::Pool,
    sealer: Arc<Sealer>,
    mailer: Mailer,
    clock: Clock,
    host: String,
    most: i64,
    waiting: Notify,
    no_way_out: Once,
}

/// A mail could not be put into the outbox.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The letter could not be written.
    #[error(transparent)]
    Letter(#[from] Unwritable),
    /// The letter could not be sealed.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl Post {
    /// `host` is how people know this server; `most` bounds the outbox.
    pub fn new(pool: store::Pool, sealer: Arc<Sealer>, mailer: Mailer, clock: Clock, host: String, most: u32) -> Self {
        Self { pool, sealer, mailer, clock, host, most: most.into(), waiting: Notify::new(), no_way_out: Once::new() }
    }

    /// Writes a mail to one address, to be sent if the transaction commits. Call [`Post::wake`] after that.
    ///
    /// A full outbox drops the mail and says so in the log: the one who asked must not learn of it.
    ///
    /// # Errors
    /// When the database fails; all else has no cause in the message.
    pub async fn put(&self, conn: &mut store::Conn, to: &str, message: &Message) -> Result<(), PostError> {
        let now = self.clock.now();
        let letter = message.letter(&self.host, to, now)?;
        let sealed = self.sealer.seal(PURPOSE, &letter.to_bytes()?)?;
        if !outbox::insert(conn, letter.id, &sealed, now, self.most).await? {
            tracing::error!(most = self.most, "the outbox is full: a mail was dropped");
            count("dropped", 1);
        }
        Ok(())
    }

    /// Sends what waits now, not at the next look.
    pub fn wake(&self) {
        self.waiting.notify_one();
    }

    /// Sends mail until cancelled.
    pub async fn run(&self, stop: CancellationToken) {
        let rounds = async {
            loop {
                if let Err(error) = self.round().await {
                    tracing::warn!(error = %error, "the outbox cannot be read");
                }
                let _ = tokio::time::timeout(POLL, self.waiting.notified()).await;
            }
        };
        stop.run_until_cancelled(rounds).await;
    }

    async fn round(&self) -> Result<(), store::Error> {
        let old = outbox::delete_older(&self.pool, self.clock.now() - LONGEST_AGE).await?;
        if old > 0 {
            tracing::error!(count = old, "mail was given up: it could not be sent for a day");
            count("dropped", old);
        }
        match self.mailer.session() {
            Some(mut session) => {
                let sent = self.send_due(&mut session).await;
                session.close().await;
                sent
            }
            None => {
                if outbox::count(&self.pool).await? > 0 {
                    let tell = || tracing::warn!("mail waits and has no way out: set `SMTP_URL` and `MAIL_FROM`");
                    self.no_way_out.call_once(tell);
                }
                Ok(())
            }
        }
    }

    /// Sends until there is nothing more, or the server cannot be used.
    async fn send_due(&self, session: &mut Session<'_>) -> Result<(), store::Error> {
        loop {
            let now = self.clock.now();
            match outbox::take(&self.pool, now, now + LEASE).await? {
                Some(taken) if self.send(session, &taken).await? => {}
                _ => return Ok(()),
            }
        }
    }

    /// Whether the next one is worth trying.
    async fn send(&self, session: &mut Session<'_>, taken: &Taken) -> Result<bool, store::Error> {
        let sent = match self.open(taken) {
            Ok(letter) => session.send(&letter).await,
            // Another node may have a newer master key or version.
            Err(error) => Err(SendError::Temporary(error)),
        };
        let (mail, attempts) = (taken.id, taken.attempts);
        let Err(error) = sent else {
            tracing::info!(%mail, attempts, "a mail was sent");
            count("sent", 1);
            outbox::delete(&self.pool, mail).await?;
            return Ok(true);
        };
        // What the server said is its text, not ours.
        let reason = plain(&error.source().map(ToString::to_string).unwrap_or_default());
        match error {
            SendError::Permanent(_) => {
                tracing::error!(%mail, attempts, reason, "a mail was given up: {error}");
                count("dropped", 1);
                outbox::delete(&self.pool, mail).await?;
                Ok(true)
            }
            SendError::Temporary(_) | SendError::Unreachable(_) => {
                tracing::warn!(%mail, attempts, reason, "a mail will be tried again: {error}");
                count("failed", 1);
                outbox::put_back(&self.pool, taken, self.clock.now() + pause(attempts)).await?;
                Ok(matches!(error, SendError::Temporary(_)))
            }
        }
    }

    /// The letter of a row, if it was sealed for that row.
    fn open(&self, taken: &Taken) -> Result<Letter, Box<dyn Error + Send + Sync>> {
        let letter = Letter::from_bytes(&self.sealer.open(PURPOSE, &taken.sealed)?)?;
        if letter.id == taken.id { Ok(letter) } else { Err(SealBroken.into()) }
    }
}

fn count(outcome: &'static str, mails: u64) {
    metrics::counter!(telemetry::MAILS, "outcome" => outcome).increment(mails);
}

fn pause(attempts: i32) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or_default().min(16);
    (PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}
