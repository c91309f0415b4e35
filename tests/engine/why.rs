//! Why it came out so, what is missing, and who holds what.

use deodar::{
    model::{Effect, EntityRef, GrantId, ResourceScope, Revision, RoleName},
    policy::{
        Context, Delta, FlatEntity, GrantSource, Holder, Nearest, Question, Resource, Snapshot, StoredGrant, Value,
        compile,
    },
};

use crate::{world::uid, written::files};

const GUARD: &str = "@id(\"no-secrets\") @why(\"they are secret\")\n\
    forbid (principal, action, resource is Document) when { resource has secret && resource.secret };\n\
    @id(\"noted\") permit (principal, action == Action::\"list\", resource) when { context has note };";

fn name(text: &str) -> RoleName {
    text.parse().expect("a role name")
}

/// `role effect action Type[/id] [condition]`
fn stored(n: u128, line: &str) -> StoredGrant {
    let mut words = line.splitn(5, ' ');
    let mut next = || words.next().unwrap_or_default();
    let (role, effect, action, scope, condition) = (name(next()), next(), next().to_owned(), next(), next());
    let (ty, id) = scope.split_once('/').map_or((scope, None), |(ty, id)| (ty, Some(id)));
    StoredGrant {
        role,
        id: id_of(n),
        effect: if effect == "permit" { Effect::Permit } else { Effect::Forbid },
        action,
        ty: ty.to_owned(),
        resource_id: id.map(Into::into),
        condition: (!condition.is_empty()).then(|| condition.into()),
    }
}

fn id_of(n: u128) -> GrantId {
    GrantId(uuid::Uuid::from_u128(0x0191_e5a0_0000_7000_8000_0000_0000_0000 + n))
}

/// `lead → editor → viewer → reader`, and `lead → reader` by a short way.
fn snapshot(grants: &[&str]) -> Snapshot {
    let inherits = |list: &[&str]| list.iter().map(|n| name(n)).collect::<Vec<_>>();
    let roles: [(&str, &[&str]); 6] = [
        ("reader", &[]),
        ("viewer", &["reader"]),
        ("editor", &["viewer"]),
        ("lead", &["editor", "reader"]),
        ("other", &[]),
        ("third", &[]),
    ];
    let delta = Delta {
        roles: roles.iter().map(|(n, list)| (name(n), inherits(list))).collect(),
        grants: grants.iter().enumerate().map(|(n, line)| stored(n as u128, line)).collect(),
        ..Delta::default()
    };
    let bundle = compile(0, &files(&[("policies/guard.cedar", GUARD)])).expect("a bundle");
    Snapshot::new(Revision(1), bundle.into()).expect("a snapshot").apply(Revision(2), delta)
}

fn holder(snapshot: &Snapshot, roles: &[&str]) -> Holder {
    let names: Vec<RoleName> = roles.iter().map(|n| name(n)).collect();
    snapshot.holder(uid("User", "u"), names.iter())
}

/// Document `d` in folder `f`.
fn document(secret: bool) -> Resource {
    let facts = vec![("secret", Value::bool(secret))];
    let entity = FlatEntity::new(uid("Document", "d"), facts, [uid("Folder", "f")]);
    Resource { reference: EntityRef::new("Document", "d"), ancestors: vec![EntityRef::new("Folder", "f")], entity }
}

fn question<'a>(snapshot: &Snapshot, holder: &'a Holder, action: &str, resource: &'a Resource) -> Question<'a> {
    let action = snapshot.bundle.vocabulary.action(action).expect("a known action");
    Question { holder, action, resource }
}

/// Policy, effect, role and path of each reason.
fn reasons(snapshot: &Snapshot, roles: &[&str], action: &str, secret: bool) -> Vec<(String, String)> {
    let (holder, resource) = (holder(snapshot, roles), document(secret));
    let candidates = snapshot.candidates(&question(snapshot, &holder, action, &resource));
    let verdict = snapshot.judge(&candidates, &question(snapshot, &holder, action, &resource), Context::empty());
    let reasons = snapshot.reasons(&candidates, &holder, &verdict);
    let path = |path: Option<Vec<RoleName>>| {
        path.map_or("-".into(), |p| p.iter().map(RoleName::as_str).collect::<Vec<_>>().join(" "))
    };
    reasons.into_iter().map(|r| (format!("{} {}", r.policy, r.effect.as_str()), path(r.path))).collect()
}

fn nearest(snapshot: &Snapshot, roles: &[&str], action: &str, thorough: bool) -> Vec<Nearest> {
    let (holder, resource) = (holder(snapshot, roles), document(false));
    let q = question(snapshot, &holder, action, &resource);
    let candidates = snapshot.candidates(&q);
    snapshot.nearest(&candidates, &q, thorough)
}

#[test]
fn a_reason_names_the_grant_and_the_way_to_it() {
    let snapshot =
        snapshot(&["viewer permit read Folder/f", "reader permit look Document", "other permit read Folder/f"]);
    let grant = |n: u128| format!("grant:{} permit", id_of(n));
    let found = reasons(&snapshot, &["editor"], "read", false);
    assert_eq!(found, [(grant(0), "editor viewer".into()), (grant(1), "editor viewer reader".into())]);
    // The shortest way, from whichever role is assigned.
    let found = reasons(&snapshot, &["lead"], "read", false);
    assert_eq!(found, [(grant(0), "lead editor viewer".into()), (grant(1), "lead reader".into())]);
    let found = reasons(&snapshot, &["lead", "viewer", "other"], "read", false);
    assert_eq!(found, [(grant(0), "viewer".into()), (grant(1), "lead reader".into()), (grant(2), "other".into())]);
    let found = reasons(&snapshot, &["editor"], "read", true);
    assert_eq!(found, [("policies/guard.cedar#no-secrets forbid".into(), "-".into())]);
    assert_eq!(reasons(&snapshot, &["third"], "read", false), []);
}

#[test]
fn a_reason_by_hand_brings_its_annotations() {
    let snapshot = snapshot(&[]);
    let (holder, resource) = (holder(&snapshot, &[]), document(true));
    let candidates = snapshot.candidates(&question(&snapshot, &holder, "read", &resource));
    let verdict = snapshot.judge(&candidates, &question(&snapshot, &holder, "read", &resource), Context::empty());
    let reasons = snapshot.reasons(&candidates, &holder, &verdict);
    let annotations = reasons[0].annotations.as_ref().expect("annotations");
    assert_eq!(annotations.get("why").map(String::as_str), Some("they are secret"));
    assert!(verdict.forbidden && !verdict.allow && reasons[0].role.is_none());
}

#[test]
fn a_deny_says_what_would_have_to_be_granted() {
    let snapshot = snapshot(&[
        "viewer permit read Folder/f context.n < 5",
        "other permit read Document/d",
        "third permit read Document/elsewhere",
        "third forbid read Document/d",
        "third permit read Document context.n < 5",
    ]);
    let missing = |role: Option<&str>| Nearest::Grant {
        role: role.map(name),
        action: "read".into(),
        resource: ResourceScope { ty: "Document".into(), id: Some("d".into()) },
    };
    let condition = Nearest::Condition {
        policy: format!("grant:{}", id_of(0)),
        role: Some(name("viewer")),
        condition: Some("context.n < 5".into()),
    };
    let assign = Nearest::Assign { role: name("other"), policy: format!("grant:{}", id_of(1)) };
    assert_eq!(nearest(&snapshot, &["editor"], "read", false), [condition.clone(), missing(Some("editor"))]);
    assert_eq!(nearest(&snapshot, &["editor"], "read", true), [condition, assign.clone(), missing(Some("editor"))]);
    assert_eq!(nearest(&snapshot, &[], "read", true), [assign, missing(None)]);
    let by_hand = nearest(&snapshot, &[], "list", false);
    let noted = Nearest::Condition { policy: "policies/guard.cedar#noted".into(), role: None, condition: None };
    assert_eq!(by_hand[0], noted);
}

/// What `nearest` proposes does turn the deny into an allow.
#[test]
fn a_proposed_grant_or_role_allows() {
    let before = snapshot(&["other permit all Folder/f"]);
    assert!(reasons(&before, &["editor"], "read", false).is_empty());
    for proposal in nearest(&before, &["editor"], "read", true) {
        match proposal {
            Nearest::Assign { role, .. } => {
                assert!(!reasons(&before, &["editor", role.as_str()], "read", false).is_empty());
            }
            Nearest::Grant { role: Some(role), action, resource } => {
                let scope = format!("{}/{}", resource.ty, resource.id.unwrap_or_default());
                let grants = vec![stored(77, &format!("{role} permit {action} {scope}"))];
                let after = before.apply(Revision(3), Delta { grants, ..Delta::default() });
                assert!(!reasons(&after, &["editor"], "read", false).is_empty());
            }
            other => panic!("{other:?}"),
        }
    }
}

fn holds(snapshot: &Snapshot, roles: &[&str], line: &str) -> bool {
    let stored = stored(99, line);
    let source = GrantSource {
        id: stored.id,
        role: "whoever",
        effect: stored.effect,
        action: &stored.action,
        ty: &stored.ty,
        resource_id: stored.resource_id.as_deref(),
        condition: stored.condition.as_deref(),
    };
    snapshot.holds_grant(&holder(snapshot, roles), source)
}

#[test]
fn nobody_holds_more_than_they_were_granted() {
    let snapshot = snapshot(&[
        "viewer permit look Document",
        "viewer permit read Folder/f",
        "viewer permit write Document/d context.n < 5",
        "viewer permit meet User",
        "viewer permit list Folder",
        "other permit all Document",
        "third permit all Document",
        "third forbid meet Colour",
    ]);
    for (roles, line, wanted) in [
        (&["viewer"][..], "x permit look Document", true),
        (&["editor"], "x permit read Document", true),
        (&["editor"], "x permit read Document/anything", true),
        (&["editor"], "x permit read Document context.n < 5", true),
        (&["editor"], "x permit read Folder/f", true),
        (&["editor"], "x permit list Folder/f", false),
        (&["editor"], "x permit read Folder/g", false),
        (&["editor"], "x permit read Folder", false),
        (&["editor"], "x permit list Folder", true),
        (&["editor"], "x permit all Document", false),
        (&["editor"], "x permit write Document", false),
        (&["editor"], "x permit write Document/d", false),
        (&["editor"], "x permit write Document/d context.n < 5", true),
        (&["editor"], "x permit write Document/d context.n < 6", false),
        (&["editor"], "x permit meet User/u", true),
        (&["editor"], "x permit meet Role/viewer", false),
        (&["editor"], "x permit nothing Document", false),
        (&["reader"], "x permit read Document", false),
        (&[], "x permit read Document", false),
        (&["other"], "x permit read Document", true),
        (&["third"], "x permit read Document", false),
        (&["other", "third"], "x permit read Document", false),
    ] {
        assert_eq!(holds(&snapshot, roles, line), wanted, "{roles:?} {line}");
    }
}

#[test]
fn a_delegate_was_granted_exactly_this_role_without_condition() {
    let snapshot = snapshot(&[
        "viewer permit Deodar::assignRole Role/reader",
        "viewer permit Deodar::unassignRole Role",
        "viewer permit Deodar::assignRole Role/third context.held",
        "viewer forbid Deodar::assignRole Role/other",
        "viewer permit Deodar::delegate Role/lead",
    ]);
    let delegated = |action: &str, role: &str| snapshot.delegated(&holder(&snapshot, &["editor"]), action, role);
    assert!(delegated("Deodar::assignRole", "reader"));
    for (action, role) in [
        ("Deodar::unassignRole", "reader"),
        ("Deodar::assignRole", "third"),
        ("Deodar::assignRole", "other"),
        ("Deodar::assignRole", "lead"),
        ("Deodar::assignRole", "viewer"),
        ("read", "reader"),
    ] {
        assert!(!delegated(action, role), "{action} {role}");
    }
    assert!(!snapshot.delegated(&holder(&snapshot, &["reader"]), "Deodar::assignRole", "reader"));
}

#[test]
fn a_role_is_held_directly_or_by_inheritance() {
    let snapshot = snapshot(&[]);
    let holder = holder(&snapshot, &["editor"]);
    let held = |role: &str| snapshot.holds_role(&holder, snapshot.role_ix(role).expect("a role"));
    assert!(held("editor") && held("viewer") && held("reader") && !held("lead") && !held("other"));
}

#[test]
fn a_policy_with_an_apostrophe_in_its_id_is_a_reason_like_any_other() {
    let text = "@id(\"don't \\\"share\\\"\\n\") permit (principal, action == Action::\"read\", resource);\n\
                @id(\"isn't\") permit (principal, action == Action::\"read\", resource) when { context.n > 0 };";
    let bundle = compile(0, &files(&[("policies/a.cedar", text)])).expect("a bundle");
    let snapshot = Snapshot::new(Revision(1), bundle.into()).expect("a snapshot");
    let (holder, resource) = (holder(&snapshot, &[]), document(false));
    let candidates = snapshot.candidates(&question(&snapshot, &holder, "read", &resource));
    let verdict = snapshot.judge(&candidates, &question(&snapshot, &holder, "read", &resource), Context::empty());
    // The other permit fails, for want of `context.n`: that is no deny.
    assert!(verdict.allow && !verdict.forbidden, "{verdict:?}");
    assert_eq!(verdict.errors[0].policy, "policies/a.cedar#isn't");
    let reasons = snapshot.reasons(&candidates, &holder, &verdict);
    assert_eq!(reasons[0].policy, "policies/a.cedar#don't \"share\"\n");
}
