//! Versions of the hand-written Cedar.

use serde_json::{Value, json};

use crate::{
    actor::{Actor, Files, document, document_in, question},
    app::TestApp,
};

async fn store(admin: &Actor, files: &Files) -> i64 {
    let stored = admin.create_bundle(files).await;
    assert!(matches!(stored.status, 200 | 201), "{}", stored.text);
    stored.json["number"].as_i64().unwrap()
}

fn with(files: &Files, path: &str, text: &str) -> Files {
    let mut files = files.clone();
    files.insert(path.to_owned(), text.to_owned());
    files
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_stored_made_active_and_rolled_back() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    admin.create_role("viewer", &[]).await.is(201);
    admin.grant("viewer", "read", json!({ "type": "Document" })).await.is(201);
    let ana = app.user("ana", &["viewer"]).await;
    let ask = || question(&ana, "read", document("1"));
    let (first, files) = admin.active_bundle().await;
    let closed = "@id(\"closed\") forbid (principal, action == Action::\"read\", resource);";
    let second = with(&files, "policies/closed.cedar", closed);
    let stored = admin.create_bundle(&second).await.is(201);
    let number = stored.json["number"].as_i64().unwrap();
    assert_eq!(stored.header("location"), format!("/api/v1/admin/bundles/{number}"));
    assert_eq!((number, &stored.json["active"]), (first + 1, &json!(false)));
    // Stored is not active; stored twice is stored once.
    admin.check(ask()).await.allows();
    assert_eq!(admin.create_bundle(&second).await.is(200).json["number"], number);
    assert_eq!(admin.bundles().await.items().len(), 2);

    let revision = admin.activate(number).await.is(204).revision();
    let denied = admin.check(ask()).await.denies();
    assert_eq!(denied.json["reasons"][0]["policy"], "policies/closed.cedar#closed");
    assert_eq!(admin.activate(number).await.is(204).revision(), revision);
    assert_eq!(admin.bundle(number).await.json["files"], json!(second));
    assert_eq!(admin.active_bundle().await.0, number);
    admin.activate(first).await.is(204);
    admin.check(ask()).await.allows();
    // Another node knows as much.
    let other = app.second_node().await;
    other.ask(&admin).check(ask()).await.allows();
    let revision = admin.activate(number).await.is(204).revision();
    other.ask(&admin).check(crate::actor::with(ask(), "at_least_revision", revision)).await.denies();

    admin.bundle(99).await.problem(404, "not_found");
    admin.activate(99).await.problem(404, "not_found");
    for path in ["x", "1.5", "99999999999999999999", "-1"] {
        let answer = admin.get(&format!("/api/v1/admin/bundles/{path}")).await;
        assert!(matches!(answer.status, 400 | 404), "{path}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_bundle_is_refused_with_file_line_and_column() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let (number, files) = admin.active_bundle().await;
    let refused = async |path: &str, text: &str, line: u64, word: &str| {
        let answer = admin.create_bundle(&with(&files, path, text)).await;
        assert_eq!(answer.status, 422, "{text}: {}", answer.text);
        let found = answer.json["errors"].as_array().unwrap().iter().find(|e| e["file"] == path);
        let found = found.unwrap_or_else(|| panic!("nothing about {path}: {}", answer.text));
        assert_eq!(found["line"], line, "{}", answer.text);
        assert!(found["column"].as_u64().unwrap() >= 1);
        assert!(found["message"].as_str().unwrap().contains(word), "{}", answer.text);
    };
    refused("policies/x.cedar", "permit (principal, action, resource)\nwhen { tru };", 2, "").await;
    refused("policies/x.cedar", "\n\npermit (principal, action, resource", 3, "").await;
    refused("policies/x.cedar", "// x\npermit (principal, action == Action::\"raed\", resource);", 2, "raed").await;
    refused("policies/x.cedar", "permit (principal is Usr, action, resource);", 1, "Usr").await;
    let attribute = "permit (principal, action == Action::\"read\", resource is Document)\nwhen { resource.ownr };";
    refused("policies/x.cedar", attribute, 2, "ownr").await;
    refused("policies/x.cedar", "permit (principal == ?principal, action, resource);", 1, "template").await;
    refused("schema/x.cedarschema", "entity Thing;\nentity Thing;", 1, "Thing").await;
    refused("schema/x.cedarschema", "entity Thing in [Nothing];", 1, "Nothing").await;
    refused("schema/x.cedarschema", "entity", 1, "").await;
    let deep =
        format!("permit (principal, action, resource) when {{ {}true{} }};", "(".repeat(50_000), ")".repeat(50_000));
    refused("policies/x.cedar", &deep, 1, "").await;
    // The same id in one file twice.
    let twice = "@id(\"a\") permit (principal, action, resource);\n@id(\"a\") forbid (principal, action, resource);";
    refused("policies/x.cedar", twice, 2, "policies/x.cedar#a").await;

    for files in [
        json!({ "policies/../x.cedar": "" }),
        json!({ "/etc/x.cedar": "" }),
        json!({ "x.txt": "" }),
        json!({ "policies/x.cedar": 1 }),
        json!({ "policies/x.cedar": "\u{0}" }),
        json!([]),
        json!(null),
    ] {
        let body = json!({ "files": files });
        let answer = admin.send(reqwest::Method::POST, "/api/v1/admin/bundles", Some(&body)).await;
        assert!(matches!(answer.status, 400 | 422), "{files}: {} {}", answer.status, answer.text);
    }
    let twice = "{\"files\":{\"policies/x.cedar\":\"\",\"policies/x.cedar\":\"\"}}";
    let answer = admin.send_text(reqwest::Method::POST, "/api/v1/admin/bundles", twice).await;
    answer.problem(400, "invalid_body");
    assert_eq!(admin.bundles().await.items().len(), 1);
    assert_eq!(admin.active_bundle().await.0, number);
}

/// The server's own schema is a part of the server.
#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_words_cannot_be_replaced() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let (_, files) = admin.active_bundle().await;
    let own = "schema/deodar.cedarschema";
    let changed = files[own].replace("entity User in [Role];", "entity User in [Role] { name?: String };");
    assert_ne!(changed, files[own]);
    admin.create_bundle(&with(&files, own, &changed)).await.problem(422, "invalid_fields");
    let more = "namespace Deodar { entity Other; }";
    admin.create_bundle(&with(&files, "schema/more.cedarschema", more)).await.problem(422, "invalid_fields");
    for text in ["entity User;", "entity Role in [Role];", "type Session = { mfa: Bool };"] {
        let answer = admin.create_bundle(&with(&files, "schema/more.cedarschema", text)).await;
        answer.problem(422, "invalid_fields");
    }
    // Left out it is there all the same.
    let mut without = files.clone();
    without.remove(own);
    let stored = admin.create_bundle(&without).await;
    if stored.status != 422 {
        let number = stored.json["number"].as_i64().unwrap();
        admin.activate(number).await.is(204);
        admin.roles("").await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_breaks_grants_names_them() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    admin.create_role("viewer", &[]).await.is(201);
    let share = admin.grant("viewer", "share", json!({ "type": "Document" })).await.is(201).text_at("/id");
    let mut reads = Vec::new();
    for n in 0..3 {
        let condition = json!({ "action": "read", "resource": { "type": "Document", "id": n.to_string() },
            "condition": "resource has confidential && resource.confidential" });
        reads.push(admin.grant_body("viewer", &condition).await.is(201).text_at("/id"));
    }
    let (number, files) = admin.active_bundle().await;
    let docs = "schema/docs.cedarschema";
    let broken = async |files: Files, expected: &[String]| {
        let answer = admin.create_bundle(&files).await.problem(422, "invalid_fields");
        let faults = answer.json["errors"].as_array().unwrap();
        let mut named: Vec<&Value> = Vec::new();
        for fault in faults.iter().filter(|fault| fault["code"] == "breaks_grants") {
            named.extend(fault["grants"].as_array().unwrap());
        }
        let mut named: Vec<&str> = named.into_iter().map(|id| id.as_str().unwrap()).collect();
        named.sort_unstable();
        let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
        expected.sort_unstable();
        assert_eq!(named, expected, "{}", answer.text);
    };
    let mut without = with(&files, docs, &files[docs].replace("\"share\", ", ""));
    without.remove("policies/guardrails.cedar");
    broken(without, &[share]).await;
    let mut without = with(&files, docs, &files[docs].replace("confidential?: Bool,", ""));
    without.remove("policies/guardrails.cedar");
    broken(without, &reads).await;
    assert_eq!(admin.active_bundle().await.0, number);

    // What was fine when it was stored may break grants that came later.
    let without = with(
        &files,
        docs,
        &files[docs].replace("entity Folder in [Folder];", "entity Folder in [Folder] { x?: Long };"),
    );
    let later = store(&admin, &without).await;
    admin.activate(later).await.is(204);
    let condition =
        json!({ "action": "read", "resource": { "type": "Folder" }, "condition": "resource has x && resource.x > 1" });
    let id = admin.grant_body("viewer", &condition).await.is(201).text_at("/id");
    let answer = admin.activate(number).await.problem(422, "invalid_fields");
    assert_eq!(answer.json["errors"][0]["grants"], json!([id]));
    assert_eq!(admin.active_bundle().await.0, later);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_locks_everybody_out_is_not_made_active_v048() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let (number, files) = admin.active_bundle().await;
    let closing = "@id(\"closed\") forbid (principal, action in Deodar::Action::\"administer\", resource);";
    let picky = "@id(\"mfa\") forbid (principal, action in Deodar::Action::\"administer\", resource) \
                 unless { context has session && context.session.mfa };";
    let mut without = files.clone();
    without.remove("policies/admin.cedar");
    let other = files["policies/admin.cedar"].replace("Role::\"admin\"", "Role::\"root\"");
    for files in [
        with(&files, "policies/closed.cedar", closing),
        with(&files, "policies/mfa.cedar", picky),
        with(&files, "policies/admin.cedar", &other),
        without,
    ] {
        let stored = store(&admin, &files).await;
        admin.activate(stored).await.problem(409, "last_administrator");
        assert_eq!(admin.active_bundle().await.0, number);
        admin.roles("").await.is(200);
    }
}

/// The rules of the application are as good as ours.
#[tokio::test(flavor = "multi_thread")]
async fn an_application_brings_its_own_words() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let (_, files) = admin.active_bundle().await;
    let schema = "namespace Shop {\n  entity Device { kind: String };\n  entity Order { total: decimal, lines?: Set<Line> };\n  \
                  type Line = { sku: String, n: Long };\n  action \"approve\", \"see all\" \
                  appliesTo { principal: [Device, User], resource: Order, context: { at?: datetime } };\n}";
    let policy = "@id(\"tills\") permit (principal is Shop::Device, action == Shop::Action::\"approve\", resource)\n\
                  when { principal.kind == \"till\" && resource.total.lessThan(decimal(\"100.0\")) };";
    let files = with(&with(&files, "schema/shop.cedarschema", schema), "policies/shop.cedar", policy);
    let number = store(&admin, &files).await;
    admin.activate(number).await.is(204);
    let ask = |kind: &str, total: &str| {
        json!({
            "principal": { "type": "Shop::Device", "id": "1", "attributes": { "kind": kind } },
            "action": "Shop::approve",
            "resource": { "type": "Shop::Order", "id": "1", "attributes": { "total": total } },
            "context": { "at": "2026-01-01T00:00:00Z" },
            "explain": true,
        })
    };
    let allowed = admin.check(ask("till", "99.5")).await.allows();
    assert_eq!(allowed.json["reasons"][0]["policy"], "policies/shop.cedar#tills");
    admin.check(ask("till", "100.0")).await.denies();
    admin.check(ask("phone", "1.0")).await.denies();
    admin.check(ask("till", "lots")).await.problem(400, "mistyped");
    admin.create_role("clerk", &[]).await.is(201);
    admin.grant("clerk", "Shop::see all", json!({ "type": "Shop::Order" })).await.is(201);
    let ben = app.user("ben", &["clerk"]).await;
    let order = json!({ "type": "Shop::Order", "id": "1", "attributes": { "total": "1.0" } });
    admin.check(question(&ben, "Shop::see all", order.clone())).await.allows();
    admin.check(question(&ben, "Shop::Action::\"see all\"", order.clone())).await.allows();
    let answer = admin.check(question(&ben, "approve", order)).await;
    assert!(answer.faulty("action", "unknown_action").contains("Shop::approve"), "{}", answer.text);
    // The old words still mean what they meant.
    admin.check(question(&ben, "read", document_in("1", "7"))).await.denies();
}
