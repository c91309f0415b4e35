//! Writing what decisions depend on.
//!
//! One writer at a time holds the row lock of the revision. Under that lock the caller's authority is judged as of
//! exactly the revision that the write follows, the next snapshot is built from what the transaction sees, and it is
//! made sure that somebody can still administer the server. Only then the transaction commits. So authority cannot
//! be lost between the check and the write, and no write can lock everybody out, however many nodes write at once.

use std::{collections::HashMap, sync::Arc};

use time::OffsetDateTime;
use tokio::sync::OwnedMutexGuard;

use super::{
    AccessRequest, Answer, Error, Pdp, ResourceInput, Subject,
    check::{self, Known},
    principals::Standing,
    sync::Next,
};
use crate::{
    model::{ClientId, EntityRef, Json, Principal, Revision, RoleName},
    policy::{Holder, Snapshot},
    store::{self, Conn, Tx, revision::Change},
};

/// An open write.
pub struct Write {
    pdp: Arc<Pdp>,
    tx: Tx<'static>,
    base: Arc<Snapshot>,
    changes: Vec<Change>,
    /// Principals that were asked about. All asking comes before all changing.
    holders: HashMap<Principal, Option<Arc<Holder>>>,
    _turn: OwnedMutexGuard<()>,
}

/// How many administrators are looked at before it is concluded that none can act.
const ADMINISTRATORS: i64 = 50;
/// What an administrator must be able to do for the server to be administrable.
const ESSENTIAL: [(&str, &str, &str); 3] = [
    ("Deodar::activateBundle", "Deodar::Server", "deodar"),
    ("Deodar::assignRole", "Role", "admin"),
    ("Deodar::deleteGrant", "Role", "admin"),
];

impl Pdp {
    /// Opens a write: waits for its turn, locks the revision, and catches up with it.
    pub async fn write(self: &Arc<Self>) -> Result<Write, Error> {
        let turn = Arc::clone(&self.writing).lock_owned().await;
        let mut tx = self.pool.begin().await.map_err(store::Error::from)?;
        let revision = store::revision::lock(&mut tx).await?;
        let live = self.snapshot();
        let base = if live.revision == revision { live } else { Arc::new(self.build(&mut tx, &live).await?.snapshot) };
        Ok(Write { pdp: Arc::clone(self), tx, base, changes: Vec::new(), holders: HashMap::new(), _turn: turn })
    }
}

impl Pdp {
    /// Says so in the log when there are administrators and the policies let none of them put anything right. Whoever
    /// works on the files or the database itself is not kept from that, but has to know.
    ///
    /// # Errors
    /// The database failed.
    pub async fn warn_if_locked_out(&self) -> Result<(), Error> {
        let mut conn = self.pool.acquire().await.map_err(store::Error::from)?;
        let administrators = administrators(&mut conn).await?;
        if !administrators.is_empty() && !is_administrable(&self.snapshot(), &administrators) {
            tracing::error!(
                "the policies let no administrator administer this server: \
                 activate an earlier bundle with `deodar policy activate`"
            );
        }
        Ok(())
    }
}

impl Write {
    /// The transaction.
    pub fn conn(&mut self) -> &mut Conn {
        &mut self.tx
    }

    /// What holds before this write.
    pub fn base(&self) -> &Arc<Snapshot> {
        &self.base
    }

    /// A principal as this write finds it; `None` for one that is unknown or switched off.
    pub async fn holder(&mut self, principal: &Principal) -> Result<Option<Arc<Holder>>, Error> {
        if let Some(known) = self.holders.get(principal) {
            return Ok(known.clone());
        }
        let standing = Standing::read_in(&mut self.tx, principal).await?;
        let holder = standing.holder(&self.base, principal, self.pdp.clock.now());
        self.holders.insert(principal.clone(), holder.clone());
        Ok(holder)
    }

    /// Whether a client may act, and was not switched off since this generation.
    pub async fn client_stands(&mut self, client: &ClientId, generation: i32) -> Result<bool, Error> {
        let standing = Standing::read_in(&mut self.tx, &Principal::Client(client.clone())).await?;
        Ok(standing.active() && generation >= standing.generation())
    }

    /// What a principal holds, or would hold if it were not switched off.
    pub async fn holder_on_or_off(&mut self, principal: &Principal) -> Result<Arc<Holder>, Error> {
        let standing = Standing::read_in(&mut self.tx, principal).await?;
        standing.holder_on_or_off(&self.base, principal, self.pdp.clock.now())
    }

    /// Answers a request as of the revision that this write follows.
    pub async fn check(&mut self, request: &AccessRequest) -> Result<Answer, Error> {
        let holder = self.known_holder(&request.principal.entity).await?;
        let target = self.known_holder(&request.resource.entity).await?;
        check::decide(&self.base, request, holder, target.as_deref(), false)
    }

    async fn known_holder(&mut self, entity: &EntityRef) -> Result<Option<Arc<Holder>>, Error> {
        match check::known(entity) {
            Known::Principal(principal) => self.holder(&principal).await,
            Known::Nobody | Known::Foreign => Ok(None),
        }
    }

    /// Notes what was changed.
    pub fn changed(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Ends things before they expire: `sid:…`, `grant:…`, `jti:…`. `until` is when the last token that this could
    /// concern has expired.
    pub async fn revoke(&mut self, ids: Vec<String>, until: OffsetDateTime) -> Result<(), Error> {
        store::revocations::insert(&mut *self.tx, &ids, until).await?;
        self.changes.extend(ids.into_iter().map(|id| Change::Revoked(id, until)));
        Ok(())
    }

    /// Commits. Without noted changes nothing happened, and the revision stays.
    pub async fn commit(mut self) -> Result<Revision, Error> {
        if self.changes.is_empty() {
            let revision = self.base.revision;
            self.tx.commit().await.map_err(store::Error::from)?;
            return Ok(revision);
        }
        store::revision::advance(&mut self.tx, &self.changes).await?;
        let next = self.pdp.build(&mut self.tx, &self.base).await?;
        // Ending sessions and tokens takes nothing from anybody that they could not have again.
        if !self.changes.iter().all(|change| matches!(change, Change::Revoked(..))) {
            self.ensure_administrable(&next).await?;
        }
        let revision = next.snapshot.revision;
        self.tx.commit().await.map_err(store::Error::from)?;
        let turn = self.pdp.replacing.lock().await;
        if self.pdp.snapshot().revision < revision {
            // What this node had not seen before the write is part of `next` too, but not of what `next` says was
            // touched; a node that was behind takes the whole way.
            if self.pdp.snapshot().revision == self.base.revision {
                self.pdp.install(next, &turn);
            } else {
                drop(turn);
                self.pdp.refresh().await?;
            }
        }
        Ok(revision)
    }

    async fn ensure_administrable(&mut self, next: &Next) -> Result<(), Error> {
        if is_administrable(&next.snapshot, &administrators(&mut self.tx).await?) {
            return Ok(());
        }
        // A server that nobody administers yet loses nothing. Another connection sees what held before this write, and
        // the lock keeps that from changing.
        let mut before = self.pdp.pool.acquire().await.map_err(store::Error::from)?;
        let before = administrators(&mut before).await?;
        if is_administrable(&self.base, &before) { Err(Error::LastAdministrator) } else { Ok(()) }
    }
}

/// Some who hold the role `admin` for good, with all roles that they hold for good.
async fn administrators(conn: &mut Conn) -> Result<Vec<(Principal, Vec<RoleName>)>, Error> {
    Ok(store::assignments::permanent_holders(conn, &RoleName::admin(), ADMINISTRATORS).await?)
}

/// Whether one of them can use it.
fn is_administrable(snapshot: &Snapshot, administrators: &[(Principal, Vec<RoleName>)]) -> bool {
    administrators.iter().any(|(principal, roles)| {
        let Ok(uid) = snapshot.bundle.vocabulary.uid(&principal.entity()) else { return false };
        let holder = Arc::new(snapshot.holder(uid, roles.iter()));
        ESSENTIAL.iter().all(|(action, ty, id)| {
            let request = AccessRequest {
                principal: Subject::plain(principal.entity()),
                action: (*action).to_owned(),
                resource: ResourceInput::plain(EntityRef::new(*ty, *id)),
                context: vec![("held".to_owned(), Json::Bool(true))],
                session: None,
            };
            check::decide(snapshot, &request, Some(Arc::clone(&holder)), None, false).is_ok_and(|a| a.allow)
        })
    })
}
