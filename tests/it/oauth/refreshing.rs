//! Refresh tokens (security §1.3, §2.6 V-073).

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;

use super::flow::{OAuthClient, claims};
use crate::{answer::Answer, app::TestApp, database::Wire};

/// Each is followed by the next, and keeps what was authorized.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_is_followed_by_the_next_n089_n092_n093() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let first = shop.offline_tokens(&mut browser).await;
    assert_eq!(first.json["scope"], "offline_access openid photos");
    app.later(Duration::from_secs(5));
    let narrow = shop.refresh(&first.text_at("/refresh_token"), &[("scope", "openid")]).await.is(200);
    assert_eq!(narrow.json["scope"], "openid");
    assert_eq!(claims(&narrow.text_at("/access_token"))["scope"], "openid");
    let whole = shop.refresh(&narrow.text_at("/refresh_token"), &[]).await.is(200);
    assert_eq!(whole.json["scope"], "offline_access openid photos");
    let (before, after) = (claims(&first.text_at("/id_token")), claims(&whole.text_at("/id_token")));
    for name in ["iss", "sub", "aud", "auth_time", "sid", "acr"] {
        assert_eq!(before[name], after[name], "{name}");
    }
    assert!(after["iat"].as_i64() > before["iat"].as_i64() && after.get("nonce").is_none());
    assert!(shop.is_active(&first.text_at("/access_token")).await, "an access token lives until it expires");
}

/// A request that is refused leaves the token as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_is_refused_costs_nothing_n088_n091_n096_v012() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let (shop, other) = (app.web_client(&admin, json!({})).await, app.web_client(&admin, json!({})).await);
    let pocket = app.public_client(&admin).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let tokens = shop.offline_tokens(&mut browser).await;
    let refresh = tokens.text_at("/refresh_token");
    for stranger in [&other, &pocket] {
        stranger.refresh(&refresh, &[]).await.oauth(400, "invalid_grant");
    }
    let blank = OAuthClient { secret: None, ..shop.clone() };
    blank.refresh(&refresh, &[]).await.oauth(401, "invalid_client");
    shop.refresh(&refresh, &[("scope", "openid email")]).await.oauth(400, "invalid_scope");
    shop.refresh(&refresh, &[("scope", "\"")]).await.oauth(400, "invalid_scope");
    shop.refresh(&refresh, &[("resource", "https://api.test/")]).await.oauth(400, "invalid_target");
    for text in [tokens.text_at("/access_token"), tokens.text_at("/id_token"), refresh[..20].to_owned()] {
        shop.refresh(&text, &[]).await.oauth(400, "invalid_grant");
    }
    shop.refresh(&refresh, &[]).await.is(200);
}

/// Whatever follows from a token that comes twice is dead, on every node.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_that_comes_twice_ends_its_family_n090_v073() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let second = app.second_node().await;
    let there = OAuthClient { http: second.ask(&shop.http), ..shop.clone() };
    let mut chain = vec![shop.offline_tokens(&mut browser).await];
    for node in [&shop, &there, &shop] {
        let next = node.refresh(&chain.last().unwrap().text_at("/refresh_token"), &[]).await.is(200);
        chain.push(next);
    }
    there.refresh(&chain[0].text_at("/refresh_token"), &[]).await.oauth(400, "invalid_grant");
    app.agrees_with(&second).await;
    for tokens in &chain {
        for node in [&shop, &there] {
            assert!(!node.is_active(&tokens.text_at("/access_token")).await);
            assert!(!node.is_active(&tokens.text_at("/refresh_token")).await);
        }
    }
    shop.refresh(&chain[3].text_at("/refresh_token"), &[]).await.oauth(400, "invalid_grant");
    assert_eq!(app.count_events("refresh_token_replayed", "success").await, 1);
}

/// A node that remembers a token it gave out learns from the database that another node used or ended it.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_node_remembers_of_a_refresh_token_does_not_keep_it_alive_n090() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let second = app.second_node().await;
    let there = OAuthClient { http: second.ask(&shop.http), ..shop.clone() };
    let mut given = Vec::new();
    for _ in 0..2 {
        let first = shop.offline_tokens(&mut browser).await;
        given.push(shop.refresh(&first.text_at("/refresh_token"), &[]).await.is(200).text_at("/refresh_token"));
    }
    let next = there.refresh(&given[0], &[]).await.is(200).text_at("/refresh_token");
    shop.refresh(&given[0], &[]).await.oauth(400, "invalid_grant");
    assert_eq!(app.count_events("refresh_token_replayed", "success").await, 1);
    there.refresh(&next, &[]).await.oauth(400, "invalid_grant");

    // Ended without a word to anybody, as when a revocation was forgotten long ago.
    let mut conn = app.database.connect().await;
    sqlx::query("UPDATE authorizations SET ended_at = now()").execute(&mut conn).await.unwrap();
    shop.refresh(&given[1], &[]).await.oauth(400, "invalid_grant");
    assert_eq!(app.count_events("refresh_token_replayed", "success").await, 1);
}

/// A hundred at once on two nodes have one successor, which dies with them.
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_use_one_refresh_token_and_one_succeeds_v073() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let second = app.second_node().await;
    let there = OAuthClient { http: second.ask(&shop.http), ..shop.clone() };
    let refresh = shop.offline_tokens(&mut browser).await.text_at("/refresh_token");
    let all = (0..100).map(|n| if n % 2 == 0 { shop.refresh(&refresh, &[]) } else { there.refresh(&refresh, &[]) });
    let answers: Vec<Answer> = join_all(all).await;
    let won: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.json["error"] == "invalid_grant"));
    app.agrees_with(&second).await;
    for answer in won {
        shop.refresh(&answer.text_at("/refresh_token"), &[]).await.oauth(400, "invalid_grant");
        assert!(!there.is_active(&answer.text_at("/access_token")).await);
    }
}

/// A crowd is answered together, and each its own: what one of them did wrong is nobody else's loss.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_refreshes_is_answered_each_its_own() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut families = Vec::new();
    for n in 0..12 {
        let mut browser = app.browser_of(&app.person(&format!("person{n}")).await).await;
        families.push(shop.offline_tokens(&mut browser).await);
    }
    let token = |n: usize| families[n].text_at("/refresh_token");
    let next = shop.refresh(&token(0), &[]).await.is(200).text_at("/refresh_token");
    let forged = format!("{}x", &token(1)[..token(1).len() - 1]);
    let asked = (0..12).map(token).chain([forged]).collect::<Vec<_>>();
    let answers = join_all(asked.iter().map(|token| shop.refresh(token, &[]))).await;
    let subject = |tokens: &Answer| claims(&tokens.text_at("/id_token"))["sub"].clone();
    for (n, answer) in answers.into_iter().enumerate() {
        if n == 0 || n == 12 {
            answer.oauth(400, "invalid_grant");
        } else {
            let successor = answer.is(200);
            assert_eq!(subject(&successor), subject(&families[n]));
            shop.refresh(&successor.text_at("/refresh_token"), &[]).await.is(200);
        }
    }
    shop.refresh(&next, &[]).await.oauth(400, "invalid_grant");
    assert_eq!(app.count_events("refresh_token_replayed", "success").await, 1);
}

/// Nobody stands behind a connection that fell silent for longer than one statement may take.
#[tokio::test(flavor = "multi_thread")]
async fn refreshes_go_on_when_connections_fall_silent() {
    let (app, cable) = TestApp::spawn_over_cable(&[]).await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let refresh = shop.offline_tokens(&mut browser).await.text_at("/refresh_token");
    let next = shop.refresh(&refresh, &[]).await.is(200).text_at("/refresh_token");
    cable.make(Wire::Replaced);
    let replaced = Instant::now();
    loop {
        let answer = shop.refresh(&next, &[]).await;
        if answer.status == 200 {
            break;
        }
        answer.oauth(503, "temporarily_unavailable");
        assert!(replaced.elapsed() < Duration::from_secs(20), "no recovery");
    }
}

/// An absolute life, and an idle one.
#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_does_not_live_for_ever_n094() {
    let settings =
        [("DEODAR_REFRESH_IDLE", "2d"), ("DEODAR_REFRESH_LIFETIME", "5d"), ("DEODAR_SESSION_LIFETIME", "20d")];
    let app = TestApp::spawn_with(&settings).await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let day = Duration::from_hours(24);
    let mut refresh = shop.offline_tokens(&mut browser).await.text_at("/refresh_token");
    for _ in 0..4 {
        app.later(day);
        refresh = shop.refresh(&refresh, &[]).await.is(200).text_at("/refresh_token");
    }
    app.later(day);
    shop.refresh(&refresh, &[]).await.oauth(400, "invalid_grant");

    let ben = app.person("ben").await;
    let mut browser = app.browser_of(&ben).await;
    let refresh = shop.offline_tokens(&mut browser).await.text_at("/refresh_token");
    app.later(2 * day);
    shop.refresh(&refresh, &[]).await.oauth(400, "invalid_grant");
}

/// RFC 8707: for which servers a token is.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_the_servers_that_were_asked_for() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let (one, two) = ("https://one.test/", "https://two.test/api");
    let more = [("scope", "openid offline_access"), ("prompt", "consent"), ("resource", one), ("resource", two)];
    let tokens = shop.redeem(&shop.code(&mut browser, &more).await).await.is(200);
    assert_eq!(claims(&tokens.text_at("/access_token"))["aud"], json!([one, two]));
    let answer = app.bearer(&tokens.text_at("/access_token")).get("/oauth/userinfo").await;
    assert_eq!(answer.status, 401, "it is not for us");
    let narrow = shop.refresh(&tokens.text_at("/refresh_token"), &[("resource", two)]).await.is(200);
    assert_eq!(claims(&narrow.text_at("/access_token"))["aud"], two);
    let refresh = narrow.text_at("/refresh_token");
    shop.refresh(&refresh, &[("resource", "https://three.test/")]).await.oauth(400, "invalid_target");
    let code = shop.code(&mut browser, &[("resource", one)]).await;
    let tokens = shop.redeem_with(&code, &[("resource", one)]).await.is(200);
    assert_eq!(claims(&tokens.text_at("/access_token"))["aud"], one);
}

/// What is taken from a client is not in the next token.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_keeps_no_scope_that_it_may_not_have_any_more_n125() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let tokens = shop.offline_tokens(&mut browser).await;
    assert_eq!(tokens.json["scope"], "offline_access openid photos");
    let code = shop.code(&mut browser, &[("scope", "openid photos"), ("prompt", "consent")]).await;
    admin.update_client(&shop.id, json!({ "scope": "openid offline_access" })).await.is(200);
    assert_eq!(shop.redeem(&code).await.is(200).json["scope"], "openid");
    let token = tokens.text_at("/refresh_token");
    shop.refresh(&token, &[("scope", "openid photos")]).await.oauth(400, "invalid_scope");
    let next = shop.refresh(&token, &[]).await.is(200);
    assert_eq!(next.json["scope"], "offline_access openid");
    admin.update_client(&shop.id, json!({ "scope": "openid offline_access photos" })).await.is(200);
    let next = shop.refresh(&next.text_at("/refresh_token"), &[]).await.is(200);
    assert_eq!(next.json["scope"], "offline_access openid photos", "what the person authorized stands");
}
