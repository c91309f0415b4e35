//! A generated policy is one policy, whatever the names in it.

use std::str::FromStr;

use cedar_policy::PolicySet;
use deodar::{
    model::{Effect, GrantId},
    policy::{GrantSource, policy},
};
use proptest::{option, prelude::*, test_runner::TestRunner};
use serde_json::{Value, json};

use crate::{
    slice::config,
    world::{CONDITIONS, IDS},
};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => prop::sample::select(&IDS[..]).prop_map(str::to_owned),
        2 => any::<String>(),
        1 => r#"[\\"\n\r\x00\u{2028}{}();/*$?@ a]{0,20}"#,
        1 => Just("long ".repeat(200)),
    ]
}

/// A bundle with any other id is refused.
fn action() -> impl Strategy<Value = String> {
    text().prop_filter("`::` parts the namespace", |t| !t.contains("::") && !t.starts_with(':'))
}

/// What the policy must be, in Cedar's JSON form, conditions left out.
fn expected(source: &GrantSource<'_>) -> [Value; 4] {
    let (namespace, id) = source.action.rsplit_once("::").map_or((None, source.action), |(ns, id)| (Some(ns), id));
    let action = namespace.map_or_else(|| "Action".to_owned(), |ns| format!("{ns}::Action"));
    let resource = match source.resource_id {
        None => json!({"op": "is", "entity_type": source.ty}),
        Some(id) => json!({"op": "in", "entity": {"type": source.ty, "id": id}}),
    };
    [
        json!(source.effect.as_str()),
        json!({"op": "in", "entity": {"type": "Role", "id": source.role}}),
        json!({"op": "in", "entities": [{"type": action, "id": id}]}),
        resource,
    ]
}

fn survives(source: GrantSource<'_>) -> Result<(), TestCaseError> {
    let made = policy(source).map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(made.id().to_string(), format!("grant:{}", source.id));
    let tree = made.to_json().expect("a policy has a JSON form");
    let text = made.to_cedar().expect("a policy has a text");
    let parsed = PolicySet::from_str(&text).map_err(|error| TestCaseError::fail(format!("{error}: {text}")))?;
    prop_assert_eq!((parsed.policies().count(), parsed.templates().count()), (1, 0), "{}", &text);
    let again = parsed.policies().next().expect("one policy").to_json().expect("a policy has a JSON form");
    prop_assert_eq!(&again, &tree, "{}", &text);
    let parts = ["effect", "principal", "action", "resource"].map(|part| tree[part].clone());
    for (mut found, wanted) in parts.into_iter().zip(expected(&source)) {
        // One action may be written either way.
        if found["op"] == "in" && found.get("entity").is_some() && wanted.get("entities").is_some() {
            found = json!({"op": "in", "entities": [found["entity"]]});
        }
        prop_assert_eq!(found, wanted);
    }
    let clauses = tree["conditions"].as_array().map_or(0, Vec::len);
    prop_assert_eq!(clauses, usize::from(source.condition.is_some()));
    Ok(())
}

#[test]
fn a_policy_survives_being_written_and_read_whatever_the_names() {
    let names = (text(), action(), option::of(text()));
    let ty = prop::sample::select(&["Document", "Hr::Page", "A::B::C"][..]);
    let rest = (any::<bool>(), prop::sample::select(&["", "Hr::", "A::B::"][..]), ty);
    let condition = option::of(prop::sample::select(&CONDITIONS[..]));
    let run = |((role, action, id), (permit, namespace, ty), condition): ((String, String, Option<String>), _, _)| {
        let (action, effect) = (format!("{namespace}{action}"), if permit { Effect::Permit } else { Effect::Forbid });
        let id = id.as_deref();
        survives(GrantSource {
            id: GrantId::new(),
            role: &role,
            effect,
            action: &action,
            ty,
            resource_id: id,
            condition,
        })
    };
    TestRunner::new(config(1000)).run(&(names, rest, condition), run).unwrap_or_else(|error| panic!("{error}"));
}

#[test]
fn a_type_that_is_no_name_makes_no_policy() {
    for ty in ["", "a b", "Document\"", "Doc::", "::Doc", "if", "Document in Folder::\"a\"", "é", "a\0"] {
        let source = GrantSource {
            id: GrantId::new(),
            role: "r0",
            effect: Effect::Permit,
            action: "read",
            ty,
            resource_id: None,
            condition: None,
        };
        assert!(policy(source).is_err(), "{ty:?}");
    }
}
