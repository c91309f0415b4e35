//! Codes and what follows from them (security §1.3).

use std::time::Duration;

use futures_util::future::{join, join_all};
use serde_json::json;
use sqlx::Connection;

use super::flow::{OAuthClient, VERIFIER, claims};
use crate::{
    actor::{document, question, with},
    answer::Answer,
    app::{ISSUER, TestApp},
};

/// What a client gets.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_worth_an_access_token_and_an_id_token_n057_n058_n060_n074_n143() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    let code = shop.code(&mut browser, &[("scope", "openid email profile")]).await;
    let tokens = shop.redeem(&code).await.is(200);
    assert_eq!((tokens.header("cache-control"), tokens.header("pragma")), ("no-store", "no-cache"));
    let mut members: Vec<&String> = tokens.json.as_object().unwrap().keys().collect();
    members.sort();
    assert_eq!(members, ["access_token", "expires_in", "id_token", "scope", "token_type"]);
    assert_eq!(tokens.json["scope"], "email openid profile");

    let (access, id) = (tokens.text_at("/access_token"), tokens.text_at("/id_token"));
    let header = super::part(&id, 0);
    assert_eq!((&header["alg"], header["kid"].is_string()), (&json!("RS256"), true));
    let said = claims(&id);
    assert_eq!((&said["iss"], &said["aud"], &said["sub"]), (&json!(ISSUER), &json!(shop.id), &json!(ana.id())));
    assert!(said["exp"].is_i64() && said["iat"].is_i64() && said["auth_time"].is_i64() && said.get("azp").is_none());
    let hash = deodar::crypto::digest(access.as_bytes());
    let half = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, &hash[..16]);
    assert_eq!(said["at_hash"], half);
    assert!(said.get("email").is_none(), "claims of scopes come from userinfo (Core §5.4)");

    let header = super::part(&access, 0);
    assert_eq!((&header["typ"], &header["alg"]), (&json!("at+jwt"), &json!("ES256")));
    let held = claims(&access);
    assert_eq!((&held["sub"], &held["client_id"], &held["sid"]), (&json!(ana.id()), &json!(shop.id), &said["sid"]));
    assert_eq!((&held["acr"], &held["auth_time"]), (&said["acr"], &said["auth_time"]));
    assert!(held.get("roles").is_none());

    let info = app.bearer(&access).get("/oauth/userinfo").await.is(200).json;
    assert_eq!((&info["sub"], &info["email"]), (&said["sub"], &json!("ana@example.com")));
    assert_eq!((&info["email_verified"], &info["preferred_username"]), (&json!(true), &json!("ana")));
}

/// Core §5.5: claims one by one, where they were asked for.
#[tokio::test(flavor = "multi_thread")]
async fn claims_that_are_asked_for_by_name_come_where_they_were_asked_for_n059() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({ "userinfo_signed_response_alg": "ES256" })).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let asked = r#"{"userinfo":{"email":{"essential":true},"unknown":null},
        "id_token":{"preferred_username":null,"auth_time":{"essential":true}}}"#;
    let tokens = shop.redeem(&shop.code(&mut browser, &[("claims", asked)]).await).await.is(200);
    let said = claims(&tokens.text_at("/id_token"));
    assert_eq!((said["preferred_username"].as_str(), said.get("email")), (Some("ana"), None));
    assert!(said["auth_time"].is_i64());
    let info = app.bearer(&tokens.text_at("/access_token")).get("/oauth/userinfo").await.is(200);
    assert_eq!(info.header("content-type"), "application/jwt");
    let info = claims(&info.text);
    assert_eq!(
        (&info["email"], &info["iss"], &info["aud"]),
        (&json!("ana@example.com"), &json!(ISSUER), &json!(shop.id))
    );
    assert!(info.get("preferred_username").is_none());
}

/// Without `openid` no ID token; without asking no refresh token.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_no_more_than_it_asked_for_n061_n062() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let tokens = shop.redeem(&shop.code(&mut browser, &[("scope", "photos")]).await).await.is(200);
    assert!(tokens.json.get("id_token").is_none() && tokens.json.get("refresh_token").is_none());
    let answer = app.bearer(&tokens.text_at("/access_token")).get("/oauth/userinfo").await;
    assert_eq!(answer.status, 403);
    let tokens = shop.redeem(&shop.code(&mut browser, &[("scope", "openid offline_access")]).await).await.is(200);
    assert_eq!((tokens.json.get("refresh_token"), &tokens.json["scope"]), (None, &json!("openid")));
    assert!(shop.offline_tokens(&mut browser).await.json["refresh_token"].is_string());
}

/// Whatever is wrong, the code is spent.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_worth_one_attempt_n081_n082_n083_n086_n087_n096_v006_v007_v009() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let other = app.web_client(&admin, json!({})).await;
    let exempt = app.web_client(&admin, json!({ "require_pkce": false })).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let (wrong, long) = ("w".repeat(43), "w".repeat(129));
    for more in [
        ("redirect_uri", "https://meadow.test/other"),
        ("redirect_uri", ""),
        ("code_verifier", ""),
        ("code_verifier", wrong.as_str()),
        ("code_verifier", &VERIFIER[..42]),
        ("code_verifier", long.as_str()),
        ("code_verifier", "w"),
        ("code_verifier", "ä"),
    ] {
        let code = shop.code(&mut browser, &[]).await;
        shop.redeem_with(&code, &[more]).await.oauth(400, "invalid_grant");
        shop.redeem(&code).await.oauth(400, "invalid_grant");
    }
    let code = shop.code(&mut browser, &[]).await;
    other.redeem(&code).await.oauth(400, "invalid_grant");
    shop.redeem(&code).await.oauth(400, "invalid_grant");
    let code = exempt.code(&mut browser, &[("code_challenge", ""), ("code_challenge_method", "")]).await;
    exempt.redeem(&code).await.oauth(400, "invalid_grant");
    let code = exempt.code(&mut browser, &[("code_challenge", ""), ("code_challenge_method", "")]).await;
    exempt.redeem_with(&code, &[("code_verifier", "")]).await.is(200);

    let code = shop.code(&mut browser, &[]).await;
    app.later(Duration::from_secs(61));
    shop.redeem(&code).await.oauth(400, "invalid_grant");
    let tokens = shop.offline_tokens(&mut browser).await;
    let code = shop.code(&mut browser, &[]).await;
    let cut = &code[..code.len() - 1];
    for text in [&tokens.text_at("/refresh_token"), &tokens.text_at("/access_token"), &tokens.text_at("/id_token")] {
        shop.redeem(text).await.oauth(400, "invalid_grant");
    }
    for text in [cut, &format!("{code} "), &code.to_uppercase(), "x"] {
        shop.redeem(text).await.oauth(400, "invalid_grant");
    }
    shop.redeem(&code).await.is(200);
}

/// Tokens of the first use are dead, at userinfo, introspection and check.
#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_code_revokes_what_it_issued_n084() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    admin.create_role("viewer", &[]).await.is(201);
    admin.grant("viewer", "read", json!({ "type": "Document" })).await.is(201);
    admin.assign(ana.me.who(), "viewer").await.is(204);
    for after in [Duration::ZERO, Duration::from_secs(30)] {
        let more = [("scope", "openid offline_access"), ("prompt", "consent")];
        let code = shop.code(&mut browser, &more).await;
        let tokens = shop.redeem(&code).await.is(200);
        let (access, refresh) = (tokens.text_at("/access_token"), tokens.text_at("/refresh_token"));
        let ask = || with(question(ana.me.who(), "read", document("1")), "token", access.as_str());
        let mut ask_token = ask();
        ask_token.as_object_mut().unwrap().remove("principal");
        admin.check(ask_token.clone()).await.allows();
        app.later(after);
        shop.redeem(&code).await.oauth(400, "invalid_grant");
        assert_eq!(app.bearer(&access).get("/oauth/userinfo").await.status, 401);
        assert!(!shop.is_active(&access).await && !shop.is_active(&refresh).await);
        let answer = admin.check(ask_token).await;
        assert_ne!(answer.json["decision"], "allow", "{}", answer.text);
        shop.refresh(&refresh, &[]).await.oauth(400, "invalid_grant");
        assert_eq!(app.count_events("code_replayed", "success").await, if after.is_zero() { 1 } else { 2 });
    }
}

/// R2: fifty at once on two nodes, one wins; the others are replays, so what it won is dead.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_redeem_one_code_and_one_succeeds_n085() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let second = app.second_node().await;
    let there = OAuthClient { http: second.ask(&shop.http), ..shop.clone() };
    let code = shop.code(&mut browser, &[]).await;
    let all = (0..50).map(|n| if n % 2 == 0 { shop.redeem(&code) } else { there.redeem(&code) });
    let answers: Vec<Answer> = join_all(all).await;
    let won: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
    assert_eq!(won.len(), 1);
    assert!(answers.iter().all(|answer| answer.status == 200 || answer.json["error"] == "invalid_grant"));
    app.agrees_with(&second).await;
    assert!(!shop.is_active(&won[0].text_at("/access_token")).await);
    assert!(!there.is_active(&won[0].text_at("/access_token")).await);
}

/// R2: whoever was first is told so, also if the replay comes while the tokens are made; they are dead then.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_that_is_replayed_while_its_tokens_are_made_has_one_success_n084() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let code = shop.code(&mut browser, &[("scope", "openid offline_access"), ("prompt", "consent")]).await;
    // A node that knows the client, and has to ask the database about the person.
    let second = app.second_node().await;
    let there = OAuthClient { http: second.ask(&shop.http), ..shop.clone() };
    assert!(!there.is_active("no token").await);
    let mut conn = app.database.connect().await;
    let mut held = conn.begin().await.unwrap();
    sqlx::query("LOCK TABLE assignments IN ACCESS EXCLUSIVE MODE").execute(&mut *held).await.unwrap();
    let replay = async {
        app.database.somebody_waits().await;
        shop.redeem(&code).await.oauth(400, "invalid_grant");
        app.agrees_with(&second).await;
        held.commit().await.unwrap();
    };
    let (won, ()) = join(there.redeem(&code), replay).await;
    let tokens = won.is(200);
    for client in [&shop, &there] {
        assert!(!client.is_active(&tokens.text_at("/access_token")).await);
        client.refresh(&tokens.text_at("/refresh_token"), &[]).await.oauth(400, "invalid_grant");
    }
    assert_eq!(app.count_events("code_replayed", "success").await, 1);
    assert_eq!(app.count_events("issue_refused", "success").await, 0);
}

/// A code does not outlive what it stands for.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_of_somebody_who_left_is_worth_nothing_v008_v059() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    let code = shop.code(&mut browser, &[]).await;
    browser.open("/logout").await;
    browser.submit("/logout", &[]).await;
    shop.redeem(&code).await.oauth(400, "invalid_grant");

    let mut browser = app.browser_of(&ana).await;
    let code = shop.code(&mut browser, &[]).await;
    let tokens = shop.offline_tokens(&mut browser).await;
    admin.post(&format!("/api/v1/admin/users/{}/deactivate", ana.id()), &json!({})).await.is(204);
    shop.redeem(&code).await.oauth(400, "invalid_grant");
    shop.refresh(&tokens.text_at("/refresh_token"), &[]).await.oauth(400, "invalid_grant");
    assert!(!shop.is_active(&tokens.text_at("/access_token")).await);
}

/// Issue 4: tokens say who somebody is, never what they may do, however much that is.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_somebody_with_ten_thousand_roles_is_small() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let mut conn = app.database.connect().await;
    for sql in [
        "INSERT INTO roles (name) SELECT 'many-' || n FROM generate_series(1, 10000) AS n",
        "INSERT INTO assignments (principal_type, principal_id, role)
         SELECT 'User', id::text, 'many-' || n FROM users, generate_series(1, 10000) AS n WHERE username = 'ana'",
    ] {
        sqlx::query(sql).execute(&mut conn).await.unwrap();
    }
    let mut browser = app.browser_of(&ana).await;
    let tokens = shop.redeem(&shop.code(&mut browser, &[("scope", "openid email profile photos")]).await).await.is(200);
    let token = tokens.text_at("/access_token");
    assert!(token.len() < 1024, "{}", token.len());
    assert!(!claims(&token).to_string().contains("many-"));
}
