//! Nodes whose clocks are wrong (security R8).

use serde_json::json;
use time::Duration;

use super::flow::OAuthClient;
use crate::app::TestApp;

/// R8: codes, refresh tokens and access tokens of one node are good on another that is a minute off, and what has expired
/// on one has expired on both.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_are_a_minute_apart_agree_on_what_has_expired() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let scope = [("scope", "openid offline_access"), ("prompt", "consent")];
    for wrong in [Duration::seconds(61), Duration::seconds(-61)] {
        let node = app.second_node_off_by(wrong).await;
        assert!((node.app.clock.now() - app.clock.now()).abs() < Duration::SECOND);
        let there = OAuthClient { http: node.ask(&shop.http), ..shop.clone() };
        let code = shop.code(&mut browser, &scope).await;
        let tokens = there.redeem(&code).await.is(200);
        let (access, refresh) = (tokens.text_at("/access_token"), tokens.text_at("/refresh_token"));
        assert!(shop.is_active(&access).await && there.is_active(&access).await);
        let next = shop.refresh(&refresh, &[]).await.is(200);
        let late = shop.code(&mut browser, &scope).await;
        app.later(std::time::Duration::from_secs(61));
        there.redeem(&late).await.oauth(400, "invalid_grant");
        there.refresh(&next.text_at("/refresh_token"), &[]).await.is(200);
        app.later(std::time::Duration::from_secs(15 * 60 + 1));
        assert!(!shop.is_active(&access).await && !there.is_active(&access).await);
    }
}
