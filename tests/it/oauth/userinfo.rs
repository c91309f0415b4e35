//! Userinfo (security §1.2, N-064 to N-072): how a token is shown to it, and which.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use super::flow::claims;
use crate::{answer::Answer, app::TestApp};

const PATH: &str = "/oauth/userinfo";

/// A form to userinfo, with a header or without.
async fn form(app: &TestApp, token: Option<&str>, query: &str, form: &[(&str, &str)]) -> Answer {
    let actor = token.map_or_else(|| app.anonymous(), |token| app.bearer(token));
    let request = actor.request(Method::POST, &format!("{PATH}{query}")).form(form);
    Answer::read(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_in_the_header_or_in_a_form_n064_n065_n060() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let code = shop.code(&mut browser, &[("scope", "openid email profile")]).await;
    let tokens = shop.redeem(&code).await.is(200);
    let token = tokens.text_at("/access_token");
    let sub = claims(&tokens.text_at("/id_token"))["sub"].clone();
    let seen = [
        app.bearer(&token).get(PATH).await,
        app.bearer(&token).send(Method::POST, PATH, None).await,
        app.bearer(&token).post(PATH, &json!({ "access_token": "no form" })).await,
        form(&app, Some(&token), "", &[("schema", "openid")]).await,
        form(&app, None, "", &[("access_token", &token)]).await,
    ];
    for answer in seen {
        let answer = answer.is(200);
        assert_eq!((answer.header("content-type"), answer.header("cache-control")), ("application/json", "no-store"));
        assert_eq!(answer.json["sub"], sub);
        assert_eq!((&answer.json["email"], &answer.json["email_verified"]), (&json!("ana@example.com"), &json!(true)));
        assert_eq!(answer.json["preferred_username"], "ana");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_in_the_url_or_shown_twice_is_refused_n066_n067_n069() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let token = ana.me.token.clone().unwrap();
    let in_url = format!("?access_token={token}");
    app.anonymous().get(&format!("{PATH}{in_url}")).await.oauth(400, "invalid_request");
    ana.me.get(&format!("{PATH}{in_url}")).await.oauth(400, "invalid_request");
    form(&app, None, &in_url, &[]).await.oauth(400, "invalid_request");
    form(&app, Some(&token), "", &[("access_token", &token)]).await.oauth(400, "invalid_request");
    form(&app, Some(&token), "", &[("access_token", "other")]).await.oauth(400, "invalid_request");
    let twice = [("access_token", &*token), ("access_token", &*token)];
    form(&app, None, "", &twice).await.oauth(400, "invalid_request");
    let request = ana.me.request(Method::GET, PATH).header("authorization", format!("Bearer {token}"));
    Answer::read(request.send().await.unwrap()).await.oauth(401, "invalid_token");
    // Only a form is one, and only where there is a body.
    let nothing = [
        app.anonymous().get(PATH).await,
        app.anonymous().send(Method::POST, PATH, None).await,
        app.anonymous().post(PATH, &json!({ "access_token": token })).await,
        form(&app, None, "", &[("access_token", "")]).await,
        Answer::read(
            app.anonymous().request(Method::GET, PATH).form(&[("access_token", &token)]).send().await.unwrap(),
        )
        .await,
    ];
    for answer in nothing {
        assert_eq!(answer.header("www-authenticate"), "Bearer");
        answer.oauth(401, "invalid_token");
    }
    ana.me.get(PATH).await.is(200);
}

/// Whatever is no access token of a person who let somebody know who they are.
#[tokio::test(flavor = "multi_thread")]
async fn only_an_access_token_of_a_person_is_answered_n068_n070_n071_n061() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let tokens = shop.offline_tokens(&mut browser).await;
    let access = tokens.text_at("/access_token");
    let sign = |alter: &dyn Fn(&mut serde_json::Value)| {
        let mut said = claims(&access);
        alter(&mut said);
        app.node().app.tokens.keys().sign(deodar::model::Algorithm::Es256, "at+jwt", &said).unwrap()
    };
    let now = app.clock.now().unix_timestamp();
    for (what, token) in [
        ("an ID token", tokens.text_at("/id_token")),
        ("a refresh token", tokens.text_at("/refresh_token")),
        ("garbage", "garbage".to_owned()),
        ("a truncated token", access[..access.len() - 1].to_owned()),
        ("an expired token", sign(&|said| said["exp"] = json!(now - 1))),
        ("a token of another issuer", sign(&|said| said["iss"] = json!("https://evil.test"))),
        ("a token for another server", sign(&|said| said["aud"] = json!("https://api.test"))),
    ] {
        for answer in [app.bearer(&token).get(PATH).await, form(&app, None, "", &[("access_token", &token)]).await] {
            assert_eq!(answer.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{what}");
            answer.oauth(401, "invalid_token");
        }
    }
    let without = shop.code(&mut browser, &[("scope", "photos")]).await;
    let without = shop.redeem(&without).await.is(200);
    assert!(without.json.get("id_token").is_none());
    for token in [without.text_at("/access_token"), admin.token.clone().unwrap()] {
        let answer = app.bearer(&token).get(PATH).await;
        assert!(answer.header("www-authenticate").contains("insufficient_scope"));
        assert!(!answer.text.contains("sub"), "{}", answer.text);
        answer.oauth(403, "insufficient_scope");
    }
    app.bearer(&access).get(PATH).await.is(200);
    app.later(Duration::from_secs(901));
    app.bearer(&access).get(PATH).await.oauth(401, "invalid_token");
}

/// On every node, at once where it was done.
#[tokio::test(flavor = "multi_thread")]
async fn somebody_who_may_not_act_any_more_is_nobody_n072() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let other = app.second_node().await;
    let (ana, ben) = (app.person("ana").await, app.person("ben").await);
    for person in [&ana, &ben] {
        other.ask(&person.me).get(PATH).await.is(200);
        person.me.get(PATH).await.is(200);
    }
    admin.post(&format!("/api/v1/admin/users/{}/deactivate", ana.id()), &json!({})).await;
    admin.send(Method::DELETE, &format!("/api/v1/admin/users/{}", ben.id()), None).await;
    ana.me.get(PATH).await.oauth(401, "invalid_token");
    ben.me.get(PATH).await.oauth(401, "invalid_token");
    other.app.pdp.refresh().await.unwrap();
    for person in [&ana, &ben] {
        other.ask(&person.me).get(PATH).await.oauth(401, "invalid_token");
    }
}
