//! `/authz/check` and its batch: what is decided.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    actor::{Actor, Who, document, document_in, question, with},
    app::TestApp,
};

/// `editor` inherits `viewer`, who may read folder 7; ana is an editor.
pub async fn library(app: &TestApp) -> (Actor, Who) {
    let admin = app.admin().await;
    admin.create_role("viewer", &[]).await.is(201);
    admin.create_role("editor", &["viewer"]).await.is(201);
    admin.grant("viewer", "read", json!({ "type": "Folder", "id": "7" })).await.is(201);
    (admin, app.user("ana", &["editor"]).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_reason_names_the_grant_and_the_way_to_it() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let grant = admin.grants("viewer").await.text_at("/items/0/id");
    let answer = admin.check(question(&ana, "read", document_in("42", "7"))).await.allows();
    let reason = json!({ "policy": format!("grant:{grant}"), "effect": "permit", "role": "viewer",
        "path": ["editor", "viewer"] });
    assert_eq!(answer.json["reasons"], json!([reason]));
    assert_eq!(answer.json["errors"], json!([]));
    assert!(answer.json["nearest"].is_null() && answer.json["step_up"].is_null());
    assert!(answer.json["revision"].is_i64());

    let plain = json!({ "principal": ana.json(), "action": "read", "resource": document_in("42", "7") });
    let answer = admin.check(plain).await.allows();
    assert!(answer.json.get("reasons").is_none() && answer.json.get("errors").is_none(), "{}", answer.text);
    admin.check(question(&ana, "read", document_in("42", "8"))).await.denies();
    admin.check(question(&ana, "read", json!({ "type": "Folder", "id": "7" }))).await.allows();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_that_knows_the_revision_sees_the_inheritance_end() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let (admin, ana) = library(&app).await;
    let ask = question(&ana, "read", document_in("42", "7"));
    other.ask(&admin).check(ask.clone()).await.is(200);
    let revision = admin.disinherit("editor", "viewer").await.is(204).revision();
    for node in [app.node(), &other] {
        let ask = with(ask.clone(), "at_least_revision", revision);
        let answer = node.ask(&admin).check(ask).await.denies();
        assert!(answer.json["revision"].as_i64().unwrap() >= revision);
    }
}

/// Contract §5, "Freshness".
#[tokio::test(flavor = "multi_thread")]
async fn every_node_sees_a_write_within_a_second_also_unasked() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let (admin, ana) = library(&app).await;
    let there = other.ask(&admin);
    let ask = question(&ana, "write", document_in("42", "7"));
    let mut took = Vec::new();
    for _ in 0..10 {
        there.check(ask.clone()).await.denies();
        let grant = admin.grant("editor", "write", json!({ "type": "Folder", "id": "7" })).await.is(201);
        let written = Instant::now();
        while there.check(ask.clone()).await.is(200).json["decision"] == "deny" {
            assert!(written.elapsed() < Duration::from_secs(1), "not seen within a second");
        }
        took.push(written.elapsed());
        let revision = admin.delete_grant(&grant.text_at("/id")).await.is(204).revision();
        there.check(with(ask.clone(), "at_least_revision", revision)).await.denies();
    }
    took.sort();
    println!("a write is seen on another node after {:?} (median), {:?} (longest)", took[took.len() / 2], took[9]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revision_that_does_not_come_is_a_503_within_a_second() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let asked = Instant::now();
    let ask = with(question(&ana, "read", document_in("42", "7")), "at_least_revision", 1_000_000);
    let answer = admin.check(ask.clone()).await.problem(503, "revision_unavailable");
    assert!(asked.elapsed() < Duration::from_millis(1300), "{:?}", asked.elapsed());
    assert!(!answer.header("retry-after").is_empty());
    admin.check_batch(&[ask]).await.problem(503, "revision_unavailable");
    for bad in [json!(-1), json!("7"), json!(1.5), json!(9_223_372_036_854_775_808_u64)] {
        let answer = admin.check(with(question(&ana, "read", document("42")), "at_least_revision", bad.clone())).await;
        assert!(matches!(answer.status, 200 | 400), "{bad}: {} {}", answer.status, answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deny_without_a_forbid_says_what_is_missing() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let cleo = app.user("cleo", &[]).await;
    let nearest = |answer: crate::answer::Answer| answer.denies().json["nearest"].as_array().unwrap().clone();

    let found = nearest(admin.check(question(&cleo, "read", document_in("42", "7"))).await);
    let grant = admin.grants("viewer").await.text_at("/items/0/id");
    assert!(found.contains(&json!({ "kind": "assign", "role": "viewer", "policy": format!("grant:{grant}") })));
    let found = nearest(admin.check(question(&ana, "write", document("42"))).await);
    let missing = json!({ "kind": "grant", "role": "editor", "action": "write",
        "resource": { "type": "Document", "id": "42" } });
    assert!(found.contains(&missing), "{found:?}");
    let condition = "resource has owner && resource.owner == principal";
    let grant = json!({ "action": "write", "resource": { "type": "Document" }, "condition": condition });
    let grant = admin.grant_body("editor", &grant).await.is(201).text_at("/id");
    let found = nearest(admin.check(question(&ana, "write", document("42"))).await);
    let unmet = json!({ "kind": "condition", "policy": format!("grant:{grant}"), "role": "editor",
        "condition": condition });
    assert!(found.contains(&unmet), "{found:?}");
    // Whoever does not exist has nothing near.
    assert!(nearest(admin.check(question(&Who::user("x"), "read", document("1"))).await).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forbid_wins_and_names_itself() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let forbid = admin.forbid("viewer", "read", document("secret")).await.is(201).text_at("/id");
    let answer = admin.check(question(&ana, "read", document_in("secret", "7"))).await.denies();
    let reason = json!({ "policy": format!("grant:{forbid}"), "effect": "forbid", "role": "viewer",
        "path": ["editor", "viewer"] });
    assert_eq!(answer.json["reasons"], json!([reason]));
    assert!(answer.json.get("nearest").is_none(), "{}", answer.text);

    admin.grant("editor", "share", json!({ "type": "Folder", "id": "7" })).await.is(201);
    let secret = with(document_in("42", "7"), "attributes", json!({ "confidential": true }));
    let answer = admin.check(question(&ana, "share", secret)).await.denies();
    let reason = &answer.json["reasons"][0];
    assert_eq!(reason["policy"], "policies/guardrails.cedar#confidential-stays");
    assert_eq!((&reason["effect"], &reason["annotations"]["id"]), (&json!("forbid"), &json!("confidential-stays")));
    assert!(answer.json.get("nearest").is_none(), "{}", answer.text);
    admin.check(question(&ana, "share", document_in("42", "7"))).await.allows();
}

/// Contract §1: stricter than Cedar, which skips what fails.
#[tokio::test(flavor = "multi_thread")]
async fn a_forbid_that_fails_denies_and_a_permit_that_fails_allows_nothing() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let (_, mut files) = admin.active_bundle().await;
    let schema = files["schema/docs.cedarschema"].replace("confidential?: Bool", "confidential?: Bool, pages: Long");
    files.insert("schema/docs.cedarschema".to_owned(), schema);
    let guard = "@id(\"short\") forbid (principal, action == Action::\"read\", resource is Document) \
                 when { resource.pages > 100 };";
    files.insert("policies/pages.cedar".to_owned(), guard.to_owned());
    let number = admin.create_bundle(&files).await.is(201).json["number"].as_i64().unwrap();
    admin.activate(number).await.is(204);

    let pages = |n: i64| with(document_in("42", "7"), "attributes", json!({ "pages": n }));
    admin.check(question(&ana, "read", pages(7))).await.allows();
    admin.check(question(&ana, "read", pages(700))).await.denies();
    let answer = admin.check(question(&ana, "read", document_in("42", "7"))).await.denies();
    assert_eq!(answer.json["errors"][0]["policy"], "policies/pages.cedar#short", "{}", answer.text);
    assert!(answer.json["errors"][0]["message"].as_str().unwrap().contains("pages"), "{}", answer.text);
    assert!(answer.json.get("nearest").is_none(), "a failing forbid is a forbid: {}", answer.text);

    let permit = json!({ "action": "write", "resource": { "type": "Document" }, "condition": "resource.pages < 10" });
    let grant = admin.grant_body("editor", &permit).await.is(201).text_at("/id");
    admin.check(question(&ana, "write", pages(7))).await.allows();
    let answer = admin.check(question(&ana, "write", document("42"))).await.denies();
    assert_eq!(answer.json["errors"][0]["policy"], format!("grant:{grant}"));
    // 2^63 pages do not fit, and what overflows fails.
    let overflow = json!({ "effect": "forbid", "action": "share", "resource": { "type": "Document" },
        "condition": "resource.pages + 9223372036854775807 > 0" });
    admin.grant_body("editor", &overflow).await.is(201);
    admin.grant("editor", "share", json!({ "type": "Document" })).await.is(201);
    let answer = admin.check(question(&ana, "share", pages(1))).await.denies();
    assert_eq!(answer.json["errors"].as_array().unwrap().len(), 1, "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_answers_in_order_as_of_one_revision_n180_v036() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let inside = json!({ "action": "write", "resource": { "type": "Document" },
        "condition": "context has ip && context.ip == ip(\"10.0.0.1\")" });
    admin.grant_body("editor", &inside).await.is(201);
    let write = |ip: &str| with(question(&ana, "write", document("1")), "context", json!({ "ip": ip }));
    let checks = [
        write("10.0.0.1"),
        write("10.0.0.2"),
        question(&ana, "raed", document("1")),
        write("10.0.0.1"),
        with(question(&ana, "read", document("1")), "resource", 7),
        question(&ana, "read", document_in("42", "7")),
        question(&Who::user("x"), "read", document_in("42", "7")),
    ];
    let answer = admin.check_batch(&checks).await.is(200);
    let results = answer.json["results"].as_array().unwrap();
    let decisions: Vec<&str> = results.iter().map(|r| r["decision"].as_str().unwrap()).collect();
    assert_eq!(decisions, ["allow", "deny", "deny", "allow", "deny", "allow", "deny"]);
    assert_eq!(results[2]["error"]["code"], "unknown_action");
    assert_eq!(results[4]["error"]["code"], "mistyped");
    assert!(results.iter().enumerate().all(|(n, r)| (n == 2 || n == 4) != r["error"].is_null()));
    assert!(answer.json["revision"].is_i64());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_never_cut_short_v036() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let ask = json!({ "principal": ana.json(), "action": "read", "resource": document_in("42", "7") });
    let full = admin.check_batch(&vec![ask.clone(); 1000]).await.is(200);
    let results = full.json["results"].as_array().unwrap();
    assert!(results.len() == 1000 && results.iter().all(|r| r["decision"] == "allow"));
    assert_eq!(admin.check_batch(std::slice::from_ref(&ask)).await.is(200).json["results"][0]["decision"], "allow");
    admin.check_batch(&vec![ask.clone(); 1001]).await.problem(400, "batch_size");
    admin.check_batch(&[]).await.problem(400, "batch_size");
    admin.check_batch(&vec![ask; 6000]).await.problem(400, "batch_size");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_ask_about_itself_and_with_the_scope_about_others() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let shop = app.client("shop", "orders", &["viewer"]).await;
    let own = question(shop.who(), "read", document_in("42", "7"));
    let others = question(&ana, "read", document_in("42", "7"));
    shop.check(own.clone()).await.allows();
    shop.check(others.clone()).await.problem(403, "insufficient_scope");
    let answer = shop.check_batch(&[own, others.clone()]).await.is(200);
    assert_eq!(answer.json["results"][0]["decision"], "allow");
    assert_eq!(answer.json["results"][1]["decision"], "deny");
    assert_eq!(answer.json["results"][1]["error"]["code"], "insufficient_scope");
    // `admin` is no permission to ask, and `authz:check` none to administer.
    let manager = app.client("manager", "admin", &["admin"]).await;
    manager.check(others.clone()).await.problem(403, "insufficient_scope");
    let asker = app.client("asker", "authz:check", &["admin"]).await;
    asker.check(others).await.allows();
    asker.roles("").await.problem(403, "insufficient_scope");
    // With a token in place of the principal.
    let by_token = |token: &str| json!({ "token": token, "action": "read", "resource": document_in("42", "7") });
    asker.check(by_token(shop.token.as_ref().unwrap())).await.allows();
    shop.check(by_token(shop.token.as_ref().unwrap())).await.allows();
    shop.check(by_token(asker.token.as_ref().unwrap())).await.problem(403, "insufficient_scope");
    asker.check(by_token("garbage")).await.problem(400, "invalid_token");
    drop(admin);
}

/// By way of `token`: what is dead as a bearer is dead as a subject.
#[tokio::test(flavor = "multi_thread")]
async fn a_switched_off_principal_is_denied_everything_v059() {
    let app = TestApp::spawn().await;
    let (admin, _) = library(&app).await;
    let shop = app.client("shop", "authz:check", &["viewer"]).await;
    let ask = question(shop.who(), "read", document_in("42", "7"));
    let by_token = json!({ "token": shop.token, "action": "read", "resource": document_in("42", "7") });
    admin.check(ask.clone()).await.allows();
    admin.check(by_token.clone()).await.allows();
    admin.update_client(&shop.who().id, json!({ "active": false })).await.is(200);
    admin.check(ask.clone()).await.denies();
    let answer = admin.check(by_token.clone()).await;
    assert_ne!(answer.json["decision"], "allow", "{}", answer.text);
    shop.check(ask.clone()).await.problem(401, "unauthorized");
    admin.update_client(&shop.who().id, json!({ "active": true })).await.is(200);
    admin.check(ask).await.allows();
}
