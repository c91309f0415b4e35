//! Whom a device is not let in by, and what ends what it was let in for (security V-070, V-059).

use std::time::Duration;

use serde_json::json;

use super::device::SCOPE;
use crate::app::TestApp;

/// RFC 8628 §5.1: whoever types codes at random is slowed down, however many sessions they have.
#[tokio::test(flavor = "multi_thread")]
async fn guessing_user_codes_is_slowed_down() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let screen = app.television(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let (mut first, mut second) = (app.browser_of(&ana).await, app.browser_of(&ana).await);
    let device = screen.begin(SCOPE).await;
    for n in 0..5 {
        let browser = if n % 2 == 0 { &mut first } else { &mut second };
        browser.open("/device").await;
        let guess = format!("BCDF-GHJ{}", ["B", "C", "D", "F", "G"][n]);
        assert_eq!(browser.submit("/device", &[("user_code", &guess)]).await.status, 422);
        browser.says("No device shows this code");
    }
    for browser in [&mut first, &mut second] {
        browser.open("/device").await;
        let page = browser.submit("/device", &[("user_code", &device.shown)]).await;
        assert_eq!(page.status, 429);
        assert!(!page.header("retry-after").is_empty());
        browser.open("/device").await;
    }
    // Nor is there another way in.
    let form = first.filled("/device", &[("user_code", &device.shown)]);
    let form: Vec<_> = form.into_iter().chain([("decision".to_owned(), "allow".to_owned())]).collect();
    assert_eq!(first.post("/device/confirm", &form).await.status, 429);
    // Others are not concerned, and a text that can be no code costs nothing.
    let mut ben = app.browser_of(&app.person("ben").await).await;
    for _ in 0..10 {
        ben.open("/device").await;
        assert_eq!(ben.submit("/device", &[("user_code", "hello")]).await.status, 422);
    }
    device.answered(&mut ben, "allow").await;
    ben.says("Connected");
    // Codes of one's own do not pardon guesses.
    for n in 0..5 {
        screen.begin(SCOPE).await.answered(&mut ben, "deny").await;
        ben.open("/device").await;
        let guess = format!("BCDF-GHK{}", ["B", "C", "D", "F", "G"][n]);
        ben.submit("/device", &[("user_code", &guess)]).await;
    }
    ben.open("/device").await;
    assert_eq!(ben.submit("/device", &[("user_code", "BCDF-GHLB")]).await.status, 429);
}

/// Forms from elsewhere do nothing, whatever a link or a name says is text.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_made_to_let_a_device_in_n172_n125_v070() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let screen = app.television(&admin, json!({ "client_name": "<script>alert(1)</script>" })).await;
    let device = screen.begin(SCOPE).await;
    let mut browser = app.browser_of(&ana).await;
    let forged = [("user_code".to_owned(), device.shown.clone()), ("decision".to_owned(), "allow".to_owned())];
    assert_eq!(browser.post("/device/confirm", &forged).await.status, 403);
    assert_eq!(browser.post("/device", &forged).await.status, 403);
    browser.open("/device").await;
    let form = browser.filled("/device", &[("user_code", &device.shown)]);
    let cross = browser.request("/device").header("sec-fetch-site", "cross-site").form(&form);
    assert_eq!(browser.send(cross).await.status, 403);
    assert_eq!(browser.get("/device/confirm").await.status, 405);
    for evil in ["\"><script>", "%22%3E%3Cscript%3E", "BCDF-GHJK\" autofocus onfocus=alert(1) x=\""] {
        let encoded: String = url::form_urlencoded::byte_serialize(evil.as_bytes()).collect();
        let page = browser.open(&format!("/device?user_code={encoded}")).await;
        assert!(
            page.status == 200 && !page.text.contains("script>") && !page.text.contains("onfocus"),
            "{}",
            page.text
        );
    }
    browser.submit("/device", &[("user_code", &device.shown)]).await;
    assert!(!browser.page.text.contains("<script>alert"));
    browser.says("&#60;script&#62;");
    device.ask().await.oauth(400, "authorization_pending");
    // Whoever logs out meanwhile logs in first.
    let form = browser.filled("/device/confirm", &[("decision", "allow")]);
    assert!(browser.cookies.remove("__Host-deodar").is_some());
    let answer = browser.post("/device/confirm", &form).await;
    assert!(answer.status == 403 || answer.header("location").starts_with("/login"), "{}", answer.status);
    app.later(Duration::from_secs(10));
    device.ask().await.oauth(400, "authorization_pending");
}

/// For devices: what holds is judged when the device comes for its tokens.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_is_gone_lets_nobody_in_v059_n095() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let screen = app.television(&admin, json!({})).await;
    let ana = app.person("ana").await;
    let mut browser = app.browser_of(&ana).await;
    let (first, second) = (screen.begin(SCOPE).await, screen.begin(SCOPE).await);
    first.answered(&mut browser, "allow").await;
    second.answered(&mut browser, "allow").await;
    browser.open("/logout").await;
    browser.submit("/logout", &[]).await;
    first.ask().await.oauth(400, "invalid_grant");
    admin.post(&format!("/api/v1/admin/users/{}/deactivate", ana.id()), &json!({})).await;
    second.ask().await.oauth(400, "invalid_grant");
    // Nor is anything left of an agreement that is taken back.
    let withdrawn = screen.begin(SCOPE).await;
    let mut eve = app.browser_of(&app.person("eve").await).await;
    withdrawn.answered(&mut eve, "allow").await;
    eve.open("/account/applications").await;
    eve.says("Screen");
    eve.submit("/account/applications/revoke", &[]).await;
    withdrawn.ask().await.oauth(400, "invalid_grant");
    // Nor does a client that was switched off.
    let third = screen.begin(SCOPE).await;
    admin.update_client(&screen.id, json!({ "active": false })).await.is(200);
    third.ask().await.oauth(401, "invalid_client");
    let mut ben = app.browser_of(&app.person("ben").await).await;
    ben.open("/device").await;
    ben.submit("/device", &[("user_code", &third.shown)]).await;
    ben.says("No device shows this code");
}

/// Neither code is in the database.
#[tokio::test(flavor = "multi_thread")]
async fn the_database_holds_hashes_of_the_codes_only_v081() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let device = app.television(&admin, json!({})).await.begin(SCOPE).await;
    let mut conn = app.database.connect().await;
    let row: String = sqlx::query_scalar("SELECT d::text FROM device_codes d").fetch_one(&mut conn).await.unwrap();
    let plain = device.shown.replace('-', "");
    let hashed = |text: &str| -> String {
        deodar::crypto::digest(text.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
    };
    for clear in [&device.code, &device.shown, &plain, &hashed(&plain), &hashed(&device.shown)] {
        assert!(!row.contains(clear.as_str()), "{row}");
    }
    assert!(row.contains(&hashed(&device.code)));
}

/// A client that was switched off meanwhile gets nothing by a code that somebody let in before.
#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_let_in_ends_with_its_client_v059() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let screen = app.television(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let device = screen.begin("openid").await;
    device.answered(&mut browser, "allow").await;
    admin.update_client(&screen.id, json!({ "active": false })).await.is(200);
    admin.update_client(&screen.id, json!({ "active": true })).await.is(200);
    device.ask().await.oauth(400, "invalid_grant");
    // A person lets in as many as they like, also with no scope at all.
    for _ in 0..2 {
        let device = screen.begin("").await;
        device.answered(&mut browser, "allow").await;
        device.ask().await.is(200);
    }
}
