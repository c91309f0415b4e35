//! Forms count only from our own pages in the very browser that they were given to (N-172).

use super::PASSWORD;
use crate::app::TestApp;

const FORMS: [&str; 14] = [
    "/login",
    "/login/mfa",
    "/logout",
    "/register",
    "/verify-email",
    "/forgot-password",
    "/reset-password",
    "/account/profile",
    "/account/email",
    "/account/password",
    "/account/mfa/app",
    "/account/sessions/end-others",
    "/account/deactivate",
    "/account/delete",
];

#[tokio::test(flavor = "multi_thread")]
async fn no_form_counts_without_the_token_of_its_page_n172() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.signed_in("ana").await;
    let mut stranger = app.browser();
    stranger.open("/login").await;
    let foreign = stranger.filled("/login", &[]).into_iter().find(|(name, _)| name == "form_token").unwrap();
    for path in FORMS {
        for fields in [vec![], vec![foreign.clone()], vec![("form_token".to_owned(), String::new())]] {
            browser.post(path, &fields).await.is(403);
        }
    }
    browser.open("/account").await;
    browser.is_at("/account");
    browser.says("ana");
}

/// A stranger's page cannot send it, nor can a form of another type.
#[tokio::test(flavor = "multi_thread")]
async fn no_form_counts_that_another_site_sends_n172() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.browser();
    browser.open("/login").await;
    let fields = browser.filled("/login", &[("login", "ana"), ("password", PASSWORD)]);
    for site in ["cross-site", "same-site"] {
        let request = browser.request("/login").header("sec-fetch-site", site).form(&fields);
        browser.send(request).await.is(403);
    }
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
    for ty in ["text/plain", "multipart/form-data", "application/json", ""] {
        let request = browser.request("/login").header("content-type", ty).body(body.clone());
        browser.send(request).await.is(403);
    }
    assert_eq!(browser.session(), None);
    // The same fields from our own page do sign in: nothing else was wrong with them.
    assert_eq!(browser.post("/login", &fields).await.status, 303);
}

/// A form opened before a sign-in, or in another session, is worth nothing after it.
#[tokio::test(flavor = "multi_thread")]
async fn a_form_does_not_outlive_the_session_it_was_opened_in_v025() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.signed_in("ana").await;
    browser.open("/account/profile").await;
    let old = browser.filled("/account/profile", &[("display_name", "Mallory")]);
    browser.open("/logout").await;
    browser.submit("/logout", &[]).await;
    browser.sign_in("ana", PASSWORD).await;
    browser.post("/account/profile", &old).await.is(403);
    browser.open("/account/profile").await;
    assert!(!browser.page.text.contains("Mallory"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_that_lacks_a_field_is_refused_without_a_trace_of_it() {
    let app = TestApp::spawn().await;
    let mut browser = app.browser();
    browser.open("/login").await;
    let mut fields = browser.filled("/login", &[]);
    fields.retain(|(name, _)| name != "password");
    let answer = browser.post("/login", &fields).await.is(400);
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
}
