//! Hand-written policies from parts, and the bundle they make.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, LazyLock, Mutex},
};

use cedar_policy::{PolicySet, Schema, ValidationMode, Validator};
use deodar::policy::{Bundle, Files, OWN_SCHEMA, compile};
use proptest::prelude::*;

pub const SCHEMA: &str = include_str!("schema.cedarschema");
const PRINCIPALS: [&str; 8] = [
    "principal",
    "principal is User",
    "principal in Role::\"r1\"",
    "principal is User in Role::\"r0\"",
    "principal == User::\"0191e5a0-0000-7000-8000-000000000001\"",
    "principal is Client in Role::\"r2\"",
    "principal == Client::\"shop\"",
    "principal is Hr::Employee",
];
const ACTIONS: [&str; 10] = [
    "action",
    "action == Action::\"read\"",
    "action in Action::\"all\"",
    "action in [Action::\"look\"]",
    "action in [Action::\"write\", Action::\"list\"]",
    "action in Action::\"change\"",
    "action == Action::\"meet\"",
    "action == Action::\"x\\\" }; permit(principal,action,resource); //\"",
    "action in [Hr::Action::\"peruse\", Action::\"read\"]",
    "action in Hr::Action::\"perusal\"",
];
const RESOURCES: [&str; 12] = [
    "resource",
    "resource is Document",
    "resource in Folder::\"a\"",
    "resource is Document in Folder::\"b\"",
    "resource is Folder in Folder::\"a\"",
    "resource == Document::\"a\"",
    "resource == Folder::\"b\"",
    "resource in Role::\"r1\"",
    "resource in Hr::Page::\"a\"",
    "resource is User in Role::\"r0\"",
    "resource == Colour::\"gr\\\"een\\\\\"",
    "resource == Document::\"x\\\" }; permit(principal,action,resource); //\"",
];
const CONDITIONS: [&str; 11] = [
    "",
    "when { context has n && context.n < 5 }",
    "unless { context has session && context.session.mfa }",
    "when { context has n && context.n + 9223372036854775807 > 0 }",
    "when { resource is Document && resource.size > 3 }",
    "unless { resource is Document && resource.owner == principal }",
    "when { principal is Hr::Employee && principal.level * 4611686018427387904 > 0 }",
    "when { principal in Role::\"r3\" } unless { resource in Folder::\"c\" }",
    "when { principal == resource }",
    "when { resource is Document && resource has secret && resource.secret }",
    "when { action in Action::\"look\" || action == Action::\"write\" }",
];

/// One policy; places in the pools.
#[derive(Clone, Copy, Debug)]
pub struct Written {
    pub permit: bool,
    pub principal: u8,
    pub action: u8,
    pub resource: u8,
    pub condition: u8,
}

pub fn written() -> impl Strategy<Value = Written> {
    let part = |pool: usize| prop_oneof![1 => Just(0u8), 2 => 0..pool as u8];
    let parts = (part(PRINCIPALS.len()), part(ACTIONS.len()), part(RESOURCES.len()), part(CONDITIONS.len()));
    (prop::bool::weighted(0.6), parts).prop_map(|(permit, (principal, action, resource, condition))| Written {
        permit,
        principal,
        action,
        resource,
        condition,
    })
}

impl Written {
    fn text(self) -> String {
        let effect = if self.permit { "permit" } else { "forbid" };
        let part = |pool: &[&'static str], n: u8| pool[usize::from(n)];
        format!(
            "{effect} ({}, {}, {}) {};",
            part(&PRINCIPALS, self.principal),
            part(&ACTIONS, self.action),
            part(&RESOURCES, self.resource),
            part(&CONDITIONS, self.condition),
        )
    }
}

/// What the policies of a world are called: also as nobody should.
pub fn policy_name(n: usize) -> String {
    let tail = ["", "don't", "\"); permit(principal,action,resource); //", "a\\b\nc", "\u{2028}#x", "*"][n % 6];
    format!("p{n}{tail}")
}

/// Our schema and the server's, as Cedar reads them.
pub fn schema() -> &'static Schema {
    static SCHEMAS: LazyLock<Schema> =
        LazyLock::new(|| Schema::from_cedarschema_str(&format!("{OWN_SCHEMA}\n{SCHEMA}")).expect("a schema").0);
    &SCHEMAS
}

/// The texts that the schema admits, in order. What can never apply is no policy of any world.
pub fn valid(written: &[Written]) -> Vec<String> {
    static KNOWN: Mutex<BTreeMap<String, bool>> = Mutex::new(BTreeMap::new());
    let good = |text: &String| {
        let mut known = KNOWN.lock().expect("no panic while it is held");
        *known.entry(text.clone()).or_insert_with(|| {
            let set: PolicySet = text.parse().expect("a policy");
            Validator::new(schema().clone()).validate_with_level(&set, ValidationMode::Strict, 1).validation_passed()
        })
    };
    written.iter().map(|w| w.text()).filter(good).collect()
}

/// The bundle of the policies; remembered, because most of the time of a test would go into compiling it.
pub fn bundle(written: &[Written]) -> Arc<Bundle> {
    static KNOWN: LazyLock<Mutex<HashMap<String, Arc<Bundle>>>> = LazyLock::new(Mutex::default);
    let texts = valid(written).into_iter().enumerate();
    let text: String =
        texts.map(|(n, policy)| format!("@id(\"{}\") {policy}\n", policy_name(n).escape_debug())).collect();
    if let Some(known) = KNOWN.lock().expect("no panic while it is held").get(&text) {
        return Arc::clone(known);
    }
    let made = Arc::new(compile(0, &files(&[("policies/generated.cedar", &text)])).expect("a bundle"));
    KNOWN.lock().expect("no panic while it is held").insert(text, Arc::clone(&made));
    made
}

/// Files beside the schema of these tests.
pub fn files(others: &[(&str, &str)]) -> Files {
    let all = [("schema/test.cedarschema", SCHEMA)].into_iter().chain(others.iter().copied());
    all.map(|(path, text)| (path.to_owned(), text.to_owned())).collect()
}
