//! What must not matter, and what can only matter in one direction.

use deodar::{model::Revision, policy::Delta};
use proptest::{prelude::*, test_runner::TestRunner};

use crate::{
    outcomes::ours,
    slice::config,
    world::{GrantSpec, World, grant, role, world},
};

/// A role that no principal of any world has: everything is granted and forbidden to it.
fn beside(grants: &[GrantSpec]) -> Delta {
    let stored = grants.iter().enumerate().map(|(n, spec)| spec.stored_as(role(99), 200 + n));
    Delta { roles: vec![(role(99), vec![role(0), role(6)])], grants: stored.collect(), ..Delta::default() }
}

#[test]
fn a_role_that_nobody_has_changes_nothing() {
    let run = |(world, grants): (World, Vec<GrantSpec>)| {
        let snapshot = world.snapshot();
        let more = snapshot.apply(Revision(3), beside(&grants));
        prop_assert_eq!(more.grant_count(), snapshot.grant_count() + grants.len());
        for ask in &world.asks {
            let resource = world.resource(ask);
            prop_assert_eq!(ours(&snapshot, &resource, ask), ours(&more, &resource, ask), "{:?}", ask);
        }
        Ok(())
    };
    let both = (world(0), prop::collection::vec(grant(), 1..8));
    TestRunner::new(config(150)).run(&both, run).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn where_nothing_is_forbidden_taking_a_permit_away_never_allows() {
    let allowed = std::cell::Cell::new((0, 0));
    let run = |mut world: World| {
        world.grants.iter_mut().for_each(|spec| spec.permit = true);
        let snapshot = world.snapshot();
        for (n, spec) in world.grants.iter().enumerate() {
            let removed_grants = vec![(role(spec.role), crate::world::grant_id(spec, n))];
            let fewer = snapshot.apply(Revision(3), Delta { removed_grants, ..Delta::default() });
            prop_assert_eq!(fewer.grant_count() + 1, snapshot.grant_count());
            for ask in &world.asks {
                let resource = world.resource(ask);
                let (was, is) = (ours(&snapshot, &resource, ask).0, ours(&fewer, &resource, ask).0);
                prop_assert!(was || !is, "{:?} without {:?}", ask, spec);
                let (all, lost) = allowed.get();
                allowed.set((all + usize::from(was), lost + usize::from(was && !is)));
            }
        }
        Ok(())
    };
    TestRunner::new(config(60)).run(&world(0), run).unwrap_or_else(|error| panic!("{error}"));
    assert!(allowed.get().0 > 100 && allowed.get().1 > 10, "{:?}", allowed.get());
}
