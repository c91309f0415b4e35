//! A snapshot that was changed many times is the one that would have been built in one go.

use std::collections::{BTreeMap, BTreeSet};

use deodar::{
    model::{GrantId, Revision, RoleName},
    policy::{Delta, Loader, Snapshot},
};
use proptest::{collection::vec, prelude::*, test_runner::TestRunner};

use crate::{
    outcomes::ours,
    slice::{config, empty},
    world::{self, Ask, GrantSpec, ROLES, World, ask, grant, role},
    written::{self, Written},
};

/// One write. The role of a number inherits only roles of lower numbers.
#[derive(Clone, Debug)]
enum Step {
    PutRole(u8, BTreeSet<u8>),
    RemoveRole(u8),
    AddGrant(GrantSpec),
    RemoveGrant(usize),
    Bundle(u8),
}

/// What the database would hold.
#[derive(Clone, Default)]
struct Rows {
    roles: BTreeMap<u8, BTreeSet<u8>>,
    grants: BTreeMap<GrantId, (GrantSpec, usize)>,
    places: usize,
    bundle: u8,
}

fn step() -> impl Strategy<Value = Step> {
    let inherits = prop::collection::btree_set(0..ROLES as u8, 0..3);
    prop_oneof![
        4 => (0..ROLES as u8, inherits).prop_map(|(role, list)| {
            let below = list.into_iter().filter(|other| *other < role).collect();
            Step::PutRole(role, below)
        }),
        2 => (0..ROLES as u8).prop_map(Step::RemoveRole),
        6 => grant().prop_map(Step::AddGrant),
        2 => any::<usize>().prop_map(Step::RemoveGrant),
        1 => (0..2u8).prop_map(Step::Bundle),
    ]
}

/// Two bundles to go to and fro between.
fn bundle(n: u8) -> std::sync::Arc<deodar::policy::Bundle> {
    let one = Written { permit: false, principal: 2, action: 2, resource: 2, condition: 0 };
    let other = Written { permit: true, principal: 3, action: 3, resource: 0, condition: 1 };
    written::bundle(&[[one], [other]][usize::from(n)])
}

impl Rows {
    /// Takes the steps of one transaction, and says what changed as the change log would.
    fn take(&mut self, steps: &[Step]) -> Delta {
        let (mut touched, mut added) = (BTreeSet::new(), BTreeSet::new());
        let mut delta = Delta::default();
        for step in steps {
            match step {
                Step::PutRole(n, inherits) => {
                    let known = inherits.iter().copied().filter(|other| self.roles.contains_key(other)).collect();
                    self.roles.insert(*n, known);
                    touched.insert(*n);
                }
                Step::RemoveRole(n) => {
                    if self.roles.remove(n).is_some() {
                        self.roles.values_mut().for_each(|list| list.retain(|other| other != n));
                        self.grants.retain(|_, (spec, _)| spec.role != *n);
                        delta.removed_roles.push(role(*n));
                    }
                }
                Step::AddGrant(spec) if self.roles.contains_key(&spec.role) => {
                    let id = world::grant_id(spec, self.places);
                    self.grants.insert(id, (*spec, self.places));
                    self.places += 1;
                    added.insert(id);
                }
                Step::AddGrant(_) => {}
                Step::RemoveGrant(n) => {
                    let found = n.checked_rem(self.grants.len()).and_then(|n| self.grants.iter().nth(n));
                    if let Some((id, spec)) = found.map(|(id, (spec, _))| (*id, *spec)) {
                        self.grants.remove(&id);
                        delta.removed_grants.push((role(spec.role), id));
                    }
                }
                Step::Bundle(n) => {
                    self.bundle = *n;
                    delta.bundle = Some(bundle(*n));
                }
            }
        }
        delta.roles = touched.iter().filter_map(|n| Some((role(*n), names(self.roles.get(n)?)))).collect();
        let stored = added.iter().filter_map(|id| self.grants.get(id));
        delta.grants = stored.map(|(spec, place)| spec.stored(*place)).collect();
        delta
    }

    fn scratch(&self) -> Snapshot {
        let delta = Delta {
            roles: self.roles.iter().map(|(n, list)| (role(*n), names(list))).collect(),
            grants: self.grants.values().map(|(spec, place)| spec.stored(*place)).collect(),
            ..Delta::default()
        };
        Snapshot::new(Revision(1), bundle(self.bundle)).expect("a snapshot").apply(Revision(2), delta)
    }

    /// Grants by role as the database streams them, or in whatever order.
    fn loaded(&self, by_role: bool) -> Snapshot {
        let roles = self.roles.iter().rev().map(|(n, list)| (role(*n), names(list))).collect();
        let mut loader = Loader::new(Revision(3), bundle(self.bundle), roles).expect("a loader");
        let mut rows: Vec<_> = self.grants.values().collect();
        if by_role {
            rows.sort_by_key(|(spec, _)| spec.role);
        }
        rows.into_iter().for_each(|(spec, place)| loader.push(spec.own_source(*place)));
        loader.finish()
    }
}

fn names(list: &BTreeSet<u8>) -> Vec<RoleName> {
    list.iter().copied().map(role).collect()
}

/// Everything in a snapshot, by name.
fn content(snapshot: &Snapshot) -> BTreeMap<String, (BTreeSet<String>, BTreeSet<String>)> {
    let named = |ix: &u32| snapshot.role(*ix).expect("an inherited role exists").name.to_string();
    let row = |role: &deodar::policy::Role| {
        let grants: Vec<String> = snapshot.grants_of(role).map(|source| format!("{source:?}")).collect();
        let distinct: BTreeSet<String> = grants.iter().cloned().collect();
        assert_eq!(distinct.len(), grants.len(), "a grant twice");
        (role.inherits.iter().map(named).collect(), distinct)
    };
    snapshot.roles().map(|(_, role)| (role.name.to_string(), row(role))).collect()
}

fn same(a: &Snapshot, b: &Snapshot, asks: &[Ask]) -> Result<(), TestCaseError> {
    prop_assert_eq!(content(a), content(b));
    prop_assert_eq!(a.grant_count(), b.grant_count());
    let world = empty();
    for ask in asks {
        let resource = world.resource(ask);
        prop_assert_eq!(ours(a, &resource, ask), ours(b, &resource, ask), "{:?}", ask);
    }
    Ok(())
}

#[test]
fn a_snapshot_that_was_changed_equals_one_that_was_built() {
    let run = |(writes, asks): (Vec<Vec<Step>>, Vec<Ask>)| {
        let mut rows = Rows::default();
        let mut snapshot = rows.scratch();
        for (n, steps) in writes.iter().enumerate() {
            let (before, was) = (snapshot.clone(), content(&snapshot));
            snapshot = snapshot.apply(Revision(n as i64 + 2), rows.take(steps));
            prop_assert_eq!(snapshot.revision, Revision(n as i64 + 2));
            prop_assert_eq!(content(&before), was, "the old snapshot changed");
        }
        same(&snapshot, &rows.scratch(), &asks)?;
        same(&snapshot, &rows.loaded(true), &asks)?;
        same(&snapshot, &rows.loaded(false), &asks)
    };
    let steps = (vec(vec(step(), 1..6), 1..8), vec(ask(), 4));
    TestRunner::new(config(150)).run(&steps, run).unwrap_or_else(|error| panic!("{error}"));
}

/// A place means another role in each of them, so whoever holds one in the first may hold nothing in the second.
#[test]
fn what_a_principal_holds_is_never_carried_into_a_snapshot_with_other_roles() {
    let put = |names: &[&str]| {
        let roles = names.iter().map(|n| (n.parse().expect("a role name"), vec![])).collect();
        Delta { roles, ..Delta::default() }
    };
    let base = Snapshot::new(Revision(1), written::bundle(&[])).expect("a snapshot");
    let (one, other) = (base.apply(Revision(2), put(&["admin"])), base.apply(Revision(2), put(&["guest"])));
    let admin = RoleName::admin();
    let holder = one.holder(world::uid("User", "u"), [&admin].into_iter());
    assert!(one.is_current(&holder));
    assert!(one.apply(Revision(3), Delta::default()).is_current(&holder), "no role changed");
    assert!(!one.apply(Revision(3), put(&["guest"])).is_current(&holder));
    assert!(!other.is_current(&holder), "two changes of one snapshot");
    let load = |name: &str| {
        let roles = vec![(name.parse().expect("a role name"), vec![])];
        Loader::new(Revision(4), written::bundle(&[]), roles).expect("a loader").finish()
    };
    let loaded = load("admin");
    let holder = loaded.holder(world::uid("User", "u"), [&admin].into_iter());
    assert!(loaded.is_current(&holder) && !load("guest").is_current(&holder), "two readings of the database");
}

#[test]
fn a_role_that_comes_back_has_nothing_of_what_it_was() {
    let spec = |role| GrantSpec { role, permit: true, action: 0, ty: 0, id: None, condition: None };
    let mut rows = Rows::default();
    let first = [Step::PutRole(0, [].into()), Step::PutRole(1, [0].into()), Step::AddGrant(spec(0))];
    let snapshot = rows.scratch().apply(Revision(2), rows.take(&first));
    let mut ask = crate::slice::plain();
    ask.assigned = [1].into();
    let resource = World::resource(&empty(), &ask);
    assert!(ours(&snapshot, &resource, &ask).0);
    let again = [Step::RemoveRole(0), Step::PutRole(0, [].into())];
    let snapshot = snapshot.apply(Revision(3), rows.take(&again));
    assert!(!ours(&snapshot, &resource, &ask).0);
    ask.assigned = [0, 1].into();
    assert!(!ours(&snapshot, &resource, &ask).0);
}
