//! Dynamic registration (RFC 7591, RFC 7592).

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    actor::{Actor, Who, admin_path},
    answer::Answer,
    app::TestApp,
};

const REGISTER: &str = "/oauth/register";

/// A client of whom nobody knows anything yet.
fn shop() -> Value {
    json!({ "client_name": "Shop", "redirect_uris": ["https://shop.example/cb"] })
}

fn with(mut body: Value, name: &str, value: Value) -> Value {
    body[name] = value;
    body
}

async fn initial_token(admin: &Actor, body: Value) -> String {
    let path = admin_path(&["registration-tokens"]);
    admin.send(Method::POST, &path, Some(&body)).await.is(201).text_at("/token")
}

async fn register(actor: &Actor, body: &Value) -> Answer {
    actor.send(Method::POST, REGISTER, Some(body)).await
}

/// The client that was registered, with its registration access token.
fn manager(app: &TestApp, answer: &Answer) -> (Actor, String) {
    let id = answer.text_at("/client_id");
    (app.bearer(&answer.text_at("/registration_access_token")), format!("{REGISTER}/{id}"))
}

async fn open() -> TestApp {
    let app = TestApp::spawn_with(&[("DEODAR_REGISTRATION", "open")]).await;
    // A server that nobody administers takes no writes.
    app.admin().await;
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_registers_itself_and_gets_to_know_what_is_registered_n121() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let token = initial_token(&admin, json!({ "uses": 2 })).await;
    let before = app.clock.now().unix_timestamp();
    let answer = register(&app.bearer(&token), &shop()).await.is(201);
    assert_eq!((answer.header("cache-control"), answer.header("content-type")), ("no-store", "application/json"));
    let body = &answer.json;
    assert_eq!(body["client_secret_expires_at"], 0);
    let issued_at = body["client_id_issued_at"].as_i64().unwrap();
    assert!((before..=app.clock.now().unix_timestamp()).contains(&issued_at), "{issued_at}");
    assert_eq!(body["token_endpoint_auth_method"], "client_secret_basic");
    assert_eq!((&body["grant_types"], &body["response_types"]), (&json!(["authorization_code"]), &json!(["code"])));
    assert_eq!(body["id_token_signed_response_alg"], "RS256");
    assert_eq!(body["scope"], "email offline_access openid profile");
    assert_eq!(body["application_type"], "web");
    assert!(body["registration_client_uri"].as_str().unwrap().ends_with(&answer.text_at("/client_id")));

    let public = with(shop(), "token_endpoint_auth_method", json!("none"));
    let public = register(&app.bearer(&token), &public).await.is(201);
    assert!(public.json.get("client_secret").is_none() && public.json.get("client_secret_expires_at").is_none());
    // The token is used up.
    register(&app.bearer(&token), &shop()).await.oauth(401, "invalid_token");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_registers_a_client_without_leave_n124_v075() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let answer = register(&app.anonymous(), &shop()).await;
    assert_eq!(answer.header("www-authenticate"), "Bearer");
    answer.oauth(401, "invalid_token");
    let expired = initial_token(&admin, json!({ "expires_in": 60 })).await;
    app.later(std::time::Duration::from_secs(61));
    for token in ["garbage", "dia_garbage", &expired, &expired[4..]] {
        let answer = register(&app.bearer(token), &shop()).await;
        assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{token}");
        answer.oauth(401, "invalid_token");
    }
    // An administrator needs no other token, and somebody else's access token is none.
    let admin = admin.with_fresh_token().await;
    register(&admin, &shop()).await.is(201);
    register(&app.client("plain", "admin", &[]).await, &shop()).await.oauth(403, "access_denied");
    register(&app.client("plain", "orders", &["admin"]).await, &shop()).await.oauth(403, "insufficient_scope");

    let off = TestApp::spawn_with(&[("DEODAR_REGISTRATION", "off")]).await;
    let admin = off.admin().await;
    for actor in [&off.anonymous(), &admin] {
        register(actor, &shop()).await.oauth(403, "access_denied");
    }
    register(&open().await.anonymous(), &shop()).await.is(201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_token_works_as_often_as_it_may_however_many_use_it_at_once() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let admin = app.admin().await;
    let token = initial_token(&admin, json!({ "uses": 3 })).await;
    let (here, body) = (app.bearer(&token), shop());
    let there = other.ask(&here);
    let all = (0..12).map(|n| register(if n % 2 == 0 { &here } else { &there }, &body));
    let done = futures_util::future::join_all(all).await;
    assert_eq!(done.iter().filter(|answer| answer.status == 201).count(), 3);
    assert_eq!(done.iter().filter(|answer| answer.status == 401).count(), 9);
    let list = admin.get(&admin_path(&["registration-tokens"])).await.is(200);
    assert_eq!(list.items()[0]["uses_left"], 0);
    assert!(!list.text.contains(&token), "V-081");
    let id = list.items()[0]["id"].as_str().unwrap().to_owned();
    let path = admin_path(&["registration-tokens", &id]);
    admin.send(Method::DELETE, &path, None).await.is(204);
    admin.send(Method::DELETE, &path, None).await.problem(404, "not_found");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_unsafe_uri_is_registered_n122_v003_v004_v071() {
    let app = open().await;
    let anonymous = app.anonymous();
    let long = format!("https://shop.example/{}", "x".repeat(2048));
    for bad in [
        "http://shop.example/cb",
        "http://localhost/cb",
        "https://shop.example/cb#fragment",
        "https://shop.example/cb#",
        "javascript:alert(1)",
        "javascript://shop.example/%0aalert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "https://*.shop.example/cb",
        "https://shop.example/*",
        "https://shop.example/(.*)",
        "/cb",
        "shop.example/cb",
        "",
        "https://user@shop.example/cb",
        "https://user:pass@shop.example/cb",
        "https://shop.example/cb?code=1",
        "https://shop.example/cb?a=b&state=1",
        "https://shop.example/cb?iss=x",
        "https://shop.example\\@evil.example/cb",
        "https://shop.example/c b",
        &long,
    ] {
        register(&anonymous, &with(shop(), "redirect_uris", json!([bad]))).await.oauth(400, "invalid_redirect_uri");
        for name in ["client_uri", "logo_uri", "tos_uri", "policy_uri"] {
            if !bad.starts_with("https://") {
                register(&anonymous, &with(shop(), name, json!(bad))).await.oauth(400, "invalid_client_metadata");
            }
        }
        let logout = with(shop(), "post_logout_redirect_uris", json!([bad]));
        register(&anonymous, &logout).await.oauth(400, "invalid_client_metadata");
    }
    let many: Vec<String> = (0..1000).map(|n| format!("https://shop.example/{n}")).collect();
    register(&anonymous, &with(shop(), "redirect_uris", json!(many))).await.oauth(400, "invalid_redirect_uri");
    register(&anonymous, &json!({ "client_name": "x" })).await.oauth(400, "invalid_redirect_uri");
    let web = with(with(shop(), "application_type", json!("web")), "redirect_uris", json!(["http://127.0.0.1/cb"]));
    register(&anonymous, &web).await.oauth(400, "invalid_redirect_uri");
    let native = with(shop(), "redirect_uris", json!(["http://127.0.0.1/cb", "com.example.shop:/cb"]));
    assert_eq!(register(&anonymous, &native).await.is(201).json["application_type"], "native");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_that_make_no_sense_are_refused_n123() {
    let app = open().await;
    let anonymous = app.anonymous();
    let rsa = json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB" });
    for (name, value) in [
        ("token_endpoint_auth_method", json!("magic")),
        ("token_endpoint_auth_method", json!(1)),
        ("token_endpoint_auth_method", json!("private_key_jwt")),
        ("grant_types", json!(["implicit"])),
        ("grant_types", json!("authorization_code")),
        ("grant_types", json!([1])),
        ("grant_types", json!(["password"])),
        ("grant_types", json!(["client_credentials"])),
        ("response_types", json!(["token"])),
        ("redirect_uris", json!("https://shop.example/cb")),
        ("redirect_uris", json!([1])),
        ("client_name", json!("")),
        ("client_name", json!(7)),
        ("client_name", json!("x".repeat(100_000))),
        ("client_name", json!("abc\u{202e}gpj.exe")),
        ("scope", json!(["openid"])),
        ("scope", json!("a \u{0}")),
        ("id_token_signed_response_alg", json!("none")),
        ("id_token_signed_response_alg", json!("HS256")),
        ("subject_type", json!("magic")),
        ("default_max_age", json!(-1)),
        ("default_max_age", json!("x")),
        ("jwks", json!([])),
        ("jwks", json!({ "keys": [] })),
        ("jwks", json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] })),
        ("jwks", json!({ "keys": [rsa] })),
        ("contacts", json!(["a\nb"])),
    ] {
        let mut body = with(shop(), name, value.clone());
        if value == json!(["client_credentials"]) {
            body["token_endpoint_auth_method"] = json!("none");
        }
        let answer = register(&anonymous, &body).await;
        assert_eq!((answer.status, &answer.json["error"]), (400, &json!("invalid_client_metadata")), "{name}: {value}");
    }
    for text in ["null", "[]", "1", "\"x\"", "{", "", "{\"client_name\":\"a\",\"client_name\":\"b\"}"] {
        anonymous.send_text(Method::POST, REGISTER, text).await.oauth(400, "invalid_client_metadata");
    }
    let deep = format!("{{\"jwks\":{}1{}}}", "[".repeat(100_000), "]".repeat(100_000));
    anonymous.send_text(Method::POST, REGISTER, deep).await.oauth(400, "invalid_client_metadata");
    let request = anonymous.request(Method::POST, REGISTER).header("content-type", "text/plain").body("{}");
    Answer::read(request.send().await.unwrap()).await.oauth(415, "invalid_request");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_an_administrators_to_give_is_not_taken_n125_v045_v046() {
    let app = open().await;
    let admin = app.admin().await;
    let mut body = shop();
    for (name, value) in [
        ("client_id", json!("mine")),
        ("client_secret", json!("mine")),
        ("registration_access_token", json!("mine")),
        ("roles", json!(["admin"])),
        ("trusted", json!(true)),
        ("first_party", json!(true)),
        ("skip_consent", json!(true)),
        ("self_registered", json!(false)),
        ("active", json!(true)),
        ("require_pkce", json!(false)),
        ("scope", json!("openid admin authz:check orders")),
        ("grant_types", json!(["authorization_code", "password", "implicit", "refresh_token"])),
        ("response_types", json!(["code", "token", "code id_token"])),
        ("id_token_encrypted_response_alg", json!("RSA-OAEP")),
        ("userinfo_signed_response_alg", json!("HS256")),
        ("request_uris", json!(["http://127.0.0.1/"])),
        ("client_name#de", json!("Laden")),
    ] {
        body[name] = value;
    }
    let answer = register(&app.anonymous(), &body).await.is(201);
    let id = answer.text_at("/client_id");
    assert_ne!(id, "mine");
    assert_eq!(answer.json["scope"], "openid orders");
    assert_eq!(answer.json["grant_types"], json!(["authorization_code", "refresh_token"]));
    assert_eq!(answer.json["response_types"], json!(["code"]));
    for text in ["mine", "roles", "trusted", "first_party", "skip_consent", "encrypted", "request_uris", "HS256"] {
        assert!(!answer.text.contains(text), "{text}: {}", answer.text);
    }
    let seen = admin.find_client(&id).await.is(200).json;
    assert_eq!((&seen["first_party"], &seen["self_registered"]), (&json!(false), &json!(true)));
    assert_eq!(seen["require_pkce"], true);
    assert_eq!(admin.get(&admin_path(&["clients", &id, "roles"])).await.is(200).items().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_is_managed_by_its_own_token_only_n126_n127_v013() {
    let app = open().await;
    let anonymous = app.anonymous();
    let body = with(shop(), "grant_types", json!(["authorization_code", "client_credentials"]));
    let made = register(&anonymous, &body).await.is(201);
    let (own, path) = manager(&app, &made);
    let (id, secret) = (made.text_at("/client_id"), made.text_at("/client_secret"));
    let (other, _) = manager(&app, &register(&anonymous, &shop()).await.is(201));
    let admin = app.admin().await;
    let change = with(body.clone(), "client_id", json!(id));
    for actor in [&anonymous, &other, &admin, &app.bearer(&secret)] {
        for method in [Method::GET, Method::PUT, Method::DELETE] {
            actor.send(method, &path, Some(&change)).await.oauth(401, "invalid_token");
        }
    }
    own.get(&format!("{REGISTER}/nobody")).await.oauth(401, "invalid_token");

    let shown = own.get(&path).await.is(200);
    assert_eq!(shown.header("cache-control"), "no-store");
    assert_eq!(shown.json["registration_access_token"], made.json["registration_access_token"]);
    assert_eq!(shown.json["redirect_uris"], made.json["redirect_uris"]);
    assert!(!shown.text.contains(&secret), "V-081: a secret is shown once");

    let put = async |body: &Value| own.send(Method::PUT, &path, Some(body)).await;
    for (name, value) in [
        ("client_id", json!("other")),
        ("client_id", Value::Null),
        ("registration_access_token", json!("x")),
        ("registration_client_uri", json!("x")),
        ("client_secret_expires_at", json!(0)),
        ("client_id_issued_at", json!(0)),
        ("client_secret", json!("chosen")),
        ("client_secret", json!("")),
    ] {
        put(&with(change.clone(), name, value)).await.oauth(400, "invalid_request");
    }
    put(&body).await.oauth(400, "invalid_request");
    put(&with(change.clone(), "redirect_uris", json!(["http://x.example/"]))).await.oauth(400, "invalid_redirect_uri");
    assert_eq!(own.get(&path).await.is(200).json, shown.json, "nothing of this changed anything");

    // The same secret may come along, and what is left out is gone.
    let mut change = with(change, "client_secret", json!(secret));
    change.as_object_mut().unwrap().remove("client_name");
    let changed = put(&with(change, "scope", json!("openid admin"))).await.is(200);
    assert!(changed.json.get("client_name").is_none() && changed.json.get("client_secret").is_none());
    assert_eq!(changed.json["scope"], "openid");
    let client = Actor { who: Some(Who::client(&id)), secret: Some(secret), ..anonymous.clone() };
    client.client_credentials(None).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_removed_itself_is_dead_everywhere_n128() {
    let app = open().await;
    let other = app.second_node().await;
    let body = with(shop(), "grant_types", json!(["authorization_code", "client_credentials"]));
    let made = register(&app.anonymous(), &body).await.is(201);
    let (own, path) = manager(&app, &made);
    let client = Actor {
        who: Some(Who::client(&made.text_at("/client_id"))),
        secret: Some(made.text_at("/client_secret")),
        ..app.anonymous()
    };
    other.ask(&client).client_credentials(None).await.is(200);
    let token = client.client_credentials(None).await.text_at("/access_token");
    own.send(Method::DELETE, &path, None).await.is(204);
    own.get(&path).await.oauth(401, "invalid_token");
    client.client_credentials(None).await.oauth(401, "invalid_client");
    app.bearer(&token).roles("").await.problem(401, "unauthorized");
    other.app.pdp.refresh().await.unwrap();
    other.ask(&client).client_credentials(None).await.oauth(401, "invalid_client");
}

/// R1: who registers, changes and removes a client is on record.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_to_a_registration_is_on_record_n175() {
    let app = open().await;
    let admin = app.admin().await;
    let made = register(&app.anonymous(), &shop()).await.is(201);
    let (own, path) = manager(&app, &made);
    let id = made.text_at("/client_id");
    let change = with(with(shop(), "client_id", json!(id)), "redirect_uris", json!(["https://other.example/cb"]));
    own.send(Method::PUT, &path, Some(&change)).await.is(200);
    own.send(Method::PUT, &path, Some(&with(change, "client_id", json!("c_other"))))
        .await
        .oauth(400, "invalid_request");
    own.send(Method::DELETE, &path, None).await.is(204);
    let by_admin = register(&admin, &shop()).await.is(201).text_at("/client_id");
    let record = admin.get("/api/v1/admin/audit?limit=200").await.is(200);
    let events = record.items().iter().filter(|event| event["action"].as_str().unwrap().starts_with("client_"));
    let mut seen: Vec<(&str, &str, bool)> =
        events.map(|event| (text(&event["action"]), text(&event["target"]["id"]), event["actor"].is_null())).collect();
    seen.sort_unstable();
    let mut expected = vec![
        ("client_registered", &*id, true),
        ("client_updated", &*id, false),
        ("client_removed", &*id, false),
        ("client_registered", &*by_admin, false),
    ];
    expected.sort_unstable();
    assert_eq!(seen, expected, "{}", record.text);
    assert!(!record.text.contains(&made.text_at("/registration_access_token")));
    let updated = record.items().iter().find(|event| event["action"] == "client_updated").unwrap();
    assert_eq!(updated["details"], json!({ "changed": ["redirect_uris"], "secret": "kept" }));
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
