//! What strangers try: guessing from everywhere, saying they come from elsewhere, looking like somebody, and reaching for
//! what is another's.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::Row;

use crate::{
    actor::Actor,
    answer::Answer,
    app::TestApp,
    person::{PASSWORD, token_of},
};

/// Somebody logs in through this application, with headers of their own.
async fn sign_in_with(shop: &Actor, headers: &[(&str, &str)], name: &str, password: &str) -> Answer {
    let form = [
        ("grant_type", "password"),
        ("username", name),
        ("password", password),
        ("client_id", &shop.who().id),
        ("client_secret", shop.secret.as_ref().unwrap()),
    ];
    let mut request = shop.http.post(format!("{}/oauth/token", shop.base)).form(&form);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    Answer::read(request.send().await.unwrap()).await
}

/// From a hundred addresses as from one. Waiting ends, and nobody is locked out for good (V-068).
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_addresses_buy_no_guesses_at_one_account_n173_v068() {
    let app = TestApp::spawn_with(&[("DEODAR_TRUSTED_PROXIES", "127.0.0.1")]).await;
    app.admin().await;
    let ana = app.person("ana").await;
    let tries = (0..100).map(|n| {
        let (shop, from) = (&ana.shop, format!("198.51.{}.{}", n / 50, n % 50 + 1));
        async move { sign_in_with(shop, &[("x-forwarded-for", &from)], "ana", "wrong").await.status }
    });
    assert!(join_all(tries).await.iter().all(|status| *status == 400));
    let mut conn = app.database.connect().await;
    let counted = sqlx::query("SELECT failures FROM throttle WHERE subject = 'password:' || $1").bind(ana.id());
    let counted: i32 = counted.fetch_one(&mut conn).await.unwrap().get(0);
    assert!((5..=10).contains(&counted), "{counted} were looked at");
    app.later(Duration::from_secs(15 * 60));
    ana.sign_in().await.is(200);
}

/// Whoever shuts an account out from afar does not shut out the browser that its owner always uses.
#[tokio::test(flavor = "multi_thread")]
async fn strangers_who_guess_do_not_lock_out_the_owners_browser_v068() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let other = app.second_node().await;
    app.resident("ana").await;
    let password = crate::pages::PASSWORD;
    let mut hers = app.signed_in("ana").await;
    hers.open("/logout").await;
    hers.submit("/logout", &[]).await;
    let shop = app.trusted().await;
    for n in 0..30 {
        other.ask(&shop).sign_in("ana", &format!("guess {n}")).await;
    }
    let mut elsewhere = app.browser();
    elsewhere.sign_in("ana", password).await;
    assert_eq!(elsewhere.page.status, 422, "the right password waits elsewhere");
    hers.sign_in("ana", password).await;
    hers.is_at("/account");
}

/// Whatever a peer that is no proxy of ours writes about where it comes from, it comes from where it comes from.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_says_where_a_request_comes_from_v066() {
    let app = TestApp::spawn_with(&[("DEODAR_FREE_ATTEMPTS", "1")]).await;
    app.admin().await;
    let shop = app.trusted().await;
    let mut statuses = Vec::new();
    for n in 0..40 {
        let from = format!("203.0.113.{n}");
        let (forwarded, two) = (format!("for={from};host=evil.example"), format!("{from}, 127.0.0.1"));
        let headers = [
            ("x-forwarded-for", from.as_str()),
            ("x-forwarded-for", &two),
            ("forwarded", &forwarded),
            ("x-real-ip", &from),
            ("true-client-ip", &from),
            ("x-client-ip", &from),
        ];
        statuses.push(sign_in_with(&shop, &headers, &format!("nobody-{n}"), "wrong").await.status);
    }
    assert!(statuses.contains(&429), "one address after all: {statuses:?}");
    let mut conn = app.database.connect().await;
    let addresses = sqlx::query("SELECT DISTINCT address FROM audit WHERE action = 'sign_in'");
    let addresses = addresses.fetch_all(&mut conn).await.unwrap();
    let addresses: Vec<String> = addresses.iter().map(|row| row.get("address")).collect();
    assert_eq!(addresses, ["127.0.0.1"]);
}

/// One address, whatever it is written like, on whichever node; and mail goes to the form that is kept.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_alike_are_one_address_v055() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let other = app.second_node().await;
    let nodes = [app.anonymous(), other.ask(&app.anonymous())];
    let alike = [
        "ana@xn--bcher-kva.example",
        "Ana@b\u{fc}cher.example",
        "ANA@BU\u{308}CHER.EXAMPLE",
        "ana\u{ff20}b\u{fc}cher.example",
        "ana@b\u{fc}cher\u{3002}example",
        "\u{ff41}na@b\u{fc}cher.example",
    ];
    let tries = alike.iter().enumerate().map(|(n, email)| {
        let (node, name) = (&nodes[n % 2], format!("claim{n}"));
        async move { node.register(&name, email, PASSWORD).await.status }
    });
    let statuses = join_all(tries).await;
    assert!(statuses.iter().all(|status| matches!(status, 202 | 422)), "{statuses:?}");
    let claims = statuses.iter().filter(|status| **status == 202).count();
    assert!(claims >= 4, "{statuses:?}");
    app.mailbox.wait_for_count(claims).await;
    let mails = app.mailbox.all();
    for mail in &mails {
        let [to] = mail.to.as_slice() else { panic!("{:?}", mail.to) };
        assert_eq!(to.to_lowercase(), "ana@xn--bcher-kva.example");
    }
    let confirm = |n: usize| {
        let (node, body) = (&nodes[n % 2], json!({ "token": token_of(&mails[n]) }));
        async move { node.post("/api/v1/email-verification/confirm", &body).await.status }
    };
    let mut proven = join_all((0..claims).map(confirm)).await;
    proven.sort_unstable();
    assert_eq!(proven.iter().filter(|status| **status == 204).count(), 1, "{proven:?}");
    let shop = app.trusted().await;
    for email in alike.iter().zip(&statuses).filter(|(_, status)| **status == 202).map(|(email, _)| email) {
        shop.sign_in(email, PASSWORD).await.is(200);
    }
    let mut conn = app.database.connect().await;
    let left =
        sqlx::query("SELECT count(*) FROM users WHERE email_key IS NOT NULL").fetch_one(&mut conn).await.unwrap();
    assert_eq!(left.get::<i64, _>(0), 1, "the other claims are gone");
}

/// Nobody reaches what is another's by knowing its id, and lists hold one's own only.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_anothers_is_out_of_reach_v049() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let ben = app.person_of("ben", &ana.shop).await;
    let session = ben.me.get("/api/v1/me/sessions").await.is(200).items()[0]["id"].as_str().unwrap().to_owned();
    ana.me.send(Method::DELETE, &format!("/api/v1/me/sessions/{session}"), None).await.problem(404, "not_found");
    let applications = format!("/api/v1/me/applications/{}", ben.id());
    ana.me.send(Method::DELETE, &applications, None).await.problem(404, "not_found");
    for (method, what) in [
        (Method::GET, ""),
        (Method::PATCH, ""),
        (Method::DELETE, ""),
        (Method::POST, "/deactivate"),
        (Method::POST, "/activate"),
        (Method::POST, "/unlock"),
        (Method::DELETE, "/sessions"),
        (Method::DELETE, "/mfa"),
        (Method::POST, "/mfa-bypass"),
        (Method::GET, "/roles"),
    ] {
        let body = match (&method, what) {
            (&Method::PATCH, _) => Some(json!({ "display_name": "Eve" })),
            (_, "/mfa-bypass") => Some(json!({ "reason": "I want to", "ttl_seconds": 60 })),
            _ => None,
        };
        let path = format!("/api/v1/admin/users/{}{what}", ben.id());
        ana.me.send(method, &path, body.as_ref()).await.problem(403, "forbidden");
    }
    for list in ["/api/v1/me/sessions", "/api/v1/me/applications"] {
        let page = ana.me.get(list).await.is(200);
        assert!(!page.text.contains(ben.id()) && !page.text.contains(&session), "{list}: {}", page.text);
    }
    // What she tried with his account is an act of her own, and all that names him.
    let activity = ana.me.get("/api/v1/me/activity?limit=200").await.is(200);
    for event in activity.items().iter().filter(|event| event.to_string().contains(ben.id())) {
        assert_eq!((&event["actor"]["id"], &event["outcome"]), (&json!(ana.id()), &json!("denied")), "{event}");
    }
    assert!(!activity.text.contains(&session), "{}", activity.text);
    let foreign = format!("/api/v1/me/activity?actor={}", ben.id());
    ana.me.get(&foreign).await.problem(400, "invalid_query");
    ben.me.get("/api/v1/me").await.is(200);
}
