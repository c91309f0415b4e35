//! Principals and their roles, kept in memory.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
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
    held: Mutex<Option<Held>>,
}

#[derive(Clone)]
struct Held {
    holder: Arc<Holder>,
    /// When the next assignment ends.
    until: Option<OffsetDateTime>,
}

/// The cache. Reading a principal while somebody changes it must not leave the old state behind, so a reading
/// that began before an invalidation is used by nobody.
pub struct Principals {
    kept: moka::sync::Cache<Principal, Arc<Standing>>,
    /// Readings under way, each with whether it is still good.
    reading: Mutex<Readings>,
}

#[derive(Default)]
struct Readings {
    next: u64,
    under_way: HashMap<u64, Reading>,
}

struct Reading {
    of: Principal,
    good: bool,
    /// Closes when it is over.
    over: watch::Receiver<()>,
}

impl Principals {
    /// A cache of at most `most` principals.
    pub fn new(most: u64) -> Self {
        Self { kept: moka::sync::Cache::new(most), reading: Mutex::default() }
    }

    /// What is known of a principal without asking the database.
    pub fn get(&self, principal: &Principal) -> Option<Arc<Standing>> {
        self.kept.get(principal)
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
            let ticket = self.begin(principal);
            let read = store::within(assignments::standing(pool, principal)).await;
            let standing = read.map(|read| Arc::new(Standing { read, held: Mutex::default() }));
            let mut readings = self.readings();
            let good = readings.under_way.remove(&ticket.id).is_some_and(|reading| reading.good);
            if let (true, Ok(standing)) = (good, &standing) {
                self.kept.insert(principal.clone(), Arc::clone(standing));
            }
            drop(readings);
            drop(ticket);
            let standing = standing?;
            if good {
                return Ok(standing);
            }
        }
    }

    /// Forgets principals, and readings of them that are under way.
    pub fn forget(&self, principals: &[Principal]) {
        let mut readings = self.readings();
        for reading in readings.under_way.values_mut() {
            reading.good &= !principals.contains(&reading.of);
        }
        for principal in principals {
            self.kept.invalidate(principal);
        }
    }

    /// Forgets everybody.
    pub fn forget_all(&self) {
        let mut readings = self.readings();
        readings.under_way.values_mut().for_each(|reading| reading.good = false);
        self.kept.invalidate_all();
    }

    fn begin(&self, principal: &Principal) -> Ticket<'_> {
        let mut readings = self.readings();
        let (id, (sender, over)) = (readings.next, watch::channel(()));
        readings.next += 1;
        readings.under_way.insert(id, Reading { of: principal.clone(), good: true, over });
        Ticket { of: self, id, _over: sender }
    }

    /// A reading of a principal that is under way and still good.
    fn reading_of(&self, principal: &Principal) -> Option<watch::Receiver<()>> {
        let readings = self.readings();
        let mut good = readings.under_way.values().filter(|reading| reading.good && reading.of == *principal);
        good.next().map(|reading| reading.over.clone())
    }

    fn readings(&self) -> MutexGuard<'_, Readings> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A reading under way. One that is abandoned strikes itself off.
struct Ticket<'a> {
    of: &'a Principals,
    id: u64,
    _over: watch::Sender<()>,
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.of.readings().under_way.remove(&self.id);
    }
}

impl Standing {
    /// Reads a principal inside a transaction, for the transaction's own use.
    pub async fn read_in(conn: &mut Conn, principal: &Principal) -> Result<Self, Error> {
        Ok(Self { read: assignments::standing(conn, principal).await?, held: Mutex::default() })
    }

    /// As of when.
    pub fn as_of(&self) -> Revision {
        self.read.revision
    }

    /// Whether the principal exists and may act.
    pub fn active(&self) -> bool {
        self.read.active
    }

    /// Whether a token that was issued then, in seconds since 1970, was not ended by switching the client off or on.
    pub fn keeps_token(&self, issued_at: i64) -> bool {
        self.read.switched.is_none_or(|switched| issued_at >= switched.tokens_from)
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
