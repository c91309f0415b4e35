//! What every page promises to browsers.

use crate::{answer::Answer, app::TestApp};

#[track_caller]
fn protected(answer: &Answer) {
    let policy = answer.header("content-security-policy");
    for part in
        ["default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("script-src"), "{policy}");
    assert_eq!(answer.header("x-frame-options"), "DENY");
    assert_eq!(answer.header("referrer-policy"), "no-referrer");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("content-type"), "text/html; charset=utf-8");
    assert!(
        !answer.text.contains("<script") && !answer.text.contains(" style=") && !answer.text.contains("src=\"http")
    );
    assert!(!answer.header("x-request-id").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_protected_n030_n157() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.browser();
    for path in ["/login", "/register", "/register/sent", "/forgot-password", "/forgot-password/sent"] {
        protected(browser.open(path).await);
        assert_eq!(browser.page.status, 200, "{path}");
    }
    for path in ["/verify-email", "/verify-email?token=dev_x", "/reset-password", "/reset-password?token=dpr_x"] {
        protected(browser.open(path).await);
        assert_eq!(browser.page.status, 400, "{path}");
    }
    protected(&browser.post("/login", &[]).await.is(403));
    let mut browser = app.signed_in("ana").await;
    for section in ["", "/profile", "/password", "/mfa", "/sessions", "/applications", "/activity", "/close"] {
        let path = format!("/account{section}");
        protected(browser.open(&path).await);
        browser.is_at(&path);
    }
    protected(browser.open("/logout").await);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_is_a_page_for_browsers_and_a_problem_for_programs() {
    let app = TestApp::spawn().await;
    let mut browser = app.browser();
    for (path, status) in [("/nowhere", 404), ("/api/v1/me", 401)] {
        browser.get(path).await.problem(status, if status == 404 { "not_found" } else { "unauthorized" });
        let url = format!("{}{path}", app.anonymous().base);
        let request = app.anonymous().http.get(url).header("sec-fetch-mode", "navigate");
        let answer = browser.send(request).await.is(status);
        protected(&answer);
        assert!(answer.text.contains("<h1>") && answer.text.contains(answer.header("x-request-id")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stylesheet_and_the_pictures_are_kept_for_good() {
    let app = TestApp::spawn().await;
    let mut browser = app.browser();
    browser.open("/login").await;
    let style =
        browser.page.text.split("rel=\"stylesheet\" href=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let answer = browser.get(&style).await.is(200);
    assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(answer.header("content-type"), "text/css; charset=utf-8");
    assert!(!answer.text.contains("http") && !answer.text.contains("@import"));
    for picture in ["icon.svg", "day.svg", "night.svg"] {
        let answer = browser.get(&style.replace("style.css", picture)).await.is(200);
        assert_eq!(answer.header("content-type"), "image/svg+xml");
    }
    let old = browser.get("/assets/0000000000000000/style.css").await.is(200);
    assert_eq!(old.header("cache-control"), "no-cache");
    browser.get(&style.replace("style.css", "nothing.css")).await.is(404);
}
