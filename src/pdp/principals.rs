//! Principals and their roles, kept in memory.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use time::OffsetDateTime;
use tokio::sync::watch;

use super::Error;
use crate::{
    model::{Principal, Revision},
    policy::{Holder, Snapshot},
    store::{self, Conn, assignments},
};

/// A principal as it was read, and what follows from that.
pub struct Standing {
    read: assignments::Standing,
    /// `None` when it was read for one transaction.
    version: Option<Version>,
    held: Mutex<Option<Held>>,
}

#[derive(Clone)]
struct Held {
    holder: Arc<Holder>,
    /// When the next assignment ends.
    until: Option<OffsetDateTime>,
}

/// The cache. What was read before a change is used by nobody afterwards, and that is seen by a counter, which a reading
/// notes when it begins. So one that is under way meanwhile leaves nothing behind, and whatever rests on a standing can
/// tell whether it still holds without looking for it.
pub struct Principals {
    kept: moka::sync::Cache<Principal, Arc<Standing>>,
    /// How often something changed. Principals that share a counter are read anew together, which only costs time.
    changes: Box<[AtomicU64]>,
    hasher: RandomState,
    reading: Mutex<HashMap<Principal, Reading>>,
}

/// How many counters there are.
const COUNTERS: usize = 1 << 16;

/// A counter as it stood.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Version {
    counter: usize,
    changes: u64,
}

struct Reading {
    version: Version,
    /// Closes when it is over.
    over: watch::Receiver<()>,
}

impl Principals {
    /// A cache of at most `most` principals.
    pub fn new(most: u64) -> Self {
        Self {
            kept: moka::sync::Cache::new(most),
            changes: std::iter::repeat_with(AtomicU64::default).take(COUNTERS).collect(),
            hasher: RandomState::new(),
            reading: Mutex::default(),
        }
    }

    /// What is known of a principal without asking the database.
    pub fn get(&self, principal: &Principal) -> Option<Arc<Standing>> {
        self.kept.get(principal).filter(|standing| self.is_current(standing))
    }

    /// Whether nothing of it has changed since it was read, as far as this node knows.
    pub fn is_current(&self, standing: &Standing) -> bool {
        standing.version.is_some_and(|version| self.now(version.counter) == version)
    }

    /// Reads a principal from the database and keeps what it read. Whoever comes while another reads it waits for that
    /// one, so that a crowd that asks about one principal does not stand before the database.
    pub async fn read(&self, pool: &store::Pool, principal: &Principal) -> Result<Arc<Standing>, Error> {
        if let Some(mut over) = self.reading_of(principal) {
            // It never tells anything; it closes, also when whoever read gave up.
            let _ = over.changed().await;
            if let Some(known) = self.get(principal) {
                return Ok(known);
            }
        }
        loop {
            let version = self.version(principal);
            let ticket = self.begin(principal, version);
            let read = store::within(assignments::standing(pool, principal)).await?;
            let standing = Arc::new(Standing { read, version: Some(version), held: Mutex::default() });
            if self.is_current(&standing) {
                self.kept.insert(principal.clone(), Arc::clone(&standing));
                return Ok(standing);
            }
            drop(ticket);
        }
    }

    /// Forgets principals, and readings of them that are under way.
    pub fn forget(&self, principals: &[Principal]) {
        for principal in principals {
            self.change(self.version(principal).counter);
        }
    }

    /// Forgets everybody.
    pub fn forget_all(&self) {
        (0..COUNTERS).for_each(|counter| self.change(counter));
    }

    fn change(&self, counter: usize) {
        self.changes[counter].fetch_add(1, Ordering::AcqRel);
    }

    fn version(&self, principal: &Principal) -> Version {
        self.now(self.hasher.hash_one(principal) as usize % COUNTERS)
    }

    fn now(&self, counter: usize) -> Version {
        Version { counter, changes: self.changes[counter].load(Ordering::Acquire) }
    }

    fn begin<'a>(&'a self, principal: &'a Principal, version: Version) -> Ticket<'a> {
        let (sender, over) = watch::channel(());
        self.readings().insert(principal.clone(), Reading { version, over });
        Ticket { of: self, principal, over: sender }
    }

    /// A reading of a principal that is under way and still good.
    fn reading_of(&self, principal: &Principal) -> Option<watch::Receiver<()>> {
        let version = self.version(principal);
        self.readings().get(principal).filter(|reading| reading.version == version).map(|reading| reading.over.clone())
    }

    fn readings(&self) -> MutexGuard<'_, HashMap<Principal, Reading>> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reading under way. One that is abandoned strikes itself off.
struct Ticket<'a> {
    of: &'a Principals,
    principal: &'a Principal,
    over: watch::Sender<()>,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let mut readings = self.of.readings();
        // Unless a later one has taken its place.
        if readings.get(self.principal).is_some_and(|reading| reading.over.same_channel(&self.over.subscribe())) {
            readings.remove(self.principal);
        }
    }
}

impl Standing {
    /// Reads a principal inside a transaction, for the transaction's own use.
    pub async fn read_in(conn: &mut Conn, principal: &Principal) -> Result<Self, Error> {
        Ok(Self { read: assignments::standing(conn, principal).await?, version: None, held: Mutex::default() })
    }

    /// As of when.
    pub fn as_of(&self) -> Revision {
        self.read.revision
    }

    /// Whether the principal exists and may act.
    pub fn active(&self) -> bool {
        self.read.active
    }

    /// From when on it holds less at `now`, if nobody changes anything: when the next assignment ends.
    pub(super) fn until(&self, now: OffsetDateTime) -> Option<OffsetDateTime> {
        self.read.assignments.iter().filter_map(|held| held.expires_at).filter(|end| now < *end).min()
    }

    /// For a client: how often it was switched off.
    pub fn generation(&self) -> i32 {
        self.read.generation
    }

    /// The principal with everything it holds at `now`, or would hold if it were not switched off.
    pub fn holder_on_or_off(
        &self,
        snapshot: &Snapshot,
        principal: &Principal,
        now: OffsetDateTime,
    ) -> Result<Arc<Holder>, Error> {
        let valid = self.read.assignments.iter().filter(|a| a.expires_at.is_none_or(|end| now < end));
        let unknown = |unknown| Error::Unknown { field: "principal.type", unknown };
        let uid = snapshot.bundle.vocabulary.uid(&principal.entity()).map_err(unknown)?;
        Ok(Arc::new(snapshot.holder(uid, valid.map(|a| &a.role))))
    }

    /// The principal with everything it holds at `now`; `None` for one that is unknown or switched off.
    pub fn holder(&self, snapshot: &Snapshot, principal: &Principal, now: OffsetDateTime) -> Option<Arc<Holder>> {
        if !self.read.active {
            return None;
        }
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.as_ref()
            && snapshot.is_current(&held.holder)
            && held.until.is_none_or(|until| now < until)
        {
            return Some(Arc::clone(&held.holder));
        }
        let valid = self.read.assignments.iter().filter(|a| a.expires_at.is_none_or(|end| now < end));
        let uid = snapshot.bundle.vocabulary.uid(&principal.entity()).ok()?;
        let holder = Arc::new(snapshot.holder(uid, valid.clone().map(|a| &a.role)));
        *held = Some(Held { holder: Arc::clone(&holder), until: valid.filter_map(|a| a.expires_at).min() });
        Some(holder)
    }
}
