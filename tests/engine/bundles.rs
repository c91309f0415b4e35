//! What is wrong with a bundle is said with file, line and column, and never by falling over.

use deodar::policy::{Diagnostic, Files, OWN_SCHEMA_PATH, compile};

use crate::written::files;

fn refused(files: &Files) -> Vec<Diagnostic> {
    compile(0, files).map(|_| ()).expect_err("a bundle with a fault").diagnostics
}

/// The text without its marks, and where they were.
fn marked(text: &str) -> (String, Vec<(usize, usize)>) {
    let (mut clean, mut places) = (String::new(), Vec::new());
    for part in text.split_inclusive('«') {
        clean.push_str(part.trim_end_matches('«'));
        if part.ends_with('«') {
            let line = clean.split('\n').next_back().unwrap_or_default();
            places.push((clean.matches('\n').count() + 1, line.chars().count() + 1));
        }
    }
    (clean, places)
}

/// Each finding is at a mark, and says what it should.
fn at_marks(path: &str, text: &str, wanted: &str) {
    let (text, places) = marked(text);
    let found = refused(&files(&[(path, &text)]));
    let at: Vec<_> = found.iter().map(|d| (d.line, d.column)).collect();
    assert!(found.iter().all(|d| d.file == path), "{found:?}");
    assert_eq!(at, places, "{text}: {found:?}");
    assert!(found[0].message.contains(wanted), "{found:?}");
}

#[test]
fn a_fault_of_a_policy_is_pointed_at() {
    let cases = [
        ("permit (principal, action, resource)\n«when { };", "cannot be empty"),
        ("// é\npermit (principal, action «resource);", "unexpected token"),
        (
            "permit (principal, action == Action::\"read\", resource is Document)\n  when { «resource.ownr == principal };",
            "ownr",
        ),
        ("\n\npermit (principal, action, resource is «Documant);", "Documant"),
        ("permit (principal, action == «Action::\"raed\", resource);", "raed"),
        (
            "permit (principal, action == Action::\"read\", resource is Document)\n\
             when { «resource.owner in Role::\"r1\" };",
            "level",
        ),
        (
            "@id(\"a\") permit (principal, action, resource);\n@id(«\"a\") forbid (principal, action, resource);",
            "two policies",
        ),
        ("permit (principal == «?principal, action, resource);", "template"),
        ("permit (principal, action == Action::\"read\", resource) when { «context.n };", "Long"),
    ];
    for (text, wanted) in cases {
        at_marks("policies/dir/x.cedar", text, wanted);
    }
}

#[test]
fn a_fault_of_a_schema_is_told_of_its_own_file() {
    let files = |text: &str| files(&[("schema/other.cedarschema", text), ("schema/zzz.cedarschema", "entity Fine;")]);
    let found = refused(&files("entity A;\nentity B in [;"));
    assert_eq!((found[0].file.as_str(), found[0].line), ("schema/other.cedarschema", 2), "{found:?}");
    let found = refused(&files("entity A;\nentity B in [Nowhere];"));
    assert_eq!(
        (found[0].file.as_str(), found[0].line, found[0].column),
        ("schema/other.cedarschema", 2, 14),
        "{found:?}"
    );
    let found = refused(&files("entity A;\nentity Document;"));
    assert!(found[0].file.starts_with("schema/") && found[0].message.contains("Document"), "{found:?}");
    assert_ne!(found[0].file, OWN_SCHEMA_PATH);
}

#[test]
fn the_faults_of_several_files_are_told_together() {
    let bad = "permit (principal, action == Action::\"raed\", resource);";
    let found =
        refused(&files(&[("policies/b.cedar", bad), ("policies/a.cedar", bad), ("policies/c.cedar", "permit")]));
    let at: Vec<&str> = found.iter().map(|d| d.file.as_str()).collect();
    assert_eq!(at, ["policies/a.cedar", "policies/b.cedar", "policies/c.cedar"], "{found:?}");
}

#[test]
fn a_bundle_holds_its_own_files_only() {
    for path in [
        "../x.cedar",
        "policies/../x.cedar",
        "policies/.cedar",
        "policies//x.cedar",
        "policies/x.cedarschema",
        "schema/x.cedar",
        "/policies/x.cedar",
        "policies/x y.cedar",
        "policies/x#y.cedar",
        "policies/x\n.cedar",
        "other/x.cedar",
        "",
    ] {
        let found = refused(&files(&[(path, "")]));
        assert_eq!(found[0].file, path);
    }
    let found = refused(&files(&[(OWN_SCHEMA_PATH, "entity User;")]));
    assert_eq!(found[0].file, OWN_SCHEMA_PATH);
    assert!(compile(0, &files(&[(OWN_SCHEMA_PATH, deodar::policy::OWN_SCHEMA)])).is_ok());
}

#[test]
fn ids_of_different_files_do_not_meet() {
    let yes = "@id(\"same\") permit (principal, action, resource); forbid (principal, action, resource);";
    let bundle = compile(0, &files(&[("policies/a.cedar", yes), ("policies/b.cedar", yes)])).expect("a bundle");
    let ids: Vec<String> = bundle.policies.iter().map(|p| p.id().to_string()).collect();
    assert_eq!(ids, ["policies/a.cedar#1", "policies/a.cedar#same", "policies/b.cedar#1", "policies/b.cedar#same"]);
}

/// Text that is as deep as it is long. On the small stack of a test: whoever compiles need not care.
#[test]
fn endless_nesting_is_refused_and_overflows_no_stack() {
    const N: usize = 100_000;
    let when = |c: String| format!("permit (principal, action, resource) when {{ {c} }};");
    let policies = [
        when("(".repeat(N) + &")".repeat(N)),
        when("[".repeat(N)),
        when("{a:".repeat(N)),
        format!("// a comment ends here too\r{}", when("(".repeat(N) + "true" + &")".repeat(N))),
        when("true && ".repeat(N) + "true"),
        when("true || ".repeat(N) + "true"),
        when("1".to_owned() + &"+1".repeat(N) + " > 0"),
        when("context".to_owned() + &".a".repeat(N)),
        when("if true then true else ".repeat(N) + "true"),
        when("!".repeat(N) + "true"),
        when("true && ".repeat(450) + "true"),
        when("1".to_owned() + &"+1".repeat(950) + " > 0"),
        when("if true then true else ".repeat(950) + "true"),
        when("context".to_owned() + &".a".repeat(950)),
    ];
    for text in policies {
        let found = refused(&files(&[("policies/deep.cedar", &text)]));
        assert_eq!(found[0].file, "policies/deep.cedar");
        assert!(found[0].message.len() < 500, "{}", found[0].message);
    }
    let schemas = ["{a: ".repeat(N), "Set<".repeat(N) + "Long" + &">".repeat(N)];
    for text in schemas {
        let text = format!("entity Deep {{ a: {text} }};");
        assert_eq!(refused(&files(&[("schema/deep.cedarschema", &text)]))[0].file, "schema/deep.cedarschema");
    }
}

/// `N::read` would be both `Action::"N::read"` and `N::Action::"read"`, and a forbid on a group could be lost.
#[test]
fn an_action_id_that_could_be_taken_for_another_is_refused() {
    for id in ["N::all", "::", ":x", "a::b::c"] {
        let text = format!("entity D;\naction \"{id}\" appliesTo {{ principal: [User], resource: [D] }};");
        let found = refused(&files(&[]).into_iter().chain([("schema/n.cedarschema".to_owned(), text)]).collect());
        assert_eq!(
            (found[0].file.as_str(), found[0].line, found[0].column),
            ("schema/n.cedarschema", 2, 8),
            "{found:?}"
        );
    }
}
