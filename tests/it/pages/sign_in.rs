//! `/login` and `/logout`.

use std::time::Duration;

use super::{OTHER_PASSWORD, PASSWORD};
use crate::app::TestApp;

/// A session gets a value of our own making, whatever the browser sent before.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_somebody_planted_is_never_taken_over_n169_n170() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let planted = "ds_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".to_owned();
    let mut browser = app.browser();
    browser.cookies.insert("__Host-deodar".to_owned(), planted.clone());
    browser.open("/account").await;
    browser.is_at("/login");
    browser.submit("/login", &[("login", "ana"), ("password", PASSWORD)]).await;
    browser.is_at("/account");
    let first = browser.session().unwrap();
    assert!(first != planted && first.len() > 40);
    let mut attacker = app.browser();
    attacker.cookies.insert("__Host-deodar".to_owned(), planted);
    attacker.open("/account").await;
    attacker.is_at("/login");
}

/// The value from before a new proof is dead.
#[tokio::test(flavor = "multi_thread")]
async fn proving_once_more_keeps_the_session_and_changes_its_cookie_n169() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.signed_in("ana").await;
    let before = browser.session().unwrap();
    browser.open("/login?again=1&return_to=%2Faccount%2Fsessions").await;
    browser.says("Is it still you?");
    browser.submit("/login", &[("password", "wrong wrong wrong wrong")]).await;
    assert_eq!(browser.page.status, 422);
    assert_eq!(browser.session().as_ref(), Some(&before));
    browser.submit("/login", &[("password", PASSWORD)]).await;
    browser.is_at("/account/sessions");
    assert_eq!(browser.page.text.matches("Firefox on Linux</strong>").count(), 1);
    let mut old = app.browser();
    old.cookies.insert("__Host-deodar".to_owned(), before);
    old.open("/account").await;
    old.is_at("/login");
}

/// Two people in one browser are never mixed.
#[tokio::test(flavor = "multi_thread")]
async fn another_person_in_the_same_browser_ends_the_session_before_v026() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    app.resident("ben").await;
    let mut browser = app.signed_in("ana").await;
    let hers = browser.session().unwrap();
    browser.open("/login?another=1").await;
    browser.submit("/login", &[("login", "ben"), ("password", PASSWORD)]).await;
    browser.is_at("/account");
    browser.says("<span class=\"who\">ben</span>");
    browser.cookies.insert("__Host-deodar".to_owned(), hers);
    browser.open("/account").await;
    browser.is_at("/login");
}

/// Cancelling changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_failed_sign_in_of_another_leaves_the_session_alone_v026() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.signed_in("ana").await;
    browser.open("/login?another=1").await;
    browser.submit("/login", &[("login", "ben"), ("password", OTHER_PASSWORD)]).await;
    browser.open("/account").await;
    browser.is_at("/account");
    browser.says("<span class=\"who\">ana</span>");
}

/// A name that nobody has is answered like a wrong password.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_name_looks_like_a_wrong_password_n153() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut pages = Vec::new();
    for name in ["ana", "nobody", "nobody@example.com", "<b>"] {
        let mut browser = app.browser();
        browser.sign_in(name, OTHER_PASSWORD).await;
        assert_eq!(browser.page.status, 422);
        assert_eq!(browser.session(), None);
        let token = browser.filled("/login", &[]).into_iter().find(|(name, _)| name == "form_token").unwrap().1;
        let name = name.replace('<', "&#60;").replace('>', "&#62;");
        pages.push(browser.page.text.replace(&token, "").replace(&format!("value=\"{name}\""), ""));
    }
    assert!(pages.iter().all(|page| *page == pages[0]), "{pages:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_leads_to_our_own_pages_only() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    for (asked, at) in [
        ("/account/activity", "/account/activity"),
        ("https://evil.test/", "/account"),
        ("//evil.test/account", "/account"),
        ("/\\evil.test/account", "/account"),
        ("/account/../..//evil.test", "/account"),
        ("javascript:alert(1)", "/account"),
        ("/api/v1/me", "/account"),
        ("", "/account"),
    ] {
        let mut browser = app.browser();
        let query: String =
            url::form_urlencoded::Serializer::new(String::new()).append_pair("return_to", asked).finish();
        browser.open(&format!("/login?{query}")).await;
        // What the page carries is judged again when it comes back.
        browser.submit("/login", &[("login", "ana"), ("password", PASSWORD), ("return_to", asked)]).await;
        browser.is_at(at);
        browser.open(&format!("/login?{query}")).await;
        browser.is_at(at);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_link_brings_is_escaped_v070_n054() {
    let app = TestApp::spawn().await;
    let mut browser = app.browser();
    let probe = "\"><script>alert(1)</script><b x='";
    let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("login_hint", probe).finish();
    browser.open(&format!("/login?{query}&news={query}&return_to={query}")).await;
    assert!(!browser.page.text.contains("<script") && !browser.page.text.contains("<b "), "{}", browser.page.text);
    let fields = browser.filled("/login", &[]);
    assert!(fields.contains(&("login".to_owned(), probe.to_owned())), "{fields:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_asks_first_and_ends_the_session() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.signed_in("ana").await;
    let session = browser.session().unwrap();
    browser.open("/logout").await;
    browser.says("Sign out?");
    assert_eq!(browser.session().as_ref(), Some(&session));
    browser.submit("/logout", &[]).await;
    browser.is_at("/login");
    browser.says("You are signed out.");
    assert_eq!(browser.session(), None);
    browser.cookies.insert("__Host-deodar".to_owned(), session);
    browser.open("/account").await;
    browser.is_at("/login");
}

/// What is not used ends, on every node.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_rests_too_long_is_over_n171() {
    let app = TestApp::spawn_with(&[("DEODAR_SESSION_IDLE", "1h")]).await;
    app.resident("ana").await;
    let mut browser = app.signed_in("ana").await;
    app.later(Duration::from_mins(50));
    browser.open("/account").await;
    browser.is_at("/account");
    app.later(Duration::from_mins(70));
    browser.open("/account/activity").await;
    browser.is_at("/login");
    browser.submit("/login", &[("login", "ana"), ("password", PASSWORD)]).await;
    browser.is_at("/account/activity");
}

/// Waiting is told, with the time, and the right password is not looked at before.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_attempts_look_like_wrong_ones_v068() {
    let app = TestApp::spawn_with(&[("DEODAR_FREE_ATTEMPTS", "3")]).await;
    app.resident("ana").await;
    let mut browser = app.browser();
    for _ in 0..3 {
        browser.sign_in("ana", OTHER_PASSWORD).await;
        assert_eq!(browser.page.status, 422);
    }
    browser.sign_in("ana", PASSWORD).await;
    assert_eq!((browser.page.status, browser.session()), (422, None));
    browser.says("wait a moment");
    app.later(Duration::from_mins(1));
    browser.sign_in("ana", PASSWORD).await;
    browser.is_at("/account");
}
