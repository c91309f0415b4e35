//! What is wrong with a grant is said before it is stored.

use deodar::{
    model::{Effect, GrantId},
    policy::{GrantFault, GrantSource, faults},
};

use crate::written::bundle;

fn check(action: &str, ty: &str, id: Option<&str>, condition: Option<&str>) -> Vec<GrantFault> {
    let (resource_id, effect) = (id, Effect::Permit);
    let source = GrantSource { id: GrantId::new(), role: "r0", effect, action, ty, resource_id, condition };
    faults(&bundle(&[]).vocabulary, source)
}

/// One fault, of this field and code, whose message has this in it.
fn one(found: Vec<GrantFault>, field: &str, code: &str, text: &str) {
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].field, found[0].code), (field, code), "{found:?}");
    assert!(found[0].message.contains(text), "{found:?}");
}

#[test]
fn what_is_right_is_accepted() {
    for (action, ty, id) in [
        ("read", "Document", None),
        ("read", "Folder", Some("a")),
        ("all", "Document", Some("x\" }; permit(principal,action,resource); //")),
        ("write", "Folder", Some("")),
        ("Hr::peruse", "Hr::Page", None),
        ("Hr::perusal", "Hr::Page", Some("*")),
        ("meet", "Role", Some("r1")),
        ("meet", "Colour", Some("gr\"een\\")),
        ("Deodar::assignRole", "Role", Some("viewer")),
        ("x\" }; permit(principal,action,resource); //", "Document", None),
    ] {
        assert_eq!(check(action, ty, id, None), [], "{action} {ty} {id:?}");
    }
    for condition in ["true", "context.n < 5", "resource.size > 3 // why not", "  principal is User\n"] {
        assert_eq!(check("read", "Document", None, Some(condition)), [], "{condition}");
    }
}

#[test]
fn a_wrong_name_is_told_with_the_nearest_right_one() {
    one(check("raed", "Document", None, None), "action", "unknown_action", "`read`");
    one(check("peruse", "Hr::Page", None, None), "action", "unknown_action", "`Hr::peruse`");
    one(check("read", "Documnet", None, None), "resource.type", "unknown_type", "`Document`");
    one(check("Hr::peruse", "Page", None, None), "resource.type", "unknown_type", "`Hr::Page`");
    // A grant is looked up by the name of its action, so Cedar text is not another spelling of it.
    one(check("Action::\"read\"", "Document", None, None), "action", "unknown_action", "`read`");
    let both = check("raed", "Documnet", None, Some("((("));
    let fields: Vec<&str> = both.iter().map(|f| f.field).collect();
    assert_eq!(fields.len(), 3, "{both:?}");
    assert!(["action", "resource.type", "condition"].iter().all(|f| fields.contains(f)), "{both:?}");
}

#[test]
fn a_grant_that_can_never_apply_is_refused() {
    one(check("read", "User", None, None), "action", "action_not_applicable", "`Document`");
    one(check("meet", "Document", Some("a"), None), "action", "action_not_applicable", "`Colour`");
    one(check("Hr::perusal", "Folder", None, None), "action", "action_not_applicable", "`Hr::Page`");
    // Every document is inside of no other document, so a folder by id is reached and a document by type is not.
    assert_eq!(check("x\" }; permit(principal,action,resource); //", "Folder", Some("a"), None), []);
    let by_type = check("x\" }; permit(principal,action,resource); //", "Folder", None, None);
    one(by_type, "action", "action_not_applicable", "`Document`");
}

#[test]
fn an_id_must_be_one_there_can_be() {
    one(check("meet", "Colour", Some("blue"), None), "resource.id", "unknown_id", "`red`");
    one(check("read", "Document", Some(&"a".repeat(1025)), None), "resource.id", "too_long", "1024");
    assert_eq!(check("read", "Document", Some(&"a".repeat(1024)), None), []);
}

#[test]
fn a_condition_is_one_expression_that_type_checks() {
    for (condition, text) in [
        ("", "unexpected end"),
        ("true }; permit (principal, action, resource) when { true", "unexpected token"),
        ("true;", "unexpected token"),
        ("true) || (true", "unexpected token"),
        ("when { true }", "unexpected token"),
        ("principal == ?principal", "slots"),
        ("unknown(\"x\")", "unknown"),
        ("1", "Bool"),
        ("context.nn < 5", "`n`"),
        ("resource.ownr == principal", "`owner`"),
        ("resource.owner in Role::\"r1\"", "level"),
        ("resource.secret", "secret"),
        ("false", "impossible"),
        ("context.n", "Bool"),
        ("\"\u{0}", ""),
    ] {
        one(check("read", "Document", None, Some(condition)), "condition", "invalid_condition", text);
    }
}

#[test]
fn endless_conditions_are_refused_and_overflow_no_stack() {
    let long = "(".repeat(100_000) + "true" + &")".repeat(100_000);
    one(check("read", "Document", None, Some(&long)), "condition", "invalid_condition", "4096");
    for deep in [
        "(".repeat(2000) + "true" + &")".repeat(2000),
        format!("//\r{}true{}", "(".repeat(2000), ")".repeat(2000)),
        format!("1{} > 0", "+1".repeat(2040)),
        format!("1{} > 0", "+1".repeat(990)),
        "if true then true else ".repeat(170) + "true",
        "context".to_owned() + &".a".repeat(2000),
        "1<2".to_owned() + &"&&1<2".repeat(680),
        "!".repeat(4000) + "true",
        "[".repeat(4000),
    ] {
        let found = check("read", "Document", None, Some(&deep));
        let fields: Vec<&str> = found.iter().map(|fault| fault.field).collect();
        assert_eq!(fields, ["condition"], "{deep}: {found:?}");
    }
}
