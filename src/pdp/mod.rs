//! The decision point: one question, asked everywhere.
//!
//! It keeps a [`Snapshot`](crate::policy::Snapshot) fresh, knows which roles principals hold, and answers
//! [`AccessRequest`]s. Everything in here may vanish at any moment and only costs time: PostgreSQL is the truth.
//!
//! Why a check cannot mix revisions: the snapshot is read first, then the principal. A principal's entry says as of
//! which revision it was read; when that is newer than the snapshot, the snapshot is brought there first. An entry
//! is dropped before the snapshot that makes it wrong becomes visible, so it cannot be older either.

mod bundles;
mod check;
mod compile;
mod freshness;
mod principals;
mod request;
mod revoked;
mod sync;
mod write;

use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use tokio::sync::{Mutex, watch};

pub use self::{
    bundles::{Adopted, BrokenGrants, adopt, adopt_edited, broken_grants, digest, source},
    check::{Answer, Basis, BatchAnswer, decide},
    compile::{compile, off_runtime},
    principals::Standing,
    request::{AccessRequest, ResourceInput, Session, Subject},
    write::Write,
};
use crate::{
    model::{Clock, Revision},
    policy::{CompileError, Mistyped, Snapshot, Unknown},
    store,
};

/// Why there is no decision.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An action or a type that the schema does not have.
    #[error("{unknown}")]
    Unknown {
        /// Where it was written: `action`, `resource.type`.
        field: &'static str,
        /// What and what was probably meant.
        unknown: Unknown,
    },
    /// Action, principal type and resource type are known, and do not go together.
    #[error("{message}")]
    NotApplicable {
        /// `principal.type` or `resource.type`.
        field: &'static str,
        /// With the types that would.
        message: String,
    },
    /// A value does not fit the schema.
    #[error(transparent)]
    Mistyped(#[from] Mistyped),
    /// The revision asked for did not arrive in time.
    #[error("revision {0} is not available here yet")]
    RevisionUnavailable(Revision),
    /// This node has not been able to confirm its revision for too long.
    #[error("this node cannot tell whether it is up to date")]
    Stale,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The active bundle does not compile with this version.
    #[error("the active bundle does not compile: {0}")]
    Bundle(#[from] CompileError),
    /// No bundle is active.
    #[error("no bundle is active")]
    NoBundle,
    /// A write would leave nobody who can administer the server.
    #[error("no active administrator would be left")]
    LastAdministrator,
    /// A task of our own broke off.
    #[error("an internal task broke off")]
    BrokenOff,
}

/// How long things may take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A node that could not confirm its revision for longer answers no checks.
    pub staleness_bound: Duration,
    /// How long `at_least_revision` is waited for.
    pub revision_wait: Duration,
    /// How often the revision is looked at without being woken.
    pub poll_interval: Duration,
    /// Most principals kept in memory.
    pub principals: u64,
}

impl Default for Settings {
    /// What the configuration's defaults are.
    fn default() -> Self {
        Self {
            staleness_bound: Duration::from_secs(5),
            revision_wait: Duration::from_secs(1),
            poll_interval: Duration::from_millis(250),
            principals: 200_000,
        }
    }
}

/// See the module.
pub struct Pdp {
    pool: store::Pool,
    clock: Clock,
    settings: Settings,
    live: ArcSwap<Snapshot>,
    principals: principals::Principals,
    revoked: revoked::Revoked,
    /// Milliseconds after `started` at which the revision was last known to be current.
    confirmed: AtomicU64,
    started: Instant,
    /// Held while the live snapshot is replaced.
    replacing: Mutex<()>,
    /// Held while this node writes, so that waiting writers need no connection.
    writing: Arc<Mutex<()>>,
    arrived: watch::Sender<Revision>,
    keys_changed: watch::Sender<()>,
    bundles: compile::Recent,
}

impl Pdp {
    /// Loads everything. Fails when no bundle is active or the active one does not compile.
    pub async fn load(pool: store::Pool, clock: Clock, settings: Settings) -> Result<Self, Error> {
        let bundles = compile::Recent::default();
        let asked = Instant::now();
        let (snapshot, revoked) = sync::load(&pool, &bundles, clock.now()).await?;
        Ok(Self {
            arrived: watch::Sender::new(snapshot.revision),
            keys_changed: watch::Sender::new(()),
            principals: principals::Principals::new(settings.principals),
            revoked: revoked::Revoked::new(revoked),
            live: ArcSwap::from_pointee(snapshot),
            confirmed: AtomicU64::new(0),
            started: asked,
            replacing: Mutex::default(),
            writing: Arc::default(),
            bundles,
            pool,
            clock,
            settings,
        })
    }

    /// What this node decides with now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.live.load_full()
    }

    /// Tells of every revision that arrives here.
    pub fn arrivals(&self) -> watch::Receiver<Revision> {
        self.arrived.subscribe()
    }

    /// Whether any of these is ended: a session, a grant, a token.
    pub fn is_revoked(&self, ids: &[String]) -> bool {
        self.revoked.contains_any(ids)
    }

    /// Forgets what ended so long ago that nothing can refer to it.
    pub fn prune_revoked(&self) {
        self.revoked.prune(self.clock.now());
    }

    /// Tells that there are other signing keys.
    pub fn key_changes(&self) -> watch::Receiver<()> {
        self.keys_changed.subscribe()
    }

    /// Keeps a bundle that was compiled to check it, so that activating it need not compile it again.
    pub fn remember(&self, bundle: Arc<crate::policy::Bundle>) {
        self.bundles.put(bundle);
    }
}
