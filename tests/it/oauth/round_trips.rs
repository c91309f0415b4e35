//! How often a token request goes to the database and back.

use std::collections::VecDeque;

use futures_util::future::join_all;
use serde_json::json;

use crate::app::TestApp;

/// At most two for a client's own token, four for a code. A refresh costs one statement where the token was given out, and
/// a password two; a connection that was idle is asked first whether it is there, which counts too.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_costs_few_round_trips() {
    let (app, meter) = TestApp::spawn_over_meter(&[("DEODAR_PKCE", "public_clients")]).await;
    let admin = app.admin().await;
    let shop = app.client("shop", "orders", &[]).await;
    let own = meter.fewest(async || drop(shop.client_credentials(None).await.is(200))).await;
    assert!(own <= 2, "client_credentials: {own}");

    let web = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    let mut codes = VecDeque::new();
    for _ in 0..20 {
        codes.push_back(web.code(&mut browser, &[("scope", "openid offline_access"), ("prompt", "consent")]).await);
    }
    let mut refresh = String::new();
    let code = async || {
        refresh = web.redeem(&codes.pop_front().unwrap()).await.is(200).text_at("/refresh_token");
    };
    let by_code = meter.fewest(code).await;
    assert!(by_code <= 4, "authorization_code: {by_code}");
    let next = async || refresh = web.refresh(&refresh, &[]).await.is(200).text_at("/refresh_token");
    let by_refresh = meter.fewest(next).await;
    assert!(by_refresh <= 2, "refresh_token: {by_refresh}");
    let by_password = meter.fewest(async || drop(ana.sign_in().await.is(200))).await;
    assert!(by_password <= 4, "password: {by_password}");
    println!(
        "round trips: {own} for a client, {by_code} for a code, {by_refresh} for a refresh, {by_password} for a password"
    );
}

/// A crowd that comes for one client of which this node knows nothing any more reads it once.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_reads_a_client_once() {
    let (app, meter) = TestApp::spawn_over_meter(&[]).await;
    let admin = app.admin().await;
    admin.create_role("viewer", &[]).await.is(201);
    let shop = app.client("shop", "orders", &[]).await;
    let crowd = async || {
        admin.assign(shop.who(), "viewer").await.is(204);
        admin.unassign(shop.who(), "viewer").await.is(204);
        for answer in join_all([(); 60].map(|()| shop.client_credentials(None))).await {
            answer.is(200);
        }
    };
    let by_crowd = meter.fewest(crowd).await;
    assert!(by_crowd < 60, "{by_crowd}");
}

/// A crowd that refreshes shares statements.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_refreshes_shares_statements() {
    let (app, meter) = TestApp::spawn_over_meter(&[]).await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let mut tokens = Vec::new();
    for _ in 0..40 {
        tokens.push(shop.offline_tokens(&mut browser).await.text_at("/refresh_token"));
    }
    let crowd = async || {
        let answers = join_all(tokens.iter().map(|token| shop.refresh(token, &[]))).await;
        tokens = answers.into_iter().map(|answer| answer.is(200).text_at("/refresh_token")).collect();
    };
    let by_crowd = meter.fewest(crowd).await;
    assert!(by_crowd < 60, "{by_crowd}");
}
