//! How people are named to clients that must not recognise them by what others know (OpenID Connect Core §8).

use serde_json::json;

use super::flow::{OAuthClient, claims};
use crate::{
    actor::Actor,
    app::TestApp,
    browser::Browser,
    neighbour::{Neighbour, Reply},
    person::PASSWORD,
};

async fn client(app: &TestApp, admin: &Actor, subject_type: &str, uri: &str) -> OAuthClient {
    let more = json!({ "subject_type": subject_type, "redirect_uris": [uri] });
    app.web_client(admin, more).await
}

/// Every name by which a client hears of a person; they are one and the same.
async fn name(app: &TestApp, client: &OAuthClient, browser: &mut Browser) -> String {
    let tokens = client.offline_tokens(browser).await;
    let (access, id) = (tokens.text_at("/access_token"), tokens.text_at("/id_token"));
    let refresh = tokens.text_at("/refresh_token");
    let name = claims(&id)["sub"].as_str().unwrap().to_owned();
    assert_eq!(app.bearer(&access).get("/oauth/userinfo").await.is(200).json["sub"], name);
    for token in [&access, &refresh] {
        let seen = client.form("/oauth/introspect", &[("token", token)]).await.is(200);
        assert_eq!((&seen.json["active"], &seen.json["sub"]), (&json!(true), &json!(name)));
    }
    assert_eq!(claims(&access)["sub"], name);
    let refreshed = client.refresh(&refresh, &[]).await.is(200);
    assert_eq!(claims(&refreshed.text_at("/id_token"))["sub"], name);
    // N-049, N-050: and by it the client means its person.
    let silent = [("prompt", "none"), ("id_token_hint", &*id)];
    client.authorize(browser, &silent).await.code();
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_different_sectors_know_a_person_by_different_names_n063() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let (ana, ben) = (app.person("ana").await, app.person("ben").await);
    let mut browser = app.browser_of(&ana).await;
    let mut names = Vec::new();
    for (subject_type, uri) in [
        ("public", "https://meadow.test/cb"),
        ("public", "https://forest.test/cb"),
        ("pairwise", "https://meadow.test/cb"),
        ("pairwise", "https://meadow.test:8443/other"),
        ("pairwise", "https://forest.test/cb"),
    ] {
        let client = client(&app, &admin, subject_type, uri).await;
        let first = name(&app, &client, &mut browser).await;
        assert_eq!(name(&app, &client, &mut browser).await, first);
        names.push(first);
    }
    let id = ana.id();
    assert_eq!((names[0].as_str(), names[1].as_str()), (id, id));
    assert_eq!(names[2], names[3], "one sector");
    assert!(names[4] != names[2] && names[4] != id && names[2] != id, "{names:?}");
    assert!(names[2].len() >= 40 && names[2].bytes().all(|b| b.is_ascii_graphic()), "{}", names[2]);
    let mut other = app.browser_of(&ben).await;
    let meadow = client(&app, &admin, "pairwise", "https://meadow.test/cb").await;
    assert_ne!(name(&app, &meadow, &mut other).await, names[2]);
}

/// The token of such a client says no more than its ID token.
#[tokio::test(flavor = "multi_thread")]
async fn no_token_of_such_a_client_holds_the_id_that_others_know_n063() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    let meadow = client(&app, &admin, "pairwise", "https://meadow.test/cb").await;
    let tokens = meadow.offline_tokens(&mut browser).await;
    for name in ["/access_token", "/id_token"] {
        let claims = claims(&tokens.text_at(name)).to_string();
        assert!(!claims.contains(ana.id()), "{name}: {claims}");
    }
    // And still it is hers: it ends with her.
    let access = tokens.text_at("/access_token");
    let asker = app.client("asker", "authz:check", &[]).await;
    admin.create_role("reader", &[]).await;
    admin.grant("reader", "read", json!({ "type": "Document" })).await.is(201);
    admin.assign(ana.me.who(), "reader").await.is(204);
    let question = json!({ "token": access, "action": "read", "resource": { "type": "Document", "id": "1" } });
    asker.check(question.clone()).await.allows();
    ana.me.post("/api/v1/me/deactivate", &json!({ "password": PASSWORD })).await.is(204);
    app.bearer(&access).get("/oauth/userinfo").await.oauth(401, "invalid_token");
    assert!(!meadow.is_active(&access).await);
}

/// Nor does an API that is shown a token learn by which name it knows its owner itself.
#[tokio::test(flavor = "multi_thread")]
async fn an_api_is_told_the_name_that_the_token_says_n063() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    let meadow = client(&app, &admin, "pairwise", "https://meadow.test/cb").await;
    for subject_type in ["public", "pairwise"] {
        let api = client(&app, &admin, subject_type, "https://api.test/cb").await;
        let resource = format!("urn:deodar:client:{}", api.id);
        let code = meadow.code(&mut browser, &[("resource", &resource)]).await;
        let access = meadow.redeem(&code).await.is(200).text_at("/access_token");
        let seen = api.form("/oauth/introspect", &[("token", &access)]).await.is(200).json;
        assert_eq!((&seen["active"], &seen["sub"]), (&json!(true), &claims(&access)["sub"]), "{subject_type}");
        assert_ne!(seen["sub"], ana.id(), "{subject_type}");
    }
}

/// A name is never given out twice.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_after_somebody_gets_another_name_n063() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let meadow = client(&app, &admin, "pairwise", "https://meadow.test/cb").await;
    let ana = app.person("ana").await;
    let before = name(&app, &meadow, &mut app.browser_of(&ana).await).await;
    ana.me.send(reqwest::Method::DELETE, "/api/v1/me", Some(&json!({ "password": PASSWORD }))).await.is(204);
    let ana = app.person("ana").await;
    assert_ne!(name(&app, &meadow, &mut app.browser_of(&ana).await).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn logouts_use_the_name_that_the_client_knows() {
    let neighbour = Neighbour::open().await;
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let more = json!({ "subject_type": "pairwise", "post_logout_redirect_uris": ["https://meadow.test/bye"],
        "backchannel_logout_uri": format!("{}/bye", neighbour.http) });
    let meadow = app.web_client(&admin, more).await;
    let mut browser = app.browser_of(&ana).await;
    let tokens = meadow.offline_tokens(&mut browser).await;
    let id_token = tokens.text_at("/id_token");
    let query = format!("/oauth/logout?id_token_hint={id_token}&post_logout_redirect_uri=https://meadow.test/bye");
    let answer = browser.get(&query).await.is(303);
    assert_eq!(answer.header("location"), "https://meadow.test/bye");
    let heard = neighbour.wait_for("/bye", 1).await;
    let token = heard.body.strip_prefix("logout_token=").unwrap();
    for name in ["sub", "sid", "aud", "iss"] {
        assert_eq!(claims(token)[name], claims(&id_token)[name], "{name}");
    }
    // N-134.
    meadow.refresh(&tokens.text_at("/refresh_token"), &[]).await.oauth(400, "invalid_grant");
    let silent = meadow.authorize(&mut browser, &[("prompt", "none")]).await;
    silent.error("login_required");
}

/// OpenID Connect Core §8.1: the sector is one host, or somebody vouches for several.
#[tokio::test(flavor = "multi_thread")]
async fn a_sector_is_one_host_or_a_document() {
    let neighbour = Neighbour::open().await;
    let app = TestApp::spawn_with(&[("DEODAR_FETCH_CA", &neighbour.ca)]).await;
    let admin = app.admin().await;
    for uris in [json!(["https://a.test/", "https://b.test/"]), json!(["com.example.app:/cb"]), json!([])] {
        let body = json!({ "client_name": "Several", "grant_types": ["authorization_code"], "redirect_uris": uris,
            "subject_type": "pairwise" });
        admin.create_client(body).await.faulty("sector_identifier_uri", "invalid_client_metadata");
    }
    let several = json!(["https://meadow.test/cb", "https://forest.test/cb"]);
    neighbour.reply("/sector", Reply::Json(several.clone()));
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    let mut names = Vec::new();
    for uris in [several, json!(["https://forest.test/cb"])] {
        let more = json!({ "subject_type": "pairwise", "redirect_uris": uris,
            "sector_identifier_uri": format!("{}/sector", neighbour.https) });
        let client = app.web_client(&admin, more).await;
        names.push(name(&app, &client, &mut browser).await);
    }
    assert_eq!(names[0], names[1]);
    let alone = client(&app, &admin, "pairwise", "https://forest.test/cb").await;
    assert_ne!(name(&app, &alone, &mut browser).await, names[0]);
}
