//! Logging in with a password: enumeration, counters, races.

use std::{
    pin::Pin,
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{Connection, Row};

use crate::{
    actor::{Actor, document, question, with},
    answer::Answer,
    app::TestApp,
    database::Wire,
    person::PASSWORD,
};

/// What somebody outside sees of an answer.
fn seen(answer: &Answer) -> (u16, String, Vec<String>) {
    let mut headers: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
    headers.sort();
    (answer.status, answer.text.clone(), headers)
}

/// Also where attempts were too many, and for somebody who may not log in at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_an_unknown_name_and_a_closed_account_look_alike_n101_n152_v058() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let ben = app.person_of("ben", &ana.shop).await;
    admin.post(&format!("/api/v1/admin/users/{}/deactivate", ben.id()), &json!({})).await.is(204);
    let expected = seen(&ana.shop.sign_in("nobody-there", PASSWORD).await.oauth(400, "invalid_grant"));
    for (login, password) in [
        ("ana", "wrong"),
        ("ana@example.com", "wrong"),
        ("ANA", "\u{0}"),
        ("ben", PASSWORD),
        ("ben@example.com", PASSWORD),
        ("nobody@example.com", PASSWORD),
        ("<script>", PASSWORD),
        ("a\r\nb", PASSWORD),
    ] {
        assert_eq!(seen(&ana.shop.sign_in(login, password).await), expected, "{login:?}");
    }
    for _ in 0..8 {
        assert_eq!(seen(&ana.shop.sign_in("ana", "wrong").await), expected);
        assert_eq!(seen(&ana.shop.sign_in("nobody-there", "wrong").await), expected);
    }
    // Now even the right one is not looked at; and it is, once the time has passed.
    assert_eq!(seen(&ana.sign_in().await), expected);
    app.later(Duration::from_secs(15 * 60));
    ana.sign_in().await.is(200);
}

/// Who finds no room is sent away at once, and not all of them until the same second.
#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_is_told_to_come_back_one_after_another_v064() {
    let narrow =
        [("DEODAR_PASSWORD_THREADS", "1"), ("DEODAR_PASSWORD_QUEUE", "1"), ("DEODAR_PASSWORD_MEMORY", "131072")];
    let app = TestApp::spawn_with(&narrow).await;
    app.admin().await;
    let ana = app.person("ana").await;
    let names: Vec<String> = (0..40).map(|n| format!("stranger{n}")).collect();
    let mut waits: Vec<u64> = Vec::new();
    for answer in join_all(names.iter().map(|name| ana.shop.sign_in(name, PASSWORD))).await {
        match answer.status {
            503 => {
                waits.push(answer.header("retry-after").parse().unwrap());
                answer.oauth(503, "temporarily_unavailable");
            }
            _ => drop(answer.oauth(400, "invalid_grant")),
        }
    }
    waits.sort_unstable();
    assert!(waits.len() > 30 && (1..=20).contains(&waits[0]), "{waits:?}");
    assert!(waits[0] < waits[waits.len() - 1] && waits[waits.len() - 1] <= 20, "{waits:?}");
    ana.sign_in().await.is(200);
}

/// One counter, whichever way and wherever.
#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_guess_a_password_is_counted_together_v027_v028() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let other = app.second_node().await;
    let ana = app.person("ana").await;
    let there = other.ask(&ana.shop);
    for login in ["ana", "ANA", "ana@example.com"] {
        there.sign_in(login, "wrong").await.oauth(400, "invalid_grant");
    }
    let change = json!({ "current_password": "wrong", "new_password": "forty quiet tangerines" });
    ana.me.post("/api/v1/me/password", &change).await.problem(403, "wrong_credentials");
    let proof = json!({ "password": "wrong" });
    ana.me.post("/api/v1/me/mfa/totp", &proof).await.problem(403, "wrong_credentials");
    let throttled = ana.me.post("/api/v1/me/deactivate", &proof).await;
    assert!(throttled.header("retry-after").parse::<u64>().unwrap() >= 1);
    throttled.problem(429, "too_many_requests");
    there.sign_in("ana", PASSWORD).await.oauth(400, "invalid_grant");
    app.later(Duration::from_secs(15 * 60));
    there.sign_in("ana", PASSWORD).await.is(200);
    // A right password forgets the wrong ones before it.
    for _ in 0..4 {
        ana.shop.sign_in("ana", "wrong").await.oauth(400, "invalid_grant");
    }
    ana.sign_in().await.is(200);
}

/// The counter rises before the password is looked at.
#[tokio::test(flavor = "multi_thread")]
async fn no_more_passwords_are_looked_at_than_the_limit_however_many_come_at_once_v027() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let other = app.second_node().await;
    let ana = app.person("ana").await;
    let nodes = [ana.shop.clone(), other.ask(&ana.shop)];
    let guesses = (0..60).map(|n| nodes[n % 2].sign_in("ana", if n == 59 { PASSWORD } else { "wrong" }));
    let answers = join_all(guesses).await;
    assert!(answers.iter().filter(|answer| answer.status == 200).count() <= 1);
    let mut conn = app.database.connect().await;
    let looked_at = sqlx::query(
        "SELECT count(*) FROM audit WHERE action = 'sign_in' AND outcome = 'failure' AND details->>'reason' = 'password'",
    );
    let looked_at: i64 = looked_at.fetch_one(&mut conn).await.unwrap().get(0);
    assert!(looked_at <= 10, "{looked_at} were looked at");
}

/// Whoever goes on guessing is told to wait, whatever account it is about.
#[tokio::test(flavor = "multi_thread")]
async fn attempts_at_a_throttled_account_count_against_their_address_n173_n174() {
    let app = TestApp::spawn_with(&[("DEODAR_FREE_ATTEMPTS", "1")]).await;
    app.admin().await;
    let shop = app.trusted().await;
    let mut answers = Vec::new();
    for _ in 0..30 {
        answers.push(shop.sign_in("nobody-there", "wrong").await);
    }
    let refused = answers.iter().position(|answer| answer.status == 429).expect("never told to wait");
    assert!((15..=25).contains(&refused), "told to wait after {refused}");
    assert!(answers[refused].header("retry-after").parse::<u64>().unwrap() >= 1);
    // What was not looked at is on record too (N-175).
    assert_eq!(app.count_events("sign_in", "failure").await, refused as i64);
}

/// Behind a proxy each client address has its own allowance, an IPv6 /64 shares one, and the account's own counter does
/// not care.
#[tokio::test(flavor = "multi_thread")]
async fn only_a_trusted_proxy_says_from_where_somebody_guesses_v066_v067_n173() {
    let settings = [("DEODAR_FREE_ATTEMPTS", "1"), ("DEODAR_TRUSTED_PROXIES", "127.0.0.1")];
    let app = TestApp::spawn_with(&settings).await;
    app.admin().await;
    let shop = app.trusted().await;
    let from = async |forwarded: &str, name: &str| {
        let form = [
            ("grant_type", "password"),
            ("username", name),
            ("password", "wrong"),
            ("client_id", &shop.who().id),
            ("client_secret", shop.secret.as_ref().unwrap()),
        ];
        let request = shop.http.post(format!("{}/oauth/token", shop.base)).form(&form);
        Answer::read(request.header("x-forwarded-for", forwarded).send().await.unwrap()).await.status
    };
    for n in 0..25 {
        from(&format!("6.6.6.{n}, 2001:db8:0:1::{n:x}"), &format!("nobody-{n}")).await;
    }
    assert_eq!(from("2001:db8:0:1:ffff::1", "nobody-x").await, 429, "the same /64");
    assert_eq!(from("2001:db8:0:2::1", "nobody-x").await, 400, "another /64");
    assert_eq!(from("2001:db8:0:1::1, 9.9.9.9", "nobody-y").await, 400, "what the client itself wrote is not believed");
    let mut conn = app.database.connect().await;
    let addresses = sqlx::query("SELECT DISTINCT address FROM audit WHERE action = 'sign_in' AND address LIKE '%.%'");
    let addresses: Vec<String> =
        addresses.fetch_all(&mut conn).await.unwrap().iter().map(|row| row.get("address")).collect();
    assert_eq!(addresses, ["9.9.9.9"], "on record is the first hop from the right that is no proxy");
}

/// What a login was judged by changes before its session is there.
async fn overtaken(app: &TestApp, change: &str, signing_in: impl Future<Output = Answer>, id: &str) -> Answer {
    let mut conn = app.database.connect().await;
    let mut tx = conn.begin().await.unwrap();
    sqlx::query("SELECT FROM users WHERE id::text = $1 FOR UPDATE").bind(id).fetch_one(&mut *tx).await.unwrap();
    let changing = async {
        app.database.somebody_waits().await;
        sqlx::query(sqlx::AssertSqlSafe(change.to_owned())).bind(id).execute(&mut *tx).await.unwrap();
        tx.commit().await.unwrap();
    };
    tokio::join!(signing_in, changing).0
}

/// T-11: a session that is opened while its account is closed, or gets another password or a second factor, would
/// outlive them.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_a_change_of_the_account_overtakes_opens_no_session_v059() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let changes = [
        "UPDATE users SET password_changed_at = password_changed_at + interval '1 second' WHERE id::text = $1",
        "INSERT INTO totp (user_id, active, secret_sealed, created_at) VALUES ($1::uuid, true, '', now())",
        "DELETE FROM totp WHERE user_id::text = $1",
        "UPDATE users SET active = false WHERE id::text = $1",
    ];
    for change in changes {
        let answer = overtaken(&app, change, ana.sign_in(), ana.id()).await;
        assert_eq!(answer.status, 400, "{change}: {}", answer.text);
        answer.oauth(400, "invalid_grant");
    }
    let mut conn = app.database.connect().await;
    let sessions = sqlx::query("SELECT count(*) FROM sessions").fetch_one(&mut conn).await.unwrap();
    assert_eq!(sessions.get::<i64, _>(0), 1, "the first one only");
}

/// The same for the second step.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_step_that_a_change_of_the_account_overtakes_opens_no_session() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let (authenticator, _) = ana.enable_totp(&app).await;
    app.next_step();
    let waiting = ana.first_step().await;
    let change = "WITH off AS (DELETE FROM mfa_challenges) UPDATE users SET active = false WHERE id::text = $1";
    let code = authenticator.code();
    let answer = overtaken(&app, change, ana.shop.second_step(&waiting, &code), ana.id()).await;
    answer.oauth(400, "invalid_grant");
    let mut conn = app.database.connect().await;
    let sessions = sqlx::query("SELECT count(*) FROM sessions").fetch_one(&mut conn).await.unwrap();
    assert_eq!(sessions.get::<i64, _>(0), 1, "the first one only");
}

/// Longer than any password, and not one hash for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_megabyte_of_password_costs_nothing_v064() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let asked = Instant::now();
    for length in [129, 100_000, 900_000] {
        let long = "x".repeat(length);
        ana.shop.sign_in("nobody-there", &long).await.oauth(400, "invalid_grant");
        ana.me.register("ben", "ben@example.com", &long).await.faulty("password", "too_long");
        let change = json!({ "current_password": PASSWORD, "new_password": long });
        ana.me.post("/api/v1/me/password", &change).await.faulty("new_password", "too_long");
    }
    let over = ana.me.register("ben", "ben@example.com", &"x".repeat(1 << 20)).await;
    over.problem(413, "too_large");
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
}

/// What is called, and the answer to come.
type Call<'a> = (&'static str, Pin<Box<dyn Future<Output = Answer> + 'a>>);

/// Contract §6: who logs in while the database is away is told so, soon, and never that the server is broken.
#[tokio::test(flavor = "multi_thread")]
async fn without_the_database_people_are_told_to_come_back() {
    for wire in [Wire::Cut, Wire::Silent] {
        let (app, cable) = TestApp::spawn_over_cable(&[]).await;
        app.admin().await;
        let ana = app.person("ana").await;
        cable.make(wire);
        let email = json!({ "email": "ana@example.com" });
        let spent = json!({ "token": "dpr_x", "new_password": "forty quiet tangerines" });
        let anonymous = app.anonymous();
        let calls: Vec<Call<'_>> = vec![
            ("log in", Box::pin(ana.sign_in())),
            ("register", Box::pin(anonymous.register("ben", "ben@example.com", PASSWORD))),
            ("reset", Box::pin(anonymous.post("/api/v1/password-reset", &email))),
            ("verify", Box::pin(anonymous.post("/api/v1/email-verification", &email))),
            ("reset by token", Box::pin(anonymous.post("/api/v1/password-reset/confirm", &spent))),
            ("second step", Box::pin(ana.shop.second_step("dmc_x", "000000"))),
        ];
        for (what, call) in calls {
            let asked = Instant::now();
            let answer = call.await;
            assert_eq!(answer.status, 503, "{what}: {}", answer.text);
            assert!(!answer.header("retry-after").is_empty(), "{what}");
            assert!(asked.elapsed() < Duration::from_millis(2500), "{what}: {:?}", asked.elapsed());
        }
        cable.make(Wire::Whole);
    }
}

/// Contract §4: whoever ends a session learns as of when, and a check that asks for it sees it, everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn ending_a_session_ends_its_tokens_on_every_node() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let other = app.second_node().await;
    let ana = app.person("ana").await;
    let second = ana.with_token(&ana.sign_in().await.is(200));
    let third = ana.with_token(&ana.sign_in().await.is(200));
    let id =
        |page: &Answer| page.items().iter().find(|s| s["current"] == true).unwrap()["id"].as_str().unwrap().to_owned();
    let session = id(&second.get("/api/v1/me/sessions").await.is(200));
    let ended = ana.me.send(reqwest::Method::DELETE, &format!("/api/v1/me/sessions/{session}"), None).await.is(204);
    let about = |token: &Actor| {
        let asked = question(ana.me.who(), "read", document("1"));
        let mut asked = with(asked, "token", token.token.clone().unwrap());
        asked.as_object_mut().unwrap().remove("principal");
        asked
    };
    admin.create_role("reader", &[]).await.is(201);
    admin.grant("reader", "read", json!({ "type": "Document" })).await.is(201);
    let revision = admin.assign(ana.me.who(), "reader").await.is(204).revision();
    assert!(ended.revision() < revision);
    for (actor, alive) in [(&ana.me, true), (&second, false), (&third, true)] {
        for asker in [admin.clone(), other.ask(&admin)] {
            let answer = asker.check(with(about(actor), "at_least_revision", revision)).await;
            if alive {
                answer.allows()
            } else {
                answer.denies()
            };
        }
        assert_eq!(other.ask(actor).get("/oauth/userinfo").await.status, if alive { 200 } else { 401 });
    }
    // Another's session is none of mine.
    let ben = app.person_of("ben", &ana.shop).await;
    let foreign = id(&ben.me.get("/api/v1/me/sessions").await.is(200));
    let taken = ana.me.send(reqwest::Method::DELETE, &format!("/api/v1/me/sessions/{foreign}"), None).await;
    taken.problem(404, "not_found");
    ben.me.get("/api/v1/me").await.is(200);

    let everywhere = third.send(reqwest::Method::DELETE, "/api/v1/me/sessions", None).await.is(204);
    other.has(deodar::model::Revision(everywhere.revision())).await;
    for actor in [&ana.me, &second, &third] {
        actor.get("/api/v1/me").await.is(401);
        other.ask(actor).get("/api/v1/me").await.is(401);
    }
    ben.me.get("/api/v1/me").await.is(200);
}

/// A new password asks for the old one, and ends every other session.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_every_other_session_n151() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let other = ana.with_token(&ana.sign_in().await.is(200));
    let new = "forty quiet tangerines";
    for body in [json!({ "new_password": new }), json!({ "current_password": null, "new_password": new })] {
        ana.me.post("/api/v1/me/password", &body).await.problem(400, "invalid_body");
    }
    let change = |current: &str, new: &str| json!({ "current_password": current, "new_password": new });
    ana.me.post("/api/v1/me/password", &change("wrong", new)).await.problem(403, "wrong_credentials");
    ana.me
        .post("/api/v1/me/password", &change(PASSWORD, "ana@example.com"))
        .await
        .faulty("new_password", "contains_context");
    let changed = ana.me.post("/api/v1/me/password", &change(PASSWORD, new)).await.is(204);
    assert!(changed.revision() > 0);
    other.get("/api/v1/me").await.is(401);
    ana.me.get("/api/v1/me").await.is(200);
    ana.sign_in().await.oauth(400, "invalid_grant");
    ana.shop.sign_in("ana", new).await.is(200);
    app.mailbox.wait_for(&ana.email, |mail| mail.subject.starts_with("Your password has changed")).await;
    let sid: Value = ana.me.get("/api/v1/me/sessions").await.is(200).json;
    assert_eq!(sid["items"].as_array().unwrap().len(), 2);
}
