//! The server evaluates few policies; it answers as if it had evaluated all.

use deodar::model::Effect;
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use crate::{
    outcomes::{Tally, ours},
    world::{World, world},
};

pub fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, max_shrink_iters: 4000, ..Config::default() }
}

#[test]
fn a_slice_decides_as_the_full_policy_set_does() {
    let mut tally = Tally::default();
    // The runner wants `Fn`; the tally is filled through a cell.
    let cell = std::cell::RefCell::new(&mut tally);
    let run = |(first, mut others): (World, Vec<World>)| {
        // Most of the time goes into compiling a bundle, so several worlds share one.
        others.iter_mut().for_each(|other| other.written.clone_from(&first.written));
        for world in [first].iter().chain(&others) {
            let (snapshot, policies) = (world.snapshot(), world.policies());
            for ask in &world.asks {
                let expected = world.stock(&policies, ask);
                let got = ours(&snapshot, &world.resource(ask), ask);
                prop_assert_eq!(&got, &expected, "{:?}", ask);
                cell.borrow_mut().note(&expected);
            }
        }
        Ok(())
    };
    let worlds = (world(6), proptest::collection::vec(world(0), 4));
    TestRunner::new(config(60)).run(&worlds, run).unwrap_or_else(|error| panic!("{error}"));
    tally.all_at_least(5);
}

#[test]
fn generated_grants_are_ones_the_server_would_accept() {
    let bundle = crate::written::bundle(&[]);
    let (mut accepted, mut all) = (0, 0);
    let cell = std::cell::RefCell::new((&mut accepted, &mut all));
    let run = |spec: crate::world::GrantSpec| {
        let faults = deodar::policy::faults(&bundle.vocabulary, spec.own_source(0));
        let mut counts = cell.borrow_mut();
        *counts.1 += 1;
        *counts.0 += usize::from(faults.is_empty());
        // A refusal is right only for an action that is never done to the type, or a condition that is not about it.
        let named = faults.iter().all(|f| matches!(f.code, "action_not_applicable" | "invalid_condition"));
        prop_assert!(named, "{:?}", faults);
        prop_assert!(
            spec.condition.is_some() || faults.iter().all(|f| f.code == "action_not_applicable"),
            "{:?}",
            faults
        );
        Ok(())
    };
    TestRunner::new(config(200)).run(&crate::world::grant(), run).unwrap_or_else(|error| panic!("{error}"));
    assert!(accepted * 3 > all, "only {accepted} of {all} generated grants are accepted");
}

#[test]
fn a_forbid_that_fails_denies_and_says_so() {
    let text = "@id(\"yes\") permit(principal, action, resource);\n\
                @id(\"no\") forbid(principal, action == Action::\"read\", resource) when { context.n + 1 > 0 };";
    let bundle = deodar::policy::compile(0, &crate::written::files(&[("policies/a.cedar", text)])).unwrap();
    let snapshot = deodar::policy::Snapshot::new(deodar::model::Revision(0), bundle.into()).unwrap();
    let mut ask = plain();
    ask.n = Some(i64::MAX);
    let world = World { inherits: vec![Default::default(); 7], ..empty() };
    let (allow, reasons, errors) = ours(&snapshot, &world.resource(&ask), &ask);
    assert!(!allow && reasons.is_empty());
    assert_eq!(errors.iter().map(|(policy, _)| policy.as_str()).collect::<Vec<_>>(), ["policies/a.cedar#no"]);
    ask.n = Some(-5);
    assert!(ours(&snapshot, &world.resource(&ask), &ask).0);
}

#[test]
fn a_resource_named_twice_among_the_parents_changes_nothing() {
    let mut world = empty();
    world.grants =
        vec![crate::world::GrantSpec { role: 0, permit: true, action: 0, ty: 1, id: Some(1), condition: None }];
    let ask = plain();
    let snapshot = world.snapshot();
    let mut resource = world.resource(&ask);
    assert!(ours(&snapshot, &resource, &ask).0);
    let again = resource.ancestors.clone();
    resource.ancestors.extend(again);
    let (allow, reasons, errors) = ours(&snapshot, &resource, &ask);
    assert!(allow && reasons.len() == 1 && errors.is_empty(), "{errors:?}");
}

/// A resource that is also the principal: Cedar sees one entity, so the index must go by the same one.
#[test]
fn a_principal_that_is_asked_about_is_found_by_the_roles_it_holds() {
    for (effect, by_hand) in [(Effect::Permit, false), (Effect::Forbid, false), (Effect::Permit, true)] {
        let mut world = empty();
        let permit = effect == Effect::Permit;
        let spec = |permit, ty, id| crate::world::GrantSpec { role: 0, permit, action: 3, ty, id, condition: None };
        world.grants = vec![spec(true, 2, None), spec(permit, 3, Some(0))];
        if by_hand {
            let written = crate::written::Written { permit: false, principal: 0, action: 6, resource: 7, condition: 0 };
            world.written = vec![written];
        }
        let mut ask = plain();
        (ask.action, ask.ty, ask.id, ask.parents) = (3, 2, 0, Default::default());
        ask.assigned = [0, 1].into();
        let (snapshot, policies) = (world.snapshot(), world.policies());
        let expected = world.stock(&policies, &ask);
        assert_eq!(ours(&snapshot, &world.resource(&ask), &ask), expected, "{effect:?} {by_hand}");
        assert_eq!(expected.0, permit && !by_hand);
    }
}

pub fn empty() -> World {
    let (inherits, folders) = (vec![Default::default(); crate::world::ROLES], vec![Default::default(); 14]);
    World { inherits, grants: vec![], written: vec![], folders, asks: vec![] }
}

/// A user with role `r0` reads document `a` in folder `b`.
pub fn plain() -> crate::world::Ask {
    crate::world::Ask {
        client: false,
        employee: false,
        assigned: [0].into(),
        action: 0,
        ty: 0,
        id: 0,
        parents: [1].into(),
        n: None,
        size: None,
        owned: None,
        secret: None,
        mfa: None,
    }
}
