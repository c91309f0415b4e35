//! Signing keys: what is published, what signs, what verifies, and how they follow each other.

use std::{collections::BTreeSet, time::Duration};

use reqwest::Method;
use serde_json::{Value, json};

use super::part;
use crate::{actor::Actor, answer::Answer, app::TestApp};

const MINUTE: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);

async fn kids(actor: &Actor) -> BTreeSet<String> {
    let keys = actor.get("/oauth/jwks").await.is(200).json["keys"].clone();
    keys.as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(token: &str) -> String {
    part(token, 0)["kid"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_set_holds_public_members_only_n119() {
    let app = TestApp::spawn().await;
    let answer = app.anonymous().get("/oauth/jwks").await.is(200);
    assert!(answer.header("cache-control").contains("max-age="));
    let keys = answer.json["keys"].as_array().unwrap();
    let mut algorithms = BTreeSet::new();
    for key in keys {
        let members: BTreeSet<&str> = key.as_object().unwrap().keys().map(String::as_str).collect();
        let own: &[&str] = match key["kty"].as_str().unwrap() {
            "EC" => &["crv", "x", "y"],
            "OKP" => &["crv", "x"],
            "RSA" => &["e", "n"],
            other => panic!("what is `{other}`?"),
        };
        assert_eq!(members, ["alg", "kid", "kty", "use"].iter().chain(own).copied().collect());
        assert_eq!(key["use"], "sig");
        // RFC 8725 §3.5: 2048 bits are 256 bytes, 342 characters.
        assert!(key["kty"] != "RSA" || key["n"].as_str().unwrap().len() >= 342);
        algorithms.insert(key["alg"].as_str().unwrap());
    }
    assert_eq!(algorithms, BTreeSet::from(["ES256", "EdDSA", "RS256"]));
    assert_eq!(kids(&app.anonymous()).await.len(), keys.len(), "no `kid` twice");
    // Every node has the same keys.
    let other = app.second_node().await;
    assert_eq!(other.ask(&app.anonymous()).get("/oauth/jwks").await.json, answer.json);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_key_set_is_told_so_by_its_tag() {
    let app = TestApp::spawn().await;
    let first = app.anonymous().get("/oauth/jwks").await.is(200);
    let tag = first.header("etag").to_owned();
    let ask = async |tag: &str| {
        let request = app.anonymous().request(Method::GET, "/oauth/jwks").header("if-none-match", tag);
        Answer::read(request.send().await.unwrap()).await
    };
    for tag in [tag.clone(), format!("\"x\", W/{tag}"), "*".to_owned()] {
        let again = ask(&tag).await.is(304);
        assert_eq!((again.text.as_str(), again.header("etag")), ("", first.header("etag")));
    }
    assert_eq!(ask("\"x\"").await.is(200).text, first.text);
}

/// R9.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_published_before_it_signs_and_believed_after_it_signed_n120() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let admin = app.admin().await;
    let before = kids(&admin).await;
    let rotated = admin.send(Method::POST, "/api/v1/admin/keys/rotate", None).await.is(201);
    other.has(deodar::model::Revision(rotated.revision())).await;
    let published = kids(&admin).await;
    assert!(before.is_subset(&published) && published.len() == 6, "{published:?}");
    let states = |answer: &Answer| -> Vec<(String, String)> {
        let state = |item: &Value| (item["kid"].as_str().unwrap().into(), item["status"].as_str().unwrap().into());
        answer.items().iter().map(state).collect()
    };
    for (kid, status) in states(&rotated) {
        assert_eq!(status, if before.contains(&kid) { "signing" } else { "published" });
    }
    assert!(before.contains(&kid(&admin.client_credentials(None).await.text_at("/access_token"))));

    // Longer than anybody keeps the key set.
    app.later(6 * MINUTE);
    let old = admin.token.clone().unwrap();
    let admin = admin.with_fresh_token().await;
    assert!(!before.contains(&kid(admin.token.as_ref().unwrap())));
    for (kid, status) in states(&admin.get("/api/v1/admin/keys").await.is(200)) {
        assert_eq!(status, if before.contains(&kid) { "retired" } else { "signing" });
    }
    for token in [&old, admin.token.as_ref().unwrap()] {
        app.bearer(token).roles("").await.is(200);
        other.ask(&app.bearer(token)).roles("").await.is(200);
    }
    app.later(DAY);
    app.node().app.tokens.keys().tend().await.unwrap();
    let left = kids(&admin).await;
    assert!(left.len() == 3 && left.is_disjoint(&before), "{left:?}");
}

/// R9: an emergency.
#[tokio::test(flavor = "multi_thread")]
async fn keys_that_somebody_else_has_are_worth_nothing_at_once() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let admin = app.admin().await;
    let before = kids(&admin).await;
    other.ask(&admin).roles("").await.is(200);
    let rotated = admin.send(Method::POST, "/api/v1/admin/keys/rotate?compromised=true", None).await.is(201);
    other.has(deodar::model::Revision(rotated.revision())).await;
    admin.roles("").await.problem(401, "unauthorized");
    let mut tries = 0;
    while other.ask(&admin).roles("").await.status != 401 {
        tries += 1;
        assert!(tries < 500, "the other node still believes the old key");
    }
    let fresh = kids(&admin).await;
    assert!(fresh.is_disjoint(&before) && fresh.len() == 3);
    let admin = admin.with_fresh_token().await;
    admin.roles("").await.is(200);
    other.ask(&admin).roles("").await.is(200);
}

/// R9: rotation by time, on several nodes at once.
#[tokio::test(flavor = "multi_thread")]
async fn keys_are_replaced_when_it_is_time_and_nodes_agree_on_the_new_ones() {
    let app = TestApp::spawn_with(&[("DEODAR_KEY_ROTATION", "30d")]).await;
    let other = app.second_node().await;
    let before = kids(&app.anonymous()).await;
    let nodes = [app.node(), &other];
    let tend = async || {
        let [first, second] = nodes.map(|node| node.app.tokens.keys().tend());
        let (first, second) = tokio::join!(first, second);
        first.and(second).unwrap();
    };
    app.later(29 * DAY);
    tend().await;
    assert_eq!(kids(&app.anonymous()).await, before);
    app.later(DAY);
    tend().await;
    tend().await;
    let after = kids(&app.anonymous()).await;
    assert_eq!(after.len(), 6, "two nodes made keys for the same turn");
    assert_eq!(kids(&other.ask(&app.anonymous())).await, after);
    assert!(before.is_subset(&after));
}

/// A client that keeps the key set for as long as it may, and no longer.
struct Caching {
    http: Actor,
    keys: jsonwebtoken::jwk::JwkSet,
    until: i64,
}

impl Caching {
    async fn new(http: Actor, now: i64) -> Self {
        let answer = http.get("/oauth/jwks").await.is(200);
        let age: i64 = answer.header("cache-control").split("max-age=").nth(1).unwrap().parse().unwrap();
        Self { http, keys: serde_json::from_value(answer.json).unwrap(), until: now + age }
    }

    async fn verifies(&mut self, token: &str, now: i64) -> bool {
        if now >= self.until {
            *self = Self::new(self.http.clone(), now).await;
        }
        let Some(key) = self.keys.find(&kid(token)) else { return false };
        let mut validation = jsonwebtoken::Validation::new(jsonwebtoken::Algorithm::ES256);
        (validation.validate_aud, validation.validate_exp) = (false, false);
        let key = jsonwebtoken::DecodingKey::from_jwk(key).unwrap();
        jsonwebtoken::decode::<Value>(token, &key, &validation).is_ok()
    }
}

/// Issue 4: keys follow each other under load, and no client that caches the key set meets a key that it does not know.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_caches_the_key_set_verifies_every_token_across_rotations() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let admin = app.admin().await;
    let shop = app.client("shop", "orders", &[]).await;
    let shops = [shop.clone(), other.ask(&shop)];
    let now = || app.clock.now().unix_timestamp();
    // They learnt the keys at different times.
    let mut clients = Vec::new();
    let (mut signers, mut tokens) = (BTreeSet::new(), Vec::new());
    for step in 0..60 {
        if step % 7 == 0 {
            clients.push(Caching::new(shops[step % 2].clone(), now()).await);
        }
        if step % 20 == 5 {
            let rotating = admin.clone().with_fresh_token().await;
            rotating.send(Method::POST, "/api/v1/admin/keys/rotate", None).await.is(201);
        }
        let issued = futures_util::future::join_all((0..8).map(|n| shops[n % 2].client_credentials(None))).await;
        tokens.extend(issued.into_iter().map(|answer| answer.is(200).text_at("/access_token")));
        signers.insert(kid(tokens.last().unwrap()));
        for client in &mut clients {
            for token in tokens.iter().rev().take(24) {
                assert!(client.verifies(token, now()).await, "step {step}");
            }
        }
        app.later(Duration::from_secs(40));
    }
    assert_eq!(signers.len(), 4, "{signers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_word_too_much_does_not_rotate() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let before = kids(&admin).await;
    for query in ["compromised=yes", "compromised", "x=1", "compromised=true&compromised=false"] {
        admin
            .send(Method::POST, &format!("/api/v1/admin/keys/rotate?{query}"), None)
            .await
            .problem(400, "invalid_query");
    }
    assert_eq!(kids(&admin).await, before);
    let mut conn = app.database.connect().await;
    let clear = "SELECT count(*) FROM signing_keys WHERE position('\\x3081'::bytea IN private_sealed) = 1";
    let clear: i64 = sqlx::query_scalar(clear).fetch_one(&mut conn).await.unwrap();
    assert_eq!(json!(clear), json!(0));
}
