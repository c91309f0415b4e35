//! Accounts switched off and removed.

use reqwest::Method;
use serde_json::json;

use crate::{
    actor::{Actor, Who, document, question, with},
    app::TestApp,
    person::{PASSWORD, Person},
};

/// A person who may read, with the administrator.
async fn reader(app: &TestApp) -> (Actor, Person) {
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    admin.create_role("reader", &[]).await.is(201);
    admin.grant("reader", "read", json!({ "type": "Document" })).await.is(201);
    admin.assign(ana.me.who(), "reader").await.is(204);
    (admin, ana)
}

fn by_token(actor: &Actor) -> serde_json::Value {
    let token = actor.token.clone().unwrap();
    json!({ "token": token, "action": "read", "resource": document("1"), "explain": true })
}

/// Issue 3, V-059, contract §5: at once, on every node that has seen the revision, and when switched on again only what
/// is fresh lives.
#[tokio::test(flavor = "multi_thread")]
async fn a_deactivated_persons_token_is_worth_nothing_at_once_on_every_node_v059() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let (admin, ana) = reader(&app).await;
    let path = format!("/api/v1/admin/users/{}", ana.id());
    for node in [admin.clone(), other.ask(&admin)] {
        node.check(by_token(&ana.me)).await.allows();
        Actor { base: node.base.clone(), ..ana.me.clone() }.get("/oauth/userinfo").await.is(200);
    }
    let (_, _) = ana.enable_totp(&app).await;
    let waiting = ana.first_step().await;
    let bypass = json!({ "reason": "lost the phone", "ttl_seconds": 900 });
    let bypass = admin.post(&format!("{path}/mfa-bypass"), &bypass).await.is(201).text_at("/code");
    app.anonymous().post("/api/v1/password-reset", &json!({ "email": ana.email })).await.is(202);
    let link = app.mailbox.wait_for(&ana.email, |mail| mail.text.contains("/reset-password?token=")).await;

    let revision = admin.post(&format!("{path}/deactivate"), &json!({})).await.is(204).revision();
    for node in [admin.clone(), other.ask(&admin)] {
        node.check(with(by_token(&ana.me), "at_least_revision", revision)).await.denies();
        node.check(with(question(ana.me.who(), "read", document("1")), "at_least_revision", revision)).await.denies();
        let hers = Actor { base: node.base.clone(), ..ana.me.clone() };
        hers.get("/oauth/userinfo").await.is(401);
        hers.get("/api/v1/me").await.problem(401, "unauthorized");
        hers.check(by_token(&ana.me)).await.is(401);
    }
    ana.sign_in().await.oauth(400, "invalid_grant");
    ana.shop.second_step(&waiting, &bypass).await.oauth(400, "invalid_grant");
    let reset = json!({ "token": crate::person::token_of(&link), "new_password": "forty quiet tangerines" });
    app.anonymous().post("/api/v1/password-reset/confirm", &reset).await.problem(400, "invalid_token");
    app.mailbox.wait_for(&ana.email, |mail| mail.subject.starts_with("Your account is switched off")).await;

    // On again: nothing from before comes back.
    let revision = admin.post(&format!("{path}/activate"), &json!({})).await.is(204).revision();
    other.has(deodar::model::Revision(revision)).await;
    for node in [admin.clone(), other.ask(&admin)] {
        Actor { base: node.base.clone(), ..ana.me.clone() }.get("/oauth/userinfo").await.is(401);
        node.check(by_token(&ana.me)).await.denies();
    }
    ana.sign_in_with(&bypass).await.oauth(400, "invalid_grant");
    ana.shop.second_step(&waiting, "000000").await.oauth(400, "invalid_grant");
    app.anonymous().post("/api/v1/password-reset/confirm", &reset).await.problem(400, "invalid_token");
    admin.check(question(ana.me.who(), "read", document("1"))).await.allows();
}

/// Contract §4: one's own account, with a revision that checks can ask for.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_closes_their_account_is_gone_everywhere() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let (admin, ana) = reader(&app).await;
    let ben = app.person_of("ben", &ana.shop).await;
    app.later(std::time::Duration::from_secs(11 * 60));
    for (method, path) in [(Method::POST, "/api/v1/me/deactivate"), (Method::DELETE, "/api/v1/me")] {
        ana.me.send(method.clone(), path, None).await.problem(403, "reauthentication_required");
        let wrong = json!({ "password": "wrong" });
        ana.me.send(method, path, Some(&wrong)).await.problem(403, "wrong_credentials");
    }
    let right = json!({ "password": PASSWORD });
    let left = ben.me.post("/api/v1/me/deactivate", &right).await.is(204);
    other.has(deodar::model::Revision(left.revision())).await;
    other.ask(&ben.me).get("/api/v1/me").await.is(401);
    ben.sign_in().await.oauth(400, "invalid_grant");

    let removed = ana.me.send(Method::DELETE, "/api/v1/me", Some(&right)).await.is(204);
    let asked = with(question(ana.me.who(), "read", document("1")), "at_least_revision", removed.revision());
    other.ask(&admin).check(asked).await.denies();
    other.ask(&ana.me).get("/oauth/userinfo").await.is(401);
    ana.sign_in().await.oauth(400, "invalid_grant");
    admin.get(&format!("/api/v1/admin/users/{}", ana.id())).await.problem(404, "not_found");
    assert!(admin.assignments(ana.me.who()).await.status == 404);
    app.mailbox.wait_for(&ana.email, |mail| mail.subject.starts_with("Your account is deleted")).await;

    // Whoever comes after gets the name and nothing else.
    app.mailbox.wait_for(&ben.email, |mail| mail.subject.starts_with("Your account is switched off")).await;
    let body = json!({ "username": "ana", "email": "ana@example.com", "email_verified": true, "password": PASSWORD });
    let next = admin.post("/api/v1/admin/users", &body).await.is(201).text_at("/id");
    assert_ne!(next, ana.id());
    admin.check(question(&Who::user(&next), "read", document("1"))).await.denies();
    // What is on record of her is an opaque id, and no name (issue 3, "Accounts").
    let record = admin.get("/api/v1/admin/audit?limit=200").await.is(200).text;
    assert!(record.contains(ana.id()) && record.contains("account_deleted"));
    for personal in ["ana@example.com", "\"ana\"", "ben@example.com"] {
        assert!(!record.contains(personal), "{personal} is on record: {record}");
    }
}

/// By no way of leaving.
#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_does_not_leave_v048() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let ben = app.person_of("ben", &ana.shop).await;
    admin.assign(ana.me.who(), "admin").await.is(204);
    admin.assign(ben.me.who(), "admin").await.is(204);
    ana.me.delete_client(&admin.who().id).await.is(204);
    // Two who go at once: one stays.
    let right = json!({ "password": PASSWORD });
    let other = app.second_node().await;
    let bens = other.ask(&ben.me);
    let (one, two) = tokio::join!(
        ana.me.post("/api/v1/me/deactivate", &right),
        bens.send(Method::DELETE, "/api/v1/me", Some(&right))
    );
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 409], "{} {}", one.text, two.text);
    let last = if one.status == 409 { &ana } else { &ben };
    for (method, path) in
        [(Method::POST, "/api/v1/me/deactivate".to_owned()), (Method::DELETE, "/api/v1/me".to_owned())]
    {
        last.me.send(method, &path, Some(&right)).await.problem(409, "last_administrator");
    }
    let path = format!("/api/v1/admin/users/{}", last.id());
    last.me.post(&format!("{path}/deactivate"), &json!({})).await.problem(409, "last_administrator");
    last.me.send(Method::DELETE, &path, None).await.problem(409, "last_administrator");
    last.me.get("/api/v1/me").await.is(200);
    last.sign_in().await.is(200);
}
