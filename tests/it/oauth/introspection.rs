//! Introspection (RFC 7662) and revocation (RFC 7009) of access tokens of clients.

use std::time::Duration;

use serde_json::json;

use crate::{
    actor::Actor,
    answer::Answer,
    app::{ISSUER, TestApp},
};

impl Actor {
    /// A form at some endpoint, with this client's credentials.
    pub async fn client_form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.http.post(format!("{}{path}", self.base)).form(form);
        let request = match &self.secret {
            Some(secret) => request.basic_auth(&self.who().id, Some(secret)),
            None => request,
        };
        Answer::read(request.send().await.unwrap()).await
    }

    /// Asks about a token.
    pub async fn introspect(&self, token: &str) -> Answer {
        self.client_form("/oauth/introspect", &[("token", token)]).await
    }

    /// Revokes a token.
    pub async fn revoke(&self, token: &str) -> Answer {
        self.client_form("/oauth/revoke", &[("token", token)]).await
    }
}

const NOTHING: &str = "{\"active\":false}";

#[tokio::test(flavor = "multi_thread")]
async fn a_client_learns_about_its_own_token() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop", "orders", &[]).await;
    let token = shop.token.clone().unwrap();
    let answer = shop.introspect(&token).await.is(200);
    assert_eq!(answer.header("cache-control"), "no-store");
    let (seen, now) = (&answer.json, app.clock.now().unix_timestamp());
    assert_eq!(seen["active"], true);
    assert_eq!((&seen["sub"], &seen["client_id"]), (&json!(shop.who().id), &json!(shop.who().id)));
    assert_eq!((&seen["iss"], &seen["aud"]), (&json!(ISSUER), &json!([ISSUER])));
    assert_eq!((&seen["scope"], &seen["token_type"]), (&json!("orders"), &json!("Bearer")));
    assert!((now + 890..=now + 900).contains(&seen["exp"].as_i64().unwrap()));
    for hint in ["refresh_token", "access_token", "nonsense"] {
        let form = [("token", token.as_str()), ("token_type_hint", hint)];
        assert_eq!(shop.client_form("/oauth/introspect", &form).await.is(200).json["active"], true);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_not_concerned_learns_nothing_n104_n105_n106_n111_n112_v017() {
    let app = TestApp::spawn().await;
    let (shop, other) = (app.client("shop", "orders", &[]).await, app.client("other", "admin authz:check", &[]).await);
    let token = shop.token.clone().unwrap();
    assert_eq!(other.introspect(&token).await.is(200).text, NOTHING);
    for bad in ["garbage", "..", "drt_garbage", &token[..token.len() - 1], &token.to_uppercase(), &format!("{token} ")]
    {
        assert_eq!(shop.introspect(bad).await.is(200).text, NOTHING, "{bad}");
        assert_eq!(shop.revoke(bad).await.is(200).text, "", "{bad}");
    }
    let admin = app.admin().await;
    let public = json!({ "client_name": "p", "token_endpoint_auth_method": "none",
        "grant_types": ["authorization_code"], "redirect_uris": ["https://p.example/"] });
    let public = admin.create_client(public).await.is(201).text_at("/client_id");
    let wrong = Actor { secret: Some("wrong".to_owned()), ..shop.clone() };
    for path in ["/oauth/introspect", "/oauth/revoke"] {
        wrong.client_form(path, &[("token", &token)]).await.oauth(401, "invalid_client");
        let nobody = Actor { secret: None, ..shop.clone() };
        nobody.client_form(path, &[("token", &token)]).await.oauth(401, "invalid_client");
        shop.client_form(path, &[]).await.oauth(400, "invalid_request");
        let bearer = app.bearer(&token);
        let request = bearer.request(reqwest::Method::POST, path).form(&[("token", &token)]);
        Answer::read(request.send().await.unwrap()).await.oauth(401, "invalid_client");
    }
    let form = [("token", token.as_str()), ("client_id", public.as_str())];
    let nobody = Actor { secret: None, ..shop.clone() };
    nobody.client_form("/oauth/introspect", &form).await.oauth(401, "invalid_client");
    // N-113, V-015: a public client revokes its own tokens only.
    nobody.client_form("/oauth/revoke", &form).await.is(200);
    other.revoke(&token).await.is(200);
    assert_eq!(shop.introspect(&token).await.json["active"], true);
}

/// An API asks about the tokens that were made for it, whoever has them, and is no more than told.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_learns_about_a_token_that_names_it_v017() {
    let app = TestApp::spawn().await;
    let (shop, api) = (app.client("shop", "orders", &[]).await, app.client("api", "", &[]).await);
    let asked = |resource: String| {
        let shop = &shop;
        async move {
            let form = [("grant_type", "client_credentials"), ("resource", resource.as_str())];
            shop.client_form("/oauth/token", &form).await.is(200).text_at("/access_token")
        }
    };
    let name = format!("urn:deodar:client:{}", api.who().id);
    let token = asked(name.clone()).await;
    let seen = api.introspect(&token).await.is(200).json;
    assert_eq!((&seen["active"], &seen["aud"]), (&json!(true), &json!([name])));
    assert_eq!((&seen["client_id"], &seen["scope"]), (&json!(shop.who().id), &json!("orders")));
    // It is for the API alone, which cannot end it either.
    app.bearer(&token).get("/api/v1/me").await.problem(401, "unauthorized");
    api.revoke(&token).await.is(200);
    assert_eq!(api.introspect(&token).await.json["active"], true);
    for other in [format!("{name}0"), format!("https://api.example/{name}"), api.who().id.clone() + ":x"] {
        let token = asked(other.clone()).await;
        assert_eq!(api.introspect(&token).await.is(200).text, NOTHING, "{other}");
    }
    shop.revoke(&token).await.is(200);
    assert_eq!(api.introspect(&token).await.is(200).text, NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_dead_everywhere_n110_n068_v016() {
    let app = TestApp::spawn().await;
    let there = app.second_node().await;
    let admin = app.admin().await;
    let token = admin.token.clone().unwrap();
    let other = admin.clone().with_fresh_token().await;
    there.ask(&admin).roles("").await.is(200);
    assert_eq!(admin.revoke(&token).await.is(200).text, "");
    admin.revoke(&token).await.is(200);
    there.app.pdp.refresh().await.unwrap();
    for node in [admin.clone(), there.ask(&admin)] {
        node.roles("").await.problem(401, "unauthorized");
        assert_eq!(node.introspect(&token).await.is(200).text, NOTHING);
        node.get("/oauth/userinfo").await.oauth(401, "invalid_token");
    }
    // A node that starts later knows it too; the other token lives.
    let late = app.second_node().await;
    late.ask(&admin).roles("").await.problem(401, "unauthorized");
    other.roles("").await.is(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_expired_is_not_active() {
    let app = TestApp::spawn().await;
    let shop = app.client("shop", "orders", &[]).await;
    app.later(Duration::from_secs(901));
    assert_eq!(shop.introspect(shop.token.as_ref().unwrap()).await.is(200).text, NOTHING);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_a_client_that_was_switched_off_is_not_active_v059() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.client("shop", "orders", &[]).await;
    let token = shop.token.clone().unwrap();
    admin.update_client(&shop.who().id, json!({ "active": false })).await.is(200);
    shop.introspect(&token).await.oauth(401, "invalid_client");
    app.bearer(&token).get("/oauth/userinfo").await.oauth(401, "invalid_token");
}

/// RFC 7662 §2.2, RFC 7009 §2.1: the longest token that can be had is known here.
#[tokio::test(flavor = "multi_thread")]
async fn the_longest_token_is_known() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let words: Vec<String> = (0..40).map(|n| format!("{n:02}{}", "s".repeat(94))).collect();
    let scope = words.join(" ");
    let more = json!({ "grant_types": ["client_credentials"], "redirect_uris": [], "scope": scope });
    let shop = app.web_client(&admin, more).await;
    let resources: Vec<String> = (0..10).map(|n| format!("https://{n}.test/{}", "r".repeat(497))).collect();
    let mut form = vec![("grant_type", "client_credentials"), ("scope", &*scope)];
    form.extend(resources.iter().map(|resource| ("resource", resource.as_str())));
    let token = shop.form("/oauth/token", &form).await.is(200).text_at("/access_token");
    assert!(token.len() > 12_000, "{}", token.len());
    assert!(shop.is_active(&token).await);
    shop.form("/oauth/revoke", &[("token", &token)]).await.is(200);
    assert!(!shop.is_active(&token).await);
    for wrong in ["https://a.test/\"", "https://a.test/\\"] {
        let form = [("grant_type", "client_credentials"), ("resource", wrong)];
        shop.form("/oauth/token", &form).await.oauth(400, "invalid_target");
    }
}
