//! The authorization endpoint: what is asked, and where the answer goes (security §1.1, §2.1).

use std::time::{Duration, Instant};

use serde_json::json;

use super::flow::{VERIFIER, challenge};
use crate::{answer::Answer, app::TestApp, browser::Browser, database::Wire};

/// Expects a page of our own that leads nowhere.
#[track_caller]
fn stays(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.header("location")), (400, ""), "{what}: {}", answer.text);
    assert!(answer.header("content-type").starts_with("text/html"), "{what}");
    assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"), "{what}");
    assert!(!answer.text.contains("evil"), "{what}: {}", answer.text);
}

/// By GET and by POST.
#[tokio::test(flavor = "multi_thread")]
async fn a_good_request_comes_back_with_a_code_and_with_what_was_sent_n001_n002_n020_n031_n055_n056() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    let state = format!("{}&\"<>\r\n\0 +%", "x".repeat(2048));
    let returned = shop.authorize(&mut browser, &[("state", &state)]).await;
    assert_eq!(returned.uri, "https://meadow.test/cb");
    assert_eq!(returned.fields.keys().collect::<Vec<_>>(), ["code", "iss", "state"]);
    assert_eq!(returned.fields["state"], state);
    let by_get = shop.redeem(&returned.code()).await.is(200);

    let answer = browser.post("/oauth/authorize", &shop.parameters(&[("nonce", "")])).await.is(303);
    browser.at = answer.header("location").to_owned();
    let by_post = shop.redeem(&shop.returned(&browser).code()).await.is(200);
    let id = |answer: &Answer| super::part(&answer.text_at("/id_token"), 1);
    assert_eq!((&id(&by_get)["nonce"], &id(&by_get)["sub"]), (&json!("n-1"), &json!(ana.id())));
    assert_eq!((id(&by_post).get("nonce"), &id(&by_post)["sub"]), (None, &json!(ana.id())));
}

/// Nobody is sent to an address that is not the client's.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_redirected_before_the_client_and_its_address_are_proven_n003_to_n008_n011_n015_v001_v002_v003_v005()
{
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let uris = ["https://a.test/cb", "https://a.test/q?foo=bar"];
    let shop = app.web_client(&admin, json!({ "redirect_uris": uris })).await;
    let ana = app.person("ana").await;
    for mut browser in [Browser::new(&app.node().base), app.browser_of(&ana).await] {
        for id in ["", "unknown", "\0", &shop.id.to_uppercase()] {
            stays(&browser.get(&shop.path(&[("client_id", id)])).await, id);
        }
        for uri in [
            "",
            "https://a.test/cb/",
            "https://a.test/cb?x=1",
            "https://a.test/CB",
            "https://a.test/cb/../cb",
            "https://a.test/%63b",
            "https://a.test:443/cb",
            "HTTPS://a.test/cb",
            "https://A.test/cb",
            "https://a.test./cb",
            "https://u@a.test/cb",
            "https://a.test/cb#x",
            "https://a.test/cb#",
            "https://a.test/cb/../evil",
            "https://a.test/cb/..%2f..%2fevil",
            "https://a.test/cb/%252f..%252fevil",
            "https://a.test/cb/..;/evil",
            "https://aXtest/cb",
            "https://a.test/cb/\t//evil",
            "\\\\evil",
            "https://a.test\\@evil.test/cb",
            "http://a.test/cb",
            "https://evil.test/cb",
            "https://a.test.evil.test/cb",
            "http://127.0.0.1:5000/cb",
            "javascript:alert(1)",
            "https://a.test/q",
            "https://a.test/q?foo=baz",
            "https://a.test/q?foo=bar&evil=1",
        ] {
            stays(&browser.get(&shop.path(&[("redirect_uri", uri)])).await, uri);
        }
        for name in ["client_id", "redirect_uri"] {
            let twice = shop.parameters(&[]).into_iter().find(|(known, _)| known == name).unwrap().1;
            stays(&browser.get(&shop.path(&[(name, &twice), (name, &twice)])).await, name);
        }
    }
}

/// The answer is appended to a registered query.
#[tokio::test(flavor = "multi_thread")]
async fn a_registered_query_stays_n007() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({ "redirect_uris": ["https://a.test/q?foo=bar"] })).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let returned = shop.authorize(&mut browser, &[]).await;
    assert_eq!((returned.uri.as_str(), returned.fields["foo"].as_str()), ("https://a.test/q", "bar"));
    shop.redeem(&returned.code()).await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_port_of_a_native_clients_loopback_address_is_free_n009_n010() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let pocket = app.public_client(&admin).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let uri = "http://127.0.0.1:49152/cb";
    let code = pocket.code(&mut browser, &[("redirect_uri", uri)]).await;
    assert!(browser.at.starts_with(uri));
    pocket.redeem_with(&code, &[("redirect_uri", uri)]).await.is(200);
    for uri in [
        "http://localhost:49152/cb",
        "http://localhost.evil.test/cb",
        "http://127.0.0.1@evil.test/cb",
        "http://localhost:80@evil.test/",
        "http://127.0.0.1:49152/cb/x",
        "http://127.0.0.1:49152/cb?x",
    ] {
        stays(&browser.get(&pocket.path(&[("redirect_uri", uri)])).await, uri);
    }
}

/// Told to the client, by its own address.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_else_is_wrong_is_told_to_the_client_n012_to_n016_n018_n019_n021_to_n029_n039_n040_n047_n051() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let pocket = app.public_client(&admin).await;
    let ana = app.person("ana").await;
    let (long, many) = ("a".repeat(129), "s ".repeat(10_000));
    let padded = format!("{}=", challenge(VERIFIER));
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("invalid_request", &[("response_type", "")]),
        ("unsupported_response_type", &[("response_type", "none")]),
        ("unsupported_response_type", &[("response_type", "CODE")]),
        ("invalid_request", &[("scope", "openid"), ("scope", "openid")]),
        ("invalid_request", &[("nonce", "a"), ("nonce", "a")]),
        ("invalid_request", &[("unheard", "a"), ("unheard", "b")]),
        ("invalid_scope", &[("scope", "open\"id")]),
        ("invalid_scope", &[("scope", "open\\id")]),
        ("invalid_scope", &[("scope", "openid\0")]),
        ("invalid_scope", &[("scope", "openid\nprofile")]),
        ("invalid_scope", &[("scope", "openid  profile")]),
        ("invalid_scope", &[("scope", &many)]),
        ("invalid_request", &[("code_challenge_method", "")]),
        ("invalid_request", &[("code_challenge_method", "plain")]),
        ("invalid_request", &[("code_challenge_method", "s256")]),
        ("invalid_request", &[("code_challenge_method", "S512")]),
        ("invalid_request", &[("code_challenge", "")]),
        ("invalid_request", &[("code_challenge", ""), ("code_challenge_method", "")]),
        ("invalid_request", &[("code_challenge", &long[..42])]),
        ("invalid_request", &[("code_challenge", &long)]),
        ("invalid_request", &[("code_challenge", &padded)]),
        ("invalid_request", &[("code_challenge", "+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/+/A")]),
        ("request_not_supported", &[("request", "eyJhbGciOiJub25lIn0.e30.")]),
        ("request_uri_not_supported", &[("request_uri", "https://evil.test/request")]),
        ("registration_not_supported", &[("registration", "{}")]),
        ("invalid_request", &[("response_mode", "web_message")]),
        ("invalid_request", &[("response_mode", "fragment")]),
        ("invalid_request", &[("prompt", "none login")]),
        ("invalid_request", &[("prompt", "create")]),
        ("invalid_request", &[("max_age", "-1")]),
        ("invalid_request", &[("max_age", "+1")]),
        ("invalid_request", &[("max_age", "abc")]),
        ("invalid_request", &[("max_age", "9223372036854775808")]),
        ("invalid_request", &[("id_token_hint", "garbage")]),
        ("invalid_request", &[("id_token_hint", "eyJhbGciOiJub25lIn0.W10.")]),
        ("invalid_request", &[("claims", "[]")]),
        ("invalid_request", &[("claims", "{\"userinfo\":7}")]),
        ("invalid_request", &[("claims", "{\"id_token\":{\"acr\":true}}")]),
        ("invalid_target", &[("resource", "not-a-uri")]),
        ("invalid_target", &[("resource", "https://api.test/#x")]),
        ("invalid_request", &[("dpop_jkt", "short")]),
    ];
    for mut browser in [Browser::new(&app.node().base), app.browser_of(&ana).await] {
        for client in [&shop, &pocket] {
            for (error, more) in cases {
                let asked = Instant::now();
                let path = client.path(more);
                let answer = if path.len() < 60_000 {
                    browser.get(&path).await
                } else {
                    browser.post("/oauth/authorize", &client.parameters(more)).await
                };
                assert_eq!(answer.status, 303, "{more:?}: {}", answer.text);
                answer.header("location").clone_into(&mut browser.at);
                let returned = client.returned(&browser);
                returned.error(error);
                assert_eq!(returned.uri, client.redirect_uri);
                assert_eq!(returned.fields["state"], "st&te=1 ä");
                assert!(asked.elapsed() < Duration::from_secs(1), "{more:?}: {:?}", asked.elapsed());
                assert!(!browser.at.contains("evil"), "{more:?}: {}", browser.at);
            }
        }
        // N-015: a state that is there twice is nobody's.
        let answer = browser.get(&shop.path(&[("state", "a"), ("state", "b")])).await.is(303);
        let to = answer.header("location");
        assert!(to.contains("error=invalid_request") && !to.contains("state="), "{to}");
        // N-013: where the type would have answered in the fragment, so does the error.
        for ty in ["token", "id_token", "code token", "code id_token"] {
            let answer = browser.get(&shop.path(&[("response_type", ty)])).await.is(303);
            let to = answer.header("location");
            assert!(to.starts_with("https://meadow.test/cb#error=unsupported_response_type&"), "{to}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_without_the_code_grant_is_told_so_n014() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let more = json!({ "grant_types": ["client_credentials"] });
    let shop = app.web_client(&admin, more).await;
    let mut browser = Browser::new(&app.node().base);
    browser.open(&shop.path(&[])).await;
    shop.returned(&browser).error("unauthorized_client");
}

/// What is empty, unknown or not registered does no harm.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_known_is_passed_over_n016_n017_n018_n052() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    for more in [
        [("extra", "foobar"), ("display", "page")],
        [("display", "popup"), ("ui_locales", "se")],
        [("claims_locales", "se"), ("acr_values", "1 2")],
        [("scope", "openid address phone"), ("nonce", "")],
    ] {
        let code = shop.code(&mut browser, &more).await;
        assert_eq!(shop.redeem(&code).await.is(200).json["scope"], "openid");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_stay_out_of_frames_caches_and_scripts_n030_n032() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let consent = browser.open(&shop.path(&[])).await;
    assert_eq!(consent.status, 200);
    let mut answers = vec![browser.get(&shop.path(&[("client_id", "x")])).await];
    answers.push(browser.get(&shop.path(&[("response_type", "")])).await);
    answers.push(browser.get(&browser.at.clone()).await);
    for answer in &answers {
        assert_eq!(answer.header("x-frame-options"), "DENY");
        assert!(answer.header("content-security-policy").contains("frame-ancestors 'none'"));
        assert_eq!((answer.header("referrer-policy"), answer.header("cache-control")), ("no-referrer", "no-store"));
    }
    for method in [reqwest::Method::GET, reqwest::Method::OPTIONS] {
        let request = app.anonymous().request(method, &shop.path(&[]));
        let request = request.header("origin", "https://evil.test").header("access-control-request-method", "GET");
        let answer = Answer::read(request.send().await.unwrap()).await;
        assert!(!answer.headers.keys().any(|name| name.as_str().starts_with("access-control-")));
    }
}

/// The form post response mode, where scripts are off: the page names the client's address and nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_can_travel_by_a_form() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    browser.open(&shop.path(&[("response_mode", "form_post")])).await;
    browser.submit("/consent", &[("decision", "allow")]).await;
    assert!(browser.page.header("content-security-policy").contains("form-action https://meadow.test;"));
    let fields = browser.filled("https://meadow.test/cb", &[]);
    let code = fields.iter().find(|(name, _)| name == "code").unwrap().1.clone();
    assert!(fields.contains(&("state".to_owned(), "st&te=1 ä".to_owned())));
    assert!(fields.contains(&("iss".to_owned(), crate::app::ISSUER.to_owned())));
    shop.redeem(&code).await.is(200);
    let error = browser.get(&shop.path(&[("response_mode", "form_post"), ("max_age", "x")])).await.is(200);
    browser.page = error;
    assert!(
        browser.filled("https://meadow.test/cb", &[]).contains(&("error".to_owned(), "invalid_request".to_owned()))
    );
}

/// (RFC 9700 §4.11.2): a client that registered itself cannot make our address lead to its own without a person.
#[tokio::test(flavor = "multi_thread")]
async fn a_self_registered_client_bounces_nobody_who_is_not_logged_in_n033() {
    let app = TestApp::spawn_with(&[("DEODAR_REGISTRATION", "open")]).await;
    app.admin().await;
    let ana = app.person("ana").await;
    let body = json!({ "redirect_uris": ["https://evil.test/cb"], "client_name": "Evil" });
    let made = app.anonymous().post("/oauth/register", &body).await.is(201);
    let evil = super::flow::OAuthClient {
        id: made.text_at("/client_id"),
        secret: Some(made.text_at("/client_secret")),
        redirect_uri: "https://evil.test/cb".to_owned(),
        http: app.anonymous(),
    };
    let mut browser = Browser::new(&app.node().base);
    for more in [[("scope", "\"")], [("response_type", "token")], [("max_age", "x")]] {
        browser.open(&evil.path(&more)).await;
        browser.is_at("/login");
    }
    browser.open(&evil.path(&[("prompt", "none")])).await;
    evil.returned(&browser).error("login_required");
    let mut browser = app.browser_of(&ana).await;
    browser.open(&evil.path(&[("scope", "\"")])).await;
    evil.returned(&browser).error("invalid_scope");
    // N-125: it is shown for what it is.
    browser.open(&evil.path(&[])).await;
    browser.is_at("/consent");
    browser.says("Not verified.");
}

/// Without the database nobody is authorized, and whoever comes back later is.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_there_is_no_code_n035() {
    let (app, cable) = TestApp::spawn_over_cable(&[]).await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    shop.code(&mut browser, &[]).await;
    cable.make(Wire::Cut);
    let form = shop.parameters(&[]);
    for answer in [browser.get(&shop.path(&[])).await, browser.post("/oauth/authorize", &form).await] {
        assert_eq!((answer.status, answer.header("location")), (503, ""), "{}", answer.text);
        assert!(answer.header("content-type").starts_with("text/html") && !answer.header("retry-after").is_empty());
    }
    cable.make(Wire::Whole);
    let codes = "SELECT count(*) FROM authorization_codes";
    let made: i64 = sqlx::query_scalar(codes).fetch_one(&mut app.database.connect().await).await.unwrap();
    assert_eq!(made, 1);
    // The wire is there again a moment later.
    let begun = Instant::now();
    while app.node().app.pdp.refresh().await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(20), "the database stays away");
    }
    shop.code(&mut browser, &[]).await;
}
