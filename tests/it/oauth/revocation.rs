//! Revocation (RFC 7009) and introspection of what people authorized; and when the database is away.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::flow::OAuthClient;
use crate::{answer::Answer, app::TestApp, database::Wire};

const NOTHING: &str = "{\"active\":false}";

/// A refresh token is nobody's business but its owner's.
#[tokio::test(flavor = "multi_thread")]
async fn another_client_learns_nothing_of_a_refresh_token_and_ends_nothing_n107_n108_n113() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let (shop, other) = (app.web_client(&admin, json!({})).await, app.web_client(&admin, json!({})).await);
    let pocket = app.public_client(&admin).await;
    let tokens = shop.offline_tokens(&mut app.browser_of(&app.person("ana").await).await).await;
    let (access, refresh) = (tokens.text_at("/access_token"), tokens.text_at("/refresh_token"));
    for token in [&access, &refresh] {
        assert_eq!(other.form("/oauth/introspect", &[("token", token)]).await.is(200).text, NOTHING);
        pocket.form("/oauth/introspect", &[("token", token)]).await.oauth(401, "invalid_client");
        for stranger in [&other, &pocket] {
            stranger.form("/oauth/revoke", &[("token", token)]).await.is(200);
        }
        for hint in ["access_token", "refresh_token", "x"] {
            let form = [("token", token.as_str()), ("token_type_hint", hint)];
            assert_eq!(shop.form("/oauth/introspect", &form).await.is(200).json["active"], true, "{hint}");
        }
    }
    let wrong = OAuthClient { secret: Some("wrong".to_owned()), ..shop.clone() };
    wrong.form("/oauth/revoke", &[("token", &refresh)]).await.oauth(401, "invalid_client");
    shop.refresh(&refresh, &[]).await.is(200);
}

/// What a client gives back is dead on every node, with all that followed from it.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_is_given_back_takes_everything_along_n110_n114_n115_v015_v016() {
    let app = TestApp::spawn().await;
    let second = app.second_node().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    for client in [app.web_client(&admin, json!({})).await, app.public_client(&admin).await] {
        let mut browser = app.browser_of(&ana).await;
        let first = client.offline_tokens(&mut browser).await;
        let other = client.offline_tokens(&mut browser).await;
        let next = client.refresh(&first.text_at("/refresh_token"), &[]).await.is(200);
        let last = next.text_at("/refresh_token");
        let there = OAuthClient { http: second.ask(&client.http), ..client.clone() };
        let answer = there.form("/oauth/revoke", &[("token", &last)]).await.is(200);
        assert_eq!((answer.text.as_str(), answer.header("cache-control")), ("", "no-store"));
        app.agrees_with(&second).await;
        for node in [&client, &there] {
            node.refresh(&last, &[]).await.oauth(400, "invalid_grant");
            for token in [first.text_at("/access_token"), next.text_at("/access_token")] {
                let bearer = crate::actor::Actor { token: Some(token), ..node.http.clone() };
                bearer.get("/oauth/userinfo").await.oauth(401, "invalid_token");
                bearer.get("/api/v1/me").await.problem(401, "unauthorized");
            }
        }
        // Twice does no harm, and what the person authorized besides lives on.
        client.form("/oauth/revoke", &[("token", &last)]).await.is(200);
        client.refresh(&other.text_at("/refresh_token"), &[]).await.is(200);
    }
}

/// A client that is removed, or switched off, takes along what it was given.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_a_client_that_is_gone_n128_v008_v059() {
    for removed in [true, false] {
        let app = TestApp::spawn().await;
        let admin = app.admin().await;
        let shop = app.web_client(&admin, json!({})).await;
        let mut browser = app.browser_of(&app.person("ana").await).await;
        let tokens = shop.offline_tokens(&mut browser).await;
        let code = shop.code(&mut browser, &[]).await;
        if removed {
            admin.delete_client(&shop.id).await.is(204);
        } else {
            admin.update_client(&shop.id, json!({ "active": false })).await.is(200);
        }
        let (access, refresh) = (tokens.text_at("/access_token"), tokens.text_at("/refresh_token"));
        shop.redeem(&code).await.oauth(401, "invalid_client");
        shop.refresh(&refresh, &[]).await.oauth(401, "invalid_client");
        for path in ["/oauth/introspect", "/oauth/revoke", "/oauth/par"] {
            shop.form(path, &[("token", &access)]).await.oauth(401, "invalid_client");
        }
        app.bearer(&access).get("/oauth/userinfo").await.oauth(401, "invalid_token");
        app.bearer(&access).get("/api/v1/me").await.problem(401, "unauthorized");
        let page = browser.get(&shop.path(&[])).await.is(400);
        assert_eq!((page.header("location"), page.header("content-type")), ("", "text/html; charset=utf-8"));
        if !removed {
            admin.update_client(&shop.id, json!({ "active": true })).await.is(200);
            shop.refresh(&refresh, &[]).await.oauth(400, "invalid_grant");
            shop.redeem(&code).await.oauth(400, "invalid_grant");
        }
    }
}

/// While nothing can be known, nothing is said; nor is anything forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_database_nothing_is_said_of_tokens_n109_n116_v014() {
    let short = [("DEODAR_STALENESS_BOUND", "1s"), ("DEODAR_POLL_INTERVAL", "100ms")];
    let (app, cable) = TestApp::spawn_over_cable(&short).await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let tokens = shop.offline_tokens(&mut browser).await;
    let (access, refresh) = (tokens.text_at("/access_token"), tokens.text_at("/refresh_token"));
    assert!(shop.is_active(&access).await);
    cable.make(Wire::Cut);
    let unavailable = |answer: &Answer| {
        assert!(!answer.text.contains("active"), "{}", answer.text);
        answer.status == 503 && !answer.header("retry-after").is_empty()
    };
    let cut = Instant::now();
    // Access tokens are known of for as long as decisions are made.
    while !unavailable(&shop.form("/oauth/revoke", &[("token", &refresh)]).await) {
        assert!(cut.elapsed() < Duration::from_secs(5));
    }
    for token in [&access, &refresh] {
        assert!(unavailable(&shop.form("/oauth/revoke", &[("token", token)]).await));
        while !unavailable_or_active(&shop.form("/oauth/introspect", &[("token", token)]).await) {
            assert!(cut.elapsed() < Duration::from_secs(5));
        }
    }
    let page = browser.get("/oauth/logout").await;
    assert_eq!((page.status, page.header("location")), (503, ""));
    cable.make(Wire::Whole);
    let back = Instant::now();
    for token in [&access, &refresh] {
        while unavailable_or_active(&shop.form("/oauth/introspect", &[("token", token)]).await) {
            assert!(back.elapsed() < Duration::from_secs(10), "not again");
        }
    }
}

/// 503, after what may still be said within the bound.
fn unavailable_or_active(answer: &Answer) -> bool {
    assert!(answer.status == 503 || answer.json["active"] == true, "{} {}", answer.status, answer.text);
    answer.status == 503
}

/// Nothing that somebody sends comes back as a page.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_in_never_comes_out_as_markup_v070() {
    let app = TestApp::spawn_with(&[("DEODAR_REGISTRATION", "open")]).await;
    let admin = app.admin().await;
    let probe = "\"><script>alert(1)</script><b x='";
    let shop = app.web_client(&admin, json!({})).await;
    for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect", "/oauth/par"] {
        for name in ["grant_type", "scope", "token", "code", "client_secret", "redirect_uri", "request", probe] {
            let answer = shop.form(path, &[(name, probe)]).await;
            assert!(answer.status >= 200 && answer.status < 500, "{path} {name}");
            if !answer.text.is_empty() {
                assert_eq!(answer.header("content-type"), "application/json", "{path} {name}: {}", answer.text);
            }
            assert_eq!(answer.header("x-content-type-options"), "nosniff");
        }
    }
    let evil = json!({ "client_name": probe, "redirect_uris": ["https://evil.test/cb"], probe: probe,
        "post_logout_redirect_uris": ["https://evil.test/bye"] });
    let made = app.anonymous().post("/oauth/register", &evil).await.is(201);
    let evil = OAuthClient {
        id: made.text_at("/client_id"),
        secret: Some(made.text_at("/client_secret")),
        redirect_uri: "https://evil.test/cb".to_owned(),
        http: app.anonymous(),
    };
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let query = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs([("client_id", &*evil.id), ("state", probe), ("logout_hint", probe), (probe, probe)])
        .finish();
    for path in [
        evil.path(&[("state", probe), ("login_hint", probe)]),
        evil.path(&[("redirect_uri", probe)]),
        evil.path(&[("client_id", probe)]),
        format!("/oauth/logout?{query}"),
        format!("/oauth/logout?{query}&client_id=x"),
    ] {
        let page = browser.open(&path).await;
        assert!(page.header("content-type").starts_with("text/html"), "{path}");
        assert!(!page.text.contains("<script") && !page.text.contains("<b "), "{path}: {}", page.text);
        assert!(page.header("content-security-policy").contains("default-src 'none'"), "{path}");
    }
}

/// By every way of registering a client.
#[tokio::test(flavor = "multi_thread")]
async fn no_address_that_runs_or_reads_anything_is_registered_v071() {
    let app = TestApp::spawn_with(&[("DEODAR_REGISTRATION", "open")]).await;
    let admin = app.admin().await;
    for bad in [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        " javascript:alert(1)",
        "javascript.x:alert(1)//",
        "data:text/html,x",
        "vbscript:x",
        "blob:https://shop.test/x",
        "file:///etc/passwd",
        "https:shop.test",
        "https://",
    ] {
        for name in [
            "client_uri",
            "logo_uri",
            "tos_uri",
            "policy_uri",
            "jwks_uri",
            "sector_identifier_uri",
            "backchannel_logout_uri",
        ] {
            let mut body = json!({ "client_name": "Shop", "redirect_uris": ["https://shop.test/cb"],
                "grant_types": ["authorization_code"] });
            body[name] = json!(bad);
            let answer = app.anonymous().post("/oauth/register", &body).await;
            assert_eq!(answer.status, 400, "{name} = {bad:?}: {}", answer.text);
            let answer = admin.create_client(body).await;
            assert_eq!(answer.status, 422, "{name} = {bad:?}: {}", answer.text);
        }
    }
    // Not a member of ours: left out, never shown.
    let body = json!({ "client_name": "Shop", "redirect_uris": ["https://shop.test/cb"],
        "initiate_login_uri": "javascript:alert(1)", "default_redirect_uri": "javascript:alert(1)" });
    let made = app.anonymous().send(Method::POST, "/oauth/register", Some(&body)).await.is(201);
    assert!(!made.text.contains("javascript"), "{}", made.text);
}
