//! `private_key_jwt` (RFC 7523).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use deodar::{
    crypto::{PublicKey, SigningKey, digest},
    model::Algorithm,
};
use serde_json::{Value, json};

use crate::{
    actor::Actor,
    answer::Answer,
    app::{ISSUER, TestApp},
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// A client with a key of its own.
struct Signer {
    app: TestApp,
    anonymous: Actor,
    id: String,
    key: SigningKey,
}

impl Signer {
    async fn new(algorithm: Algorithm) -> Self {
        let app = TestApp::spawn().await;
        let admin = app.admin().await;
        let (key, _) = SigningKey::generate(algorithm).unwrap();
        let public = PublicKey::new(key.kid(), algorithm, key.public()).unwrap();
        let body = json!({ "client_name": "Signer", "scope": "orders", "token_endpoint_auth_method": "private_key_jwt",
            "jwks": { "keys": [public.jwk()] } });
        let made = admin.create_client(body).await.is(201);
        assert!(made.json.get("client_secret").is_none());
        Self { anonymous: app.anonymous(), id: made.text_at("/client_id"), key, app }
    }

    fn claims(&self) -> Value {
        let now = self.app.clock.now().unix_timestamp();
        let jti = URL_SAFE_NO_PAD.encode(deodar::crypto::random::<16>().unwrap());
        json!({ "iss": self.id, "sub": self.id, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti })
    }

    fn sign(&self, claims: &Value) -> String {
        self.key.sign("JWT", claims).unwrap()
    }

    async fn present(&self, assertion: &str, more: &[(&str, &str)]) -> Answer {
        let mut form = vec![
            ("grant_type", "client_credentials"),
            ("client_assertion_type", TYPE),
            ("client_assertion", assertion),
        ];
        form.extend(more);
        self.anonymous.token_form(&form).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_proves_itself_by_its_key() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::new(algorithm).await;
        signer.present(&signer.sign(&signer.claims()), &[]).await.is(200);
        let mut claims = signer.claims();
        claims["aud"] = json!(["https://other.example", format!("{ISSUER}/oauth/token")]);
        signer.present(&signer.sign(&claims), &[("client_id", &signer.id)]).await.is(200);
        let mut claims = signer.claims();
        claims["aud"] = json!(format!("{ISSUER}/oauth/par"));
        signer.present(&signer.sign(&claims), &[]).await.is(200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_that_is_not_for_here_and_now_is_refused_n102_v011() {
    let signer = Signer::new(Algorithm::Es256).await;
    let now = signer.app.clock.now().unix_timestamp();
    for (name, value) in [
        ("iss", json!("other")),
        ("sub", json!("other")),
        ("aud", json!("https://other.example")),
        ("aud", json!(format!("{ISSUER}/"))),
        ("aud", json!([])),
        ("aud", Value::Null),
        ("exp", Value::Null),
        ("exp", json!(now - 120)),
        ("exp", json!(now + 3600)),
        ("exp", json!((now + 60).to_string())),
        ("nbf", json!(now + 120)),
        ("iat", json!(now + 120)),
        ("jti", Value::Null),
        ("jti", json!("")),
        ("jti", json!("x".repeat(256))),
    ] {
        let mut claims = signer.claims();
        claims[name] = value.clone();
        let answer = signer.present(&signer.sign(&claims), &[]).await;
        assert_eq!((answer.status, &answer.json["error"]), (401, &json!("invalid_client")), "{name}: {value}");
    }
    let good = signer.sign(&signer.claims());
    let (foreign, _) = SigningKey::generate(Algorithm::Es256).unwrap();
    let (head, rest) = good.split_once('.').unwrap();
    let encode = |header: Value| URL_SAFE_NO_PAD.encode(header.to_string());
    let claims = rest.split_once('.').unwrap().0;
    for bad in [
        foreign.sign("JWT", &signer.claims()).unwrap(),
        format!("{head}.{claims}."),
        format!("{}.{claims}.", encode(json!({ "alg": "none" }))),
        format!("{}.{rest}", encode(json!({ "alg": "HS256" }))),
        format!("{}.{rest}", encode(json!({ "alg": "ES256", "jku": "http://127.0.0.1:1/" }))),
        format!("{}.{rest}", encode(json!({ "alg": "ES256", "crit": ["x"] }))),
        "garbage".to_owned(),
        "..".to_owned(),
    ] {
        signer.present(&bad, &[]).await.oauth(401, "invalid_client");
    }
    signer.present(&good, &[("client_id", "other")]).await.oauth(401, "invalid_client");
    signer.present(&good, &[("client_secret", "x")]).await.oauth(400, "invalid_request");
    let other_type = [("grant_type", "client_credentials"), ("client_assertion", &*good)];
    signer.anonymous.token_form(&other_type).await.oauth(401, "invalid_client");
    let nothing = [("grant_type", "client_credentials"), ("client_id", &*signer.id)];
    signer.anonymous.token_form(&nothing).await.oauth(401, "invalid_client");
    let secret = [("grant_type", "client_credentials"), ("client_id", &*signer.id), ("client_secret", "x")];
    signer.anonymous.token_form(&secret).await.oauth(401, "invalid_client");
    // None of these used it up.
    signer.present(&good, &[]).await.is(200);
}

/// And a client that registered a secret has no key.
#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_works_once_on_all_nodes_together_n102() {
    let signer = Signer::new(Algorithm::Es256).await;
    let other = signer.app.second_node().await;
    let good = signer.sign(&signer.claims());
    let there = other.ask(&signer.anonymous);
    let form = [("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", &*good)];
    let all = (0..16).map(|n| if n % 2 == 0 { &signer.anonymous } else { &there }.token_form(&form));
    let answers = futures_util::future::join_all(all).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 15);
    signer.app.later(Duration::from_secs(30));
    signer.present(&good, &[]).await.oauth(401, "invalid_client");

    let shop = signer.app.client("shop", "orders", &[]).await;
    let now = signer.app.clock.now().unix_timestamp();
    let id = &shop.who().id;
    let claims = json!({ "iss": id, "sub": id, "aud": ISSUER, "exp": now + 60, "jti": "1" });
    // Nor is the hash of its secret one.
    let secret = digest(shop.secret.as_ref().unwrap().as_bytes());
    let message =
        format!("{}.{}", URL_SAFE_NO_PAD.encode("{\"alg\":\"HS256\"}"), URL_SAFE_NO_PAD.encode(claims.to_string()));
    let tag =
        aws_lc_rs::hmac::sign(&aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &secret), message.as_bytes());
    let forged = format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag));
    for assertion in [signer.sign(&claims), forged] {
        signer.present(&assertion, &[]).await.oauth(401, "invalid_client");
    }
}

/// (RFC 9110 §15.5.2): whoever is not believed is told how clients prove themselves, however they tried.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_not_believed_is_told_how_to_prove_itself_n077_n078() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop", "orders", &[]).await;
    let (id, form) =
        (shop.who().id.clone(), [("grant_type", "client_credentials"), ("token", "x"), ("scope", "openid")]);
    for path in ["/oauth/token", "/oauth/introspect", "/oauth/revoke", "/oauth/par", "/oauth/device_authorization"] {
        let ask = || app.anonymous().request(reqwest::Method::POST, path);
        let by_post = [&form[..], &[("client_id", &id), ("client_secret", "wrong")]].concat();
        let tries = [
            ask().basic_auth(&id, Some("wrong")).form(&form),
            ask().form(&by_post),
            ask().form(&[&form[..], &[("client_id", "c_nobody")]].concat()),
        ];
        for request in tries {
            let answer = Answer::read(request.send().await.unwrap()).await;
            assert_eq!(answer.header("www-authenticate"), "Basic realm=\"deodar\"", "{path}: {}", answer.text);
            answer.oauth(401, "invalid_client");
        }
    }
}
