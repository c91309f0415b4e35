//! Registering, proving an address, a new password by mail.

use super::{OTHER_PASSWORD, PASSWORD};
use crate::app::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn somebody_registers_and_proves_the_address() {
    let app = TestApp::spawn().await;
    let mut browser = app.browser();
    browser.open("/register").await;
    browser.submit("/register", &[("username", "ana"), ("email", "ana@example.com"), ("password", PASSWORD)]).await;
    browser.is_at("/register/sent");
    let link =
        app.mailbox.wait_for("ana@example.com", |mail| mail.subject.contains("Confirm")).await.links()[0].clone();
    browser.sign_in("ana@example.com", PASSWORD).await;
    browser.says("Your address is not confirmed.");
    // A program that reads mail follows the link, and nothing happens.
    let mut program = app.browser();
    program.open_link(&link).await;
    browser.open("/account").await;
    browser.says("Your address is not confirmed.");
    browser.open_link(&link).await;
    browser.submit("/verify-email", &[]).await;
    browser.says("Your address is confirmed");
    browser.open("/account").await;
    assert!(!browser.page.text.contains("not confirmed"));
    browser.open_link(&link).await;
    assert_eq!(browser.page.status, 400);
    browser.says("This link does not work any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn registering_does_not_tell_who_is_here_n153() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut seen = Vec::new();
    for (name, email) in [("ana", "new@example.com"), ("other", "ana@example.com"), ("ben", "ben@example.com")] {
        let mut browser = app.browser();
        browser.open("/register").await;
        browser.submit("/register", &[("username", name), ("email", email), ("password", PASSWORD)]).await;
        browser.is_at("/register/sent");
        seen.push(browser.page.text.clone());
        let mut browser = app.browser();
        browser.open("/forgot-password").await;
        browser.submit("/forgot-password", &[("email", email)]).await;
        browser.is_at("/forgot-password/sent");
    }
    assert!(seen.iter().all(|page| *page == seen[0]), "{seen:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_field_is_tied_to_it() {
    let app = TestApp::spawn().await;
    let mut browser = app.browser();
    browser.open("/register").await;
    browser.submit("/register", &[("username", "a b"), ("email", "nonsense"), ("password", PASSWORD)]).await;
    assert_eq!(browser.page.status, 422);
    browser.says("<title>Error: ");
    browser.says("role=\"alert\"");
    for field in ["username", "email"] {
        browser.says(&format!("id=\"{field}-fault\""));
        browser.says(&format!("aria-describedby=\"{field}-fault"));
    }
    browser.says("value=\"a b\"");
    assert!(!browser.page.text.contains(PASSWORD), "a password is never sent back");
    browser.submit("/register", &[("username", "ana"), ("email", "a@example.com"), ("password", "short")]).await;
    browser.says("id=\"password-fault\"");
    browser.says("too short");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_by_mail_ends_every_session_n154_n155_n156_n157() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut elsewhere = app.signed_in("ana").await;
    let mut browser = app.browser();
    browser.open("/forgot-password").await;
    browser.submit("/forgot-password", &[("email", "ana@example.com")]).await;
    let link = app.mailbox.wait_for("ana@example.com", |mail| mail.subject.contains("Reset")).await.links()[0].clone();
    assert!(link.starts_with(crate::app::ISSUER));
    browser.open_link(&link).await;
    browser.submit("/reset-password", &[("password", "short")]).await;
    assert_eq!(browser.page.status, 422);
    browser.submit("/reset-password", &[("password", OTHER_PASSWORD)]).await;
    browser.is_at("/login");
    browser.says("Your new password is set.");
    assert_eq!(browser.session(), None, "a link signs nobody in");
    elsewhere.open("/account").await;
    elsewhere.is_at("/login");
    elsewhere.sign_in("ana", PASSWORD).await;
    assert_eq!(elsewhere.page.status, 422);
    elsewhere.sign_in("ana", OTHER_PASSWORD).await;
    elsewhere.is_at("/account");
    browser.open_link(&link).await;
    assert_eq!(browser.page.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn registration_can_be_closed() {
    let app = TestApp::spawn_with(&[("DEODAR_SIGN_UP", "off")]).await;
    let mut browser = app.browser();
    browser.open("/login").await;
    assert!(!browser.page.text.contains("Create an account"));
    browser.open("/register").await;
    assert_eq!(browser.page.status, 403);
}
