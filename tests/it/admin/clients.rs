//! Clients.

use serde_json::json;

use crate::{
    actor::{Actor, Who, document, question},
    app::TestApp,
};

async fn register(app: &TestApp, admin: &Actor, scope: &str) -> Actor {
    let made = admin.create_client(json!({ "client_name": "Shop", "scope": scope })).await.is(201);
    let (who, secret) = (Who::client(&made.text_at("/client_id")), made.text_at("/client_secret"));
    Actor { who: Some(who), secret: Some(secret), ..app.anonymous() }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_shown_once_v081() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let made = admin.create_client(json!({ "client_name": "Shop", "scope": "orders" })).await.is(201);
    assert_eq!(made.header("cache-control"), "no-store");
    let (id, secret) = (made.text_at("/client_id"), made.text_at("/client_secret"));
    assert_eq!(made.header("location"), format!("/api/v1/admin/clients/{id}"));
    assert!(secret.len() >= 40, "{secret}");
    let shown = admin.find_client(&id).await.is(200);
    let list = admin.clients("").await.is(200);
    let changed = admin.update_client(&id, json!({ "client_name": "Other" })).await.is(200);
    for answer in [&shown, &list, &changed] {
        assert!(!answer.text.contains(&secret) && !answer.text.contains("secret\":"), "{}", answer.text);
    }
    assert_eq!((&changed.json["client_name"], &changed.json["scope"]), (&json!("Other"), &json!("orders")));
    assert_eq!(list.items().len(), 2);
    let mut conn = app.database.connect().await;
    let stored = "SELECT count(*) FROM clients WHERE position(convert_to($1, 'UTF8') IN secret_hash) > 0";
    let count: i64 = sqlx::query_scalar(stored).bind(&secret).fetch_one(&mut conn).await.unwrap();
    assert_eq!(count, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_secret_kills_the_old_one() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = register(&app, &admin, "orders").await;
    shop.client_credentials(None).await.is(200);
    let answer = admin.rotate_secret(&shop.who().id).await.is(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let secret = answer.text_at("/client_secret");
    assert_ne!(Some(&secret), shop.secret.as_ref());
    shop.client_credentials(None).await.oauth(401, "invalid_client");
    Actor { secret: Some(secret), ..shop }.client_credentials(None).await.is(200);
    admin.rotate_secret("nobody").await.problem(404, "not_found");
    let public = json!({ "client_name": "p", "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code"], "redirect_uris": ["https://p.example/"] });
    let public = admin.create_client(public).await.is(201).text_at("/client_id");
    admin.rotate_secret(&public).await.problem(409, "public_client");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_switched_off_or_removed_is_dead_at_once_v059() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let admin = app.admin().await;
    admin.create_role("viewer", &[]).await.is(201);
    admin.grant("viewer", "read", json!({ "type": "Document" })).await.is(201);
    let shop = register(&app, &admin, "admin authz:check").await.with_fresh_token().await;
    admin.assign(shop.who(), "admin").await.is(204);
    let revision = admin.assign(shop.who(), "viewer").await.is(204).revision();
    other.has(deodar::model::Revision(revision)).await;
    let there = other.ask(&shop);
    let own = || question(shop.who(), "read", document("1"));
    for actor in [&shop, &there] {
        actor.check(own()).await.allows();
        actor.roles("").await.is(200);
    }
    let change = admin.update_client(&shop.who().id, json!({ "active": false })).await.is(200);
    assert_eq!(change.json["active"], false);
    other.has(deodar::model::Revision(change.revision())).await;
    for actor in [&shop, &there] {
        actor.check(own()).await.problem(401, "unauthorized");
        actor.roles("").await.problem(401, "unauthorized");
        actor.client_credentials(None).await.oauth(401, "invalid_client");
    }
    admin.check(own()).await.denies();
    let back = admin.update_client(&shop.who().id, json!({ "active": true })).await.is(200).revision();
    other.has(deodar::model::Revision(back)).await;
    // With what it asks for from now on.
    shop.check(own()).await.problem(401, "unauthorized");
    let fresh = shop.clone().with_fresh_token().await;
    let there = other.ask(&fresh);
    fresh.check(own()).await.allows();
    there.roles("").await.is(200);

    let gone = admin.delete_client(&shop.who().id).await.is(204).revision();
    other.has(deodar::model::Revision(gone)).await;
    for actor in [&shop, &there] {
        actor.check(own()).await.problem(401, "unauthorized");
        actor.client_credentials(None).await.oauth(401, "invalid_client");
    }
    admin.check(own()).await.denies();
    admin.find_client(&shop.who().id).await.problem(404, "not_found");
    admin.delete_client(&shop.who().id).await.problem(404, "not_found");
    let mut conn = app.database.connect().await;
    let left = sqlx::query_scalar("SELECT count(*) FROM assignments WHERE principal_id = $1");
    let left: i64 = left.bind(&shop.who().id).fetch_one(&mut conn).await.unwrap();
    assert_eq!(left, 0);
}

/// A scope that was taken away is not given out again.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_the_scopes_it_has_now() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = register(&app, &admin, "orders authz:check").await;
    shop.client_credentials(Some("authz:check")).await.is(200);
    admin.update_client(&shop.who().id, json!({ "scope": "orders" })).await.is(200);
    shop.client_credentials(Some("authz:check")).await.oauth(400, "invalid_scope");
    assert_eq!(shop.client_credentials(None).await.is(200).json["scope"], "orders");
}

/// RFC 9700 §2.6, RFC 8252 §7.
#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_uri_is_exact_and_safe() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let with = |uri: &str| json!({ "client_name": "w", "grant_types": ["authorization_code"], "redirect_uris": [uri] });
    for good in [
        "https://w.example/cb",
        "https://w.example:8443/cb?x=1",
        "http://127.0.0.1/cb",
        "http://127.0.0.1:5000/cb",
        "http://[::1]/cb",
        "com.example.app:/cb",
    ] {
        let made = admin.create_client(with(good)).await.is(201);
        assert_eq!(made.json["redirect_uris"], json!([good]));
    }
    for bad in [
        "",
        "/cb",
        "w.example/cb",
        "http://w.example/cb",
        "http://localhost/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.2/cb",
        "https://w.example/cb#x",
        "https://w.example/cb#",
        "https://user@w.example/cb",
        "https://user:pass@w.example/cb",
        "https://*.w.example/cb",
        "https://w.example/*",
        "https://w.example/cb?code=1",
        "https://w.example/c b",
        "https://w.example\\@evil.example/",
        "https://w.example/\n",
        "https://",
        "https://w.exämple/",
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "myapp:/cb",
        "vbscript:x",
    ] {
        let answer = admin.create_client(with(bad)).await;
        assert_eq!(answer.status, 422, "{bad:?} was taken: {}", answer.text);
        answer.faulty("redirect_uris[0]", "invalid_redirect_uri");
    }
    let long = format!("https://w.example/{}", "x".repeat(3000));
    admin.create_client(with(&long)).await.faulty("redirect_uris[0]", "invalid_redirect_uri");
    let made = admin.create_client(with("https://w.example/")).await.text_at("/client_id");
    let change = json!({ "redirect_uris": ["https://w.example/", "http://evil.example/"] });
    admin.update_client(&made, change).await.faulty("redirect_uris[1]", "invalid_redirect_uri");
    assert_eq!(admin.find_client(&made).await.json["redirect_uris"], json!(["https://w.example/"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_makes_no_sense_are_refused() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    for (body, field) in [
        (json!({ "client_name": "" }), "client_name"),
        (json!({ "client_name": "a\u{0}b" }), "client_name"),
        (json!({ "client_name": "a\nb" }), "client_name"),
        (json!({ "client_name": "x".repeat(201) }), "client_name"),
        (json!({ "client_name": "x", "scope": "a  b" }), "scope"),
        (json!({ "client_name": "x", "scope": "a\u{0}" }), "scope"),
        (json!({ "client_name": "x", "scope": "a ".repeat(10_000) }), "scope"),
        (json!({ "client_name": "x", "token_endpoint_auth_method": "none" }), "grant_types"),
    ] {
        let answer = admin.create_client(body.clone()).await;
        assert_eq!(answer.status, 422, "{body}: {}", answer.text);
        assert_eq!(answer.json["errors"][0]["field"], field);
    }
    for body in [
        json!({}),
        json!({ "client_name": 1 }),
        json!({ "client_name": "x", "client_id": "mine" }),
        json!({ "client_name": "x", "client_secret": "mine" }),
        json!({ "client_name": "x", "roles": ["admin"] }),
        json!({ "client_name": "x", "grant_types": ["magic"] }),
        json!({ "client_name": "x", "token_endpoint_auth_method": "magic" }),
    ] {
        let answer = admin.create_client(body.clone()).await;
        assert_eq!(answer.status, 400, "{body}: {}", answer.text);
    }
    assert_eq!(admin.clients("").await.items().len(), 1);
    for change in [json!({ "client_id": "x" }), json!({ "roles": ["admin"] }), json!({ "secret_hash": "x" })] {
        admin.update_client(&admin.who().id, change).await.problem(400, "invalid_body");
    }
    admin.update_client("nobody", json!({ "client_name": "x" })).await.problem(404, "not_found");
}

/// A change names what changes; `null` takes away; what follows from something else follows anew.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_leaves_the_rest_as_it_is() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let made = json!({ "client_name": "w", "grant_types": ["authorization_code"], "redirect_uris": ["https://w.example/"],
        "logo_uri": "https://w.example/logo", "first_party": true });
    let made = admin.create_client(made).await.is(201);
    let id = made.text_at("/client_id");
    assert_eq!((&made.json["application_type"], &made.json["first_party"]), (&json!("web"), &json!(true)));
    let change = json!({ "redirect_uris": ["http://127.0.0.1/"], "logo_uri": null });
    let changed = admin.update_client(&id, change).await.is(200);
    assert_eq!((&changed.json["application_type"], &changed.json["client_name"]), (&json!("native"), &json!("w")));
    assert!(changed.json.get("logo_uri").is_none());
    assert_eq!(changed.json["first_party"], true);
    // To a method without a secret and back: the old secret is gone, the fresh one is shown once.
    let secret = made.text_at("/client_secret");
    let public = admin.update_client(&id, json!({ "token_endpoint_auth_method": "none" })).await.is(200);
    assert!(public.json.get("client_secret").is_none());
    let back = admin.update_client(&id, json!({ "token_endpoint_auth_method": "client_secret_post" })).await.is(200);
    assert_ne!(back.text_at("/client_secret"), secret);
    for bad in [json!({ "active": "yes" }), json!({ "first_party": 1 }), json!({ "created_at": "x" })] {
        admin.update_client(&id, bad).await.problem(400, "invalid_body");
    }
    let duplicate = "{\"client_name\":\"a\",\"client_name\":\"b\"}";
    let path = crate::actor::admin_path(&["clients", &id]);
    admin.send_text(reqwest::Method::PATCH, &path, duplicate).await.problem(400, "invalid_body");
}
