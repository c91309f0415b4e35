//! Registering, and proving an address.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection, Row};

use crate::{
    answer::Answer,
    app::TestApp,
    mailbox::Mood,
    person::{PASSWORD, token_of},
};

/// What somebody outside sees of an answer.
fn seen(answer: &Answer) -> (u16, String, Vec<String>) {
    let mut headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    headers.sort();
    (answer.status, answer.text.clone(), headers)
}

/// Whoever has the address is told by mail, and nobody else is told anything.
#[tokio::test(flavor = "multi_thread")]
async fn registering_what_is_taken_looks_like_registering_n153_v058() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let anonymous = app.anonymous();
    let fresh = seen(&anonymous.register("ben", "ben@example.com", PASSWORD).await.is(202));
    assert_eq!(seen(&anonymous.register("ana", "eve@example.com", PASSWORD).await), fresh);
    assert_eq!(seen(&anonymous.register("anna", "ANA@EXAMPLE.COM", PASSWORD).await), fresh);
    app.mailbox.wait_for("eve@example.com", |mail| mail.subject.starts_with("This name is taken")).await;
    app.mailbox.wait_for("ANA@example.com", |mail| mail.subject.starts_with("You have an account")).await;
    ana.me.get("/api/v1/me").await.is(200);
    ana.sign_in().await.is(200);
}

/// Nor does it take longer, since the answer waits for neither.
#[tokio::test(flavor = "multi_thread")]
async fn whether_a_name_is_free_is_looked_up_after_the_answer_n153() {
    let app = TestApp::spawn().await;
    app.admin().await;
    app.person("ana").await;
    let mut conn = app.database.connect().await;
    let mut tx = conn.begin().await.unwrap();
    sqlx::query("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").execute(&mut *tx).await.unwrap();
    app.anonymous().register("ana", "eve@example.com", PASSWORD).await.is(202);
    app.anonymous().register("ben", "ben@example.com", PASSWORD).await.is(202);
    tx.rollback().await.unwrap();
    app.mailbox.wait_for("ben@example.com", |mail| mail.text.contains("/verify-email?token=")).await;
}

/// Where the server is set to tell, it tells.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_tell_what_is_taken() {
    let app = TestApp::spawn_with(&[("DEODAR_SIGN_UP_TELLS", "on"), ("DEODAR_DEFAULT_ROLES", "member")]).await;
    let admin = app.admin().await;
    admin.create_role("member", &[]).await.is(201);
    let created = app.anonymous().register("ana", "ana@example.com", PASSWORD).await.is(201);
    let who = crate::actor::Who::user(&created.text_at("/id"));
    assert_eq!(admin.assignments(&who).await.is(200).items()[0]["role"], "member");
    app.anonymous().register("Ana", "other@example.com", PASSWORD).await.problem(409, "username_taken");
    // An address that nobody has proven keeps nobody away.
    app.anonymous().register("ben", "ana@example.com", PASSWORD).await.is(201);
}

/// One account, whatever it is written like and wherever.
#[tokio::test(flavor = "multi_thread")]
async fn names_that_look_alike_registered_at_once_are_one_account_v055() {
    let app = TestApp::spawn_with(&[("DEODAR_SIGN_UP_TELLS", "on")]).await;
    app.admin().await;
    let other = app.second_node().await;
    let nodes = [app.anonymous(), other.ask(&app.anonymous())];
    let alike = ["kim", "KIM", "Kim", "ｋｉｍ", "\u{212a}im", "kım", "KİM", "kIm"];
    let tries = alike.iter().enumerate().map(|(n, name)| {
        let node = &nodes[n % 2];
        async move { node.register(name, &format!("kim{n}@example.com"), PASSWORD).await.status }
    });
    let mut statuses = join_all(tries).await;
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409, 409, 409, 409, 409]);
    for name in ["k\u{200b}im", "kim@example.com", "k\u{456}m", "kim＠x", "kim ", "kim\u{0}", "kim\r\nx", ""] {
        nodes[0].register(name, "x@example.com", PASSWORD).await.faulty("username", "invalid_username");
    }
    for email in ["kim", "a@b", "a,b@example.com", "a@example.com\r\nBcc: eve@evil.com", "a@127.0.0.1", "\u{0}@x.com"] {
        nodes[0].register("fine", email, PASSWORD).await.faulty("email", "invalid_email");
    }
}

/// Whoever proves an address first has it. Those who prove it at the same instant are told no, not that the server
/// broke.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_three_prove_at_once_is_one_persons() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let other = app.second_node().await;
    let nodes = [app.anonymous(), other.ask(&app.anonymous())];
    for round in 0..6 {
        let email = format!("shared{round}@example.com");
        for n in 0..3 {
            nodes[0].register(&format!("claim{round}-{n}"), &email, PASSWORD).await.is(202);
        }
        app.mailbox.wait_for_count(3 * (round + 1)).await;
        let mails = app.mailbox.all();
        let tokens: Vec<String> = mails.iter().filter(|mail| mail.to == [email.clone()]).map(token_of).collect();
        let tries = tokens.iter().enumerate().map(|(n, token)| {
            let (node, body) = (&nodes[n % 2], json!({ "token": token }));
            async move { node.post("/api/v1/email-verification/confirm", &body).await.status }
        });
        let mut statuses = join_all(tries).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 400, 400]);
    }
    let mut conn = app.database.connect().await;
    let proven = sqlx::query("SELECT count(*) FROM users WHERE email_verified").fetch_one(&mut conn).await.unwrap();
    assert_eq!(proven.get::<i64, _>(0), 6);
}

/// Nothing but name, address and password is taken.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_registers_with_more_than_a_name_v046() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let before = ana.me.get("/api/v1/me").await.is(200).json;
    let extra = [
        ("roles", json!(["admin"])),
        ("role", json!("admin")),
        ("is_admin", json!(true)),
        ("email_verified", json!(true)),
        ("mfa_enabled", json!(false)),
        ("id", json!("01890000-0000-7000-8000-000000000000")),
        ("active", json!(true)),
        ("password_hash", json!("x")),
        ("user", json!({ "roles": ["admin"] })),
    ];
    for (name, value) in extra {
        let mut body = json!({ "username": "eve", "email": "eve@example.com", "password": PASSWORD });
        body[name] = value.clone();
        app.anonymous().post("/api/v1/users", &body).await.problem(400, "invalid_body");
        let change = json!({ "display_name": "Ana", name: value });
        let answer = ana.me.send(reqwest::Method::PATCH, "/api/v1/me", Some(&change)).await;
        answer.problem(400, "invalid_body");
    }
    assert_eq!(ana.me.get("/api/v1/me").await.is(200).json, before);
}

/// Whoever has mail sent to others is slowed down.
#[tokio::test(flavor = "multi_thread")]
async fn one_address_has_no_thousand_mails_sent_n158_v068() {
    let app = TestApp::spawn_with(&[("DEODAR_FREE_ATTEMPTS", "1")]).await;
    app.admin().await;
    let anonymous = app.anonymous();
    let mut refused = None;
    for n in 0..40 {
        let email = json!({ "email": format!("victim{n}@example.com") });
        let path = if n % 2 == 0 { "/api/v1/password-reset" } else { "/api/v1/email-verification" };
        let answer = anonymous.post(path, &email).await;
        if answer.status == 429 {
            assert!(answer.header("retry-after").parse::<u64>().unwrap() >= 1);
            refused = Some(n);
            break;
        }
        answer.is(202);
    }
    assert!(refused.is_some_and(|n| n >= 5), "{refused:?}");
    anonymous.register("ben", "ben@example.com", PASSWORD).await.problem(429, "too_many_requests");
    app.later(Duration::from_secs(20 * 60));
    anonymous.register("ben", "ben@example.com", PASSWORD).await.is(202);
}

/// Issue 3: nobody who registers or forgets a password learns of the mail server.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_people_get_the_same_answers() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    for mood in [Mood::Rude, Mood::Silent, Mood::Busy] {
        app.mailbox.be(mood);
        let name = format!("{mood:?}").to_lowercase();
        let begun = std::time::Instant::now();
        app.anonymous().register(&name, &format!("{name}@example.com"), PASSWORD).await.is(202);
        for email in [ana.email.clone(), "nobody@example.com".to_owned()] {
            let answer = app.anonymous().post("/api/v1/password-reset", &json!({ "email": email })).await.is(202);
            assert_eq!(answer.text, "");
        }
        assert!(begun.elapsed() < Duration::from_secs(3), "{mood:?}: {:?}", begun.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_registers_where_it_is_switched_off_v075() {
    let app = TestApp::spawn_with(&[("DEODAR_SIGN_UP", "off")]).await;
    let admin = app.admin().await;
    app.anonymous().register("ana", "ana@example.com", PASSWORD).await.problem(403, "sign_up_off");
    assert_eq!(admin.get("/api/v1/admin/users").await.is(200).items(), [] as [Value; 0]);
    let body = json!({ "username": "ana", "email": "ana@example.com" });
    admin.post("/api/v1/admin/users", &body).await.is(201);
    app.mailbox.wait_for("ana@example.com", |mail| mail.text.contains("/reset-password?token=")).await;
}

/// Refused with the reason; and what is accepted logs in, in whichever form it is written.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_long_and_not_the_first_that_is_guessed_n146_n147_n149() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let shop = app.trusted().await;
    for (password, code) in [
        ("vkqtwzjpmxhrbn", "too_short"),
        ("passwordpassword", "too_common"),
        ("ana.silva rules them", "contains_context"),
        ("my deodar tree grows", "contains_context"),
        ("with a nul \u{0} inside", "control_character"),
        ("with a line\nbreak inside", "control_character"),
    ] {
        shop.register("ana.silva", "ana@example.com", password).await.faulty("password", code);
    }
    let composed = "cr\u{e8}me br\u{fb}l\u{e9}e \u{1f40e} 77";
    let decomposed = "cre\u{300}me bru\u{302}le\u{301}e \u{1f40e} 77";
    shop.register("ana.silva", "ana@example.com", decomposed).await.is(202);
    app.mailbox.wait_for("ana@example.com", |_| true).await;
    shop.sign_in("ana.silva", composed).await.is(200);
    shop.sign_in("ANA.SILVA", decomposed).await.is(200);
    shop.sign_in("ana.silva", &composed.to_uppercase()).await.oauth(400, "invalid_grant");
}
