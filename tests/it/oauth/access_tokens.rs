//! Access tokens that are not what they claim to be, presented to everything that takes one.

use std::time::{Duration, Instant};

use base64::{
    Engine,
    engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD},
};
use deodar::model::Algorithm;
use reqwest::Method;
use serde_json::{Value, json};

use super::{encode, part};
use crate::{
    answer::Answer,
    app::{ISSUER, TestApp},
};

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

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_another_header_is_refused_n135_n136_n137_n138_n139_n140() {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_other_claims_is_refused_even_when_we_signed_it_n141_n142() {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_token_is_refused_n103_n144_n145() {
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

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_its_time_also_when_it_is_remembered_n141() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    admin.roles("").await.is(200);
    app.later(Duration::from_secs(890));
    admin.roles("").await.is(200);
    app.later(Duration::from_secs(11));
    admin.roles("").await.problem(401, "unauthorized");
    admin.with_fresh_token().await.roles("").await.is(200);
}
