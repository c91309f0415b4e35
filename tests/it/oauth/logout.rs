//! `/oauth/logout` (OpenID Connect RP-Initiated Logout 1.0).

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use deodar::{
    crypto::SigningKey,
    model::{Algorithm, Login, SessionId, UserId},
    store,
    tokens::IdToken,
};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::part;
use crate::{actor::Actor, answer::Answer, app::TestApp, browser::Browser};

const BACK: &str = "https://shop.example/bye";
const LOGOUT: &str = "/oauth/logout";
const CONFIRM: &str = "/oauth/logout/confirm";

/// Somebody signed in in a browser, who came to an application.
struct Scene {
    app: TestApp,
    admin: Actor,
    user: UserId,
    browser: Browser,
    client: String,
}

async fn client(admin: &Actor, name: &str, back: &[&str]) -> String {
    let native = back.iter().any(|uri| uri.starts_with("http://"));
    let redirect = if native { "http://127.0.0.1/cb" } else { "https://shop.example/cb" };
    let body = json!({ "client_name": name, "scope": "openid", "grant_types": ["authorization_code"],
        "redirect_uris": [redirect], "post_logout_redirect_uris": back });
    admin.create_client(body).await.is(201).text_at("/client_id")
}

impl Scene {
    async fn new() -> Self {
        let app = TestApp::spawn().await;
        let admin = app.admin().await;
        let user = app.resident("ana").await;
        let browser = app.signed_in("ana").await;
        let client = client(&admin, "Shop", &[BACK, "https://shop.example/bye?x=1"]).await;
        Self { app, admin, user, browser, client }
    }

    async fn session(&self) -> SessionId {
        let all = self.app.node().app.accounts.list_sessions(self.user).await.unwrap();
        all.first().expect("a session").id
    }

    async fn is_signed_in(&self) -> bool {
        !self.app.node().app.accounts.list_sessions(self.user).await.unwrap().is_empty()
    }

    /// An ID token of the session, for this client.
    async fn id_token(&self) -> String {
        self.id_token_of(self.session().await, &self.client).await
    }

    async fn id_token_of(&self, session: SessionId, client: &str) -> String {
        let app = &self.app.node().app;
        let client = store::clients::find(&app.pool, &client.parse().unwrap()).await.unwrap().unwrap();
        let login = Login { user: self.user, session, auth_time: self.app.clock.now(), amr: vec!["pwd".to_owned()] };
        let subject = store::subjects::name(&app.pool, &client, self.user).await.unwrap();
        let token = IdToken {
            client: &client,
            subject: &subject,
            login: &login,
            nonce: None,
            access_token: "x",
            claims: Map::new(),
        };
        app.tokens.issue_id(token).unwrap()
    }

    async fn get(&mut self, query: &[(&str, &str)]) -> Answer {
        let answer = self.browser.get(&path(query)).await;
        LOGOUT.clone_into(&mut self.browser.at);
        answer
    }

    /// Expects to be asked, and to be signed in still; nothing leads elsewhere.
    async fn asked(&mut self, query: &[(&str, &str)], what: &str) {
        let answer = self.get(query).await.is(200);
        assert_eq!(answer.header("location"), "", "{what}");
        self.browser.page = answer;
        self.browser.says("Sign out?");
        assert!(self.is_signed_in().await, "{what}");
    }
}

fn path(query: &[(&str, &str)]) -> String {
    format!("{LOGOUT}?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_signs_its_person_out_and_gets_them_back_n129_n134() {
    let mut scene = Scene::new().await;
    let cookie = scene.browser.session().unwrap();
    let hint = scene.id_token().await;
    let state = "a b&\"<>%0d\r\n=?#é";
    let query = [("id_token_hint", &*hint), ("post_logout_redirect_uri", BACK), ("state", state)];
    let answer = scene.get(&query).await.is(303);
    let location = answer.header("location");
    let (uri, query) = location.split_once('?').unwrap();
    assert_eq!(uri, BACK);
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    assert_eq!(pairs, [("state".to_owned(), state.to_owned())]);
    assert!(!scene.is_signed_in().await);
    assert_eq!(scene.browser.session(), None);
    scene.browser.cookies.insert("__Host-deodar".to_owned(), cookie);
    scene.browser.open("/account").await;
    scene.browser.is_at("/login");
    assert_eq!(scene.app.count_events("sign_out", "success").await, 1);
}

/// Also without a state, with a query of its own, without anywhere to go; N-132: `client_id` may come along.
#[tokio::test(flavor = "multi_thread")]
async fn everything_but_the_hint_may_be_left_out_n129_n132() {
    for (more, location) in [
        (vec![("post_logout_redirect_uri", BACK)], BACK),
        (vec![("post_logout_redirect_uri", "https://shop.example/bye?x=1")], "https://shop.example/bye?x=1"),
        (
            vec![("post_logout_redirect_uri", "https://shop.example/bye?x=1"), ("state", "s")],
            "https://shop.example/bye?x=1&state=s",
        ),
        (vec![("post_logout_redirect_uri", BACK), ("state", ""), ("logout_hint", "x"), ("ui_locales", "se")], BACK),
        (vec![("post_logout_redirect_uri", BACK), ("extra", "foobar"), ("client_id", "THIS")], BACK),
        (vec![], ""),
        (vec![("state", "s")], ""),
    ] {
        let mut scene = Scene::new().await;
        let (hint, client) = (scene.id_token().await, scene.client.clone());
        let mut query = vec![("id_token_hint", hint.as_str())];
        query.extend(more.iter().map(|(name, value)| (*name, if *value == "THIS" { &*client } else { *value })));
        let answer = scene.get(&query).await.is(if location.is_empty() { 200 } else { 303 });
        assert_eq!(answer.header("location"), location, "{more:?}");
        assert!(!scene.is_signed_in().await && scene.browser.session().is_none(), "{more:?}");
        assert!(!location.is_empty() || answer.text.contains("You are signed out"), "{}", answer.text);
    }
}

/// By a form, and with an ID token that expired.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_and_an_expired_hint_do_as_well_n133() {
    let mut scene = Scene::new().await;
    let hint = scene.id_token().await;
    scene.app.later(Duration::from_hours(2));
    let fields = [("id_token_hint", &*hint), ("post_logout_redirect_uri", BACK), ("state", "s")];
    let request = scene.browser.request(LOGOUT).header("sec-fetch-site", "same-site").form(&fields);
    let answer = scene.browser.send(request).await.is(303);
    assert_eq!(answer.header("location"), format!("{BACK}?state=s"));
    assert!(!scene.is_signed_in().await);

    // From elsewhere it comes without our cookies: a link brings them.
    let mut scene = Scene::new().await;
    let hint = scene.id_token().await;
    let fields = [("id_token_hint", &*hint), ("post_logout_redirect_uri", BACK), ("state", "s")];
    let request = scene.app.browser().request(LOGOUT).header("sec-fetch-site", "cross-site").form(&fields);
    let answer = Answer::read(request.send().await.unwrap()).await.is(303);
    assert!(scene.is_signed_in().await);
    let there = answer.header("location").to_owned();
    assert!(there.starts_with("/oauth/logout?"), "{there}");
    let answer = scene.browser.get(&there).await.is(303);
    assert_eq!(answer.header("location"), format!("{BACK}?state=s"));
    assert!(!scene.is_signed_in().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_where_the_client_did_not_register_n130() {
    let mut scene = Scene::new().await;
    let hint = scene.id_token().await;
    for uri in [
        "https://evil.example/bye",
        "https://shop.example/bye/",
        "https://shop.example/BYE",
        "https://shop.example/bye?y=1",
        "https://shop.example/bye?x=1&y=2",
        "https://shop.example/bye?",
        "https://shop.example/bye#x",
        "https://shop.example:443/bye",
        "HTTPS://shop.example/bye",
        "https://shop.example./bye",
        "https://user@shop.example/bye",
        "https://shop.example/%62ye",
        "https://shop.example/x/../bye",
        "https://shop.example/cb",
        "//shop.example/bye",
        "/bye",
        "javascript:alert(1)",
        "https://shop.example/bye\r\nx: y",
    ] {
        scene.asked(&[("id_token_hint", &hint), ("post_logout_redirect_uri", uri)], uri).await;
        let page = scene.browser.submit(CONFIRM, &[]).await;
        assert_eq!((page.status, page.header("location")), (200, ""), "{uri}");
        scene.browser.says("You are signed out");
        // Nor when nobody is signed in.
        let query = [("id_token_hint", &*hint), ("post_logout_redirect_uri", uri), ("client_id", &*scene.client)];
        let answer =
            Answer::read(scene.app.anonymous().request(reqwest::Method::GET, &path(&query)).send().await.unwrap())
                .await
                .is(200);
        assert_eq!(answer.header("location"), "", "{uri}");
        scene.browser.sign_in("ana", crate::pages::PASSWORD).await;
    }
}

/// Whatever does not come from the person's own application, they are asked about.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_asked_where_the_hint_does_not_speak_for_them_n130_n131() {
    let mut scene = Scene::new().await;
    let own = scene.id_token().await;
    let session = scene.session().await;
    let client_id = scene.client.clone();
    let parts: Vec<&str> = own.split('.').collect();
    let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let mut claims = part(&own, 1);
    claims["sid"] = json!(session.to_string());
    let (foreign, _) = SigningKey::generate(Algorithm::Rs256).unwrap();
    let access = scene.app.admin().await.token.unwrap();
    let other_session = scene.id_token_of(SessionId::new(), &scene.client).await;
    let other_person = {
        let ben = scene.app.resident("ben").await;
        let ana = std::mem::replace(&mut scene.user, ben);
        let token = scene.id_token_of(session, &scene.client).await;
        scene.user = ana;
        token
    };
    let gone = {
        let client = client(&scene.admin, "Gone", &[BACK]).await;
        let token = scene.id_token_of(session, &client).await;
        scene.admin.delete_client(&client).await.is(204);
        token
    };
    let none =
        format!("{}.{}.", encode(&json!({ "alg": "none", "typ": "JWT", "kid": part(&own, 0)["kid"] })), parts[1]);
    let mut renamed = claims.clone();
    renamed["sub"] = json!("x");
    for (what, hint) in [
        ("tampered", format!("{}.{}.{}", parts[0], encode(&renamed), parts[2])),
        ("signed by somebody else", foreign.sign("JWT", &claims).unwrap()),
        ("unsigned", none),
        ("an access token", access),
        ("garbage", "garbage".to_owned()),
        ("of a client that is gone", gone),
    ] {
        let query = [("id_token_hint", &*hint), ("post_logout_redirect_uri", BACK), ("client_id", &*client_id)];
        // The client is not known by such a hint, whatever else is said.
        let answer = scene.get(&query).await;
        assert!(answer.status == 400 || answer.status == 200, "{what}");
        assert_eq!(answer.header("location"), "", "{what}");
        assert!(scene.is_signed_in().await, "{what}");
        scene.asked(&query[..2], what).await;
        assert!(!scene.browser.page.text.contains("shop.example"), "{what}: {}", scene.browser.page.text);
    }
    for (what, hint) in [("of another session", other_session), ("of another person", other_person)] {
        scene.asked(&[("id_token_hint", &hint), ("post_logout_redirect_uri", BACK)], what).await;
        scene.browser.says("<strong>Shop</strong>");
    }
    for (what, query) in [
        ("nothing", vec![]),
        ("a place alone", vec![("post_logout_redirect_uri", BACK)]),
        ("a state alone", vec![("state", "s")]),
        ("a name alone", vec![("logout_hint", "ana")]),
    ] {
        scene.asked(&query, what).await;
        assert!(!scene.browser.page.text.contains("shop.example"), "{what}");
    }
    // The page is a form of ours: nobody else sends it.
    let form = [("client_id", scene.client.as_str())];
    let request = scene.browser.request(CONFIRM).header("sec-fetch-site", "cross-site").form(&form);
    scene.browser.send(request).await.is(403);
    let request = scene.browser.request(CONFIRM).form(&form);
    scene.browser.send(request).await.is(403);
    assert!(scene.is_signed_in().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_agrees_goes_on_to_the_client() {
    let mut scene = Scene::new().await;
    let client = scene.client.clone();
    let query = [("client_id", &*client), ("post_logout_redirect_uri", BACK), ("state", "a\"><b>")];
    scene.asked(&query, "by client_id").await;
    assert!(!scene.browser.page.text.contains("<b>"), "V-070: {}", scene.browser.page.text);
    assert!(scene.browser.page.header("content-security-policy").contains("form-action 'self' https://shop.example"));
    // What the page carries is judged again when it comes back.
    let evil = "https://evil.example/";
    let mut form = scene.browser.filled(CONFIRM, &[("post_logout_redirect_uri", evil)]);
    let answer = scene.browser.post(CONFIRM, &form).await.is(200);
    assert_eq!(answer.header("location"), "");
    assert!(!scene.is_signed_in().await);
    scene.browser.sign_in("ana", crate::pages::PASSWORD).await;
    scene.asked(&query, "by client_id").await;
    form = scene.browser.filled(CONFIRM, &[]);
    let answer = scene.browser.post(CONFIRM, &form).await.is(303);
    assert_eq!(answer.header("location"), format!("{BACK}?state=a%22%3E%3Cb%3E"));
    assert!(!scene.is_signed_in().await && scene.browser.session().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_contradicts_itself_is_refused_n132_n015() {
    let mut scene = Scene::new().await;
    let hint = scene.id_token().await;
    let other = client(&scene.admin, "Other", &[BACK]).await;
    for id in [&*other, "nobody", "\"><script>"] {
        let answer =
            scene.get(&[("id_token_hint", &hint), ("client_id", id), ("post_logout_redirect_uri", BACK)]).await;
        assert_eq!(answer.header("location"), "");
        assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
        answer.is(400);
    }
    for name in ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"] {
        let query = [("id_token_hint", &*hint), ("post_logout_redirect_uri", BACK), (name, "1"), (name, "2")];
        scene.get(&query).await.is(400);
    }
    let answer = scene.browser.get("/oauth/logout?state=%ff").await.is(400);
    assert_eq!(answer.header("location"), "");
    assert!(scene.is_signed_in().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_signed_in_goes_back_by_a_hint_alone() {
    let scene = Scene::new().await;
    let hint = scene.id_token().await;
    let mut stranger = scene.app.browser();
    let go = [("post_logout_redirect_uri", BACK), ("state", "s")];
    let answer = stranger.get(&path(&[&[("id_token_hint", &*hint)], &go[..]].concat())).await.is(303);
    assert_eq!(answer.header("location"), format!("{BACK}?state=s"));
    for more in [vec![], vec![("client_id", scene.client.as_str())], vec![("id_token_hint", "garbage")]] {
        let answer = stranger.get(&path(&[&more, &go[..]].concat())).await.is(200);
        assert_eq!(answer.header("location"), "", "{more:?}");
        assert!(answer.text.contains("You are signed out"));
    }
    // A hint is no key to somebody else's browser.
    assert!(scene.is_signed_in().await);
}

/// As for redirect URIs.
#[tokio::test(flavor = "multi_thread")]
async fn only_the_port_of_a_loopback_address_is_free_n009_n010() {
    let mut scene = Scene::new().await;
    let native = client(&scene.admin, "Native", &["http://127.0.0.1/bye", "com.example.shop:/bye"]).await;
    for (uri, good) in [
        ("http://127.0.0.1:49152/bye", true),
        ("http://127.0.0.1/bye", true),
        ("com.example.shop:/bye", true),
        ("http://127.0.0.1:49152/bye/", false),
        ("http://127.0.0.1:49152/bye?x", false),
        ("http://localhost:49152/bye", false),
        ("http://127.0.0.1:1@evil.example/bye", false),
        ("https://127.0.0.1:49152/bye", false),
    ] {
        let hint = scene.id_token_of(scene.session().await, &native).await;
        let answer = scene.get(&[("id_token_hint", &hint), ("post_logout_redirect_uri", uri)]).await;
        assert_eq!(answer.header("location"), if good { uri } else { "" }, "{uri}");
        assert_eq!(scene.is_signed_in().await, !good, "{uri}");
        if good {
            scene.browser.sign_in("ana", crate::pages::PASSWORD).await;
        }
    }
}

/// The pages of it, and an error of it.
#[tokio::test(flavor = "multi_thread")]
async fn its_pages_are_kept_out_of_caches_and_frames_n030_n032() {
    let mut scene = Scene::new().await;
    let hint = scene.id_token().await;
    for query in [vec![], vec![("id_token_hint", hint.as_str()), ("client_id", "x")], vec![("id_token_hint", &hint)]] {
        let answer = scene.get(&query).await;
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert!(answer.headers.keys().all(|name| !name.as_str().starts_with("access-control-")));
    }
}
