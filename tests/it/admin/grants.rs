//! Grants.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{
    actor::{Actor, Who, document, question},
    answer::Answer,
    app::TestApp,
};

async fn viewer(app: &TestApp) -> (Actor, Who) {
    let admin = app.admin().await;
    admin.create_role("viewer", &[]).await.is(201);
    (admin, app.user("ana", &["viewer"]).await)
}

fn on_document(action: &str) -> Value {
    json!({ "action": action, "resource": { "type": "Document" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_is_made_shown_listed_and_removed() {
    let app = TestApp::spawn().await;
    let (admin, ana) = viewer(&app).await;
    let body = json!({ "role": "viewer", "effect": "permit", "action": "read", "resource": { "type": "Document" },
        "condition": null, "description": "all" });
    let made = admin.grant_body("viewer", &body).await.is(201);
    let id = made.text_at("/id");
    assert_eq!(made.header("location"), format!("/api/v1/admin/grants/{id}"));
    for (name, value) in body.as_object().unwrap() {
        let seen = &made.json[name];
        assert!(seen == value || name == "resource" && seen["type"] == "Document", "{name}: {}", made.text);
    }
    assert_eq!(admin.find_grant(&id).await.is(200).json, made.json);
    assert_eq!(admin.grants("viewer").await.items(), std::slice::from_ref(&made.json));
    admin.check(question(&ana, "read", document("1"))).await.allows();
    admin.delete_grant(&id).await.is(204).revision();
    admin.check(question(&ana, "read", document("1"))).await.denies();
    admin.delete_grant(&id).await.problem(404, "not_found");
    admin.find_grant(&id).await.problem(404, "not_found");
    for id in ["x", "", "01890000", "' OR 1=1 --", "00000000-0000-0000-0000-000000000000"] {
        let answer = admin.find_grant(id).await;
        assert_eq!(answer.status, 404, "{id}: {}", answer.text);
    }
    admin.grant("nobody", "read", json!({ "type": "Document" })).await.problem(404, "not_found");
    let other = json!({ "role": "other", "action": "read", "resource": { "type": "Document" } });
    admin.grant_body("viewer", &other).await.faulty("role", "role_mismatch");
}

/// Issue 2, "Shows": an unknown word proposes the right one.
#[tokio::test(flavor = "multi_thread")]
async fn words_that_the_schema_does_not_have_are_named_with_the_nearest() {
    let app = TestApp::spawn().await;
    let (admin, _) = viewer(&app).await;
    let condition = |text: &str| {
        let mut body = on_document("read");
        body["condition"] = json!(text);
        body
    };
    let faulty = async |body: Value, field: &str, code: &str, word: &str| {
        let answer = admin.grant_body("viewer", &body).await;
        let message = answer.faulty(field, code);
        assert!(message.contains(word), "{body}: {message}");
    };
    faulty(on_document("raed"), "action", "unknown_action", "`read`").await;
    faulty(on_document("Deodar::asignRole"), "action", "unknown_action", "`Deodar::assignRole`").await;
    let folder = json!({ "action": "read", "resource": { "type": "Foldr", "id": "7" } });
    faulty(folder, "resource.type", "unknown_type", "`Folder`").await;
    let role = json!({ "action": "read", "resource": { "type": "Role" } });
    faulty(role, "action", "action_not_applicable", "Document").await;
    faulty(condition("resource has owner && resource.ownr == principal"), "condition", "invalid_condition", "owner")
        .await;
    faulty(condition("context.ip"), "condition", "invalid_condition", "").await;
    faulty(condition("1 + 1"), "condition", "invalid_condition", "").await;
    faulty(condition("resource.owner == principal"), "condition", "invalid_condition", "owner").await;
    faulty(condition("Usr::\"x\" == principal"), "condition", "invalid_condition", "").await;
    assert!(admin.grants("viewer").await.items().is_empty());
}

/// Conditions are expressions and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_condition_cannot_break_out_of_its_policy_v041_v063() {
    let app = TestApp::spawn().await;
    let (admin, ana) = viewer(&app).await;
    let cleo = app.user("cleo", &[]).await;
    let deep = [("(", "true", ")"), ("!", "true", ""), ("if true then ", "true", " else true"), ("[", "", "]")];
    let mut conditions: Vec<String> =
        deep.iter().map(|(a, b, c)| format!("{}{b}{}", a.repeat(100_000), c.repeat(100_000))).collect();
    conditions.extend(deep.iter().map(|(a, b, c)| format!("{}{b}{}", a.repeat(300), c.repeat(300))));
    conditions.push(format!("true{}", " && true".repeat(100_000)));
    conditions.push(format!("\"{}\" == \"\"", "x".repeat(70_000)));
    conditions.push("!".repeat(4000) + "true");
    conditions.extend(
        [
            "true }; permit(principal, action, resource); //",
            "true }; permit(principal, action, resource) when { true",
            "true };",
            "true } unless { false",
            "true // comment }",
            "",
            " ",
            "}",
            "{",
            "permit(principal, action, resource);",
            "when { true }",
            "true\0",
            "\0",
            "?principal == principal",
            "principal == ?principal",
            "true true",
            "true; true",
            "ip(\"x\").isLoopback()",
            "__cedar::x",
        ]
        .map(str::to_owned),
    );
    for condition in &conditions {
        let mut body = on_document("read");
        body["condition"] = json!(condition);
        let answer = admin.grant_body("viewer", &body).await;
        let shown: String = condition.chars().take(60).collect();
        // A comment is the one thing here that is no fault: what it hides was never part of the policy.
        if answer.status == 201 {
            assert!(condition.starts_with("true // comment"), "{shown:?} was taken");
            admin.delete_grant(&answer.text_at("/id")).await.is(204);
            continue;
        }
        assert!(matches!(answer.status, 413 | 422), "{shown:?}: {} {}", answer.status, answer.text);
        assert!(answer.text.len() < 10_000, "{shown:?}: an answer of {} bytes", answer.text.len());
    }
    assert!(admin.grants("viewer").await.items().is_empty());
    admin.check(question(&cleo, "read", document("1"))).await.denies();

    // What only looks like an attack is text.
    let mut body = on_document("read");
    body["condition"] = json!("resource == Document::\"x\\\" }; permit(principal, action, resource); //\"");
    admin.grant_body("viewer", &body).await.is(201);
    admin.check(question(&ana, "read", document("x\" }; permit(principal, action, resource); //"))).await.allows();
    admin.check(question(&ana, "read", document("x"))).await.denies();
    admin.check(question(&cleo, "read", document("x"))).await.denies();
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_of_a_grant_are_bounded_and_known() {
    let app = TestApp::spawn().await;
    let (admin, _) = viewer(&app).await;
    let id = |id: &str| json!({ "action": "read", "resource": { "type": "Document", "id": id } });
    admin.grant_body("viewer", &id(&"x".repeat(1024))).await.is(201);
    admin.grant_body("viewer", &id(&"x".repeat(1025))).await.faulty("resource.id", "too_long");
    admin.grant_body("viewer", &id(&"x".repeat(65_536))).await.faulty("resource.id", "too_long");
    admin.grant_body("viewer", &id("a\0b")).await.faulty("resource.id", "invalid_text");
    admin.grant_body("viewer", &on_document("re\0ad")).await.faulty("action", "invalid_text");
    for bad in [
        json!({ "action": "read" }),
        json!({ "resource": { "type": "Document" } }),
        json!({ "action": "read", "resource": {} }),
        json!({ "action": "read", "resource": "Document" }),
        json!({ "action": ["read"], "resource": { "type": "Document" } }),
        json!({ "action": "read", "resource": { "type": "Document", "ids": ["1"] } }),
        json!({ "action": "read", "resource": { "type": "Document" }, "effect": "allow" }),
        json!({ "action": "read", "resource": { "type": "Document" }, "id": "x" }),
        json!({ "action": "read", "resource": { "type": "Document" }, "condition": true }),
        json!([]),
    ] {
        let answer = admin.grant_body("viewer", &bad).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_is_done_whole_or_not_at_all_v038() {
    let app = TestApp::spawn().await;
    let (admin, ana) = viewer(&app).await;
    let one = |role: &str, action: &str, id: &str| json!({ "role": role, "action": action, "resource": { "type": "Document", "id": id } });
    let old = admin.grant("viewer", "read", json!({ "type": "Folder" })).await.is(201).text_at("/id");
    let batch = |create: Value, delete: Value| json!({ "create": create, "delete": delete });
    let missing = "01890000-0000-7000-8000-000000000000";
    let faulty = async |body: Value, field: &str, code: &str| {
        let answer: Answer = admin.grants_batch(&body).await;
        let message = answer.faulty(field, code);
        assert_eq!(admin.grants("viewer").await.items().len(), 1, "{message}");
    };
    let good = one("viewer", "read", "1");
    faulty(batch(json!([good, one("viewer", "raed", "2")]), json!([old])), "create[1].action", "unknown_action").await;
    faulty(batch(json!([good, one("viwer", "read", "2")]), json!([old])), "create[1].role", "unknown_role").await;
    faulty(batch(json!([good, one("A", "read", "2")]), json!([])), "create[1].role", "invalid_role_name").await;
    faulty(batch(json!([good]), json!([old, missing])), "delete[1]", "unknown_grant").await;
    admin.grants_batch(&batch(json!([]), json!([]))).await.problem(400, "batch_size");
    admin.grants_batch(&batch(json!([good]), json!(["x"]))).await.problem(400, "invalid_body");

    let before = admin.grants_batch(&batch(json!([good]), json!([old]))).await.is(200);
    assert_eq!(before.json["deleted"], json!([old]));
    assert_eq!(admin.grants("viewer").await.items(), [before.json["created"][0].clone()]);
    admin.check(question(&ana, "read", document("1"))).await.allows();
    // The same id twice is one.
    let id = before.text_at("/created/0/id");
    let twice = admin.grants_batch(&batch(json!([]), json!([id, id]))).await;
    assert!(matches!(twice.status, 200 | 400 | 422), "{}", twice.text);
}

/// Ten thousand at once, and one more is too many.
#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_grants_are_one_write_v038() {
    let app = TestApp::spawn_with(&[("DEODAR_BODY_LIMIT", "16MiB")]).await;
    let (admin, ana) = viewer(&app).await;
    let one = |n: usize| json!({ "role": "viewer", "action": "read", "resource": { "type": "Document", "id": n.to_string() } });
    let many: Vec<Value> = (0..10_000).map(one).collect();
    let mut more = many.clone();
    more.push(one(10_000));
    admin.grants_batch(&json!({ "create": more })).await.problem(400, "batch_size");
    let mut spoilt = many.clone();
    spoilt[9_999]["action"] = json!("raed");
    admin.grants_batch(&json!({ "create": spoilt })).await.faulty("create[9999].action", "unknown_action");
    assert!(admin.grants("viewer").await.items().is_empty());

    let started = Instant::now();
    let made = admin.grants_batch(&json!({ "create": many })).await.is(200);
    println!("10 000 grants took {:?}", started.elapsed());
    let created = made.json["created"].as_array().unwrap();
    assert_eq!(created.len(), 10_000);
    assert!(
        created.iter().enumerate().all(|(n, grant)| grant["resource"]["id"].as_str() == Some(n.to_string().as_str()))
    );
    for n in [0, 1, 4_999, 9_999] {
        admin.check(question(&ana, "read", document(&n.to_string()))).await.allows();
    }
    admin.check(question(&ana, "read", document("10000"))).await.denies();
    let (mut count, mut cursor) = (0, String::new());
    loop {
        let page = admin.get(&format!("/api/v1/admin/roles/viewer/grants?limit=200{cursor}")).await.is(200);
        count += page.items().len();
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(count, 10_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_of_actions_grants_its_members() {
    let app = TestApp::spawn().await;
    let (admin, ana) = viewer(&app).await;
    admin.grant("viewer", "edit", json!({ "type": "Folder", "id": "7" })).await.is(201);
    for (action, allowed) in [("write", true), ("share", true), ("delete", true), ("read", false)] {
        let answer = admin.check(question(&ana, action, crate::actor::document_in("1", "7"))).await.is(200);
        assert_eq!(answer.json["decision"] == "allow", allowed, "{action}");
    }
    admin.forbid("viewer", "edit", json!({ "type": "Document", "id": "1" })).await.is(201);
    admin.check(question(&ana, "write", crate::actor::document_in("1", "7"))).await.denies();
    admin.check(question(&ana, "write", crate::actor::document_in("2", "7"))).await.allows();
}
