//! Keeping the snapshot current: a wake-up or a poll, then the change log, then one swap.

use std::{
    sync::{Arc, Weak, atomic::Ordering},
    time::{Duration, Instant},
};

use time::OffsetDateTime;
use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;

use super::{Error, Pdp, compile};
use crate::{
    model::{Principal, Revision, RoleName},
    policy::{Bundle, Delta, GrantSource, Loader, Snapshot, StoredGrant},
    store::{self, Conn, revision::Change},
};

/// Beyond so many changes everything is read anew.
const MOST_CHANGES: i64 = 50_000;

/// A snapshot that is ready to become the live one.
pub(super) struct Next {
    pub(super) snapshot: Snapshot,
    touched: Touched,
    revoked: Revoked,
    /// There are other signing keys.
    keys: bool,
}

type Revoked = Vec<(String, OffsetDateTime)>;

enum Touched {
    These(Vec<Principal>),
    Everybody,
}

/// Reads everything.
pub(super) async fn load(
    pool: &store::Pool,
    bundles: &compile::Recent,
    now: OffsetDateTime,
) -> Result<(Snapshot, Revoked), Error> {
    let mut tx = store::read_only(pool).await?;
    load_in(&mut tx, bundles, now).await
}

async fn load_in(
    conn: &mut Conn,
    bundles: &compile::Recent,
    now: OffsetDateTime,
) -> Result<(Snapshot, Revoked), Error> {
    store::unhurried(&mut *conn).await?;
    let (revision, number) = store::revision::get(&mut *conn).await?;
    let bundle = bundle(conn, bundles, number).await?;
    let roles = store::roles::list_graph(&mut *conn).await?;
    let mut loader = Loader::new(revision, bundle, roles).map_err(|_| Error::BrokenOff)?;
    store::grants::stream(conn, |g| {
        let store::grants::Streamed { id, role, effect, action, ty, resource_id, condition } = g;
        loader.push(GrantSource { id, role, effect, action, ty, resource_id, condition });
    })
    .await?;
    Ok((loader.finish(), store::revocations::list(conn, now).await?))
}

async fn bundle(conn: &mut Conn, recent: &compile::Recent, number: Option<i32>) -> Result<Arc<Bundle>, Error> {
    let number = number.ok_or(Error::NoBundle)?;
    if let Some(known) = recent.get(number) {
        return Ok(known);
    }
    let (_, files) = store::bundles::find(conn, number).await?.ok_or(Error::NoBundle)?;
    let bundle = super::compile(number, files).await??;
    recent.put(Arc::clone(&bundle));
    Ok(bundle)
}

impl Pdp {
    /// Brings this node to the database's revision.
    pub async fn refresh(&self) -> Result<Revision, Error> {
        let turn = self.replacing.lock().await;
        let asked = Instant::now();
        let live = self.snapshot();
        let revision = store::within(store::revision::poll(&self.pool, &self.clock)).await?;
        if revision != live.revision {
            let mut tx = store::read_only(&self.pool).await?;
            let next = self.build(&mut tx, &live).await?;
            drop(tx);
            self.install(next, &turn);
        }
        self.confirm(asked);
        Ok(self.snapshot().revision)
    }

    /// Builds the snapshot of what a transaction sees, beside the live one.
    pub(super) async fn build(&self, conn: &mut Conn, base: &Snapshot) -> Result<Next, Error> {
        let (revision, number) = store::revision::get(&mut *conn).await?;
        let Some(changes) = store::revision::changes_since(conn, base.revision, MOST_CHANGES).await? else {
            tracing::info!(from = %base.revision, to = %revision, "reading everything anew");
            let (snapshot, revoked) = load_in(conn, &self.bundles, self.clock.now()).await?;
            return Ok(Next { snapshot, touched: Touched::Everybody, revoked, keys: true });
        };
        let mut delta = Delta::default();
        let (mut roles, mut grants) = (Vec::<String>::new(), Vec::new());
        let (mut touched, mut revoked) = (Touched::These(Vec::new()), Vec::new());
        let mut keys = false;
        for change in changes {
            match change {
                Change::Role(name) => roles.push(name.into()),
                Change::RoleRemoved(name) => delta.removed_roles.push(name),
                Change::Grant(_, id) => grants.push(id.0),
                Change::GrantRemoved(role, id) => delta.removed_grants.push((role, id)),
                Change::Principals => touched = Touched::Everybody,
                Change::Principal(principal) => {
                    if let Touched::These(list) = &mut touched {
                        list.push(principal);
                    }
                }
                Change::Revoked(id, until) => revoked.push((id, until)),
                Change::Keys => keys = true,
                Change::Bundle => delta.bundle = Some(bundle(conn, &self.bundles, number).await?),
            }
        }
        if !roles.is_empty() {
            delta.roles = store::roles::list_graph_of(&mut *conn, &roles).await?;
        }
        if !grants.is_empty() {
            let stored = store::grants::list_by_id(&mut *conn, &grants).await?;
            delta.grants = stored.into_iter().map(stored_grant).collect();
        }
        Ok(Next { snapshot: base.apply(revision, delta), touched, revoked, keys })
    }

    /// Makes a snapshot the live one. Principals that it makes wrong are forgotten first, and what it ends is dead.
    pub(super) fn install(&self, next: Next, _turn: &MutexGuard<'_, ()>) {
        match &next.touched {
            Touched::These(principals) => self.principals.forget(principals),
            Touched::Everybody => self.principals.forget_all(),
        }
        self.revoked.extend(next.revoked);
        let revision = next.snapshot.revision;
        self.live.store(Arc::new(next.snapshot));
        self.arrived.send_replace(revision);
        if next.keys {
            self.keys_changed.send_replace(());
        }
    }

    pub(super) fn confirm(&self, asked: Instant) {
        let at = asked.saturating_duration_since(self.started).as_millis() as u64;
        self.confirmed.fetch_max(at, Ordering::Release);
    }

    /// Follows the database until cancelled. Wake-ups make it fast, the poll makes it sure.
    pub async fn follow(self: Arc<Self>, stop: CancellationToken) {
        let interval = self.settings.poll_interval;
        let pdp = Arc::downgrade(&self);
        let pool = self.pool.clone();
        drop(self);
        let mut listener: Option<store::Listener> = None;
        while !stop.is_cancelled() {
            if listener.is_none() {
                listener = listen(&pool).await;
            }
            tokio::select! {
                () = stop.cancelled() => break,
                () = woken(&mut listener) => {}
                () = tokio::time::sleep(interval) => {}
            }
            if !poll(&pdp).await {
                break;
            }
        }
    }
}

/// Refreshes once; false when there is nobody left to refresh for.
async fn poll(pdp: &Weak<Pdp>) -> bool {
    let Some(pdp) = pdp.upgrade() else { return false };
    if let Err(error) = pdp.refresh().await {
        tracing::warn!(error = %error, source = ?std::error::Error::source(&error), "cannot confirm the revision");
    }
    true
}

async fn listen(pool: &store::Pool) -> Option<store::Listener> {
    let connect = async {
        let mut listener = store::Listener::connect_with(pool).await?;
        listener.listen(store::revision::CHANNEL).await?;
        Ok::<_, store::DriverError>(listener)
    };
    tokio::time::timeout(Duration::from_secs(2), connect).await.ok()?.ok()
}

/// Waits for a wake-up; forever without a listener, and not at all when it broke off.
async fn woken(listener: &mut Option<store::Listener>) {
    match listener {
        Some(listening) => {
            if listening.try_recv().await.ok().flatten().is_none() {
                *listener = None;
            }
        }
        None => std::future::pending().await,
    }
}

fn stored_grant(stored: crate::model::Grant) -> StoredGrant {
    let grant = stored.grant;
    let role: RoleName = grant.role;
    StoredGrant {
        role,
        id: stored.id,
        effect: grant.effect,
        action: grant.action,
        ty: grant.resource.ty,
        resource_id: grant.resource.id.map(Into::into),
        condition: grant.condition.map(Into::into),
    }
}
