//! How often a token request goes to the database and back.

use std::collections::VecDeque;

use serde_json::json;

use crate::app::TestApp;

/// At most two for a client's own token, four for a code; a refresh is as good as a code.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_costs_few_round_trips() {
    let (app, meter) = TestApp::spawn_over_meter(&[("DEODAR_PKCE", "public_clients")]).await;
    let admin = app.admin().await;
    let shop = app.client("shop", "orders", &[]).await;
    let own = meter.fewest(async || drop(shop.client_credentials(None).await.is(200))).await;
    assert!(own <= 2, "client_credentials: {own}");

    let web = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
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
    assert!(by_refresh <= 4, "refresh_token: {by_refresh}");
    println!("round trips: client_credentials {own}, authorization_code {by_code}, refresh_token {by_refresh}");
}
