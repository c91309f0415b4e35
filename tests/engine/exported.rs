//! What is exported decides like the snapshot it was exported from, wherever stock Cedar runs.

use std::str::FromStr;

use cedar_policy::{Entities, Entity, Policy, PolicyId, PolicySet, Request, Schema};
use deodar::policy::export;
use proptest::{prelude::*, test_runner::TestRunner};

use crate::{
    outcomes::{Outcome, ours, stock},
    slice::config,
    world::{Ask, World, uid, world},
};

/// The exported policies under the names that the snapshot knows them by.
fn policies(text: &str) -> PolicySet {
    let parsed = PolicySet::from_str(text).expect("exported policies parse");
    let id = |policy: &Policy| PolicyId::new(policy.annotation("id").expect("every policy has an `@id`"));
    PolicySet::from_policies(parsed.policies().map(|policy| policy.new_id(id(policy)))).expect("distinct ids")
}

fn asked(world: &World, ask: &Ask, policies: &PolicySet, entities: &Entities) -> Outcome {
    let around = world.around(ask).into_iter().map(|e| uid(&e.ty, &e.id)).collect();
    let resource = Entity::new(ask.resource_uid(), ask.attributes().into_iter().collect(), around).expect("an entity");
    let known = entities.get(&ask.resource_uid()).is_some();
    let entities = match known {
        true => entities.clone(),
        false => entities.clone().add_entities([resource], None).expect("entities"),
    };
    let request = Request::new(ask.principal_uid(), ask.action_uid(), ask.resource_uid(), ask.context(), None);
    stock(&request.expect("a request"), policies, &entities)
}

#[test]
fn exported_texts_decide_as_the_snapshot_does() {
    let count = std::cell::Cell::new((0, 0));
    let run = |mut world: World| {
        let first = world.asks[0].clone();
        for ask in &mut world.asks {
            (ask.client, ask.employee, ask.assigned) = (first.client, false, first.assigned.clone());
        }
        let snapshot = world.snapshot();
        let holder = world.asks[0].holder(&snapshot);
        let texts = export(&snapshot, &[holder]).map_err(|error| TestCaseError::fail(error.to_string()))?;
        let policies = policies(&texts.policies);
        prop_assert_eq!(policies.policies().count(), snapshot.grant_count() + snapshot.bundle.policies.iter().count());
        let (schema, _) = Schema::from_cedarschema_str(&texts.schema).expect("the exported schema parses");
        let entities = Entities::from_json_str(&texts.entities, Some(&schema)).expect("exported entities parse");
        for ask in &world.asks {
            let expected = ours(&snapshot, &world.resource(ask), ask);
            prop_assert_eq!(asked(&world, ask, &policies, &entities), expected.clone(), "{:?}", ask);
            let (all, allowed) = count.get();
            count.set((all + 1, allowed + usize::from(expected.0)));
        }
        Ok(())
    };
    TestRunner::new(config(110)).run(&world(3), run).unwrap_or_else(|error| panic!("{error}"));
    let (all, allowed) = count.get();
    assert!(all >= 500 && allowed >= 20, "{allowed} of {all}");
}

#[test]
fn a_policy_with_a_hostile_id_is_exported_as_one_policy() {
    let text = "@id(\"x\\\"); permit(principal,action,resource); //\\n\\u{2028}\\0\")\n\
                @note(\"\\\\\") forbid (principal, action, resource == Document::\"a\\\"\\n\") when { context has note };";
    let files = crate::written::files(&[("policies/a.cedar", text)]);
    let bundle = deodar::policy::compile(0, &files).expect("a bundle");
    let snapshot = deodar::policy::Snapshot::new(deodar::model::Revision(0), bundle.into()).expect("a snapshot");
    let exported = policies(&export(&snapshot, &[]).expect("an export").policies);
    let (found, wanted) =
        (exported.policies().next().expect("one"), snapshot.bundle.policies.iter().next().expect("one"));
    assert_eq!((exported.policies().count(), found.id(), found.effect()), (1, wanted.id(), wanted.effect()));
    assert_eq!(found.annotation("note"), Some("\\"));
}
