//! What administrators and the helpdesk do for people: `/api/v1/admin/users`.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;
use sqlx::Row;

use crate::{
    app::TestApp,
    person::{PASSWORD, events},
};

/// The helpdesk helps those who hold no more than it does, and never itself.
#[tokio::test(flavor = "multi_thread")]
async fn the_helpdesk_helps_ordinary_people_only_n168_v047() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let ben = app.person_of("ben", &ana.shop).await;
    let cleo = app.person_of("cleo", &ana.shop).await;
    let root = app.person_of("root-person", &ana.shop).await;
    for role in ["helpdesk", "treasurer"] {
        admin.create_role(role, &[]).await;
    }
    for (who, role) in [(&ana, "helpdesk"), (&cleo, "treasurer"), (&root, "admin")] {
        admin.assign(who.me.who(), role).await.is(204);
    }
    let path = |id: &str, what: &str| format!("/api/v1/admin/users/{id}/{what}");
    let bypass = json!({ "reason": "lost the phone", "ttl_seconds": 300 });
    for person in [&ana, &ben, &cleo, &root] {
        person.enable_totp(&app).await;
    }
    // Nobody past their own factor, administrators neither.
    for oneself in [&ana, &root] {
        let me = &oneself.me;
        me.post(&path(oneself.id(), "mfa-bypass"), &bypass).await.problem(403, "forbidden");
        me.send(Method::DELETE, &path(oneself.id(), "mfa"), None).await.problem(403, "forbidden");
    }
    // Not those who hold what the helpdesk does not.
    for above in [&cleo, &root] {
        ana.me.post(&path(above.id(), "mfa-bypass"), &bypass).await.problem(403, "forbidden");
        ana.me.send(Method::DELETE, &path(above.id(), "mfa"), None).await.problem(403, "forbidden");
    }
    for (method, what) in [(Method::POST, "unlock"), (Method::DELETE, "sessions")] {
        ana.me.send(method, &path(root.id(), what), None).await.problem(403, "forbidden");
    }
    for (method, what) in [(Method::POST, "deactivate"), (Method::POST, "activate"), (Method::PUT, "roles/treasurer")] {
        ana.me.send(method, &path(ben.id(), what), None).await.problem(403, "forbidden");
    }
    // An ordinary person: once, and not after its time.
    let code = ana.me.post(&path(ben.id(), "mfa-bypass"), &bypass).await.is(201);
    assert_eq!((code.text_at("/code").len(), code.header("cache-control")), (12, "no-store"));
    app.mailbox.wait_for(&ben.email, |mail| mail.subject.starts_with("A sign-in code was made")).await;
    ben.sign_in_with(&code.text_at("/code")).await.is(200);
    ben.sign_in_with(&code.text_at("/code")).await.oauth(400, "invalid_grant");
    let late = ana.me.post(&path(ben.id(), "mfa-bypass"), &bypass).await.is(201).text_at("/code");
    app.later(Duration::from_secs(301));
    ben.sign_in_with(&late).await.oauth(400, "invalid_grant");
    ana.me.send(Method::DELETE, &path(ben.id(), "mfa"), None).await.is(204);
    ben.sign_in().await.is(200);
    ana.me.send(Method::DELETE, &path(ben.id(), "mfa"), None).await.problem(404, "not_found");
    ana.me.post(&path(ben.id(), "mfa-bypass"), &bypass).await.problem(409, "conflict");
    for (field, code, wrong) in [
        ("reason", "invalid_reason", json!({ "reason": "a\r\nb", "ttl_seconds": 300 })),
        ("reason", "invalid_reason", json!({ "reason": "", "ttl_seconds": 300 })),
        ("ttl_seconds", "out_of_bounds", json!({ "reason": "x", "ttl_seconds": 901 })),
        ("ttl_seconds", "out_of_bounds", json!({ "reason": "x", "ttl_seconds": -1 })),
    ] {
        ana.me.post(&path(ben.id(), "mfa-bypass"), &wrong).await.faulty(field, code);
    }
    // Every attempt is on record, those that were refused too.
    let record = admin.get("/api/v1/admin/audit?action=Deodar::grantMfaBypass&limit=200").await.is(200);
    assert_eq!(events(&record).iter().filter(|event| event.ends_with("denied")).count(), 4);
    assert_eq!(events(&record).iter().filter(|event| event.ends_with("success")).count(), 2);
    assert!(record.items().iter().all(|event| event["details"]["reason"] == "lost the phone"));
    let resets = admin.get("/api/v1/admin/audit?action=Deodar::resetUserMfa").await.is(200);
    assert_eq!(events(&resets).iter().filter(|event| event.ends_with("denied")).count(), 4);
}

/// What somebody waits for after too many attempts can be forgiven.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_was_guessed_at_is_let_in_again() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    for _ in 0..8 {
        ana.shop.sign_in("ana", "wrong").await.oauth(400, "invalid_grant");
    }
    ana.sign_in().await.oauth(400, "invalid_grant");
    admin.post(&format!("/api/v1/admin/users/{}/unlock", ana.id()), &json!({})).await.is(204);
    ana.sign_in().await.is(200);
}

/// Issue 3, "Passwords", N-150: people bring their passwords along, and keep them by a better hash.
#[tokio::test(flavor = "multi_thread")]
async fn hashes_from_elsewhere_are_replaced_at_the_first_login_n150() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.trusted().await;
    let password = "Tr0mbone glacier \u{fc}";
    let hashes = [
        "$2b$06$0123456789abcdefghijkurrUKzklYmRu1z4sfskxK48hzYWXPxWK",
        "$pbkdf2-sha256$i=29000$MDEyMzQ1Njc4OWFiY2RlZg$3U4UOU/3Q0Os4ifHGe1gk8pGlR8a69XlE6hyfvNd2/A",
        "$scrypt$ln=12,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$So42/p3Qz20lUDIzAJRCUtW4LMrXFFR27a95a8kEYPM",
    ];
    let mut conn = app.database.connect().await;
    for (n, hash) in hashes.into_iter().enumerate() {
        let name = format!("imported{n}");
        let body = json!({ "username": name, "password_hash": hash });
        let made = admin.post("/api/v1/admin/users", &body).await.is(201);
        assert!(!made.text.contains(hash), "{}", made.text);
        shop.sign_in(&name, "tr0mbone glacier \u{fc}").await.oauth(400, "invalid_grant");
        let mut kept = async || -> String {
            let row = sqlx::query("SELECT password_hash FROM users WHERE username = $1").bind(&name);
            row.fetch_one(&mut conn).await.unwrap().get(0)
        };
        assert_eq!(kept().await, hash);
        shop.sign_in(&name, password).await.is(200);
        let better = kept().await;
        assert!(better.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{better}");
        shop.sign_in(&name, password).await.is(200);
        assert_eq!(kept().await, better);
    }
    for hash in ["", "x", "$2b$31$0123456789abcdefghijkurrUKzklYmRu1z4sfskxK48hzYWXPxWK", "$1$abc$def", "5f4dcc3b"] {
        let body = json!({ "username": "refused", "password_hash": hash });
        admin.post("/api/v1/admin/users", &body).await.faulty("password_hash", "unusable_hash");
    }
    let both = json!({ "username": "refused", "password_hash": hashes[0], "password": PASSWORD });
    admin.post("/api/v1/admin/users", &both).await.faulty("password_hash", "ambiguous");
}

/// Contract §4: found, changed, refused.
#[tokio::test(flavor = "multi_thread")]
async fn people_are_found_and_changed() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let users = "/api/v1/admin/users";
    let mut ids = Vec::new();
    for n in 0..5 {
        let body = json!({ "username": format!("person{n}"), "email": format!("person{n}@example.com"),
            "email_verified": true, "password": PASSWORD, "display_name": format!("Mrs Number {n}") });
        ids.push(admin.post(users, &body).await.is(201).text_at("/id"));
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("{users}?limit=2{cursor}")).await.is(200);
        found.extend(page.items().iter().map(|user| user["id"].as_str().unwrap().to_owned()));
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, ids, "oldest first");
    for (search, count) in
        [("PERSON3", 1), ("person", 5), ("number 4", 1), ("%25", 0), ("_", 0), ("a%00b", 0), ("'", 0)]
    {
        assert_eq!(admin.get(&format!("{users}?search={search}")).await.is(200).items().len(), count, "{search}");
    }
    let path = format!("{users}/{}", ids[0]);
    let patch = async |body| admin.send(Method::PATCH, &path, Some(&body)).await;
    patch(json!({ "username": "PERSON1" })).await.problem(409, "username_taken");
    patch(json!({ "email": "person1@EXAMPLE.com", "email_verified": true })).await.problem(409, "email_taken");
    patch(json!({ "display_name": "a\u{202e}b" })).await.faulty("display_name", "invalid_display_name");
    patch(json!({ "active": false })).await.problem(400, "invalid_body");
    let changed = patch(json!({ "username": "zero", "display_name": null, "locale": "pt-BR" })).await.is(200).json;
    assert_eq!((&changed["username"], &changed["display_name"]), (&json!("zero"), &json!(null)));
    assert_eq!((&changed["locale"], &changed["email_verified"]), (&json!("pt-BR"), &json!(true)));
    let body = json!({ "username": "person1", "email": "x@example.com" });
    admin.post(users, &body).await.problem(409, "username_taken");
    admin.post(users, &json!({ "username": "nobody" })).await.faulty("email", "missing");
    // Who was made is on record by id.
    let record = admin.get(&format!("/api/v1/admin/audit?action=Deodar::createUser&target={}", ids[2])).await.is(200);
    assert_eq!(record.items().len(), 1);
    assert!(!record.text.contains("person2"), "{}", record.text);
}
