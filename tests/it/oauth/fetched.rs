//! What clients publish elsewhere: their keys (`jwks_uri`) and the redirect URIs of their sector.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use deodar::{
    crypto::{PublicKey, SigningKey},
    model::Algorithm,
};
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    actor::Actor,
    answer::Answer,
    app::{ISSUER, TestApp},
    neighbour::{Neighbour, Reply},
};

const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap().0
}

fn published(keys: &[&SigningKey]) -> Reply {
    let jwk = |key: &&SigningKey| PublicKey::new(key.kid(), Algorithm::Es256, key.public()).unwrap().jwk().clone();
    Reply::Json(json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() }))
}

/// A client whose keys are with the neighbour.
struct Signer {
    app: TestApp,
    anonymous: Actor,
    id: String,
}

impl Signer {
    async fn new(neighbour: &Neighbour, private: &str) -> Self {
        let app = TestApp::spawn_with(&[("DEODAR_FETCH_CA", &neighbour.ca), ("DEODAR_FETCH_PRIVATE", private)]).await;
        let admin = app.admin().await;
        let body = json!({ "client_name": "Signer", "scope": "orders", "token_endpoint_auth_method": "private_key_jwt",
            "jwks_uri": format!("{}/jwks", neighbour.https) });
        let id = admin.create_client(body).await.is(201).text_at("/client_id");
        assert!(neighbour.heard("/jwks").is_empty(), "V-069: not fetched before it is needed");
        Self { anonymous: app.anonymous(), id, app }
    }

    async fn present(&self, key: &SigningKey) -> Answer {
        let now = self.app.clock.now().unix_timestamp();
        let jti = URL_SAFE_NO_PAD.encode(deodar::crypto::random::<16>().unwrap());
        let claims = json!({ "iss": self.id, "sub": self.id, "aud": ISSUER, "iat": now, "exp": now + 60, "jti": jti });
        let assertion = key.sign("JWT", &claims).unwrap();
        let form =
            [("grant_type", "client_credentials"), ("client_assertion_type", TYPE), ("client_assertion", &*assertion)];
        self.anonymous.token_form(&form).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_replaces_its_keys_where_it_publishes_them() {
    let neighbour = Neighbour::open().await;
    let signer = Signer::new(&neighbour, "on").await;
    let (first, second, stranger) = (key(), key(), key());
    neighbour.reply("/jwks", published(&[&first]));
    for _ in 0..5 {
        signer.present(&first).await.is(200);
    }
    assert_eq!(neighbour.heard("/jwks").len(), 1, "kept");
    // Whoever knows no key can have it asked for once a minute.
    neighbour.reply("/jwks", published(&[&first, &second]));
    for key in [&second, &stranger, &stranger] {
        signer.present(key).await.oauth(401, "invalid_client");
    }
    assert_eq!(neighbour.heard("/jwks").len(), 1);
    signer.app.later(Duration::from_secs(61));
    signer.present(&second).await.is(200);
    signer.present(&first).await.is(200);
    signer.present(&stranger).await.oauth(401, "invalid_client");
    assert_eq!(neighbour.heard("/jwks").len(), 2);
    // A key that is gone is found out.
    neighbour.reply("/jwks", published(&[&second]));
    signer.app.later(Duration::from_mins(11));
    signer.present(&first).await.oauth(401, "invalid_client");
    signer.present(&second).await.is(200);
    assert_eq!(neighbour.heard("/jwks").len(), 3);
    // While they cannot be had they serve for an hour.
    neighbour.reply("/jwks", Reply::Status(500));
    signer.app.later(Duration::from_mins(40));
    signer.present(&second).await.is(200);
    signer.app.later(Duration::from_mins(40));
    signer.present(&second).await.oauth(401, "invalid_client");
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_cannot_be_had_prove_nothing_and_cost_little_v069() {
    let neighbour = Neighbour::open().await;
    let signer = Signer::new(&neighbour, "on").await;
    let key = key();
    neighbour.reply("/elsewhere", published(&[&key]));
    let mut bodies = Vec::new();
    for reply in [
        Reply::Status(404),
        Reply::Moved(format!("{}/elsewhere", neighbour.https)),
        Reply::Silence,
        Reply::Endless,
        Reply::Text("no JSON".to_owned()),
        Reply::Text("[".repeat(60_000)),
        Reply::Json(json!({ "keys": [] })),
        Reply::Json(json!([])),
        published(&[&self::key()]),
    ] {
        let what = format!("{reply:?}");
        neighbour.reply("/jwks", reply);
        signer.app.later(Duration::from_hours(2));
        let asked = Instant::now();
        let answer = signer.present(&key).await;
        assert!(asked.elapsed() < Duration::from_secs(4), "{what}: {:?}", asked.elapsed());
        bodies.push(answer.oauth(401, "invalid_client").text);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert!(neighbour.heard("/elsewhere").is_empty());
    assert!(neighbour.heard("/jwks").iter().all(|heard| heard.headers.get("cookie").is_none()));
    neighbour.reply("/jwks", published(&[&key]));
    signer.app.later(Duration::from_secs(61));
    signer.present(&key).await.is(200);

    let closed = Signer::new(&Neighbour::open().await, "off").await;
    closed.present(&key).await.oauth(401, "invalid_client");
}

/// On a private address, where the operator does not allow those.
#[tokio::test(flavor = "multi_thread")]
async fn keys_in_a_private_network_are_not_asked_for_v069() {
    let neighbour = Neighbour::open().await;
    let (signer, key) = (Signer::new(&neighbour, "off").await, key());
    neighbour.reply("/jwks", published(&[&key]));
    signer.present(&key).await.oauth(401, "invalid_client");
    assert!(neighbour.heard("/jwks").is_empty());
}

fn shop(uri: &str) -> Value {
    json!({ "client_name": "Shop", "redirect_uris": ["https://shop.example/cb", "https://other.example/cb"],
        "grant_types": ["authorization_code"], "subject_type": "pairwise", "sector_identifier_uri": uri })
}

/// And OpenID Connect Registration §5.
#[tokio::test(flavor = "multi_thread")]
async fn a_sector_has_to_know_the_redirect_uris_of_its_clients_v069() {
    let neighbour = Neighbour::open().await;
    let settings = [("DEODAR_FETCH_CA", neighbour.ca.as_str()), ("DEODAR_REGISTRATION", "open")];
    let app = TestApp::spawn_with(&settings).await;
    let admin = app.admin().await;
    let uri = format!("{}/sector", neighbour.https);
    let good = json!(["https://shop.example/cb", "https://more.example/", "https://other.example/cb"]);
    neighbour.reply("/elsewhere", Reply::Json(good.clone()));
    let mut bodies = Vec::new();
    for reply in [
        Reply::Status(404),
        Reply::Status(204),
        Reply::Moved(format!("{}/elsewhere", neighbour.https)),
        Reply::Silence,
        Reply::Endless,
        Reply::Text("no JSON".to_owned()),
        Reply::Json(json!({ "redirect_uris": good })),
        Reply::Json(json!([])),
        Reply::Json(json!(["https://shop.example/cb"])),
        Reply::Json(json!(["https://shop.example/cb", "https://other.example/cb/"])),
        Reply::Json(json!(["https://shop.example/cb", "https://other.example/cb", 1])),
    ] {
        let what = format!("{reply:?}");
        neighbour.reply("/sector", reply);
        let asked = Instant::now();
        let answer = app.anonymous().post("/oauth/register", &shop(&uri)).await;
        assert!(asked.elapsed() < Duration::from_secs(4), "{what}: {:?}", asked.elapsed());
        bodies.push(answer.oauth(400, "invalid_client_metadata").text);
        admin.create_client(shop(&uri)).await.faulty("sector_identifier_uri", "invalid_client_metadata");
    }
    let nobody = app.anonymous().post("/oauth/register", &shop("https://localhost:1/sector")).await;
    bodies.push(nobody.oauth(400, "invalid_client_metadata").text);
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert!(neighbour.heard("/elsewhere").is_empty());

    neighbour.reply("/sector", Reply::Json(good));
    app.anonymous().post("/oauth/register", &shop(&uri)).await.is(201);
    let id = admin.create_client(shop(&uri)).await.is(201).text_at("/client_id");
    let before = neighbour.heard("/sector").len();
    admin.update_client(&id, json!({ "client_name": "Store" })).await.is(200);
    assert_eq!(neighbour.heard("/sector").len(), before, "nothing about the sector has changed");
    let more = json!({ "redirect_uris": ["https://shop.example/cb", "https://evil.example/"] });
    let answer = admin.update_client(&id, more).await;
    answer.faulty("sector_identifier_uri", "invalid_client_metadata");
    let fewer = json!({ "redirect_uris": ["https://more.example/"] });
    admin.update_client(&id, fewer).await.is(200);
    let away = json!({ "sector_identifier_uri": null });
    admin.update_client(&id, away).await.is(200);
    // Whoever may not change a client cannot have anything fetched either.
    let before = neighbour.heard("/sector").len();
    let nobody = app.client("nobody", "admin", &[]).await;
    nobody.update_client(&id, json!({ "sector_identifier_uri": uri })).await.problem(403, "forbidden");
    nobody.create_client(shop(&uri)).await.problem(403, "forbidden");
    assert_eq!(neighbour.heard("/sector").len(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registration_that_is_replaced_has_its_sector_asked_again() {
    let neighbour = Neighbour::open().await;
    let settings = [("DEODAR_FETCH_CA", neighbour.ca.as_str()), ("DEODAR_REGISTRATION", "open")];
    let app = TestApp::spawn_with(&settings).await;
    app.admin().await;
    let uri = format!("{}/sector", neighbour.https);
    neighbour.reply("/sector", Reply::Json(json!(["https://shop.example/cb", "https://other.example/cb"])));
    let made = app.anonymous().post("/oauth/register", &shop(&uri)).await.is(201);
    let own = app.bearer(&made.text_at("/registration_access_token"));
    let path = format!("/oauth/register/{}", made.text_at("/client_id"));
    let mut change = shop(&uri);
    change["client_id"] = made.json["client_id"].clone();
    own.send(Method::PUT, &path, Some(&change)).await.is(200);
    change["redirect_uris"] = json!(["https://shop.example/cb", "https://evil.example/"]);
    own.send(Method::PUT, &path, Some(&change)).await.oauth(400, "invalid_client_metadata");
    assert_eq!(own.get(&path).await.is(200).json["redirect_uris"], made.json["redirect_uris"]);
}

/// Nobody looks into our network by registering clients.
#[tokio::test(flavor = "multi_thread")]
async fn no_document_is_fetched_from_a_private_network_v069() {
    let neighbour = Neighbour::open().await;
    let settings =
        [("DEODAR_FETCH_CA", neighbour.ca.as_str()), ("DEODAR_FETCH_PRIVATE", "off"), ("DEODAR_REGISTRATION", "open")];
    let app = TestApp::spawn_with(&settings).await;
    app.admin().await;
    neighbour.reply("/sector", Reply::Json(json!(["https://shop.example/cb", "https://other.example/cb"])));
    let port = neighbour.https.rsplit(':').next().unwrap();
    let mut bodies = Vec::new();
    for host in [
        "localhost",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "169.254.169.254",
        "10.0.0.1",
        "[fc00::1]",
        "localhost.",
    ] {
        let asked = Instant::now();
        let answer = app.anonymous().post("/oauth/register", &shop(&format!("https://{host}:{port}/sector"))).await;
        assert!(asked.elapsed() < Duration::from_secs(2), "{host}: {:?}", asked.elapsed());
        bodies.push(answer.oauth(400, "invalid_client_metadata").text);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert!(neighbour.heard("/sector").is_empty());
    for uri in ["http://127.0.0.1/", "file:///etc/passwd", "gopher://x.example/", "x", "https://user@x.example/"] {
        app.anonymous().post("/oauth/register", &shop(uri)).await.oauth(400, "invalid_client_metadata");
    }
    // Others are kept and never fetched.
    let mut body = shop(&uri_of(&neighbour));
    body.as_object_mut().unwrap().remove("sector_identifier_uri");
    body["redirect_uris"] = json!(["https://shop.example/cb"]);
    for name in ["logo_uri", "client_uri", "policy_uri", "tos_uri", "jwks_uri"] {
        body[name] = json!(format!("{}/{name}", neighbour.https));
    }
    app.anonymous().post("/oauth/register", &body).await.is(201);
    for name in ["logo_uri", "client_uri", "policy_uri", "tos_uri", "jwks_uri"] {
        assert!(neighbour.heard(&format!("/{name}")).is_empty());
    }
}

fn uri_of(neighbour: &Neighbour) -> String {
    format!("{}/sector", neighbour.https)
}
