//! A new password by mail, and changes of the address that the link goes to.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    actor::Actor,
    answer::Answer,
    app::TestApp,
    mailbox::ReceivedMail,
    person::{PASSWORD, Person, token_of},
};

const NEW: &str = "forty quiet tangerines";
const RESET: &str = "/api/v1/password-reset";

/// Asks for a link and takes the newest from the mail.
async fn link(app: &TestApp, email: &str) -> String {
    let count = || resets(app, email).len();
    let before = count();
    app.anonymous().post(RESET, &json!({ "email": email })).await.is(202);
    app.mailbox.wait_for_count(app.mailbox.all().len().max(1)).await;
    let begun = std::time::Instant::now();
    while count() == before {
        assert!(begun.elapsed() < Duration::from_secs(20), "no link");
        tokio::task::yield_now().await;
    }
    token_of(resets(app, email).last().unwrap())
}

fn resets(app: &TestApp, email: &str) -> Vec<ReceivedMail> {
    let mails = app.mailbox.all();
    mails.into_iter().filter(|mail| mail.to == [email] && mail.text.contains("/reset-password?token=")).collect()
}

async fn confirm(actor: &Actor, token: &str) -> Answer {
    actor.post(&format!("{RESET}/confirm"), &json!({ "token": token, "new_password": NEW })).await
}

#[tokio::test(flavor = "multi_thread")]
async fn asking_for_a_link_tells_nobody_who_has_an_account_n154_v054() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let ben = app.person_of("ben", &ana.shop).await;
    admin.post(&format!("/api/v1/admin/users/{}/deactivate", ben.id()), &json!({})).await.is(204);
    app.mailbox.wait_for(&ben.email, |mail| mail.subject.starts_with("Your account is switched off")).await;
    let anonymous = app.anonymous();
    for path in [RESET, "/api/v1/email-verification"] {
        for email in ["ANA@example.com", "ben@example.com", "nobody@example.com"] {
            let answer = anonymous.post(path, &json!({ "email": email })).await.is(202);
            assert_eq!((answer.text.as_str(), answer.header("content-length")), ("", "0"), "{email}");
        }
        for body in [
            r#"{"email":["ana@example.com","eve@evil.com"]}"#,
            r#"{"email":"ana@example.com","email":"eve@evil.com"}"#,
            r#"{"email":"ana@example.com,eve@evil.com"}"#,
            r#"{"email":"ana@example.com\r\nBcc:eve@evil.com"}"#,
            r#"{"email":{"x":"ana@example.com"}}"#,
            r#"{"email":null}"#,
            r#"["ana@example.com"]"#,
            "null",
            "",
        ] {
            let answer = anonymous.send_text(Method::POST, path, body).await;
            assert_eq!(answer.status, 400, "{body}: {}", answer.text);
        }
    }
    // To the address as she gave it, and to nobody else.
    app.mailbox.wait_for(&ana.email, |mail| mail.text.contains("/reset-password?token=")).await;
    assert!(app.mailbox.all().iter().all(|mail| [[&*ana.email], [&*ben.email]].contains(&[mail.to[0].as_str()])));
    assert!(resets(&app, &ben.email).is_empty());
}

/// A link leads to the configured issuer, whatever the request says about hosts.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_the_issuer_only_v052_n157() {
    let app = TestApp::spawn_with(&[("DEODAR_TRUSTED_PROXIES", "127.0.0.1")]).await;
    app.admin().await;
    let ana = app.person("ana").await;
    let request = app.anonymous().request(Method::POST, RESET).json(&json!({ "email": ana.email }));
    let request = request.header("host", "evil.example").header("x-forwarded-host", "evil.example");
    let request = request.header("forwarded", "host=evil.example;proto=http").header("x-forwarded-proto", "http");
    Answer::read(request.send().await.unwrap()).await.is(202);
    let mail = app.mailbox.wait_for(&ana.email, |mail| mail.text.contains("/reset-password?token=")).await;
    assert!(!mail.raw.contains("evil") && !mail.text.contains("evil") && !mail.html.contains("evil"));
    assert!(mail.links().iter().all(|link| link.starts_with("https://deodar.test/")), "{:?}", mail.links());
}

/// Every dead link is told the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_works_once_for_an_hour_and_the_newest_only_n155() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let anonymous = app.anonymous();
    let mut dead: Vec<(&str, Answer)> = Vec::new();
    for token in ["", "dpr_x", "dpr_\u{0}", &"x".repeat(100_000)] {
        dead.push(("none", confirm(&anonymous, token).await));
    }
    let first = link(&app, &ana.email).await;
    let second = link(&app, &ana.email).await;
    dead.push(("replaced", confirm(&anonymous, &first).await));
    // A password that is refused leaves it good.
    let weak = json!({ "token": second, "new_password": "short" });
    anonymous.post(&format!("{RESET}/confirm"), &weak).await.faulty("new_password", "too_short");
    confirm(&anonymous, &second).await.is(204);
    dead.push(("used", confirm(&anonymous, &second).await));
    let verify = app.mailbox.wait_for(&ana.email, |mail| mail.text.contains("/verify-email?token=")).await;
    dead.push(("of another kind", confirm(&anonymous, &token_of(&verify)).await));

    app.later(Duration::from_secs(60 * 60));
    let late = link(&app, &ana.email).await;
    app.later(Duration::from_secs(60 * 60));
    dead.push(("expired", confirm(&anonymous, &late).await));
    let change = link(&app, &ana.email).await;
    let body = json!({ "email": "ana@other.example", "email_verified": true });
    let path = format!("/api/v1/admin/users/{}", ana.id());
    admin.with_fresh_token().await.send(Method::PATCH, &path, Some(&body)).await.is(200);
    dead.push(("sent to an address that is no longer hers", confirm(&anonymous, &change).await));
    for (what, answer) in dead {
        let detail = answer.json["detail"].clone();
        assert_eq!(answer.problem(400, "invalid_token").json["detail"], detail, "{what}");
        assert_eq!(detail, "this link does not work any more: ask for a new one", "{what}");
    }
}

/// T-11.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_sixteen_who_follow_one_link_sets_the_password() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let other = app.second_node().await;
    let ana = app.person("ana").await;
    let token = link(&app, &ana.email).await;
    let nodes = [app.anonymous(), other.ask(&app.anonymous())];
    let passwords: Vec<String> = (0..16).map(|n| format!("{NEW} number {n}")).collect();
    let tries = passwords.iter().enumerate().map(|(n, password)| {
        let body = json!({ "token": token, "new_password": password });
        let node = &nodes[n % 2];
        async move { node.post(&format!("{RESET}/confirm"), &body).await.status }
    });
    let statuses = join_all(tries).await;
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 1, "{statuses:?}");
    assert!(statuses.iter().all(|status| matches!(status, 204 | 400)), "{statuses:?}");
    let won = statuses.iter().position(|status| *status == 204).unwrap();
    ana.shop.sign_in("ana", &passwords[won]).await.is(200);
    assert_eq!(app.count_events("password_reset", "success").await, 1);
}

/// Nobody's mailbox is flooded, and nobody is locked out.
#[tokio::test(flavor = "multi_thread")]
async fn forty_requests_for_one_account_are_three_mails_and_no_lock_n158_v068() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    for _ in 0..40 {
        app.anonymous().post(RESET, &json!({ "email": ana.email })).await.is(202);
    }
    ana.sign_in().await.is(200);
    // A mail that everybody's outbox sends after those.
    app.anonymous().register("ben", "ben@example.com", PASSWORD).await.is(202);
    app.mailbox.wait_for("ben@example.com", |_| true).await;
    let sent = resets(&app, &ana.email).len();
    assert!((1..=4).contains(&sent), "{sent} mails");
}

/// An address that an administrator gave wins over whatever was under way before.
#[tokio::test(flavor = "multi_thread")]
async fn links_to_an_earlier_address_give_nobody_the_account_back() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    // Somebody with her session asks for another address.
    ana.me.send(Method::PATCH, "/api/v1/me", Some(&json!({ "email": "eve@evil.example" }))).await.is(200);
    let eves = app.mailbox.wait_for("eve@evil.example", |mail| mail.text.contains("/verify-email?token=")).await;
    let path = format!("/api/v1/admin/users/{}", ana.id());
    for verified in [true, false] {
        let body = json!({ "email": format!("ana@{verified}.example"), "email_verified": verified });
        admin.send(Method::PATCH, &path, Some(&body)).await.is(200);
        let confirm = json!({ "token": token_of(&eves) });
        let answer = app.anonymous().post("/api/v1/email-verification/confirm", &confirm).await;
        answer.problem(400, "invalid_token");
        assert_eq!(profile(&ana).await["email"], format!("ana@{verified}.example"));
    }
}

async fn profile(person: &Person) -> Value {
    person.me.get("/api/v1/me").await.is(200).json
}

/// The address counts once the new one is proven; the old one is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_address_counts_once_it_is_proven() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let ben = app.person_of("ben", &ana.shop).await;
    let patch = async |body: Value| ana.me.send(Method::PATCH, "/api/v1/me", Some(&body)).await;
    assert_eq!(patch(json!({ "email": "new@example.com" })).await.is(200).json["email"], ana.email);
    // Another's address: the same answer, and a mail to the one who has it.
    let taken = patch(json!({ "email": ben.email })).await.is(200);
    assert_eq!(taken.json["email"], ana.email);
    app.mailbox.wait_for(&ben.email, |mail| mail.subject.starts_with("You have an account")).await;
    let link = app.mailbox.wait_for("new@example.com", |mail| mail.text.contains("/verify-email?token=")).await;
    let confirm = json!({ "token": token_of(&link) });
    app.anonymous().post("/api/v1/email-verification/confirm", &confirm).await.is(204);
    let now = profile(&ana).await;
    assert_eq!((&now["email"], &now["email_verified"]), (&json!("new@example.com"), &json!(true)));
    app.mailbox.wait_for(&ana.email, |mail| mail.subject.starts_with("Your address has changed")).await;
    ana.shop.sign_in("new@example.com", PASSWORD).await.is(200);
    ana.shop.sign_in(&ana.email, PASSWORD).await.oauth(400, "invalid_grant");
    // Later it asks for the password.
    app.later(Duration::from_secs(11 * 60));
    patch(json!({ "email": "eve@evil.example" })).await.problem(403, "reauthentication_required");
    patch(json!({ "email": "eve@evil.example", "current_password": "wrong" })).await.problem(403, "wrong_credentials");
    patch(json!({ "email": "eve@evil.example", "current_password": PASSWORD })).await.is(200);
    patch(json!({ "display_name": "Ana" })).await.is(200);
}

/// Whoever opened an account with another's address keeps nothing of it once the owner takes it over.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_taken_over_by_its_address_forgets_who_opened_it_v057() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let shop = app.trusted().await;
    app.anonymous().register("ana", "ana@example.com", PASSWORD).await.is(202);
    app.mailbox.wait_for("ana@example.com", |_| true).await;
    let eve = app.bearer(&shop.sign_in("ana", PASSWORD).await.is(200).text_at("/access_token"));
    let id = eve.get("/api/v1/me").await.is(200).text_at("/id");
    let eve = Person {
        me: Actor { who: Some(crate::actor::Who::user(&id)), ..eve },
        name: "ana".to_owned(),
        email: "ana@example.com".to_owned(),
        shop: shop.clone(),
    };
    eve.enable_totp(&app).await;
    let token = link(&app, "ana@example.com").await;
    confirm(&app.anonymous(), &token).await.is(204);
    eve.me.get("/api/v1/me").await.is(401);
    let ana = app.bearer(&shop.sign_in("ana@example.com", NEW).await.is(200).text_at("/access_token"));
    let profile = ana.get("/api/v1/me").await.is(200).json;
    assert_eq!((&profile["email_verified"], &profile["mfa_enabled"]), (&json!(true), &json!(false)));
}
