//! Commands that work on the database beside running servers.

use std::{process::Output, time::Duration};

use serde_json::{Value, json};
use tokio::process::Command;

use crate::{
    actor::Actor,
    answer::Answer,
    app::{ISSUER, TestApp},
    browser::Browser,
    person::{PASSWORD, Person, events},
};

const NEW: &str = "forty quiet tangerines";

/// Runs `deodar` with these arguments on the database of this app.
async fn run(app: &TestApp, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_deodar"));
    command.args(arguments).env("DATABASE_URL", app.database.url.as_str()).env("DEODAR_ISSUER", ISSUER);
    command.output().await.unwrap()
}

/// The link that a command printed, and nothing but it on the standard output.
async fn link(app: &TestApp, arguments: &[&str]) -> String {
    let done = run(app, arguments).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let printed = String::from_utf8(done.stdout).unwrap();
    let link = printed.strip_suffix('\n').unwrap();
    assert!(link.starts_with(&format!("{ISSUER}/reset-password?token=dpr_")) && !link.contains('\n'), "{printed}");
    link.to_owned()
}

async fn fails(app: &TestApp, status: i32, arguments: &[&str]) -> String {
    let done = run(app, arguments).await;
    let told = String::from_utf8(done.stderr).unwrap();
    assert_eq!((done.status.code(), &*done.stdout), (Some(status), &b""[..]), "{arguments:?}: {told}");
    told
}

async fn follow(who: &Actor, link: &str, password: &str) -> Answer {
    let token = link.split_once("token=").unwrap().1;
    let body = json!({ "token": token, "new_password": password });
    who.post("/api/v1/password-reset/confirm", &body).await
}

/// Contract §2, V-080: there is no account before one is made, and no password before its owner sets it.
#[tokio::test(flavor = "multi_thread")]
async fn the_first_administrator_sets_a_password_by_a_link_and_administers_v080() {
    let app = TestApp::spawn().await;
    let create = ["admin", "create", "--username", "root", "--email", "root@example.com"];
    let link = link(&app, &create).await;
    let shop = app.trusted().await;
    shop.sign_in("root", "").await.oauth(400, "invalid_request");
    shop.sign_in("root", PASSWORD).await.oauth(400, "invalid_grant");
    assert_eq!(fails(&app, 1, &create).await, "deodar: this username is taken\n");

    let mut browser = Browser::new(&app.node().base);
    browser.open_link(&link).await;
    browser.submit("/reset-password", &[("password", NEW)]).await;
    browser.is_at("/login");
    follow(&app.anonymous(), &link, PASSWORD).await.problem(400, "invalid_token");

    let root = app.bearer(&shop.sign_in("root", NEW).await.is(200).text_at("/access_token"));
    let profile = root.get("/api/v1/me").await.is(200).json;
    assert_eq!((&profile["email"], &profile["email_verified"]), (&json!("root@example.com"), &json!(false)));
    root.create_role("made-by-root", &[]).await.is(201);
    let told = root.get(&format!("/api/v1/admin/audit?target={}", profile["id"].as_str().unwrap())).await.is(200);
    assert!(events(&told).contains(&"administrator_created success".to_owned()), "{}", told.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_typed_wrong_says_what_is_missing() {
    let app = TestApp::spawn().await;
    for wrong in [
        &["admin", "create"][..],
        &["admin", "create", "--username", "root"],
        &["admin", "create", "--email", "root@example.com"],
        &["admin", "create", "--username", "root", "--email", "root@example.com", "--client", "ops"],
        &["admin", "create", "--username", "a b", "--email", "root@example.com"],
        &["admin", "create", "--username", "root", "--email", "root@example.com\r\nBcc: eve@evil.example"],
        &["admin", "recover"],
    ] {
        assert!(fails(&app, 2, wrong).await.contains("error:"), "{wrong:?}");
    }
    let told = fails(&app, 1, &["admin", "recover", "nobody"]).await;
    assert_eq!(told, "deodar: there is no such user\n");
    let made = run(&app, &["admin", "create", "--client", "ops"]).await;
    assert!(made.status.success() && String::from_utf8_lossy(&made.stdout).contains("client_secret: "));
}

async fn administrator(app: &TestApp) -> (Actor, Person) {
    let admin = app.admin().await;
    let root = app.person("root").await;
    admin.create_role("operators", &["admin"]).await.is(201);
    admin.assign(root.me.who(), "operators").await.is(204);
    (admin, root)
}

/// Contract §2: after too many guesses, without the phone and without the mailbox.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_who_is_locked_out_is_let_back_in_once() {
    let app = TestApp::spawn().await;
    let (admin, root) = administrator(&app).await;
    let (authenticator, _) = root.enable_totp(&app).await;
    app.next_step();
    let waiting = root.first_step().await;
    for n in 0..12 {
        root.shop.sign_in("root", "wrong").await.oauth(400, "invalid_grant");
        root.shop.second_step(&waiting, &authenticator.wrong(n)).await;
    }
    let right = root.shop.second_step(&waiting, &authenticator.code()).await;
    assert_ne!(right.status, 200, "the counter of codes makes them wait, right or wrong");

    let first = link(&app, &["admin", "recover", "Root"]).await;
    let second = link(&app, &["admin", "recover", "root"]).await;
    follow(&app.anonymous(), &first, NEW).await.problem(400, "invalid_token");
    follow(&app.anonymous(), &second, "short").await.is(422);
    root.me.get("/api/v1/me").await.is(200);
    follow(&app.anonymous(), &second, NEW).await.is(204);
    follow(&app.anonymous(), &second, PASSWORD).await.problem(400, "invalid_token");

    // Without waiting and without a second factor; what was open before is closed.
    root.me.get("/api/v1/me").await.is(401);
    root.shop.second_step(&waiting, &authenticator.code()).await.oauth(400, "invalid_grant");
    let again = root.with_token(&root.shop.sign_in("root", NEW).await.is(200));
    assert_eq!(again.get("/api/v1/me/mfa").await.is(200).json["enabled"], false);
    let again = Person { me: again, ..root.clone() };
    again.enable_totp(&app).await;
    for subject in ["Your password has changed", "Two-step sign-in is off"] {
        app.mailbox.wait_for(&root.email, |mail| mail.subject.starts_with(subject)).await;
    }

    let told = admin.get(&format!("/api/v1/admin/audit?target={}", root.id())).await.is(200);
    let links = events(&told).iter().filter(|event| *event == "recovery_link_created success").count();
    assert_eq!(links, 2, "{}", told.text);
    let hers = admin.get(&format!("/api/v1/admin/audit?actor={}&limit=200", root.id())).await.is(200);
    let event = |action: &str| hers.items().iter().find(|event| event["action"] == action).cloned().unwrap();
    assert_eq!(event("password_reset")["details"]["method"], "recovery_link");
    assert_eq!(event("mfa_disabled")["outcome"], "success");
    for link in [first, second] {
        let token = link.split_once("token=").unwrap().1.to_owned();
        assert!(!told.text.contains(&token) && !hers.text.contains(&token));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_link_is_for_administrators_and_for_an_hour() {
    let app = TestApp::spawn().await;
    let (admin, root) = administrator(&app).await;
    app.person_of("ana", &root.shop).await;
    let told = fails(&app, 1, &["admin", "recover", "ana"]).await;
    assert!(told.contains("this user is no administrator"), "{told}");

    let link_of_before = link(&app, &["admin", "recover", "root"]).await;
    let path = format!("/api/v1/admin/users/{}", root.id());
    admin.post(&format!("{path}/deactivate"), &json!({})).await.is(204);
    follow(&app.anonymous(), &link_of_before, NEW).await.problem(400, "invalid_token");
    // Whoever was switched off is on again, with nothing that was open before.
    let link_of_after = link(&app, &["admin", "recover", "root"]).await;
    assert_eq!(admin.get(&path).await.is(200).json["active"], Value::Bool(false));
    follow(&app.anonymous(), &link_of_after, NEW).await.is(204);
    assert_eq!(admin.get(&path).await.is(200).json["active"], Value::Bool(true));
    root.me.get("/api/v1/me").await.is(401);
    root.shop.sign_in("root", NEW).await.is(200);

    let late = link(&app, &["admin", "recover", "root"]).await;
    app.later(Duration::from_secs(60 * 60 + 5));
    follow(&app.anonymous(), &late, PASSWORD).await.problem(400, "invalid_token");
    root.shop.sign_in("root", NEW).await.is(200);
}

/// Whoever runs the server may take its administration away, but not without being told.
#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_locks_administrators_out_is_activated_with_a_warning() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let (good, mut files) = admin.active_bundle().await;
    files
        .insert("policies/closed.cedar".to_owned(), "@id(\"closed\") forbid (principal, action, resource);".to_owned());
    let closed = admin.create_bundle(&files).await.is(201).json["number"].to_string();
    let good = good.to_string();
    admin.activate(closed.parse().unwrap()).await.problem(409, "last_administrator");
    for (number, told) in [(&closed, true), (&good, false)] {
        let done = run(&app, &["policy", "activate", number]).await;
        let said = String::from_utf8(done.stderr).unwrap();
        assert!(done.status.success(), "{said}");
        assert_eq!(said.contains("no administrator"), told, "{said}");
    }
}
