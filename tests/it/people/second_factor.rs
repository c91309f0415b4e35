//! Second factors: set up, used, guessed at, and taken away.

use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;
use sqlx::Connection;

use crate::{
    app::TestApp,
    person::{PASSWORD, codes},
};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Fresh logins and other nodes buy no guesses.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_guesses_over_a_hundred_fresh_logins_are_five_n162_v027_v028() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let other = app.second_node().await;
    let ana = app.person("ana").await;
    let (authenticator, _) = ana.enable_totp(&app).await;
    let nodes = [ana.shop.clone(), other.ask(&ana.shop)];
    let mut waiting = Vec::new();
    for _ in 0..25 {
        // Not more at once than an account may fail.
        waiting.extend(join_all([(); 4].map(|()| ana.first_step())).await);
    }
    app.next_step();
    let guesses = (0..200_u32).map(|n| {
        let (token, node) = (&waiting[n as usize / 2], &nodes[n as usize % 2]);
        let code = authenticator.wrong(n * 3001);
        async move { node.second_step(token, &code).await.status }
    });
    let statuses = join_all(guesses).await;
    assert!(statuses.iter().all(|status| matches!(status, 400 | 429)), "{statuses:?}");
    let evaluated = app.count_events("second_factor", "failure").await;
    assert!((1..=5).contains(&evaluated), "{evaluated} were evaluated");
    // The right one must wait as well, and then it is right.
    ana.shop.second_step(&waiting[0], &authenticator.code()).await.is(429);
    let fresh = ana.first_step().await;
    ana.shop.second_step(&fresh, &authenticator.code()).await.is(429);
    app.later(MINUTE);
    ana.sign_in_with(&authenticator.code()).await.is(200);
}

/// One login, one code.
#[tokio::test(flavor = "multi_thread")]
async fn one_of_twenty_who_use_one_backup_code_gets_in_n167_v029() {
    // So many attempts for nothing that every one of them is looked at.
    let app = TestApp::spawn_with(&[("DEODAR_FREE_ATTEMPTS", "100")]).await;
    app.admin().await;
    let other = app.second_node().await;
    let ana = app.person("ana").await;
    let (authenticator, backup) = ana.enable_totp(&app).await;
    let nodes = [ana.shop.clone(), other.ask(&ana.shop)];
    let waiting = join_all([(); 20].map(|()| ana.first_step())).await;
    let tries = waiting.iter().enumerate().map(|(n, token)| nodes[n % 2].second_step(token, &backup[3]));
    let answers = join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    answers
        .into_iter()
        .filter(|answer| answer.status != 200)
        .for_each(|answer| drop(answer.oauth(400, "invalid_grant")));
    // N-159: the same for one code of the authenticator.
    app.next_step();
    let waiting = join_all([(); 10].map(|()| ana.first_step())).await;
    let code = authenticator.code();
    let tries = waiting.iter().enumerate().map(|(n, token)| nodes[n % 2].second_step(token, &code));
    let in_there = join_all(tries).await.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(in_there, 1);
    let state = ana.me.get("/api/v1/me/mfa").await.is(200).json;
    assert_eq!((&state["enabled"], &state["backup_codes_remaining"]), (&json!(true), &json!(9)));
}

/// In every flow.
#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_good_once_and_never_after_a_later_one_n159_n160_n161_v030_v031() {
    let app = TestApp::spawn_with(&[("DEODAR_FREE_ATTEMPTS", "100")]).await;
    app.admin().await;
    let ana = app.person("ana").await;
    let authenticator = ana.enrol(&app).await;
    let code = authenticator.code();
    ana.me.post("/api/v1/me/mfa/totp/confirm", &json!({ "code": code })).await.is(200);
    ana.sign_in_with(&code).await.oauth(400, "invalid_grant");
    app.next_step();
    app.next_step();
    for offset in [-2, 1, 2] {
        ana.sign_in_with(&authenticator.code_at(offset)).await.oauth(400, "invalid_grant");
    }
    let (before, now) = (authenticator.code_at(-1), authenticator.code());
    ana.sign_in_with(&now).await.is(200);
    ana.sign_in_with(&before).await.oauth(400, "invalid_grant");
    // Nor where it proves something else.
    ana.me.disable_totp(PASSWORD, &now).await.problem(403, "wrong_credentials");
    app.next_step();
    ana.sign_in_with(&authenticator.code()).await.is(200);
}

/// What the first step answers is good for the second, of the same application, once.
#[tokio::test(flavor = "multi_thread")]
async fn half_a_login_is_no_login_v034() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let (authenticator, _) = ana.enable_totp(&app).await;
    app.next_step();
    let waiting = ana.first_step().await;
    for path in ["/api/v1/me", "/api/v1/me/mfa", "/oauth/userinfo"] {
        app.bearer(&waiting).get(path).await.is(401);
    }
    app.bearer(&waiting).post("/api/v1/me/mfa/totp", &json!({})).await.is(401);
    let stranger = app.trusted().await;
    stranger.second_step(&waiting, &authenticator.code()).await.oauth(400, "invalid_grant");
    ana.shop.second_step(&waiting, "").await.oauth(400, "invalid_request");
    ana.shop.second_step(&waiting, &authenticator.code()).await.is(200);
    app.next_step();
    ana.shop.second_step(&waiting, &authenticator.code()).await.oauth(400, "invalid_grant");
    let late = ana.first_step().await;
    app.later(11 * MINUTE);
    ana.shop.second_step(&late, &authenticator.code()).await.oauth(400, "invalid_grant");
}

/// An authenticator asks for a fresh login, and counts once it has shown a code.
#[tokio::test(flavor = "multi_thread")]
async fn an_authenticator_is_set_up_by_whoever_has_just_proven_who_they_are_n163() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let shown = ana.me.post("/api/v1/me/mfa/totp", &json!({})).await.is(200);
    assert_eq!(shown.text_at("/secret").len(), 32, "160 bits");
    assert!(shown.text_at("/otpauth_uri").contains(&shown.text_at("/secret")));
    assert!(shown.text_at("/qr_svg").starts_with("<svg"));
    ana.sign_in().await.is(200);
    ana.me.post("/api/v1/me/mfa/totp/confirm", &json!({ "code": "000000" })).await.problem(403, "wrong_credentials");
    app.later(11 * MINUTE);
    ana.me.post("/api/v1/me/mfa/totp", &json!({})).await.problem(403, "reauthentication_required");
    let wrong = json!({ "password": "wrong" });
    ana.me.post("/api/v1/me/mfa/totp", &wrong).await.problem(403, "wrong_credentials");
    let shown = ana.me.post("/api/v1/me/mfa/totp", &json!({ "password": PASSWORD })).await.is(200);
    let authenticator = crate::person::Authenticator::new(&shown.text_at("/secret"), &app);
    let body = json!({ "code": authenticator.code(), "password": PASSWORD });
    let two = join_all([
        ana.me.post("/api/v1/me/mfa/totp/confirm", &body),
        ana.me.post("/api/v1/me/mfa/totp/confirm", &body),
    ]);
    let two = two.await;
    assert_eq!(two.iter().filter(|answer| answer.status == 200).count(), 1, "{} {}", two[0].text, two[1].text);
    ana.first_step().await;
}

/// The factor that there is guards the factor that is to come.
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_session_changes_no_second_factor_n164_v034() {
    let app = TestApp::spawn_with(&[("DEODAR_FREE_ATTEMPTS", "100")]).await;
    app.admin().await;
    let ana = app.person("ana").await;
    let stolen = ana.me.clone();
    let (authenticator, backup) = ana.enable_totp(&app).await;
    app.next_step();
    for body in [json!({}), json!({ "password": PASSWORD })] {
        stolen.post("/api/v1/me/mfa/totp", &body).await.problem(403, "reauthentication_required");
    }
    let codes_of = |password: &str, code: &str| json!({ "password": password, "code": code });
    let right = authenticator.code();
    for (password, code) in [(PASSWORD, "000000"), ("wrong", &*right), (PASSWORD, ""), (PASSWORD, "12345678")] {
        let body = codes_of(password, code);
        stolen.post("/api/v1/me/mfa/backup-codes", &body).await.problem(403, "wrong_credentials");
        stolen.disable_totp(password, code).await.problem(403, "wrong_credentials");
    }
    // With both it is hers to change.
    let strong = ana.with_token(&ana.sign_in_with(&backup[0]).await.is(200));
    strong.post("/api/v1/me/mfa/totp", &json!({})).await.is(200);
    let fresh = codes(&strong.post("/api/v1/me/mfa/backup-codes", &codes_of(PASSWORD, &right)).await.is(200));
    app.mailbox.wait_for(&ana.email, |mail| mail.subject.starts_with("You have new backup codes")).await;
    for dead in &backup {
        ana.sign_in_with(dead).await.oauth(400, "invalid_grant");
    }
    strong.disable_totp(PASSWORD, &fresh[0]).await.is(204);
    app.mailbox.wait_for(&ana.email, |mail| mail.subject.starts_with("Two-step sign-in is off")).await;
    ana.sign_in().await.is(200);
    strong.disable_totp(PASSWORD, &fresh[1]).await.problem(409, "conflict");
    assert_eq!(strong.get("/api/v1/me/mfa").await.is(200).json["backup_codes_remaining"], 0);
}

/// Wrong codes anywhere are wrong codes.
#[tokio::test(flavor = "multi_thread")]
async fn codes_are_counted_together_wherever_they_are_asked_for_v028() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let (authenticator, _) = ana.enable_totp(&app).await;
    app.next_step();
    let body = |n: u32| json!({ "password": PASSWORD, "code": authenticator.wrong(n) });
    for n in 0..3 {
        ana.me.post("/api/v1/me/mfa/backup-codes", &body(n)).await.problem(403, "wrong_credentials");
    }
    ana.sign_in_with(&authenticator.wrong(7)).await.oauth(400, "invalid_grant");
    ana.me.disable_totp(PASSWORD, &authenticator.wrong(8)).await.problem(403, "wrong_credentials");
    ana.me.disable_totp(PASSWORD, &authenticator.code()).await.problem(429, "too_many_requests");
    ana.sign_in_with(&authenticator.code()).await.is(429);
}

/// Another's, an old one.
#[tokio::test(flavor = "multi_thread")]
async fn backup_codes_are_personal_and_end_after_a_year_with_a_warning_n165() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let ben = app.person_of("ben", &ana.shop).await;
    let (_, hers) = ana.enable_totp(&app).await;
    let (_, his) = ben.enable_totp(&app).await;
    ana.sign_in_with(&his[0]).await.oauth(400, "invalid_grant");
    app.later(340 * DAY);
    let accounts = &app.node().app.accounts;
    accounts.maintain().await.unwrap();
    app.mailbox.wait_for(&ana.email, |mail| mail.subject.starts_with("Your backup codes end soon")).await;
    app.mailbox.wait_for(&ben.email, |mail| mail.subject.starts_with("Your backup codes end soon")).await;
    ana.sign_in_with(&hers[0]).await.is(200);
    app.later(26 * DAY);
    ana.sign_in_with(&hers[1]).await.oauth(400, "invalid_grant");
    accounts.maintain().await.unwrap();
    let warnings = app.mailbox.all().iter().filter(|mail| mail.subject.starts_with("Your backup codes end")).count();
    assert_eq!(warnings, 2, "one warning each");
}

/// However many codes end at the same time, everybody is warned.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_people_are_all_warned_of_codes_that_end() {
    let app = TestApp::spawn().await;
    let mut conn = app.database.connect().await;
    // Within one transaction, because the server looks for such codes when it starts, and would warn half of them.
    let mut tx = conn.begin().await.unwrap();
    let people = "WITH people AS (
            INSERT INTO users (id, username, username_key) SELECT gen_random_uuid(), 'u' || n, 'u' || n
            FROM generate_series(1, 1001) n RETURNING id
        ) INSERT INTO backup_codes (user_id, hash, expires_at) SELECT id, '\\x00', now() + interval '1 day' FROM people";
    sqlx::query(people).execute(&mut *tx).await.unwrap();
    let (now, mut warned) = (app.clock.now(), 0);
    for _ in 0..4 {
        let soon = now + time::Duration::days(30);
        warned += deodar::store::second_factors::warn_of_expiry(&mut *tx, now, soon).await.unwrap().len();
    }
    assert_eq!(warned, 1001);
}

/// Idle and ended sessions: what a login was for ends with it, also where its session is long forgotten.
#[tokio::test(flavor = "multi_thread")]
async fn logging_out_everywhere_ends_tokens_of_sessions_that_have_gone_idle() {
    let app = TestApp::spawn_with(&[("DEODAR_SESSION_IDLE", "1m")]).await;
    app.admin().await;
    let ana = app.person("ana").await;
    app.later(2 * MINUTE);
    app.node().app.accounts.maintain().await.unwrap();
    let fresh = ana.with_token(&ana.sign_in().await.is(200));
    fresh.send(Method::DELETE, "/api/v1/me/sessions", None).await.is(204);
    ana.me.get("/api/v1/me").await.is(401);
}
