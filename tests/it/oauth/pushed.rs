//! Pushed authorization requests (RFC 9126).

use std::time::Duration;

use serde_json::json;

use super::flow::OAuthClient;
use crate::{answer::Answer, app::TestApp, browser::Browser, person::PASSWORD};

impl OAuthClient {
    async fn push(&self, more: &[(&str, &str)]) -> Answer {
        let parameters = self.parameters(more);
        let form: Vec<(&str, &str)> = parameters
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .filter(|(n, _)| *n != "client_id")
            .collect();
        self.form("/oauth/par", &form).await
    }

    fn pushed_path(&self, uri: &str) -> String {
        let pairs = [("client_id", self.id.as_str()), ("request_uri", uri)];
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        format!("/oauth/authorize?{query}")
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_request_is_worth_one_answer() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let more = json!({ "require_pushed_authorization_requests": true });
    let shop = app.web_client(&admin, more).await;
    let other = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    browser.open(&shop.path(&[])).await;
    shop.returned(&browser).error("invalid_request");

    let pushed = shop.push(&[]).await.is(201);
    assert_eq!((pushed.header("cache-control"), &pushed.json["expires_in"]), ("no-store", &json!(90)));
    let path = shop.pushed_path(&pushed.text_at("/request_uri"));
    let foreign = other.pushed_path(&pushed.text_at("/request_uri"));
    assert_eq!(browser.get(&foreign).await.status, 400);
    browser.open(&path).await;
    browser.submit("/consent", &[("decision", "allow")]).await;
    shop.redeem(&shop.returned(&browser).code()).await.is(200);
    assert_eq!(browser.get(&path).await.status, 400, "it was used");

    let path = shop.pushed_path(&shop.push(&[]).await.is(201).text_at("/request_uri"));
    browser.open(&path).await;
    shop.returned(&browser).code();
    assert_eq!(browser.get(&path).await.status, 400, "it was used");
    let path = shop.pushed_path(&shop.push(&[]).await.is(201).text_at("/request_uri"));
    app.later(Duration::from_secs(91));
    assert_eq!(browser.get(&path).await.status, 400, "it waited too long");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_granted_cannot_be_pushed() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let pocket = app.public_client(&admin).await;
    for client in [&shop, &pocket] {
        for (error, more) in [
            ("invalid_request", ("redirect_uri", "https://evil.test/cb")),
            ("invalid_request", ("redirect_uri", "")),
            ("invalid_request", ("request_uri", "urn:ietf:params:oauth:request_uri:x")),
            ("request_not_supported", ("request", "x.y.z")),
            ("invalid_scope", ("scope", "\"")),
            ("unsupported_response_type", ("response_type", "token")),
            ("invalid_request", ("code_challenge", "")),
            ("invalid_target", ("resource", "x")),
        ] {
            client.push(&[more]).await.oauth(400, error);
        }
        client.push(&[]).await.is(201);
    }
    let blank = OAuthClient { secret: Some("wrong".to_owned()), ..shop };
    blank.push(&[]).await.oauth(401, "invalid_client");
}

/// RFC 9126 §6: a request that nobody pushed does not become one by waiting for somebody to sign in.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_waited_is_no_pushed_one() {
    let app = TestApp::spawn_with(&[("DEODAR_REGISTRATION", "open")]).await;
    app.admin().await;
    let body = json!({ "redirect_uris": ["https://meadow.test/cb"], "require_pushed_authorization_requests": true });
    let made = app.anonymous().post("/oauth/register", &body).await.is(201);
    let shop = OAuthClient {
        id: made.text_at("/client_id"),
        secret: Some(made.text_at("/client_secret")),
        redirect_uri: "https://meadow.test/cb".to_owned(),
        http: app.anonymous(),
    };
    let ana = app.person("ana").await;
    for pushed in [false, true] {
        let path = match pushed {
            true => shop.pushed_path(&shop.push(&[]).await.is(201).text_at("/request_uri")),
            false => shop.path(&[]),
        };
        let mut browser = Browser::new(&app.node().base);
        browser.open(&path).await;
        browser.is_at("/login");
        browser.submit("/login", &[("login", &ana.name), ("password", PASSWORD)]).await;
        if pushed {
            browser.is_at("/consent");
            browser.submit("/consent", &[("decision", "allow")]).await;
            shop.redeem(&shop.returned(&browser).code()).await.is(200);
        } else {
            shop.returned(&browser).error("invalid_request");
        }
    }
}
