//! The whole life of an account, in one piece.

use serde_json::json;

use crate::{
    app::TestApp,
    person::{PASSWORD, codes, events, token_of},
};

const NEW: &str = "forty quiet tangerines";

/// Issue 3: by REST alone. At the end its record tells the story and holds none of its secrets (N-175, V-081).
#[tokio::test(flavor = "multi_thread")]
async fn a_person_registers_protects_loses_and_recovers_an_account_by_rest_alone_n175_v081() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let (admin, anonymous) = (app.admin().await, app.anonymous());
    let mut secrets = vec![PASSWORD.to_owned(), NEW.to_owned()];

    // Register, prove the address by mail, log in.
    let ana = app.person("ana").await;
    let profile = ana.me.get("/api/v1/me").await.is(200).json;
    assert_eq!((&profile["email"], &profile["email_verified"]), (&json!("ana@example.com"), &json!(true)));
    let link = app.mailbox.wait_for(&ana.email, |mail| mail.text.contains("/verify-email?token=")).await;
    secrets.push(token_of(&link));
    let again = json!({ "token": token_of(&link) });
    anonymous.post("/api/v1/email-verification/confirm", &again).await.problem(400, "invalid_token");

    // Set an authenticator up: the next login asks for it.
    let (authenticator, backup) = ana.enable_totp(&app).await;
    assert_eq!(backup.iter().map(String::len).collect::<Vec<_>>(), [8; 10]);
    secrets.push(authenticator.base32.clone());
    secrets.extend(backup.clone());
    app.mailbox.wait_for(&ana.email, |mail| mail.subject.starts_with("Two-step sign-in is on")).await;
    app.next_step();
    let waiting = ana.first_step().await;
    secrets.extend([waiting.clone(), authenticator.code()]);
    let strong = ana.with_token(&ana.shop.second_step(&waiting, &authenticator.code()).await.is(200));
    assert_eq!(strong.get("/api/v1/me").await.is(200).json["mfa_enabled"], true);
    ana.shop.second_step(&waiting, &authenticator.code()).await.oauth(400, "invalid_grant");

    // The phone is gone: a backup code, once, however it is written (N-166).
    let written = format!("{} - {}", backup[0][..4].to_lowercase(), &backup[0][4..]);
    let last = ana.with_token(&ana.sign_in_with(&written).await.is(200));
    ana.sign_in_with(&backup[0]).await.oauth(400, "invalid_grant");
    assert_eq!(last.get("/api/v1/me/mfa").await.is(200).json["backup_codes_remaining"], 9);
    let sessions = last.get("/api/v1/me/sessions").await.is(200);
    assert_eq!(sessions.items().len(), 3);
    assert_eq!(sessions.items().iter().filter(|s| s["current"] == true).count(), 1);

    // The password is forgotten: a link by mail (N-156).
    anonymous.post("/api/v1/password-reset", &json!({ "email": ana.email })).await.is(202);
    let link = app.mailbox.wait_for(&ana.email, |mail| mail.text.contains("/reset-password?token=")).await;
    let token = token_of(&link);
    secrets.push(token.clone());
    let new = json!({ "token": token, "new_password": NEW });
    let done = anonymous.post("/api/v1/password-reset/confirm", &new).await.is(204);
    assert!(done.header("set-cookie").is_empty() && done.text.is_empty(), "nobody is logged in by this");
    anonymous.post("/api/v1/password-reset/confirm", &new).await.problem(400, "invalid_token");
    app.mailbox.wait_for(&ana.email, |mail| mail.subject.starts_with("Your password has changed")).await;
    for gone in [&ana.me, &strong, &last] {
        gone.get("/api/v1/me").await.problem(401, "unauthorized");
    }
    other.has(app.node().app.pdp.snapshot().revision).await;
    other.ask(&last).get("/oauth/userinfo").await.is(401);

    // The old password is none any more, the new one still needs the second factor.
    ana.sign_in().await.oauth(400, "invalid_grant");
    let waiting = ana.shop.sign_in("ana", NEW).await.oauth(400, "mfa_required").text_at("/mfa_token");
    app.next_step();
    let back = ana.with_token(&ana.shop.second_step(&waiting, &authenticator.code()).await.is(200));
    secrets.extend([waiting, authenticator.code(), back.token.clone().unwrap(), last.token.clone().unwrap()]);
    let both = json!({ "password": NEW, "code": backup[1] });
    secrets.extend(codes(&back.post("/api/v1/me/mfa/backup-codes", &both).await.is(200)));

    // The account's own view of it.
    let mut story = ana.activity(&back).await;
    story.reverse();
    let expected = [
        "register success",
        "email_verified success",
        "sign_in success",
        "mfa_enabled success",
        "second_factor success",
        "sign_in success",
        "second_factor success",
        "sign_in success",
        "second_factor failure",
        "password_reset_requested success",
        "password_reset success",
        "sign_in failure",
        "second_factor success",
        "sign_in success",
        "backup_codes_regenerated success",
    ];
    assert_eq!(story, expected);

    // The administrator's: what she did, and everything that there is, without one secret.
    let hers = admin.get(&format!("/api/v1/admin/audit?limit=200&actor={}", ana.id())).await.is(200);
    let mut told = events(&hers);
    told.reverse();
    let by_her = |event: &&str| !event.ends_with("failure") && !event.starts_with("password_reset_requested");
    assert_eq!(told, expected.iter().copied().filter(by_her).collect::<Vec<_>>());
    for event in hers.items() {
        assert_eq!((&event["address"], &event["actor"]["id"]), (&json!("127.0.0.1"), &json!(ana.id())));
        assert!(event["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{event}");
    }
    secrets.extend([ana.shop.secret.clone().unwrap(), ana.me.token.clone().unwrap(), strong.token.clone().unwrap()]);
    let everything = admin.get("/api/v1/admin/audit?limit=200").await.is(200);
    assert!(everything.json["next_cursor"].is_null());
    for secret in &secrets {
        assert!(!everything.text.contains(secret.as_str()), "`{secret}` is on record");
    }
}
