//! Roles and inheritance.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use crate::{
    actor::{document, question},
    app::TestApp,
};

/// Names that are no role names. V-041.
pub fn hostile() -> Vec<String> {
    let names = [
        "",
        "A",
        "9a",
        "-a",
        "a b",
        "a\"",
        "a'",
        "a\\",
        "a\n",
        "a\r",
        "a\u{2028}",
        "a\0",
        "é",
        "a/b",
        "${a}",
        "*",
        "x\" }; permit(principal,action,resource); //",
        "'; DROP TABLE roles; --",
    ];
    let long = ["a".repeat(64), "a".repeat(65_536)];
    names.into_iter().map(str::to_owned).chain(long).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_made_shown_changed_and_removed() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let body = json!({ "name": "viewer", "description": "reads" });
    let made = admin.send(Method::POST, "/api/v1/admin/roles", Some(&body)).await.is(201);
    assert_eq!(made.header("location"), "/api/v1/admin/roles/viewer");
    assert!(made.revision() > 0);
    let created_at = made.text_at("/created_at");
    assert!(created_at.ends_with('Z'), "{created_at}");
    let view = json!({ "name": "viewer", "description": "reads", "inherits": [], "created_at": created_at });
    assert_eq!(made.json, view);
    assert_eq!(admin.role("viewer").await.is(200).json, view);
    admin.create_role("viewer", &[]).await.problem(409, "role_exists");

    let changed = admin.update_role("viewer", json!({ "description": "looks" })).await.is(200);
    assert_eq!(changed.json["description"], "looks");
    assert_eq!(admin.update_role("viewer", json!({})).await.is(200).json["description"], "looks");
    admin.update_role("viewer", json!({ "name": "other" })).await.problem(400, "invalid_body");
    admin.update_role("viewer", json!({ "inherits": ["admin"] })).await.problem(400, "invalid_body");
    admin.update_role("nobody", json!({ "description": "x" })).await.problem(404, "not_found");
    let long = json!({ "description": "x".repeat(100_000) });
    admin.update_role("viewer", long).await.faulty("description", "invalid_description");
    let nul = json!({ "description": "a\u{0}b" });
    admin.update_role("viewer", nul).await.faulty("description", "invalid_description");

    admin.delete_role("viewer").await.is(204).revision();
    admin.delete_role("viewer").await.problem(404, "not_found");
    admin.role("viewer").await.problem(404, "not_found");
}

/// One grammar, refused with words and never stored.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_outside_the_grammar_is_a_422_v041() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    for name in hostile() {
        let answer = admin.create_role(&name, &[]).await;
        let message = answer.faulty("name", "invalid_role_name");
        assert!(message.contains("a-z"), "{message}");
        let shown: String = name.chars().take(40).collect();
        assert!(answer.text.len() < 2000, "{shown}");
        admin.create_role("fine", &[&name]).await.faulty("inherits[0]", "invalid_role_name");
        if !name.is_empty() && name.len() < 1000 {
            admin.role(&name).await.problem(404, "not_found");
            admin.delete_role(&name).await.problem(404, "not_found");
        }
    }
    let names: Vec<String> = admin.roles("").await.items().iter().map(|r| r["name"].to_string()).collect();
    assert_eq!(names, ["\"admin\""]);
    for name in ["a".to_owned(), "a.b-c_9".to_owned(), "a".repeat(63)] {
        admin.create_role(&name, &[]).await.is(201);
    }
    let answer = admin.create_role("x", &["amdin"]).await;
    assert!(answer.faulty("inherits", "unknown_role").contains("`admin`"), "{}", answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_with_unknown_wrong_or_repeated_members_are_refused() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let deep = format!("{{\"name\":\"a\",\"inherits\":{}", "[".repeat(100_000));
    for body in [
        "{\"name\":\"a\",\"id\":1}",
        "{\"name\":\"a\",\"is_admin\":true}",
        "{\"name\":\"a\",\"name\":\"b\"}",
        "{\"name\":1}",
        "{\"name\":null}",
        "{\"description\":\"a\"}",
        "{\"name\":\"a\",\"inherits\":\"admin\"}",
        "{\"name\":\"a\",\"inherits\":null}",
        "[\"a\"]",
        "{",
        "",
        "{\"name\":\"a\"} x",
        &deep,
    ] {
        let answer = admin.send_text(Method::POST, "/api/v1/admin/roles", body.to_owned()).await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text);
    }
    admin.role("a").await.problem(404, "not_found");
    let request = admin.request(Method::POST, "/api/v1/admin/roles").body("{\"name\":\"a\"}");
    crate::answer::Answer::read(request.send().await.unwrap()).await.problem(415, "unsupported_media_type");
    let large = format!("{{\"name\":\"a\",\"description\":\"{}\"}}", "x".repeat(2_000_000));
    admin.send_text(Method::POST, "/api/v1/admin/roles", large).await.problem(413, "too_large");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_complete_page_by_page() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let mut expected = vec!["admin".to_owned()];
    for n in 0..11 {
        let name = format!("r{n:02}");
        admin.create_role(&name, &[]).await.is(201);
        expected.push(name);
    }
    for limit in [1, 5, 6, 12, 200] {
        let (mut seen, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = admin.roles(&format!("limit={limit}{cursor}")).await.is(200);
            assert!(page.items().len() <= limit);
            seen.extend(page.items().iter().map(|role| role["name"].as_str().unwrap().to_owned()));
            match page.json["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, expected, "limit {limit}");
    }
    for query in ["limit=0", "limit=201", "limit=-1", "limit=x", "cursor=%25", "cursor=AA", "cursor=_w", "page=2"] {
        let answer = admin.roles(query).await;
        assert_eq!(answer.status, 400, "{query}: {}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_made_anew_gives_nothing_back() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    admin.create_role("viewer", &[]).await.is(201);
    admin.create_role("editor", &["viewer"]).await.is(201);
    admin.grant("viewer", "read", json!({ "type": "Document" })).await.is(201);
    let (ana, ben) = (app.user("ana", &["viewer"]).await, app.user("ben", &["editor"]).await);
    let ask = |who| question(who, "read", document("1"));
    admin.check(ask(&ana)).await.allows();
    admin.check(ask(&ben)).await.allows();
    admin.delete_role("viewer").await.is(204);
    admin.check(ask(&ana)).await.denies();
    admin.check(ask(&ben)).await.denies();

    admin.create_role("viewer", &[]).await.is(201);
    assert!(admin.grants("viewer").await.items().is_empty());
    assert_eq!(admin.role("editor").await.json["inherits"], json!([]));
    admin.grant("viewer", "read", json!({ "type": "Document" })).await.is(201);
    admin.check(ask(&ana)).await.denies();
    admin.check(ask(&ben)).await.denies();
    assert!(admin.assignments(&ana).await.items().is_empty());
    assert_eq!(admin.assignments(&ben).await.items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_never_inherits_itself_v039() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    for (name, inherits) in [("c", vec![]), ("b", vec!["c"]), ("a", vec!["b"])] {
        admin.create_role(name, &inherits).await.is(201);
    }
    admin.inherit("a", "a").await.problem(409, "inheritance_cycle");
    admin.inherit("b", "a").await.problem(409, "inheritance_cycle");
    let answer = admin.inherit("c", "a").await.problem(409, "inheritance_cycle");
    let detail = answer.text_at("/detail");
    assert!(["c → a → b → c", "a → b → c → a", "b → c → a → b"].iter().any(|way| detail.contains(way)), "{detail}");
    let own = admin.create_role("d", &["d"]).await;
    assert!(matches!(own.status, 409 | 422), "{}", own.text);
    assert_eq!(admin.role("c").await.json["inherits"], json!([]));
    // Again and again is once; what is not there cannot end.
    admin.inherit("a", "c").await.is(204);
    let (one, two) = (admin.inherit("a", "c").await.is(204), admin.inherit("a", "c").await.is(204));
    assert_eq!(one.revision(), two.revision());
    assert_eq!(admin.role("a").await.json["inherits"], json!(["b", "c"]));
    admin.disinherit("a", "c").await.is(204);
    admin.disinherit("a", "c").await.problem(404, "not_found");
    admin.inherit("a", "nobody").await.problem(404, "not_found");
    admin.inherit("nobody", "a").await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn inheritance_is_bounded_in_depth_and_width_v040() {
    let app = TestApp::spawn_with(&[("DEODAR_ROLE_DEPTH", "5"), ("DEODAR_ROLE_WIDTH", "6")]).await;
    let admin = app.admin().await;
    admin.create_role("r0", &[]).await.is(201);
    for n in 1..=5 {
        admin.create_role(&format!("r{n}"), &[&format!("r{}", n - 1)]).await.is(201);
    }
    let answer = admin.create_role("r6", &["r5"]).await;
    assert!(answer.faulty("inherits", "limit_exceeded").contains('5'), "{}", answer.text);
    admin.role("r6").await.problem(404, "not_found");
    // Also from below.
    admin.create_role("base", &[]).await.is(201);
    admin.inherit("r0", "base").await.faulty("inherits", "limit_exceeded");
    for n in 0..7 {
        admin.create_role(&format!("w{n}"), &[]).await.is(201);
    }
    admin.create_role("wide", &["w0", "w1", "w2", "w3", "w4", "w5"]).await.is(201);
    let answer = admin.inherit("wide", "w6").await;
    assert!(answer.faulty("inherits", "limit_exceeded").contains('6'), "{}", answer.text);
    admin.create_role("wider", &["w0", "w1", "w2", "w3", "w4", "w5", "w6"]).await.faulty("inherits", "limit_exceeded");
}

/// 2^12 ways to one grant.
#[tokio::test(flavor = "multi_thread")]
async fn many_ways_to_one_role_cost_nothing_v040() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    admin.create_role("a0", &[]).await.is(201);
    admin.create_role("b0", &[]).await.is(201);
    for n in 1..=12 {
        let below = [format!("a{}", n - 1), format!("b{}", n - 1)];
        for side in ["a", "b"] {
            admin.create_role(&format!("{side}{n}"), &[&below[0], &below[1]]).await.is(201);
        }
    }
    admin.grant("a0", "read", json!({ "type": "Document" })).await.is(201);
    let ana = app.user("ana", &["a12"]).await;
    let asked = Instant::now();
    let answer = admin.check(question(&ana, "read", document("1"))).await.allows();
    assert!(asked.elapsed() < Duration::from_millis(500), "{:?}", asked.elapsed());
    assert_eq!(answer.json["reasons"].as_array().unwrap().len(), 1);
    assert_eq!(answer.json["reasons"][0]["path"].as_array().unwrap().len(), 13);
    assert_eq!(admin.effective("a12").await.is(200).items().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_effective_view_shows_every_grant_with_its_way() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    admin.create_role("viewer", &[]).await.is(201);
    admin.create_role("editor", &["viewer"]).await.is(201);
    admin.create_role("owner", &["editor"]).await.is(201);
    admin.grant("owner", "delete", json!({ "type": "Document" })).await.is(201);
    admin.grant("viewer", "read", json!({ "type": "Folder", "id": "7" })).await.is(201);
    let last = admin.forbid("editor", "share", json!({ "type": "Document" })).await.is(201);
    let answer = admin.effective("owner").await.is(200);
    assert!(answer.header("deodar-revision").parse::<i64>().unwrap() >= last.revision());
    let ways: Vec<_> = answer.items().iter().map(|g| json!([g["role"], g["action"], g["effect"], g["path"]])).collect();
    assert_eq!(
        ways,
        [
            json!(["owner", "delete", "permit", ["owner"]]),
            json!(["viewer", "read", "permit", ["owner", "editor", "viewer"]]),
            json!(["editor", "share", "forbid", ["owner", "editor"]]),
        ]
    );
    assert_eq!(admin.effective("viewer").await.items().len(), 1);
    let page = admin.get("/api/v1/admin/roles/owner/effective?limit=2").await.is(200);
    let next = format!("/api/v1/admin/roles/owner/effective?limit=2&cursor={}", page.text_at("/next_cursor"));
    let rest = admin.get(&next).await.is(200);
    assert_eq!((page.items().len(), rest.items().len()), (2, 1));
    assert!(rest.json["next_cursor"].is_null());
    admin.effective("nobody").await.problem(404, "not_found");
}
