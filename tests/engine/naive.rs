//! What grants mean, told again without Cedar, without an index and without sharing.

use std::collections::BTreeSet;

use proptest::test_runner::TestRunner;

use crate::{
    outcomes::ours,
    slice::config,
    world::{Ask, GrantSpec, TYPES, World, closure, grant_id, world},
};

/// The action itself and the groups around it, by hand from `schema.cedarschema`.
fn groups(action: &str) -> &'static [&'static str] {
    match action {
        "read" => &["read", "look", "all"],
        "list" => &["list", "look", "all"],
        "write" => &["write", "change", "all"],
        "meet" => &["meet", "all"],
        "look" => &["look", "all"],
        "change" => &["change", "all"],
        "all" => &["all"],
        "Hr::peruse" => &["Hr::peruse", "Hr::perusal"],
        "Hr::perusal" => &["Hr::perusal"],
        _ => &["x\" }; permit(principal,action,resource); //", "change", "all"],
    }
}

/// Whether a condition holds; `None` when it fails, by an attribute that is missing or by overflow.
fn holds(condition: Option<u8>, roles: &BTreeSet<u8>, ask: &Ask) -> Option<bool> {
    let document = ask.resource_ty() == "Document";
    match condition {
        None => Some(true),
        Some(0) => Some(ask.n? < 5),
        Some(1) => Some(ask.secret.is_some()),
        Some(2) => Some(document && ask.secret == Some(false)),
        Some(3) => Some(!ask.employee && !ask.client && roles.contains(&1)),
        Some(4) => Some(ask.mfa == Some(true)),
        Some(5) => Some(ask.n?.checked_add(i64::MAX)? > 0),
        Some(6) if document => Some(ask.size? > 3),
        Some(7) if document => Some(ask.owned? || ask.n? == 3),
        Some(8) if document => Some(ask.secret == Some(true)),
        Some(_) => None,
    }
}

/// Allow, who decided, who failed.
fn decide(world: &World, ask: &Ask) -> (bool, BTreeSet<String>, BTreeSet<String>) {
    let roles = closure(&world.inherits, ask.assigned.clone());
    let around = world.around(ask);
    let applies = |spec: &GrantSpec| {
        let ty = TYPES[usize::from(spec.ty)];
        let within = match spec.resource_id() {
            None => ask.resource_ty() == ty,
            Some(id) => {
                ask.resource_ty() == ty && ask.resource_id() == id || around.iter().any(|e| e.ty == ty && e.id == id)
            }
        };
        let action = crate::world::ACTIONS[usize::from(spec.action)];
        within && roles.contains(&spec.role) && groups(ask.action_name()).contains(&action)
    };
    let (mut permits, mut forbids, mut errors) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut failed_forbid = false;
    for (place, spec) in world.grants.iter().enumerate().filter(|(_, spec)| applies(spec)) {
        let name = format!("grant:{}", grant_id(spec, place));
        match holds(spec.condition, &roles, ask) {
            Some(true) if spec.permit => drop(permits.insert(name)),
            Some(true) => drop(forbids.insert(name)),
            Some(false) => {}
            None => {
                failed_forbid |= !spec.permit;
                errors.insert(name);
            }
        }
    }
    match (forbids.is_empty(), failed_forbid) {
        (false, _) => (false, forbids, errors),
        (true, true) => (false, BTreeSet::new(), errors),
        (true, false) => (!permits.is_empty(), permits, errors),
    }
}

#[test]
fn grants_mean_what_a_model_without_cedar_says() {
    let counts = std::cell::RefCell::new((0, 0, 0));
    let run = |world: World| {
        let snapshot = world.snapshot();
        for ask in &world.asks {
            let (allow, reasons, errors) = ours(&snapshot, &world.resource(ask), ask);
            let failed: BTreeSet<String> = errors.into_iter().map(|(policy, _)| policy).collect();
            let mut counts = counts.borrow_mut();
            counts.0 += usize::from(allow);
            counts.1 += usize::from(!allow && !reasons.is_empty());
            counts.2 += usize::from(!failed.is_empty());
            proptest::prop_assert_eq!((allow, reasons, failed), decide(&world, ask), "{:?}", ask);
        }
        Ok(())
    };
    TestRunner::new(config(800)).run(&world(0), run).unwrap_or_else(|error| panic!("{error}"));
    let (allowed, forbidden, failed) = *counts.borrow();
    assert!(allowed > 100 && forbidden > 50 && failed > 50, "{allowed} {forbidden} {failed}");
}
