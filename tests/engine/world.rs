//! Worlds that the schema beside this file allows: roles, grants, hand-written policies, folders, requests.
//!
//! A world is data (numbers that point into the pools below), so that a failing one shrinks to a small one.

use std::{collections::BTreeSet, sync::Arc};

use cedar_policy::{Context, EntityId, EntityTypeName, EntityUid, RestrictedExpression};
use deodar::{
    model::{Effect, EntityRef, GrantId, Revision, RoleName},
    policy::{Bundle, Delta, FlatEntity, GrantSource, Holder, Resource, Snapshot, StoredGrant, Value},
};
use proptest::{collection::vec, option, prelude::*};
use uuid::Uuid;

use crate::written::{self, Written};

/// Ids of folders and documents: plain ones first, because shrinking goes there.
pub const IDS: [&str; 14] = [
    "a",
    "b",
    "c",
    "",
    "*",
    "x\" }; permit(principal,action,resource); //",
    "back\\slash\\",
    "\"",
    "new\nline\r",
    "\u{2028}\u{2029}",
    "nul\0nul",
    "${a}{{b}}",
    "Folder::\"a\"",
    "é\u{301}\u{202e}🦀",
];
pub const ACTIONS: [&str; 10] = [
    "read",
    "list",
    "write",
    "meet",
    "all",
    "look",
    "change",
    "x\" }; permit(principal,action,resource); //",
    "Hr::peruse",
    "Hr::perusal",
];
pub const TYPES: [&str; 6] = ["Document", "Folder", "User", "Role", "Colour", "Hr::Page"];
/// Each type-checks for a document under every action above. The last four fail at run time, depending on the request.
pub const CONDITIONS: [&str; 9] = [
    "context.n < 5",
    "context has note && context.note like \"*\\\"\\*\\u{2028}*\"",
    "resource has secret && !resource.secret",
    "principal is User && principal in Role::\"r1\"",
    "context has session && context.session.mfa && context.session.scopes.contains(\"a\")",
    "context.n + 9223372036854775807 > 0",
    "resource.size > 3",
    "resource.owner == principal || context.n == 3",
    "resource.tags.contains(\"x\") && (resource has from && resource.from.isInRange(ip(\"10.0.0.0/8\")))",
];
const USERS: [&str; 2] = ["0191e5a0-0000-7000-8000-000000000001", "0191e5a0-0000-7000-8000-000000000002"];
pub const ROLES: usize = 7;

/// One grant; every number is taken modulo the length of its pool.
#[derive(Clone, Copy, Debug)]
pub struct GrantSpec {
    pub role: u8,
    pub permit: bool,
    pub action: u8,
    pub ty: u8,
    pub id: Option<u8>,
    pub condition: Option<u8>,
}

/// One request.
#[derive(Clone, Debug)]
pub struct Ask {
    pub client: bool,
    pub employee: bool,
    pub assigned: BTreeSet<u8>,
    pub action: u8,
    pub ty: u8,
    pub id: u8,
    pub parents: BTreeSet<u8>,
    pub n: Option<i64>,
    pub size: Option<i64>,
    pub owned: Option<bool>,
    pub secret: Option<bool>,
    pub mfa: Option<bool>,
}

/// Everything.
#[derive(Clone, Debug)]
pub struct World {
    /// Role `r<i>` inherits some of the roles below it, so there is no cycle and no path over six.
    pub inherits: Vec<BTreeSet<u8>>,
    pub grants: Vec<GrantSpec>,
    pub written: Vec<Written>,
    /// Folder `IDS[i]` lies in some of the folders below it.
    pub folders: Vec<BTreeSet<u8>>,
    pub asks: Vec<Ask>,
}

pub fn grant() -> impl Strategy<Value = GrantSpec> {
    let condition = option::weighted(0.4, 0..CONDITIONS.len() as u8);
    let ty = prop_oneof![4 => 0..2u8, 1 => 2..TYPES.len() as u8];
    (0..ROLES as u8, prop::bool::weighted(0.75), 0..ACTIONS.len() as u8, ty, option::weighted(0.7, id()), condition)
        .prop_map(|(role, permit, action, ty, id, condition)| GrantSpec { role, permit, action, ty, id, condition })
}

/// Half of the ids are one of three, so that things meet.
fn id() -> impl Strategy<Value = u8> {
    prop_oneof![1 => 0..3u8, 1 => 0..IDS.len() as u8]
}

pub fn ask() -> impl Strategy<Value = Ask> {
    let who = (prop::bool::weighted(0.2), prop::bool::weighted(0.1), prop::collection::btree_set(0..ROLES as u8, 0..4));
    let ty = prop_oneof![6 => 0..2u8, 1 => 2..TYPES.len() as u8];
    let what = (0..ACTIONS.len() as u8, ty, id(), prop::collection::btree_set(id(), 0..3));
    let n = option::weighted(0.8, prop_oneof![Just(1i64), Just(3), Just(9), Just(i64::MAX), Just(i64::MIN)]);
    let facts =
        (n, option::of(0..9i64), option::of(any::<bool>()), option::of(any::<bool>()), option::of(any::<bool>()));
    (who, what, facts).prop_map(
        |((client, employee, assigned), (action, ty, id, parents), (n, size, owned, secret, mfa))| Ask {
            client,
            employee,
            assigned,
            action,
            ty,
            id,
            parents,
            n,
            size,
            owned,
            secret,
            mfa,
        },
    )
}

/// For each of `n` things, some of the things before it.
pub fn dag(n: usize) -> impl Strategy<Value = Vec<BTreeSet<u8>>> {
    vec(prop::collection::btree_set(any::<u8>(), 0..3), n).prop_map(|rows| {
        let below = |(n, row): (usize, BTreeSet<u8>)| row.into_iter().filter_map(|m| m.checked_rem(n as u8)).collect();
        rows.into_iter().enumerate().map(below).collect()
    })
}

pub fn world(most_written: usize) -> impl Strategy<Value = World> {
    let parts = (dag(ROLES), vec(grant(), 0..28), vec(written::written(), 0..=most_written), dag(IDS.len()));
    (parts, vec(ask(), 1..12)).prop_map(|((inherits, grants, written, folders), asks)| World {
        inherits,
        grants,
        written,
        folders,
        asks,
    })
}

pub fn role(n: u8) -> RoleName {
    format!("r{n}").parse().expect("a role name")
}

/// A name for each grant, time-ordered in form as the server's are. The same content has the same id, because a
/// grant never changes and the engine may remember what it made of an id.
pub fn grant_id(spec: &GrantSpec, place: usize) -> GrantId {
    let content = |n: Option<u8>| n.map_or(0, |n| u128::from(n) + 1);
    let parts = [
        place as u128,
        spec.role.into(),
        spec.permit.into(),
        spec.action.into(),
        spec.ty.into(),
        content(spec.id),
        content(spec.condition),
    ];
    let packed = parts.iter().fold(0u128, |sum, part| sum << 8 | part);
    GrantId(Uuid::from_u128(0x0191_e5a0_0000_7000_8000_0000_0000_0000 | packed & 0x3fff_ffff_ffff_ffff))
}

impl GrantSpec {
    pub fn resource_id(&self) -> Option<&'static str> {
        self.id.map(|id| ids(TYPES[usize::from(self.ty)], id))
    }

    pub fn source(&self, place: usize, role: &'static str) -> GrantSource<'static> {
        GrantSource {
            id: grant_id(self, place),
            role,
            effect: if self.permit { Effect::Permit } else { Effect::Forbid },
            action: ACTIONS[usize::from(self.action)],
            ty: TYPES[usize::from(self.ty)],
            resource_id: self.resource_id(),
            condition: self.condition.map(|c| CONDITIONS[usize::from(c)]),
        }
    }

    pub fn own_source(&self, place: usize) -> GrantSource<'static> {
        const NAMES: [&str; ROLES] = ["r0", "r1", "r2", "r3", "r4", "r5", "r6"];
        self.source(place, NAMES[usize::from(self.role)])
    }

    pub fn stored(&self, place: usize) -> StoredGrant {
        self.stored_as(role(self.role), place)
    }

    pub fn stored_as(&self, role: RoleName, place: usize) -> StoredGrant {
        let source = self.source(place, "");
        StoredGrant {
            role,
            id: source.id,
            effect: source.effect,
            action: source.action.into(),
            ty: source.ty.into(),
            resource_id: source.resource_id.map(Into::into),
            condition: source.condition.map(Into::into),
        }
    }
}

/// What entities of a type may be called.
fn ids(ty: &str, id: u8) -> &'static str {
    const NAMES: [&str; ROLES] = ["r0", "r1", "r2", "r3", "r4", "r5", "r6"];
    match ty {
        "User" => USERS[usize::from(id) % USERS.len()],
        "Role" => NAMES[usize::from(id) % NAMES.len()],
        "Colour" => ["red", "gr\"een\\", "*"][usize::from(id) % 3],
        _ => IDS[usize::from(id)],
    }
}

/// The only use of the generated world that must be schema-valid as a grant by itself.
pub fn uid(ty: &str, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(ty.parse::<EntityTypeName>().expect("a type name"), EntityId::new(id))
}

impl World {
    pub fn bundle(&self) -> Arc<Bundle> {
        written::bundle(&self.written)
    }

    /// Built in one go.
    pub fn snapshot(&self) -> Snapshot {
        let roles = self.inherits.iter().enumerate();
        let delta = Delta {
            roles: roles.map(|(n, row)| (role(n as u8), row.iter().copied().map(role).collect())).collect(),
            grants: self.grants.iter().enumerate().map(|(n, spec)| spec.stored(n)).collect(),
            ..Delta::default()
        };
        Snapshot::new(Revision(1), self.bundle()).expect("a snapshot").apply(Revision(2), delta)
    }

    /// Everything around the resource, by repeated union.
    pub fn around(&self, ask: &Ask) -> Vec<EntityRef> {
        let (ty, rows, start): (_, &[BTreeSet<u8>], _) = match ask.resource_ty() {
            "Document" => ("Folder", &self.folders, ask.parents.clone()),
            ty @ ("Folder" | "Hr::Page") => (ty, &self.folders, self.folders[usize::from(ask.id)].clone()),
            "Role" => ("Role", &self.inherits, self.inherits[usize::from(ask.id) % ROLES].clone()),
            "User" if ask.resource_uid() == ask.principal_uid() => ("Role", &self.inherits, ask.assigned.clone()),
            _ => return Vec::new(),
        };
        closure(rows, start).into_iter().map(|n| EntityRef::new(ty, ids(ty, n))).collect()
    }

    pub fn resource(&self, ask: &Ask) -> Resource {
        let ancestors = self.around(ask);
        let uids = ancestors.iter().map(|a| uid(&a.ty, &a.id));
        let entity = FlatEntity::new(ask.resource_uid(), ask.values(), uids);
        Resource { reference: EntityRef::new(ask.resource_ty(), ask.resource_id()), ancestors, entity }
    }
}

/// Everything reachable from `start`, `start` included, by repeated union.
pub fn closure(rows: &[BTreeSet<u8>], start: BTreeSet<u8>) -> BTreeSet<u8> {
    let mut all = start;
    loop {
        let more: BTreeSet<u8> = all.iter().flat_map(|n| rows[usize::from(*n)].iter().copied()).collect();
        if more.is_subset(&all) {
            return all;
        }
        all.extend(more);
    }
}

pub fn role_uid(n: u8) -> EntityUid {
    uid("Role", role(n).as_str())
}

impl Ask {
    pub fn principal_uid(&self) -> EntityUid {
        match (self.employee, self.client) {
            (true, _) => uid("Hr::Employee", "e\"1"),
            (_, true) => uid("Client", "shop"),
            _ => uid("User", USERS[0]),
        }
    }

    pub fn action_name(&self) -> &'static str {
        ACTIONS[usize::from(self.action)]
    }

    pub fn action_uid(&self) -> EntityUid {
        match self.action_name().rsplit_once("::") {
            Some((namespace, id)) => uid(&format!("{namespace}::Action"), id),
            None => uid("Action", self.action_name()),
        }
    }

    pub fn resource_ty(&self) -> &'static str {
        TYPES[usize::from(self.ty)]
    }

    pub fn resource_id(&self) -> &'static str {
        ids(self.resource_ty(), self.id)
    }

    pub fn resource_uid(&self) -> EntityUid {
        uid(self.resource_ty(), self.resource_id())
    }

    /// Attributes of the resource; required ones may be missing.
    pub fn attributes(&self) -> Vec<(String, RestrictedExpression)> {
        use RestrictedExpression as Public;
        if self.resource_ty() != "Document" {
            return Vec::new();
        }
        let mut all = vec![("tags".to_owned(), Public::new_set([Public::new_string("x".into())]))];
        all.extend(self.owner().map(|owner| ("owner".to_owned(), Public::new_entity_uid(owner))));
        all.extend(self.size.map(|size| ("size".to_owned(), Public::new_long(size))));
        all.extend(self.secret.map(|secret| ("secret".to_owned(), Public::new_bool(secret))));
        all.extend(self.secret.filter(|s| *s).map(|_| ("from".to_owned(), Public::new_ip("10.1.2.3"))));
        all
    }

    /// The same as the engine takes them.
    fn values(&self) -> Vec<(&'static str, Value)> {
        if self.resource_ty() != "Document" {
            return Vec::new();
        }
        let from = self.secret.filter(|s| *s).and_then(|_| Value::extension("ipaddr", "10.1.2.3").expect("an address"));
        let mut all = vec![("tags", Value::set(vec![Value::string("x")]))];
        all.extend(self.owner().map(|owner| ("owner", Value::entity(owner))));
        all.extend(self.size.map(|size| ("size", Value::long(size))));
        all.extend(self.secret.map(|secret| ("secret", Value::bool(secret))));
        all.extend(from.map(|from| ("from", from)));
        all
    }

    fn owner(&self) -> Option<EntityUid> {
        self.owned.map(|own| if own { self.principal_uid() } else { uid("User", "z") })
    }

    pub fn context(&self) -> Context {
        let session = self.mfa.map(|mfa| {
            let scopes = RestrictedExpression::new_set([RestrictedExpression::new_string("a".into())]);
            let fields = [("mfa".to_owned(), RestrictedExpression::new_bool(mfa)), ("scopes".to_owned(), scopes)];
            RestrictedExpression::new_record(fields).expect("a record")
        });
        let note = self.secret.map(|_| RestrictedExpression::new_string("a\"*\u{2028}".into()));
        let fields = [("n", self.n.map(RestrictedExpression::new_long)), ("note", note), ("session", session)];
        let present = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Context::from_pairs(present).expect("a context")
    }

    pub fn holder(&self, snapshot: &Snapshot) -> Holder {
        let names: Vec<RoleName> = self.assigned.iter().copied().map(role).collect();
        if !self.employee {
            return snapshot.holder(self.principal_uid(), names.iter());
        }
        let direct: Vec<_> = names.iter().filter_map(|name| snapshot.role_ix(name.as_str())).collect();
        let ancestors = snapshot.role_uids(&snapshot.closure(&direct));
        let level = vec![("level", Value::long(4))];
        let entity = FlatEntity::new(self.principal_uid(), level, ancestors);
        snapshot.foreign_holder(entity, &direct)
    }
}
