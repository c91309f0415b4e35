//! `/authz/check`: what may be asked, and how.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    actor::{Who, document, document_in, question, with},
    answer::Answer,
    app::TestApp,
    checks::library,
};

#[tokio::test(flavor = "multi_thread")]
async fn entities_may_be_written_as_cedar_text() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let ask = json!({
        "principal": format!("User::\"{}\"", ana.id),
        "action": "Action::\"read\"",
        "resource": { "type": "Document", "id": "42", "parents": ["Folder::\"7\""] },
    });
    admin.check(ask.clone()).await.allows();
    admin.check(with(ask.clone(), "resource", "Folder::\"7\"")).await.allows();
    for bad in ["Folder::7", "Folder", "", "Folder::\"7\" ", "Folder::\"7\"; Folder::\"8\"", "Folder::\"a\\u{0}\" x"] {
        let answer = admin.check(with(ask.clone(), "resource", bad)).await;
        assert!(matches!(answer.status, 200 | 400) && answer.json["decision"] != "allow", "{bad}: {}", answer.text);
    }
}

/// Hostile ids are data.
#[tokio::test(flavor = "multi_thread")]
async fn ids_are_data_whatever_they_contain() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let ids = ["a\"b", "a\\b", "a\nb", "\u{2028}", "\" in Folder::\"7", "${x}", "*", "", "é", &"x".repeat(1000)];
    for id in ids {
        admin.grant("editor", "write", json!({ "type": "Document", "id": id })).await.is(201);
        let answer = admin.check(question(&ana, "write", document(id))).await.allows();
        assert_eq!(answer.json["reasons"].as_array().unwrap().len(), 1, "{id:?}");
    }
    admin.check(question(&ana, "write", document("another"))).await.denies();
    admin.check(question(&ana, "read", document("\0"))).await.denies();
    admin.check(question(&ana, "read", document(&"x".repeat(100_000)))).await.denies();
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_and_context_are_read_by_the_schema() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let grant = |action: &str, condition: &str| json!({ "action": action, "resource": { "type": "Document" }, "condition": condition });
    admin.grant_body("editor", &grant("write", "resource has owner && resource.owner == principal")).await.is(201);
    let inside = "context has ip && context.ip.isInRange(ip(\"10.0.0.0/8\"))";
    admin.grant_body("editor", &grant("delete", inside)).await.is(201);

    let write = |attributes: Value| question(&ana, "write", with(document("1"), "attributes", attributes));
    admin.check(write(json!({ "owner": ana.json() }))).await.allows();
    admin.check(write(json!({ "owner": format!("User::\"{}\"", ana.id) }))).await.allows();
    admin.check(write(json!({ "owner": { "type": "User", "id": "other" } }))).await.denies();
    admin.check(write(json!({}))).await.denies();
    for bad in [
        json!({ "owner": { "type": "Client", "id": "x" } }),
        json!({ "owner": "ana" }),
        json!({ "owner": 1 }),
        json!({ "owner": null }),
        json!({ "confidential": "yes" }),
        json!({ "confidential": 1 }),
        json!({ "colour": "red" }),
        json!({ "owner": { "__entity": ana.json() } }),
        json!({ "__entity": ana.json() }),
        json!({ "__extn": { "fn": "ip", "arg": "10.0.0.1" } }),
        json!([]),
    ] {
        let answer = admin.check(write(bad.clone())).await;
        assert_eq!((answer.status, &answer.json["code"]), (400, &json!("mistyped")), "{bad}: {}", answer.text);
    }
    let delete = |context: Value| with(question(&ana, "delete", document("1")), "context", context);
    admin.check(delete(json!({ "ip": "10.1.2.3" }))).await.allows();
    admin.check(delete(json!({ "ip": "11.1.2.3" }))).await.denies();
    for bad in [
        json!({ "ip": "not an address" }),
        json!({ "ip": { "__extn": { "fn": "ip", "arg": "10.0.0.1" } } }),
        json!({ "ip": 10 }),
        json!({ "pi": "10.0.0.1" }),
    ] {
        let answer = admin.check(delete(bad.clone())).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text);
    }
    for bad in [json!([]), json!("x"), json!(null)] {
        admin.check(delete(bad)).await.problem(400, "invalid_body");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_knows_is_denied_or_named() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    for id in ["01890000-0000-7000-8000-000000000000", "ana", "", "\0", "../", &"x".repeat(10_000)] {
        for who in [Who::user(id), Who::client(id)] {
            let answer = admin.check(question(&who, "read", document_in("42", "7"))).await.denies();
            assert_eq!(answer.json["reasons"], json!([]));
        }
    }
    admin.check(question(&ana, "read", document("none"))).await.denies();

    let answer = admin.check(question(&ana, "raed", document("42"))).await;
    assert!(answer.faulty("action", "unknown_action").contains("`read`"), "{}", answer.text);
    let answer = admin.check(question(&ana, "read", json!({ "type": "Documnet", "id": "1" }))).await;
    assert!(answer.faulty("resource.type", "unknown_type").contains("`Document`"), "{}", answer.text);
    let nobody = json!({ "type": "Usr", "id": "1" });
    let answer = admin.check(with(question(&ana, "read", document("42")), "principal", nobody)).await;
    assert!(answer.faulty("principal.type", "unknown_type").contains("`User`"), "{}", answer.text);
    admin.check(question(&ana, "read", json!({ "type": "User", "id": ana.id }))).await.problem(422, "invalid_fields");
    for action in ["", "edit", "Read", "\0", "Deodar::administer"] {
        admin.check(question(&ana, action, document("42"))).await.problem(422, "invalid_fields");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_a_400_and_never_a_decision_n178_v063() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let good = question(&ana, "read", document_in("42", "7"));
    let without = |name: &str| {
        let mut question = good.clone();
        question.as_object_mut().unwrap().remove(name);
        question
    };
    let mut bad: Vec<String> = [
        without("principal"),
        without("action"),
        without("resource"),
        with(good.clone(), "principal", 1),
        with(good.clone(), "principal", Value::Null),
        with(good.clone(), "principal", json!([])),
        with(good.clone(), "principal", json!({ "type": "User" })),
        with(good.clone(), "principal", json!({ "id": ana.id })),
        with(good.clone(), "principal", json!({ "type": "User", "id": 1 })),
        with(good.clone(), "principal", json!({ "type": "User", "id": ana.id, "roles": ["admin"] })),
        with(good.clone(), "action", 1),
        with(good.clone(), "action", json!({ "name": "read" })),
        with(good.clone(), "resource", json!({ "type": "Document", "id": "1", "parents": {} })),
        with(good.clone(), "resource", json!({ "type": "Document", "id": "1", "parents": [1] })),
        with(good.clone(), "resource", json!({ "type": "Document", "id": "1", "parents": ["User::\"x\""] })),
        with(
            good.clone(),
            "resource",
            json!({ "type": "Document", "id": "1", "parents": ["Folder::\"7\"", "X::\"7\""] }),
        ),
        with(good.clone(), "explain", "yes"),
        with(good.clone(), "explian", true),
        with(good.clone(), "token", "x"),
        with(good.clone(), "roles", json!(["admin"])),
    ]
    .iter()
    .map(Value::to_string)
    .collect();
    let text = good.to_string();
    let deep = |open: &str, close: &str| format!("{}{}", open.repeat(100_000), close.repeat(100_000));
    bad.extend([
        String::new(),
        "null".to_owned(),
        "[]".to_owned(),
        "true".to_owned(),
        format!("[{text}]"),
        json!([good["principal"], "read", good["resource"], {}, null, null, true]).to_string(),
        text[..text.len() - 1].to_owned(),
        format!("{text}{text}"),
        text.replacen('{', "{\"action\":\"write\",", 1),
        text.replace("\"id\":\"42\"", "\"id\":\"42\",\"id\":\"43\""),
        text.replace("\"id\":\"42\"", "\"id\":\"42\",\"\\u0069d\":\"43\""),
        text.replace("\"id\":\"7\"", "\"id\":\"8\",\"id\":\"7\""),
        text.replacen('{', "{\"context\":{\"ip\":\"10.0.0.1\",\"ip\":\"10.0.0.2\"},", 1),
        text.replacen('{', "{\"context\":{},\"context\":{},", 1),
        text.replacen('{', &format!("{{\"context\":{},", deep("{\"a\":", "}").replace(":}", ":1}")), 1),
        text.replacen('{', &format!("{{\"context\":{{\"ip\":{}}},", deep("[", "]")), 1),
        deep("[", "]"),
        "{\"a\":".repeat(100_000),
    ]);
    for body in bad {
        let shown: String = body.chars().take(300).collect();
        let answer = admin.send_text(Method::POST, "/authz/check", body).await;
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text);
        assert!(answer.json["decision"].is_null(), "{shown}: {}", answer.text);
        assert!(answer.text.len() < 4000, "{shown}: an answer of {} bytes", answer.text.len());
    }
    let invalid = admin.send_text(Method::POST, "/authz/check", vec![b'{', b'"', 0xff, b'"', b'}']).await;
    invalid.problem(400, "malformed_json");
    admin.check(good).await.allows();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_is_json_of_a_bounded_size() {
    let app = TestApp::spawn_with(&[("DEODAR_BODY_LIMIT", "16KiB")]).await;
    let (admin, ana) = library(&app).await;
    let good = question(&ana, "read", document_in("42", "7")).to_string();
    for ty in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "", "text/json"] {
        let request = admin.request(Method::POST, "/authz/check").header("content-type", ty).body(good.clone());
        Answer::read(request.send().await.unwrap()).await.problem(415, "unsupported_media_type");
    }
    let request = admin.request(Method::POST, "/authz/check").body(good.clone());
    Answer::read(request.send().await.unwrap()).await.problem(415, "unsupported_media_type");
    for ty in ["application/json; charset=utf-8", "Application/JSON"] {
        let request = admin.request(Method::POST, "/authz/check").header("content-type", ty).body(good.clone());
        Answer::read(request.send().await.unwrap()).await.allows();
    }
    let padded = format!("{good}{}", " ".repeat(20_000));
    admin.send_text(Method::POST, "/authz/check", padded.clone()).await.problem(413, "too_large");
    admin.send_text(Method::POST, "/authz/check/batch", padded).await.problem(413, "too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_tells_the_server_about_its_own_entities() {
    let app = TestApp::spawn().await;
    let (admin, ana) = library(&app).await;
    let good = question(&ana, "read", document_in("42", "7"));
    let session =
        json!({ "mfa": true, "acr": "x", "amr": [], "auth_time": 1, "client": "Client::\"x\"", "scopes": [] });
    let ask = with(good.clone(), "context", json!({ "session": session }));
    admin.check(ask.clone()).await.problem(400, "mistyped");
    admin.check(with(ask, "context", json!({ "session": null }))).await.problem(400, "mistyped");
    let role = json!([{ "type": "Role", "id": "admin" }]);
    for who in [ana.clone(), Who::user("01890000-0000-7000-8000-000000000000"), Who::user("x"), admin.who().clone()] {
        for (name, value) in [("parents", role.clone()), ("attributes", json!({ "a": 1 }))] {
            let ask = with(good.clone(), "principal", with(who.json(), name, value));
            admin.check(ask).await.problem(400, "mistyped");
        }
    }
    for ty in ["Client", "Role"] {
        let resource = json!({ "type": ty, "id": "x", "parents": role });
        let action = if ty == "Role" { "Deodar::viewRole" } else { "Deodar::viewClient" };
        let ask = with(question(&ana, action, resource), "context", json!({ "held": true }));
        admin.check(ask).await.problem(400, "mistyped");
    }
    let role = with(good, "principal", json!({ "type": "Role", "id": "admin" }));
    admin.check(role).await.problem(422, "invalid_fields");
}
