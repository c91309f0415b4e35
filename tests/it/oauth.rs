//! The token endpoint, and tokens that are not what they claim to be.

mod authorize;
mod client_auth;
mod codes;
mod conformance;
mod device;
mod discovery;
mod dpop;
mod dpop_flow;
mod ending;
mod farewells;
mod fetched;
mod flow;
mod forged;
mod interaction;
mod introspection;
mod keys;
mod logout;
mod pairwise;
mod permits;
mod pushed;
mod refreshing;
mod registration;
mod revocation;
mod round_trips;
mod userinfo;

use std::time::{Duration, Instant};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD},
};
use deodar::model::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    actor::Actor,
    answer::Answer,
    app::{ISSUER, TestApp},
};

/// Sends a form with headers of one's own.
async fn post(actor: &Actor, path: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let mut request = actor.http.post(format!("{}{path}", actor.base)).body(body.to_owned());
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(request.send().await.unwrap()).await
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const PLAIN: &str = "grant_type=client_credentials";

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

/// N-074, N-097, N-143.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_a_token_about_itself_and_nothing_more() {
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

/// N-073, N-075, N-076, N-078, N-099.
#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_token_request_is_refused_in_oauths_own_form() {
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

/// N-077, N-080.
#[tokio::test(flavor = "multi_thread")]
async fn who_cannot_authenticate_learns_nothing() {
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

/// N-079.
#[tokio::test(flavor = "multi_thread")]
async fn basic_credentials_are_form_decoded() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop:+%/&=!", "orders", &[]).await;
    let (id, secret) = (shop.who().id.clone(), shop.secret.clone().unwrap());
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let header = basic(&encode(&id), &encode(&secret));
    post(&shop, "/oauth/token", &[FORM, ("authorization", &header)], PLAIN).await.is(200);
    let header = basic(&id, &secret);
    post(&shop, "/oauth/token", &[FORM, ("authorization", &header)], PLAIN).await.oauth(401, "invalid_client");
}

/// N-075, N-098: public clients and those without the grant.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_uses_only_the_grants_it_registered() {
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
    // N-100.
    let password = "grant_type=password&username=a&password=b";
    let answer = post(&admin, "/oauth/token", &headers, password).await;
    assert!(matches!(answer.json["error"].as_str(), Some("unsupported_grant_type" | "unauthorized_client")));
    for grant in ["authorization_code&code=x", "refresh_token&refresh_token=x"] {
        let answer = post(&admin, "/oauth/token", &headers, &format!("grant_type={grant}")).await;
        assert_eq!(answer.status, 400, "{}", answer.text);
    }
}

/// V-062.
#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_of_scope_costs_nothing() {
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

/// V-067: and the limit says when to come again.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_token_requests_are_told_to_wait() {
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

fn part(token: &str, n: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(n).unwrap()).unwrap()).unwrap()
}

fn encode(json: &Value) -> String {
    URL_SAFE_NO_PAD.encode(json.to_string())
}

/// A token is presented to everything that takes one, and refused without a word why.
async fn refused(app: &TestApp, what: &str, token: &str) {
    let bearer = app.bearer(token);
    let asked = Instant::now();
    for path in ["/api/v1/admin/roles", "/authz/check"] {
        let method = if path.starts_with("/authz") { Method::POST } else { Method::GET };
        let answer = bearer.send(method, path, None).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text);
        assert_eq!(answer.json["detail"], "an access token is needed: send `Authorization: Bearer …`", "{what}");
        assert!(answer.json.get("debug").is_none(), "{what}: {}", answer.text);
    }
    assert!(asked.elapsed() < Duration::from_millis(500), "{what}: {:?}", asked.elapsed());
    // Nor does it stand for anybody in a check.
    let asker = app.client("asker", "authz:check", &[]).await;
    let ask = json!({ "token": token, "action": "read", "resource": { "type": "Document", "id": "1" } });
    asker.check(ask).await.problem(400, "invalid_token");
}

/// N-135, N-136, N-137, N-138, N-139, N-140.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_another_header_is_refused() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let token = admin.token.clone().unwrap();
    let (header, claims) = (part(&token, 0), token.split('.').nth(1).unwrap());
    let signature = token.split('.').nth(2).unwrap();
    let jwks = admin.get("/oauth/jwks").await.json;
    let key = jwks["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let with = |name: &str, value: Value| {
        let mut header = header.clone();
        header[name] = value;
        header
    };
    let without = |name: &str| {
        let mut header = header.clone();
        header.as_object_mut().unwrap().remove(name);
        header
    };
    let mut cases = vec![
        ("typ JWT", with("typ", json!("JWT"))),
        ("no typ", without("typ")),
        ("no kid", without("kid")),
        ("no alg", without("alg")),
        ("embedded key", with("jwk", key.clone())),
        ("jku", with("jku", json!("http://127.0.0.1:1/jwks"))),
        ("x5u", with("x5u", json!("http://127.0.0.1:1/x"))),
        ("x5c", with("x5c", json!(["MIIB"]))),
        ("crit", with("crit", json!(["x"]))),
        ("crit exp", with("crit", json!(["exp"]))),
        ("array", json!([])),
        ("string", json!("x")),
    ];
    for alg in ["none", "None", "NONE", "", "HS256", "HS512", "RS256", "RS512", "PS256", "ES384", "EdDSA", "es256"] {
        cases.push(("another algorithm", with("alg", json!(alg))));
    }
    for kid in [json!("../../x"), json!("' OR 1=1--"), json!(""), json!("x".repeat(5000)), json!([]), json!(null)] {
        cases.push(("another key", with("kid", kid)));
    }
    for (what, header) in cases {
        refused(&app, what, &format!("{}.{claims}.{signature}", encode(&header))).await;
        refused(&app, what, &format!("{}.{claims}.", encode(&header))).await;
    }
    // Signed with the public key as a secret.
    let raw = key.to_string();
    for secret in [raw.as_bytes(), key["x"].as_str().unwrap().as_bytes()] {
        let message = format!("{}.{claims}", encode(&with("alg", json!("HS256"))));
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret);
        let tag = URL_SAFE_NO_PAD.encode(aws_lc_rs::hmac::sign(&key, message.as_bytes()));
        refused(&app, "signed with the public key", &format!("{message}.{tag}")).await;
    }
    // Signed with a key of one's own under our key's name.
    let (own, _) = deodar::crypto::SigningKey::generate(Algorithm::Es256).unwrap();
    let own = own.sign("at+jwt", &part(&token, 1)).unwrap();
    refused(&app, "another key", &own).await;
    let (_, rest) = own.split_once('.').unwrap();
    refused(&app, "another key under our name", &format!("{}.{rest}", encode(&header))).await;
    admin.roles("").await.is(200);
}

/// N-141, N-142.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_other_claims_is_refused_even_when_we_signed_it() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let good = part(admin.token.as_ref().unwrap(), 1);
    let now = app.clock.now().unix_timestamp();
    let sign = |claims: &Value| app.node().app.tokens.keys().sign(Algorithm::Es256, "at+jwt", claims).unwrap();
    app.bearer(&sign(&good)).roles("").await.is(200);
    let cases = [
        ("exp", json!(now - 1)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!((now + 900).to_string())),
        ("exp", json!(1e300)),
        ("exp", Value::Null),
        ("nbf", json!(now + 120)),
        ("iat", json!(now + 3600)),
        ("iat", json!("now")),
        ("iss", json!("https://evil.test")),
        ("iss", json!(format!("{ISSUER}/"))),
        ("aud", json!("https://orders.test")),
        ("aud", json!(["https://orders.test"])),
        ("aud", Value::Null),
        ("sub", json!("somebody")),
        ("sub", json!("")),
        ("sub", json!(["x"])),
        ("client_id", json!("nobody")),
        ("client_id", json!("")),
        ("scope", json!(["admin"])),
    ];
    for (name, value) in cases {
        let mut claims = good.clone();
        claims[name] = value.clone();
        let token = sign(&claims);
        let answer = app.bearer(&token).roles("").await;
        assert_eq!(answer.status, 401, "{name} = {value}: {}", answer.text);
    }
    for name in ["iss", "aud", "exp", "sub", "client_id"] {
        let mut claims = good.clone();
        claims.as_object_mut().unwrap().remove(name);
        refused(&app, &format!("no {name}"), &sign(&claims)).await;
    }
    for typ in ["JWT", "jwt", "id+jwt", "logout+jwt", ""] {
        let token = app.node().app.tokens.keys().sign(Algorithm::Es256, typ, &good).unwrap();
        refused(&app, &format!("typ {typ}"), &token).await;
    }
}

/// N-103, N-144, N-145.
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_token_is_refused() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let token = admin.token.clone().unwrap();
    let parts: Vec<&str> = token.split('.').collect();
    let (head, claims, signature) = (parts[0], parts[1], parts[2]);
    let bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let padded = |part: &str| URL_SAFE.encode(URL_SAFE_NO_PAD.decode(part).unwrap());
    // The last character of 64 bytes carries four bits that mean nothing.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.find(&signature[signature.len() - 1..]).unwrap();
    let loose = format!("{}{}", &signature[..signature.len() - 1], &alphabet[last + 1..last + 2]);
    let flipped = |n: usize| {
        let mut bytes = bytes.clone();
        bytes[n] ^= 1;
        URL_SAFE_NO_PAD.encode(bytes)
    };
    let deep = URL_SAFE_NO_PAD.encode("{\"a\":".repeat(10_000));
    let twice = "{\"alg\":\"ES256\",\"alg\":\"none\",\"kid\":\"x\",\"typ\":\"at+jwt\"}";
    let mut claims_twice = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    claims_twice.insert_str(1, "\"sub\":\"x\",");
    for (what, bad) in [
        ("truncated", token[..token.len() - 1].to_owned()),
        ("no signature", format!("{head}.{claims}.")),
        ("two parts", format!("{head}.{claims}")),
        ("four parts", format!("{token}.x")),
        ("leading dot", format!(".{token}")),
        ("trailing dot", format!("{token}.")),
        ("padded signature", format!("{head}.{claims}.{}", padded(signature))),
        ("padded all", format!("{}=.{}=.{}=", head, claims, signature)),
        ("loose bits", format!("{head}.{claims}.{loose}")),
        ("first bit", format!("{head}.{claims}.{}", flipped(0))),
        ("last bit", format!("{head}.{claims}.{}", flipped(63))),
        ("zeroes", format!("{head}.{claims}.{}", URL_SAFE_NO_PAD.encode([0; 64]))),
        ("short", format!("{head}.{claims}.{}", URL_SAFE_NO_PAD.encode(&bytes[..63]))),
        ("upper case", token.to_uppercase()),
        ("inner space", format!("{head}. {claims}.{signature}")),
        ("empty", String::new()),
        ("dots", "..".to_owned()),
        ("deep header", format!("{deep}.{claims}.{signature}")),
        ("header twice", format!("{}.{claims}.{signature}", URL_SAFE_NO_PAD.encode(twice))),
        ("claims twice", format!("{head}.{}.{signature}", URL_SAFE_NO_PAD.encode(claims_twice))),
        ("long", "x".repeat(9000)),
        ("claims of another", format!("{head}.{}.{signature}", encode(&json!({ "sub": "x" })))),
    ] {
        refused(&app, what, &bad).await;
    }
    let answer = app.bearer(&"x".repeat(100 * 1024)).roles("").await;
    assert!(matches!(answer.status, 400 | 401 | 413 | 431), "{}", answer.status);
    // Two tokens at once are none.
    let request = admin.request(Method::GET, "/api/v1/admin/roles").header("authorization", format!("Bearer {token}"));
    Answer::read(request.send().await.unwrap()).await.problem(401, "unauthorized");
    // Nor is one in the URL.
    app.anonymous().get(&format!("/api/v1/admin/roles?access_token={token}")).await.problem(401, "unauthorized");
    admin.roles("").await.is(200);
}

/// N-141.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_its_time_also_when_it_is_remembered() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    admin.roles("").await.is(200);
    app.later(Duration::from_secs(890));
    admin.roles("").await.is(200);
    app.later(Duration::from_secs(11));
    admin.roles("").await.problem(401, "unauthorized");
    admin.with_fresh_token().await.roles("").await.is(200);
}
