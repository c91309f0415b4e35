//! What a node decides with: roles, grants and bundle as of one revision.
//!
//! A snapshot is a value. A change makes a new one beside it that shares every part that did not change.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use cedar_policy::{EntityId, EntityTypeName, EntityUid};

use super::{
    bundle::Bundle,
    core::FlatEntity,
    generate::GrantSource,
    grants::{GrantRef, GrantRow, RoleGrants, Symbols},
};
use crate::model::{GrantId, Revision, RoleName};

/// A role by its place in a snapshot; stays the same from one snapshot to the next.
pub type RoleIx = u32;

/// One role.
#[derive(Clone, Debug)]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// What it inherits directly.
    pub inherits: Arc<[RoleIx]>,
    /// What is granted to it directly.
    pub grants: Arc<RoleGrants>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// As of when.
    pub revision: Revision,
    /// The hand-written part.
    pub bundle: Arc<Bundle>,
    pub(super) symbols: Arc<Symbols>,
    /// A removed role leaves its place empty.
    roles: Arc<Vec<Option<Role>>>,
    by_name: Arc<HashMap<RoleName, RoleIx>>,
    /// Tells when a closure computed earlier no longer holds.
    graph: u64,
    role_type: EntityTypeName,
}

/// A grant as the database has it.
#[derive(Clone, Debug)]
pub struct StoredGrant {
    /// Whose.
    pub role: RoleName,
    /// Its id.
    pub id: GrantId,
    /// Permit or forbid.
    pub effect: crate::model::Effect,
    /// Action.
    pub action: String,
    /// Entity type.
    pub ty: String,
    /// Entity id.
    pub resource_id: Option<Box<str>>,
    /// Cedar expression.
    pub condition: Option<Box<str>>,
}

/// What changed since a snapshot.
#[derive(Debug, Default)]
pub struct Delta {
    /// Roles that are new or inherit something else now, with everything they inherit.
    pub roles: Vec<(RoleName, Vec<RoleName>)>,
    /// Roles that are gone.
    pub removed_roles: Vec<RoleName>,
    /// New grants.
    pub grants: Vec<StoredGrant>,
    /// Grants that are gone.
    pub removed_grants: Vec<(RoleName, GrantId)>,
    /// The bundle that is active now.
    pub bundle: Option<Arc<Bundle>>,
}

/// A principal with everything it holds, worked out once and kept.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The principal with all roles as ancestors.
    pub entity: FlatEntity,
    /// Roles held directly.
    pub assigned: Vec<RoleIx>,
    /// Roles held directly or by inheritance, ascending.
    pub roles: Vec<RoleIx>,
    graph: u64,
}

/// A number for a graph of roles that no other has, so that what was worked out for one snapshot is never taken for
/// right in another that happens to have changed as often.
fn fresh_graph() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Snapshot {
    /// A snapshot without roles.
    pub fn new(revision: Revision, bundle: Arc<Bundle>) -> Result<Self, cedar_policy::ParseErrors> {
        Ok(Self {
            revision,
            bundle,
            symbols: Arc::default(),
            roles: Arc::default(),
            by_name: Arc::default(),
            graph: fresh_graph(),
            role_type: "Role".parse()?,
        })
    }

    /// The snapshot after a change.
    pub fn apply(&self, revision: Revision, delta: Delta) -> Self {
        let mut next = self.clone();
        next.revision = revision;
        if let Some(bundle) = delta.bundle {
            next.bundle = bundle;
        }
        if !delta.roles.is_empty() || !delta.removed_roles.is_empty() {
            next.graph = fresh_graph();
            next.change_roles(delta.roles, delta.removed_roles);
        }
        if !delta.grants.is_empty() || !delta.removed_grants.is_empty() {
            next.change_grants(delta.grants, delta.removed_grants);
        }
        next
    }

    fn change_roles(&mut self, put: Vec<(RoleName, Vec<RoleName>)>, removed: Vec<RoleName>) {
        let roles = Arc::make_mut(&mut self.roles);
        let by_name = Arc::make_mut(&mut self.by_name);
        for name in removed {
            if let Some(ix) = by_name.remove(&name) {
                roles[ix as usize] = None;
            }
        }
        for (name, _) in &put {
            if !by_name.contains_key(name) {
                by_name.insert(name.clone(), roles.len() as RoleIx);
                roles.push(Some(Role { name: name.clone(), inherits: [].into(), grants: Arc::default() }));
            }
        }
        for (name, inherits) in put {
            let inherits = inherits.iter().filter_map(|other| by_name.get(other).copied()).collect();
            if let Some(role) = by_name.get(&name).and_then(|ix| roles[*ix as usize].as_mut()) {
                role.inherits = inherits;
            }
        }
        // A removed role may still be named by the lists of others until their own rows say otherwise.
        let gone: HashSet<RoleIx> = (0..roles.len() as RoleIx).filter(|ix| roles[*ix as usize].is_none()).collect();
        for role in roles.iter_mut().flatten().filter(|r| r.inherits.iter().any(|ix| gone.contains(ix))) {
            role.inherits = role.inherits.iter().copied().filter(|ix| !gone.contains(ix)).collect();
        }
    }

    fn change_grants(&mut self, put: Vec<StoredGrant>, removed: Vec<(RoleName, GrantId)>) {
        let mut changes: HashMap<RoleIx, (Vec<GrantRow>, Vec<GrantId>)> = HashMap::new();
        let symbols = Arc::make_mut(&mut self.symbols);
        for grant in put {
            let (Some(ix), Some(action), Some(ty)) =
                (self.by_name.get(&grant.role), symbols.intern(&grant.action), symbols.intern(&grant.ty))
            else {
                continue;
            };
            let StoredGrant { id, effect, resource_id, condition, .. } = grant;
            changes.entry(*ix).or_default().0.push(GrantRow { id, effect, action, ty, resource_id, condition });
        }
        for (role, id) in removed {
            if let Some(ix) = self.by_name.get(&role) {
                changes.entry(*ix).or_default().1.push(id);
            }
        }
        for (ix, (added, removed)) in changes {
            self.replace_grants(ix, added, &removed);
        }
    }

    /// Packs grants into a role, beside those it has and without the removed ones.
    pub(super) fn replace_grants(&mut self, ix: RoleIx, added: Vec<GrantRow>, removed: &[GrantId]) {
        if let Some(role) = Arc::make_mut(&mut self.roles)[ix as usize].as_mut() {
            role.grants = Arc::new(role.grants.with(&self.symbols, added, removed));
        }
    }

    /// The place of a role.
    pub fn role_ix(&self, name: &str) -> Option<RoleIx> {
        self.by_name.get(name).copied()
    }

    /// The role at a place.
    pub fn role(&self, ix: RoleIx) -> Option<&Role> {
        self.roles.get(ix as usize).and_then(Option::as_ref)
    }

    /// Every role.
    pub fn roles(&self) -> impl Iterator<Item = (RoleIx, &Role)> {
        self.roles.iter().enumerate().filter_map(|(ix, role)| Some((ix as RoleIx, role.as_ref()?)))
    }

    /// How many grants there are.
    pub fn grant_count(&self) -> usize {
        self.roles().map(|(_, role)| role.grants.len()).sum()
    }

    /// Every grant of a role, ready to become a policy.
    pub fn grants_of<'a>(&'a self, role: &'a Role) -> impl Iterator<Item = GrantSource<'a>> {
        role.grants.iter().map(|g: GrantRef<'a>| g.source(role.name.as_str(), &self.symbols))
    }

    /// The given roles and all that they inherit, ascending.
    pub fn closure(&self, start: &[RoleIx]) -> Vec<RoleIx> {
        let mut seen: HashSet<RoleIx> = HashSet::with_capacity(start.len() * 2);
        let mut queue: Vec<RoleIx> = start.to_vec();
        while let Some(ix) = queue.pop() {
            if let Some(role) = self.role(ix)
                && seen.insert(ix)
            {
                queue.extend(role.inherits.iter());
            }
        }
        let mut all: Vec<RoleIx> = seen.into_iter().collect();
        all.sort_unstable();
        all
    }

    /// A shortest way of inheritance from one of `start` to `target`, both ends included.
    pub fn path(&self, start: &[RoleIx], target: RoleIx) -> Vec<RoleName> {
        let mut came_from: HashMap<RoleIx, Option<RoleIx>> = start.iter().map(|ix| (*ix, None)).collect();
        let mut queue: VecDeque<RoleIx> = start.iter().copied().collect();
        while let Some(ix) = queue.pop_front() {
            if ix == target {
                let back = std::iter::successors(Some(ix), |at| came_from.get(at).copied().flatten());
                let mut path: Vec<RoleName> = back.filter_map(|at| Some(self.role(at)?.name.clone())).collect();
                path.reverse();
                return path;
            }
            for next in self.role(ix).into_iter().flat_map(|role| role.inherits.iter()) {
                if !came_from.contains_key(next) {
                    came_from.insert(*next, Some(ix));
                    queue.push_back(*next);
                }
            }
        }
        Vec::new()
    }

    /// Works out what a principal holds. `extra` are ancestors that are no roles.
    pub fn holder<'a>(&self, uid: EntityUid, assigned: impl Iterator<Item = &'a RoleName>) -> Holder {
        let assigned: Vec<RoleIx> = assigned.filter_map(|name| self.by_name.get(name).copied()).collect();
        let roles = self.closure(&assigned);
        let entity = FlatEntity::bare(uid, self.role_uids(&roles));
        Holder { entity, assigned, roles, graph: self.graph }
    }

    /// A principal of an application's own type, with the ancestors and attributes that came with the request.
    pub fn foreign_holder(&self, entity: FlatEntity, roles: &[RoleIx]) -> Holder {
        Holder { entity, assigned: roles.to_vec(), roles: self.closure(roles), graph: self.graph }
    }

    /// Whether a holder worked out earlier is still right.
    pub fn is_current(&self, holder: &Holder) -> bool {
        holder.graph == self.graph
    }

    /// Roles as Cedar entities.
    pub fn role_uids(&self, roles: &[RoleIx]) -> Vec<EntityUid> {
        let uid = |ix: &RoleIx| {
            let role = self.role(*ix)?;
            Some(EntityUid::from_type_name_and_id(self.role_type.clone(), EntityId::new(role.name.as_str())))
        };
        roles.iter().filter_map(uid).collect()
    }
}
