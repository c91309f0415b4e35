//! The token endpoint, and the client credentials grant.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use reqwest::Method;
use serde_json::json;

use super::{FORM, PLAIN, basic, part, post};
use crate::app::{ISSUER, TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_a_token_about_itself_and_nothing_more_n074_n097_n143() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop", "orders authz:check", &[]).await;
    let answer = shop.client_credentials(None).await.is(200);
    assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));
    assert_eq!(answer.header("content-type"), "application/json");
    let mut members: Vec<&String> = answer.json.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["access_token", "expires_in", "scope", "token_type"], "no refresh token, no ID token");
    assert_eq!((&answer.json["token_type"], &answer.json["expires_in"]), (&json!("Bearer"), &json!(900)));
    assert_eq!(answer.json["scope"], "authz:check orders");

    let token = answer.text_at("/access_token");
    let (header, claims) = (part(&token, 0), part(&token, 1));
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    let id = json!(shop.who().id);
    assert_eq!((&claims["sub"], &claims["client_id"]), (&id, &id));
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!(ISSUER)));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 900);
    assert_eq!(claims["scope"], "authz:check orders");
    assert!(claims["jti"].as_str().unwrap().len() >= 22);
    assert!(claims.get("roles").is_none());
    let other = shop.client_credentials(None).await.text_at("/access_token");
    assert_ne!(part(&other, 1)["jti"], claims["jti"]);
    assert_eq!(shop.client_credentials(Some("orders")).await.is(200).json["scope"], "orders");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_token_request_is_refused_in_oauths_own_form_n073_n075_n076_n078_n099() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop", "orders", &[]).await;
    let (id, secret) = (shop.who().id.clone(), shop.secret.clone().unwrap());
    let auth = basic(&id, &secret);
    let by_basic: [(&str, &str); 2] = [FORM, ("authorization", &auth)];
    let token = "/oauth/token";

    for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
        let answer = shop.send(method.clone(), token, None).await;
        answer.oauth(405, "invalid_request");
    }
    let json = [("content-type", "application/json"), ("authorization", auth.as_str())];
    post(&shop, token, &json, "{\"grant_type\":\"client_credentials\"}").await.oauth(400, "invalid_request");
    post(&shop, token, &by_basic[1..], PLAIN).await.oauth(400, "invalid_request");
    for (body, error) in [
        ("", "invalid_request"),
        ("grant_type=", "invalid_request"),
        ("scope=orders", "invalid_request"),
        ("grant_type=magic", "unsupported_grant_type"),
        ("grant_type=Client_Credentials", "unsupported_grant_type"),
        ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
        ("grant_type=client_credentials&scope=orders&scope=orders", "invalid_request"),
        ("grant_type=client_credentials&other=1&other=2", "invalid_request"),
        ("grant_type=client_credentials&scope=admin", "invalid_scope"),
        ("grant_type=client_credentials&scope=orders%20%20orders", "invalid_scope"),
        ("grant_type=client_credentials&scope=%22", "invalid_scope"),
        ("grant_type=client_credentials&scope=o%00", "invalid_scope"),
        ("grant_type=client_credentials&client_id=other", "invalid_request"),
    ] {
        post(&shop, token, &by_basic, body).await.oauth(400, error);
    }
    // N-076: never in the URL.
    let query = format!("{token}?grant_type=client_credentials&client_id={id}&client_secret={secret}");
    post(&shop, &query, &[FORM], PLAIN).await.oauth(400, "invalid_request");
    let query = format!("{token}?client_id={id}&client_secret={secret}");
    post(&shop, &query, &[FORM], PLAIN).await.oauth(400, "invalid_request");
    // N-078: one way of authenticating.
    let both = format!("{PLAIN}&client_id={id}&client_secret={secret}");
    post(&shop, token, &by_basic, &both).await.oauth(400, "invalid_request");
    post(&shop, token, &[FORM], &both).await.is(200);
    post(&shop, token, &by_basic, &format!("{PLAIN}&client_id={id}")).await.is(200);
    // Unknown parameters are ignored, as RFC 6749 §3.2 asks.
    post(&shop, token, &by_basic, &format!("{PLAIN}&foo=bar&audience=x")).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_authenticate_learns_nothing_n077_n080() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop", "orders", &[]).await;
    let (id, secret) = (shop.who().id.clone(), shop.secret.clone().unwrap());
    let token = "/oauth/token";
    let mut bodies = Vec::new();
    let double = STANDARD.encode(format!("{id}:{secret}"));
    for header in [
        basic(&id, "wrong"),
        basic(&id, ""),
        basic(&id, &secret[..secret.len() - 1]),
        basic(&id, &secret.to_uppercase()),
        basic(&id, &format!("{secret} ")),
        basic("unknown", &secret),
        basic("", ""),
        basic("\0", "x"),
        basic(&id.to_uppercase(), &secret),
        "Basic".to_owned(),
        "Basic ".to_owned(),
        "Basic !!!".to_owned(),
        format!("Basic {}", STANDARD.encode(&id)),
        format!("Basic {}", STANDARD.encode([0xff, b':', 0xff])),
        format!("Bearer {double}"),
    ] {
        let answer = post(&shop, token, &[FORM, ("authorization", &header)], PLAIN).await;
        assert!(answer.header("www-authenticate").starts_with("Basic"), "{header}");
        bodies.push(answer.oauth(401, "invalid_client").text);
    }
    for body in [
        String::new(),
        format!("&client_id={id}"),
        format!("&client_id={id}&client_secret="),
        format!("&client_id={id}&client_secret=null"),
        format!("&client_id={id}&client_secret=wrong"),
        format!("&client_secret={secret}"),
        format!("&client_id=unknown&client_secret={secret}"),
    ] {
        bodies.push(post(&shop, token, &[FORM], &format!("{PLAIN}{body}")).await.oauth(401, "invalid_client").text);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn basic_credentials_are_form_decoded_n079() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop:+%/&=!", "orders", &[]).await;
    let (id, secret) = (shop.who().id.clone(), shop.secret.clone().unwrap());
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let header = basic(&encode(&id), &encode(&secret));
    post(&shop, "/oauth/token", &[FORM, ("authorization", &header)], PLAIN).await.is(200);
    let header = basic(&id, &secret);
    post(&shop, "/oauth/token", &[FORM, ("authorization", &header)], PLAIN).await.oauth(401, "invalid_client");
}

/// Public clients and those without the grant.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_uses_only_the_grants_it_registered_n075_n098_n100() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let public = json!({ "client_name": "p", "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code"], "redirect_uris": ["https://p.example/"] });
    let public = admin.create_client(public).await.is(201);
    assert!(public.json.get("client_secret").is_none());
    let id = public.text_at("/client_id");
    let body = format!("{PLAIN}&client_id={id}");
    post(&admin, "/oauth/token", &[FORM], &body).await.oauth(400, "unauthorized_client");
    post(&admin, "/oauth/token", &[FORM], &format!("{body}&client_secret=x")).await.oauth(401, "invalid_client");
    let web =
        json!({ "client_name": "w", "grant_types": ["authorization_code"], "redirect_uris": ["https://w.example/"] });
    let web = admin.create_client(web).await.is(201);
    let header = basic(&web.text_at("/client_id"), &web.text_at("/client_secret"));
    let headers = [FORM, ("authorization", header.as_str())];
    post(&admin, "/oauth/token", &headers, PLAIN).await.oauth(400, "unauthorized_client");
    let password = "grant_type=password&username=a&password=b";
    let answer = post(&admin, "/oauth/token", &headers, password).await;
    assert!(matches!(answer.json["error"].as_str(), Some("unsupported_grant_type" | "unauthorized_client")));
    for grant in ["authorization_code&code=x", "refresh_token&refresh_token=x"] {
        let answer = post(&admin, "/oauth/token", &headers, &format!("grant_type={grant}")).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_of_scope_costs_nothing_v062() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop", "orders", &[]).await;
    let header = basic(&shop.who().id, shop.secret.as_ref().unwrap());
    for (scope, wrong) in [("a ".repeat(500_000), "invalid_scope"), ("a".repeat(1_000_000), "invalid_scope")] {
        let asked = Instant::now();
        let body = format!("{PLAIN}&scope={}", scope.replace(' ', "+"));
        post(&shop, "/oauth/token", &[FORM, ("authorization", &header)], &body).await.oauth(400, wrong);
        post(&shop, "/oauth/token", &[FORM], &body).await.oauth(401, "invalid_client");
        assert!(asked.elapsed() < Duration::from_secs(2), "{:?}", asked.elapsed());
    }
    let body = format!("{PLAIN}&{}", "a=1&".repeat(100_000));
    post(&shop, "/oauth/token", &[FORM, ("authorization", &header)], &body).await.oauth(400, "invalid_request");
    let body = format!("{PLAIN}&x={}", "a".repeat(2_000_000));
    let answer = post(&shop, "/oauth/token", &[FORM, ("authorization", &header)], &body).await;
    assert!(matches!(answer.status, 400 | 413), "{}", answer.status);
}

/// And the limit says when to come again.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_token_requests_are_told_to_wait_v067() {
    let app = TestApp::spawn_with(&[("DEODAR_TOKEN_RATE", "1"), ("DEODAR_TOKEN_BURST", "5")]).await;
    let anonymous = app.anonymous();
    let mut last = None;
    for n in 0..8 {
        let header = [FORM, ("x-forwarded-for", &*format!("10.0.0.{n}"))];
        last = Some(post(&anonymous, "/oauth/token", &header, PLAIN).await);
    }
    let last = last.unwrap().oauth(429, "temporarily_unavailable");
    assert!(last.header("retry-after").parse::<u64>().unwrap() >= 1);
    // Nothing else is limited by it.
    anonymous.get("/oauth/jwks").await.is(200);
}
