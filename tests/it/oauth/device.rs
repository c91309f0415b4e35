//! The device grant (RFC 8628): a device that has no browser, and a person who lets it in.

use std::time::Duration;

use deodar::model::GrantType;
use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::flow::{OAuthClient, claims};
use crate::{
    actor::Actor,
    answer::Answer,
    app::{ISSUER, TestApp},
    browser::Browser,
};

pub const SCOPE: &str = "openid offline_access photos";

/// A device, with what it was given.
pub struct Device {
    pub client: OAuthClient,
    pub code: String,
    pub shown: String,
}

impl TestApp {
    /// An application on a television; `more` replaces members.
    pub async fn television(&self, admin: &Actor, more: Value) -> OAuthClient {
        let mut body = json!({ "client_name": "Screen", "token_endpoint_auth_method": "none", "redirect_uris": [],
            "grant_types": [GrantType::DEVICE_CODE, "refresh_token"] });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        self.web_client(admin, body).await
    }
}

impl OAuthClient {
    pub async fn begin(&self, scope: &str) -> Device {
        let given = self.form("/oauth/device_authorization", &[("scope", scope)]).await.is(200);
        Device { client: self.clone(), code: given.text_at("/device_code"), shown: given.text_at("/user_code") }
    }
}

impl Device {
    pub async fn ask(&self) -> Answer {
        self.ask_with(&[]).await
    }

    pub async fn ask_with(&self, more: &[(&str, &str)]) -> Answer {
        let usual = [("grant_type", GrantType::DEVICE_CODE), ("device_code", self.code.as_str())];
        self.client.form("/oauth/token", &[&usual, more].concat()).await
    }

    /// A person types the code and answers.
    pub async fn answered(&self, browser: &mut Browser, decision: &str) {
        browser.open("/device").await;
        browser.submit("/device", &[("user_code", &self.shown)]).await;
        browser.submit("/device/confirm", &[("decision", decision)]).await;
    }
}

/// RFC 8628 §3.1 to §3.5.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_lets_a_device_in() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let screen = app.television(&admin, json!({})).await;
    let ana = app.person("ana").await;

    let given = screen.form("/oauth/device_authorization", &[("scope", SCOPE)]).await.is(200);
    assert_eq!((given.header("cache-control"), given.header("content-type")), ("no-store", "application/json"));
    assert_eq!((&given.json["expires_in"], &given.json["interval"]), (&json!(600), &json!(5)));
    let shown = given.text_at("/user_code");
    assert_eq!(given.json["verification_uri"], format!("{ISSUER}/device"));
    assert_eq!(given.json["verification_uri_complete"], format!("{ISSUER}/device?user_code={shown}"));
    let device = Device { client: screen.clone(), code: given.text_at("/device_code"), shown: shown.clone() };
    device.ask().await.oauth(400, "authorization_pending");

    // Nobody is logged in: that comes first, and leads back with the code.
    let mut browser = Browser::new(&app.node().base);
    browser.open_link(&given.text_at("/verification_uri_complete")).await;
    browser.is_at("/login");
    browser.submit("/login", &[("login", &ana.name), ("password", crate::person::PASSWORD)]).await;
    browser.is_at("/device");
    // The link alone does nothing.
    let form = browser.filled("/device", &[]);
    assert!(form.contains(&("user_code".to_owned(), shown.clone())), "{form:?}");
    app.later(Duration::from_secs(5));
    device.ask().await.oauth(400, "authorization_pending");
    // In any case, with any dashes.
    let sloppy = shown.to_lowercase().replace('-', " \u{2013} ");
    browser.submit("/device", &[("user_code", &sloppy)]).await;
    for words in ["Screen", &*shown, "Keep this access while you are away", "photos", "ana"] {
        browser.says(words);
    }
    app.later(Duration::from_secs(5));
    device.ask().await.oauth(400, "authorization_pending");
    browser.submit("/device/confirm", &[("decision", "allow")]).await;
    browser.says("Connected");

    let tokens = device.ask().await.is(200);
    assert_eq!(
        (&tokens.json["token_type"], &tokens.json["scope"]),
        (&json!("Bearer"), &json!("offline_access openid photos"))
    );
    let (access, id) = (claims(&tokens.text_at("/access_token")), claims(&tokens.text_at("/id_token")));
    assert_eq!((&access["sub"], &id["sub"], &id["aud"]), (&json!(ana.id()), &json!(ana.id()), &json!(screen.id)));
    assert!(id["auth_time"].is_i64() && access["sid"].is_string() && id.get("nonce").is_none());
    app.bearer(&tokens.text_at("/access_token")).get("/oauth/userinfo").await.is(200);
    screen.refresh(&tokens.text_at("/refresh_token"), &[]).await.is(200);
    assert_eq!(app.count_events("device_consent", "success").await, 1);
    // The code is spent for the person, too.
    browser.open("/device").await;
    browser.submit("/device", &[("user_code", &shown)]).await;
    browser.says("No device shows this code");
}

/// RFC 8628 §3.5: what a device is told that gets nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_refused_or_forgotten_is_told_so() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let screen = app.television(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let device = screen.begin(SCOPE).await;
    device.answered(&mut browser, "deny").await;
    browser.says("Not connected");
    for _ in 0..2 {
        device.ask().await.oauth(400, "access_denied");
        app.later(Duration::from_secs(30));
    }
    assert_eq!(app.count_events("device_consent", "denied").await, 1);
    // Nobody changes their mind by an old form.
    browser.open("/device").await;
    browser.submit("/device", &[("user_code", &device.shown)]).await;
    browser.says("No device shows this code");

    let (late, allowed) = (screen.begin(SCOPE).await, screen.begin(SCOPE).await);
    allowed.answered(&mut browser, "allow").await;
    app.later(Duration::from_secs(601));
    late.ask().await.oauth(400, "expired_token");
    allowed.ask().await.oauth(400, "expired_token");
    browser.open("/device").await;
    browser.submit("/device", &[("user_code", &late.shown)]).await;
    browser.says("No device shows this code");
    // A setting says how long that is.
    let quick = TestApp::spawn_with(&[("DEODAR_DEVICE_CODE_LIFETIME", "60s")]).await;
    let admin = quick.admin().await;
    let given = quick.television(&admin, json!({})).await.form("/oauth/device_authorization", &[]).await.is(200);
    assert_eq!(given.json["expires_in"], 60);
}

/// RFC 8628 §3.5: a device that asks too often waits longer, and longer for good.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_asks_too_often_is_slowed_down() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let screen = app.television(&admin, json!({})).await;
    let device = screen.begin(SCOPE).await;
    device.ask().await.oauth(400, "authorization_pending");
    device.ask().await.oauth(400, "slow_down");
    app.later(Duration::from_secs(6));
    device.ask().await.oauth(400, "slow_down");
    app.later(Duration::from_secs(11));
    device.ask().await.oauth(400, "slow_down");
    app.later(Duration::from_secs(21));
    device.ask().await.oauth(400, "authorization_pending");
    app.later(Duration::from_secs(21));
    // However many ask at once: one was in time.
    let other = app.second_node().await;
    let there = OAuthClient { http: other.ask(&screen.http), ..screen.clone() };
    let there = Device { client: there, code: device.code.clone(), shown: device.shown.clone() };
    let all = join_all((0..8).map(|n| if n % 2 == 0 { device.ask() } else { there.ask() })).await;
    let of = |error: &str| all.iter().filter(|answer| answer.json["error"] == error).count();
    assert_eq!((of("authorization_pending"), of("slow_down")), (1, 7));
    // And once it was let in, it need not wait.
    let mut browser = app.browser_of(&app.person("ana").await).await;
    device.answered(&mut browser, "allow").await;
    device.ask().await.is(200);
}

/// For devices: one success on all nodes together, and a replay ends what followed.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_is_redeemed_once_n084_n085() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let screen = app.television(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let other = app.second_node().await;
    let device = screen.begin(SCOPE).await;
    device.answered(&mut browser, "allow").await;
    let there = OAuthClient { http: other.ask(&screen.http), ..screen.clone() };
    let there = Device { client: there, code: device.code.clone(), shown: device.shown.clone() };
    let all = join_all((0..16).map(|n| if n % 2 == 0 { device.ask() } else { there.ask() })).await;
    let won: Vec<&Answer> = all.iter().filter(|answer| answer.status == 200).collect();
    assert!(won.len() <= 1);
    assert!(all.iter().filter(|answer| answer.status != 200).all(|answer| answer.json["error"] == "invalid_grant"));

    let device = screen.begin(SCOPE).await;
    device.answered(&mut browser, "allow").await;
    let tokens = device.ask().await.is(200);
    device.ask().await.oauth(400, "invalid_grant");
    app.bearer(&tokens.text_at("/access_token")).get("/oauth/userinfo").await.oauth(401, "invalid_token");
    screen.refresh(&tokens.text_at("/refresh_token"), &[]).await.oauth(400, "invalid_grant");
    assert!(app.count_events("device_code_replayed", "success").await >= 1);
}

/// For devices.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_is_good_for_its_own_client_only_n075_n081_n096() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let (screen, other) = (app.television(&admin, json!({})).await, app.television(&admin, json!({})).await);
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let device = screen.begin(SCOPE).await;
    device.answered(&mut browser, "allow").await;
    let stolen = Device { client: other, code: device.code.clone(), shown: device.shown.clone() };
    stolen.ask().await.oauth(400, "invalid_grant");
    let foreign = Device { client: shop.clone(), ..stolen };
    foreign.ask().await.oauth(400, "unauthorized_client");
    shop.form("/oauth/device_authorization", &[]).await.oauth(400, "unauthorized_client");
    for code in ["garbage", &device.shown, &device.code[..20], &device.code.to_uppercase()] {
        let guess = Device { client: screen.clone(), code: code.to_owned(), shown: String::new() };
        guess.ask().await.oauth(400, "invalid_grant");
    }
    let missing = [("grant_type", GrantType::DEVICE_CODE)];
    screen.form("/oauth/token", &missing).await.oauth(400, "invalid_request");
    screen
        .form("/oauth/token", &[("grant_type", "device_code"), ("device_code", &device.code)])
        .await
        .oauth(400, "unsupported_grant_type");
    let tokens = device.ask().await.is(200);
    let confused = Device { client: screen.clone(), code: tokens.text_at("/refresh_token"), shown: String::new() };
    confused.ask().await.oauth(400, "invalid_grant");
    screen.refresh(&device.code, &[]).await.oauth(400, "invalid_grant");

    // A confidential client proves itself at both endpoints.
    let box_ = app.television(&admin, json!({ "token_endpoint_auth_method": "client_secret_basic" })).await;
    let nobody = OAuthClient { secret: None, ..box_.clone() };
    nobody.form("/oauth/device_authorization", &[]).await.oauth(401, "invalid_client");
    let device = box_.begin(SCOPE).await;
    device.answered(&mut browser, "allow").await;
    let unproven = Device { client: nobody, code: device.code.clone(), shown: String::new() };
    unproven.ask().await.oauth(401, "invalid_client");
    device.ask().await.is(200);
}

/// What the client did not register is left out, and nothing is given that was not asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_gets_what_it_asked_for_and_its_client_may_have_n099_n061() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let screen = app.television(&admin, json!({ "grant_types": [GrantType::DEVICE_CODE] })).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let device = screen.begin("photos offline_access admin authz:check").await;
    device.answered(&mut browser, "allow").await;
    let tokens = device.ask().await.is(200);
    assert_eq!(tokens.json["scope"], "photos");
    assert!(tokens.json.get("refresh_token").is_none() && tokens.json.get("id_token").is_none());
    for bad in ["\"", "a  b", "o\u{0}"] {
        screen.form("/oauth/device_authorization", &[("scope", bad)]).await.oauth(400, "invalid_scope");
    }
    screen.form("/oauth/device_authorization", &[("resource", "x")]).await.oauth(400, "invalid_target");
    let device = {
        let form = [("scope", "photos"), ("resource", "https://api.test/")];
        let given = screen.form("/oauth/device_authorization", &form).await.is(200);
        Device { client: screen.clone(), code: given.text_at("/device_code"), shown: given.text_at("/user_code") }
    };
    device.answered(&mut browser, "allow").await;
    let tokens = device.ask().await.is(200);
    assert_eq!(claims(&tokens.text_at("/access_token"))["aud"], "https://api.test/");
}

/// RFC 9449 §5: a device's tokens are bound to its key, too.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_with_a_key_gets_bound_tokens() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let screen = app.television(&admin, json!({ "dpop_bound_access_tokens": true })).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let (own, other) = (app.prover(), app.prover());
    let device = screen.begin(SCOPE).await;
    device.answered(&mut browser, "allow").await;
    device.ask().await.oauth(400, "invalid_dpop_proof");
    let form = [("grant_type", GrantType::DEVICE_CODE), ("device_code", &*device.code)];
    let tokens = screen.proving(Some(&own), "/oauth/token", &form).await.is(200);
    let (access, refresh) = (tokens.text_at("/access_token"), tokens.text_at("/refresh_token"));
    assert_eq!(claims(&access)["cnf"]["jkt"], own.jkt());
    own.send(&app.anonymous(), Method::GET, "/oauth/userinfo", &access).await.is(200);
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
    screen.proving(Some(&other), "/oauth/token", &form).await.oauth(400, "invalid_grant");
    screen.proving(Some(&own), "/oauth/token", &form).await.is(200);
}
