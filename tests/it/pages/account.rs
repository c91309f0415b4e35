//! `/account`.

use super::{OTHER_PASSWORD, PASSWORD};
use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn what_people_call_themselves_is_escaped_v070() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.signed_in("ana").await;
    let name = "\"><script>alert(1)</script> & 'Ana'";
    browser.open("/account/profile").await;
    let fields = [("display_name", name), ("locale", "pt-BR"), ("zoneinfo", "Europe/Lisbon")];
    browser.submit("/account/profile", &fields).await;
    browser.says("Saved.");
    assert!(!browser.page.text.contains("<script"));
    let kept = browser.filled("/account/profile", &[]);
    assert!(kept.contains(&("display_name".to_owned(), name.to_owned())), "{kept:?}");
    browser.open("/account").await;
    assert!(!browser.page.text.contains("<script"));
    browser.open("/account/profile").await;
    browser.submit("/account/profile", &[("zoneinfo", "no zone!")]).await;
    assert_eq!(browser.page.status, 422);
    browser.says("id=\"zoneinfo-fault\"");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_takes_the_old_one_and_ends_other_sessions_n151() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut other = app.signed_in("ana").await;
    let mut browser = app.signed_in("ana").await;
    browser.open("/account/password").await;
    browser.submit("/account/password", &[("current", OTHER_PASSWORD), ("password", OTHER_PASSWORD)]).await;
    assert_eq!(browser.page.status, 422);
    browser.says("id=\"current-fault\"");
    browser.submit("/account/password", &[("current", PASSWORD), ("password", "ana@example.com")]).await;
    browser.says("id=\"password-fault\"");
    browser.submit("/account/password", &[("current", PASSWORD), ("password", OTHER_PASSWORD)]).await;
    browser.is_at("/account/password");
    browser.says("Your password is changed.");
    other.open("/account").await;
    other.is_at("/login");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_counts_once_it_is_proven_n155() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.signed_in("ana").await;
    browser.open("/account/profile").await;
    browser.submit("/account/email", &[("email", "new@example.com"), ("password", OTHER_PASSWORD)]).await;
    browser.says("id=\"password-fault\"");
    browser.submit("/account/email", &[("email", "new@example.com"), ("password", PASSWORD)]).await;
    browser.says("We have sent a link");
    browser.says("<strong>ana@example.com</strong>");
    let link =
        app.mailbox.wait_for("new@example.com", |mail| mail.subject.contains("new address")).await.links()[0].clone();
    browser.open_link(&link).await;
    browser.submit("/verify-email", &[]).await;
    browser.open("/account/profile").await;
    browser.says("<strong>new@example.com</strong>");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_session_and_all_others_can_be_ended_n171() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    app.resident("ben").await;
    let mut bens = app.signed_in("ben").await;
    let (mut first, mut second, mut third) =
        (app.signed_in("ana").await, app.signed_in("ana").await, app.signed_in("ana").await);
    third.open("/account/sessions").await;
    assert_eq!(third.page.text.matches("action=\"/account/sessions/end\"").count(), 3);
    let here = third.filled("/account/sessions/end", &[]).into_iter().find(|(name, _)| name == "session").unwrap().1;
    first.open("/account/sessions").await;
    let firsts = first.filled("/account/sessions/end", &[]).into_iter().find(|(name, _)| name == "session").unwrap().1;
    assert_ne!(here, firsts, "each list begins with the browser that asks");
    // Nobody ends a session of somebody else.
    bens.open("/account/sessions").await;
    bens.submit("/account/sessions/end", &[("session", &firsts)]).await;
    first.open("/account").await;
    first.is_at("/account");
    third.submit("/account/sessions/end", &[("session", &firsts)]).await;
    first.open("/account").await;
    first.is_at("/login");
    third.submit("/account/sessions/end-others", &[]).await;
    second.open("/account").await;
    second.is_at("/login");
    third.open("/account").await;
    third.is_at("/account");
    bens.open("/account").await;
    bens.is_at("/account");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_activity_tells_what_happened_and_only_to_its_owner() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    app.resident("ben").await;
    let mut browser = app.browser();
    browser.sign_in("ana", OTHER_PASSWORD).await;
    for _ in 0..25 {
        browser.open("/login?another=1").await;
        browser.submit("/login", &[("login", "ben"), ("password", PASSWORD)]).await;
        browser.is_at("/account");
    }
    browser.open("/account/activity").await;
    assert_eq!(browser.page.text.matches("<li>").count(), 20);
    assert!(!browser.page.text.contains("Somebody failed"));
    let older = browser.page.text.split("href=\"/account/activity?before=").nth(1).unwrap().split('"').next().unwrap();
    let older = format!("/account/activity?before={}", crate::browser::unescaped(older));
    browser.open(&older).await;
    browser.says("Signed in");
    let mut anas = app.signed_in("ana").await;
    anas.open("/account/activity").await;
    anas.says("Somebody failed to sign in: wrong password");
    anas.says("Created the account");
}

/// Whoever has the browser for a minute has not got the account.
#[tokio::test(flavor = "multi_thread")]
async fn closing_the_account_takes_the_password_and_to_delete_it_the_name_v034() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    app.resident("ben").await;
    let mut browser = app.signed_in("ana").await;
    browser.open("/account/close").await;
    browser.submit("/account/deactivate", &[("password", OTHER_PASSWORD)]).await;
    assert_eq!(browser.page.status, 422);
    browser.submit("/account/deactivate", &[("password", "")]).await;
    assert_eq!(browser.page.status, 422);
    browser.submit("/account/delete", &[("password", PASSWORD), ("username", "ben")]).await;
    assert_eq!(browser.page.status, 422);
    browser.says("id=\"username-fault\"");
    browser.submit("/account/delete", &[("password", PASSWORD), ("username", "ana")]).await;
    browser.is_at("/login");
    browser.says("Your account is closed.");
    assert_eq!(browser.session(), None);
    browser.sign_in("ana", PASSWORD).await;
    assert_eq!(browser.page.status, 422);
    let mut bens = app.signed_in("ben").await;
    bens.open("/account/close").await;
    bens.submit("/account/deactivate", &[("password", PASSWORD)]).await;
    bens.is_at("/login");
    bens.sign_in("ben", PASSWORD).await;
    assert_eq!(bens.page.status, 422);
}
