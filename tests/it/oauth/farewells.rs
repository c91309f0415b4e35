//! Back-channel logout (OpenID Connect Back-Channel Logout 1.0): clients hear that sessions ended.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use deodar::model::SessionId;
use reqwest::Method;
use serde_json::{Value, json};

use super::part;
use crate::{
    actor::{Actor, Who},
    app::{ISSUER, TestApp},
    neighbour::{Heard, Neighbour, Reply},
    person::{PASSWORD, Person},
};

const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// An application that wants to hear of logouts at a path of the neighbour's.
async fn listener(app: &TestApp, admin: &Actor, uri: &str, more: Value) -> Actor {
    let mut body = json!({ "client_name": "Listener", "scope": "openid offline_access",
        "grant_types": ["authorization_code", "refresh_token"], "redirect_uris": ["https://listener.example/cb"],
        "backchannel_logout_uri": uri, "backchannel_logout_session_required": true });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = admin.create_client(body).await.is(201);
    let secret = Some(made.text_at("/client_secret"));
    Actor { who: Some(Who::client(&made.text_at("/client_id"))), secret, ..app.anonymous() }
}

/// The logout token of a request.
fn token(heard: &Heard) -> String {
    assert_eq!(heard.headers["content-type"], "application/x-www-form-urlencoded");
    heard.body.strip_prefix("logout_token=").expect("a logout token and nothing else").to_owned()
}

struct Scene {
    app: TestApp,
    admin: Actor,
    neighbour: Neighbour,
    ana: Person,
}

impl Scene {
    async fn new() -> Self {
        Self::with(&[]).await
    }

    async fn with(settings: &[(&str, &str)]) -> Self {
        let app = TestApp::spawn_with(settings).await;
        let admin = app.admin().await;
        let ana = app.person("ana").await;
        Self { neighbour: Neighbour::open().await, admin, ana, app }
    }

    async fn listener(&self, path: &str) -> Actor {
        listener(&self.app, &self.admin, &format!("{}{path}", self.neighbour.http), json!({})).await
    }

    async fn log_out(&self) {
        let path = format!("/api/v1/me/sessions/{}", self.ana.session());
        self.ana.me.send(Method::DELETE, &path, None).await.is(204);
    }

    async fn waiting(&self) -> i64 {
        let mut conn = self.app.database.connect().await;
        sqlx::query_scalar("SELECT count(*) FROM farewells").fetch_one(&mut conn).await.unwrap()
    }

    /// Waits until no client has its turn.
    async fn rests(&self, failures: i32) {
        let mut conn = self.app.database.connect().await;
        let sum = "SELECT coalesce(sum(failures), 0)::int FROM farewell_lanes";
        let asked = Instant::now();
        while sqlx::query_scalar::<_, i32>(sum).fetch_one(&mut conn).await.unwrap() < failures {
            assert!(asked.elapsed() < Duration::from_secs(20), "nothing was tried");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_hears_of_a_logout_in_the_words_of_the_specification() {
    for (alg, name) in [("RS256", "RS256"), ("ES256", "ES256"), ("EdDSA", "EdDSA")] {
        let scene = Scene::new().await;
        let uri = format!("{}/bye?a=b", scene.neighbour.http);
        let more = json!({ "id_token_signed_response_alg": alg });
        let shop = listener(&scene.app, &scene.admin, &uri, more).await;
        let session = scene.ana.session();
        scene.app.refresh_token(&shop, &scene.ana, session).await;
        scene.log_out().await;
        let token = token(&scene.neighbour.wait_for("/bye", 1).await);
        let (header, claims) = (part(&token, 0), part(&token, 1));
        assert_eq!((&header["typ"], &header["alg"]), (&json!("logout+jwt"), &json!(name)));
        let jwks = shop.get("/oauth/jwks").await.json;
        assert!(jwks["keys"].as_array().unwrap().iter().any(|key| key["kid"] == header["kid"]));
        let mut members: Vec<&String> = claims.as_object().unwrap().keys().collect();
        members.sort();
        assert_eq!(members, ["aud", "events", "exp", "iat", "iss", "jti", "sid", "sub"], "and no `nonce`");
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!(shop.who().id)));
        assert_eq!((&claims["sub"], &claims["sid"]), (&json!(scene.ana.id()), &json!(session.to_string())));
        assert_eq!(claims["events"], json!({ EVENT: {} }));
        let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
        assert!((1..=120).contains(&(exp - iat)));
        assert!(URL_SAFE_NO_PAD.decode(claims["jti"].as_str().unwrap()).unwrap().len() >= 16);
        // It is good for nothing here.
        scene.app.bearer(&token).get("/oauth/userinfo").await.oauth(401, "invalid_token");
        assert!(scene.app.node().app.tokens.read_hint(&token).is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_client_of_the_session_hears_once_and_no_other() {
    let scene = Scene::new().await;
    let (one, two, other) =
        (scene.listener("/one").await, scene.listener("/two").await, scene.listener("/other").await);
    let silent = scene.ana.shop.clone();
    let session = scene.ana.session();
    let second = scene.ana.with_token(&scene.ana.sign_in().await.is(200));
    for client in [&one, &one, &two, &silent] {
        scene.app.refresh_token(client, &scene.ana, session).await;
    }
    scene.app.refresh_token(&other, &scene.ana, super::ending::session_of(&second)).await;
    // What a client gave back does not matter to who is logged in there.
    let token = scene.app.refresh_token(&two, &scene.ana, session).await;
    two.revoke(&token).await.is(200);
    scene.log_out().await;
    scene.neighbour.wait_for("/one", 1).await;
    scene.neighbour.wait_for("/two", 1).await;
    assert_eq!(scene.waiting().await, 0);
    let counts = ["/one", "/two", "/other"].map(|path| scene.neighbour.heard(path).len());
    assert_eq!(counts, [1, 1, 0]);
    second.get("/api/v1/me").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_hear_of_every_end() {
    let right = json!({ "password": PASSWORD });
    for (method, path, body) in [
        (Method::DELETE, "/api/v1/me/sessions", None),
        (Method::POST, "/api/v1/me/deactivate", Some(&right)),
        (Method::DELETE, "/api/v1/me", Some(&right)),
    ] {
        let scene = Scene::new().await;
        let shop = scene.listener("/bye").await;
        scene.app.refresh_token(&shop, &scene.ana, scene.ana.session()).await;
        // Access without being there outlives a session that expired.
        let expired = SessionId::new();
        scene.app.refresh_token(&shop, &scene.ana, expired).await;
        scene.ana.me.send(method, path, body).await.is(204);
        scene.neighbour.wait_for("/bye", 2).await;
        let told: Vec<Value> =
            scene.neighbour.heard("/bye").iter().map(|heard| part(&token(heard), 1)["sid"].clone()).collect();
        for session in [scene.ana.session(), expired] {
            assert!(told.contains(&json!(session.to_string())), "{path}: {told:?}");
        }
        assert_eq!(part(&token(&scene.neighbour.heard("/bye")[0]), 1)["sub"], scene.ana.id());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_away_hears_later_and_holds_up_nobody() {
    let scene = Scene::new().await;
    let (away, slow, here) =
        (scene.listener("/away").await, scene.listener("/slow").await, scene.listener("/here").await);
    scene.neighbour.reply("/away", Reply::Status(503));
    scene.neighbour.reply("/slow", Reply::Silence);
    for client in [&away, &slow, &here] {
        scene.app.refresh_token(client, &scene.ana, scene.ana.session()).await;
    }
    let asked = Instant::now();
    scene.log_out().await;
    assert!(asked.elapsed() < Duration::from_secs(2), "the logout waited: {:?}", asked.elapsed());
    scene.neighbour.wait_for("/here", 1).await;
    let first = token(&scene.neighbour.wait_for("/away", 1).await);
    scene.rests(2).await;
    assert_eq!(scene.waiting().await, 2);
    scene.neighbour.reply("/away", Reply::Status(204));
    scene.neighbour.reply("/slow", Reply::Status(200));
    scene.app.later(Duration::from_secs(4));
    assert_eq!(scene.neighbour.heard("/away").len(), 1, "before the pause was over");
    scene.app.later(Duration::from_secs(2));
    let again = token(&scene.neighbour.wait_for("/away", 2).await);
    scene.neighbour.wait_for("/slow", 2).await;
    // It is a fresh token, not a replay.
    assert_ne!(part(&first, 1)["jti"], part(&again, 1)["jti"]);
    assert_eq!(part(&first, 1)["sid"], part(&again, 1)["sid"]);
    assert_eq!(scene.neighbour.heard("/here").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_refuses_or_never_hears_is_given_up() {
    let scene = Scene::new().await;
    let (refusing, never, moved) =
        (scene.listener("/refusing").await, scene.listener("/never").await, scene.listener("/moved").await);
    scene.neighbour.reply("/refusing", Reply::Status(400));
    scene.neighbour.reply("/never", Reply::Status(500));
    // V-069: where else it leads is of no interest.
    scene.neighbour.reply("/moved", Reply::Moved(format!("{}/elsewhere", scene.neighbour.http)));
    for client in [&refusing, &never, &moved] {
        scene.app.refresh_token(client, &scene.ana, scene.ana.session()).await;
    }
    scene.log_out().await;
    scene.rests(2).await;
    scene.neighbour.wait_for("/refusing", 1).await;
    assert!(scene.neighbour.heard("/elsewhere").is_empty());
    scene.app.later(Duration::from_hours(25));
    scene.app.node().app.farewells.wake();
    let asked = Instant::now();
    while scene.waiting().await > 0 {
        assert!(asked.elapsed() < Duration::from_secs(20), "it is kept for ever");
    }
    assert_eq!(scene.neighbour.heard("/refusing").len(), 1);
}

/// Nodes share the work; none of it is done twice.
#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_tell_each_client_once() {
    let scene = Scene::new().await;
    let other = scene.app.second_node().await;
    let shop = scene.listener("/bye").await;
    for _ in 0..5 {
        let me = scene.ana.with_token(&scene.ana.sign_in().await.is(200));
        scene.app.refresh_token(&shop, &scene.ana, super::ending::session_of(&me)).await;
    }
    scene.ana.me.send(Method::DELETE, "/api/v1/me/sessions", None).await.is(204);
    other.app.farewells.wake();
    scene.neighbour.wait_for("/bye", 5).await;
    let mut told: Vec<String> =
        scene.neighbour.heard("/bye").iter().map(|heard| part(&token(heard), 1)["sid"].to_string()).collect();
    told.sort();
    told.dedup();
    assert_eq!((told.len(), scene.neighbour.heard("/bye").len()), (5, 5));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_a_private_network_is_connected_to_unless_the_operator_says_so_v069() {
    let scene = Scene::with(&[("DEODAR_FETCH_PRIVATE", "off")]).await;
    let plain = scene.listener("/bye").await;
    let named = listener(&scene.app, &scene.admin, &format!("{}/bye", scene.neighbour.https), json!({})).await;
    for client in [&plain, &named] {
        scene.app.refresh_token(client, &scene.ana, scene.ana.session()).await;
    }
    scene.log_out().await;
    scene.rests(2).await;
    assert!(scene.neighbour.heard("/bye").is_empty());
    assert_eq!(scene.waiting().await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_wants_to_hear_no_more_hears_nothing() {
    let scene = Scene::new().await;
    let (changed, off) = (scene.listener("/changed").await, scene.listener("/off").await);
    for (client, path) in [(&changed, "/changed"), (&off, "/off")] {
        scene.neighbour.reply(path, Reply::Status(500));
        scene.app.refresh_token(client, &scene.ana, scene.ana.session()).await;
    }
    scene.log_out().await;
    scene.rests(2).await;
    scene.admin.update_client(&changed.who().id, json!({ "backchannel_logout_uri": null })).await.is(200);
    scene.admin.update_client(&off.who().id, json!({ "active": false })).await.is(200);
    scene.app.later(Duration::from_secs(6));
    scene.app.node().app.farewells.wake();
    let asked = Instant::now();
    while scene.waiting().await > 0 {
        assert!(asked.elapsed() < Duration::from_secs(20), "it is kept");
    }
    assert_eq!((scene.neighbour.heard("/changed").len(), scene.neighbour.heard("/off").len()), (1, 1));
}
