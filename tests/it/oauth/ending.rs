//! What ends when a session, an account or a client does: the refresh tokens too.

use std::time::Duration;

use deodar::{
    crypto::Opaque,
    model::{AuthorizationId, Revision, SessionId, UserId},
};
use reqwest::Method;
use serde_json::json;
use sqlx::Connection;

use super::{flow::OAuthClient, part};
use crate::{
    actor::{Actor, admin_path},
    app::TestApp,
    person::{PASSWORD, Person, token_of},
};

impl TestApp {
    /// A refresh token of this application for a person in a session, good for 30 days.
    pub async fn refresh_token(&self, shop: &Actor, person: &Person, session: SessionId) -> String {
        let token = Opaque::new(Opaque::REFRESH).unwrap();
        let authorization = self.authorize(shop, person, session, "openid offline_access").await;
        let insert = "INSERT INTO refresh_tokens (hash, authorization_id, created_at, expires_at)
                      SELECT $1, id, created_at, expires_at FROM authorizations WHERE id = $2";
        let insert = sqlx::query(insert).bind(token.hash().to_vec()).bind(authorization.0);
        insert.execute(&mut self.database.connect().await).await.unwrap();
        token.expose().to_owned()
    }

    /// A person lets this application act for them, for 30 days.
    pub async fn authorize(&self, shop: &Actor, person: &Person, session: SessionId, scope: &str) -> AuthorizationId {
        let (id, now) = (AuthorizationId::new(), self.clock.now());
        let insert = "WITH led AS (INSERT INTO session_clients (session_id, client_id) VALUES ($4, $2)
                ON CONFLICT DO NOTHING)
            INSERT INTO authorizations (id, client_id, user_id, session_id, scope, resources, auth_time, amr, created_at,
                                        expires_at)
            VALUES ($1, $2, $3, $4, $5, '{}', $6, '{pwd}', $6, $7)";
        let user: UserId = person.id().parse().unwrap();
        let insert = sqlx::query(insert).bind(id.0).bind(&shop.who().id).bind(user.0).bind(session.0).bind(scope);
        let insert = insert.bind(now).bind(now + Duration::from_hours(30 * 24));
        insert.execute(&mut self.database.connect().await).await.unwrap();
        id
    }
}

impl Person {
    /// The session of this person's token.
    pub fn session(&self) -> SessionId {
        session_of(&self.me)
    }
}

/// The session of somebody's token.
pub fn session_of(me: &Actor) -> SessionId {
    part(me.token.as_ref().unwrap(), 1)["sid"].as_str().unwrap().parse().unwrap()
}

/// A person with three refresh tokens: of the session of their token, of another one, and of one that expired.
struct Held {
    app: TestApp,
    admin: Actor,
    ana: Person,
    tokens: [String; 3],
}

const OWN: usize = 0;
const OTHER: usize = 1;

impl Held {
    async fn new() -> Self {
        let app = TestApp::spawn().await;
        let admin = app.admin().await;
        let ana = app.person("ana").await;
        let scope = "openid profile email offline_access";
        admin.update_client(&ana.shop.who().id, json!({ "scope": scope })).await.is(200);
        let other = ana.with_token(&ana.sign_in().await.is(200));
        let sessions = [ana.session(), session_of(&other), SessionId::new()];
        let mut tokens = Vec::new();
        for session in sessions {
            tokens.push(app.refresh_token(&ana.shop, &ana, session).await);
        }
        let held = Self { app, admin, ana, tokens: tokens.try_into().unwrap() };
        held.live([true; 3], "at first").await;
        held
    }

    async fn live(&self, expected: [bool; 3], when: &str) {
        for (token, expected) in self.tokens.iter().zip(expected) {
            assert_eq!(self.ana.shop.introspect(token).await.is(200).json["active"], expected, "{when}");
        }
    }

    fn user(&self, what: &str) -> String {
        format!("/api/v1/admin/users/{}{what}", self.ana.id())
    }
}

/// By every way that ends all sessions of a person.
#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_end_with_the_sessions_of_their_person_n095_v059() {
    let right = json!({ "password": PASSWORD });
    let held = Held::new().await;
    let change = json!({ "current_password": PASSWORD, "new_password": "quiet copper lantern seven" });
    held.ana.me.post("/api/v1/me/password", &change).await.is(204);
    held.live([false; 3], "after a change of password").await;
    held.ana.me.get("/api/v1/me").await.is(200);

    let held = Held::new().await;
    held.app.anonymous().post("/api/v1/password-reset", &json!({ "email": held.ana.email })).await.is(202);
    let mail = held.app.mailbox.wait_for(&held.ana.email, |mail| mail.text.contains("/reset-password?token=")).await;
    let reset = json!({ "token": token_of(&mail), "new_password": "quiet copper lantern seven" });
    held.app.anonymous().post("/api/v1/password-reset/confirm", &reset).await.is(204);
    held.live([false; 3], "after a reset").await;

    let held = Held::new().await;
    held.ana.me.send(Method::DELETE, "/api/v1/me/sessions", None).await.is(204);
    held.live([false; 3], "after logging out everywhere").await;

    let held = Held::new().await;
    held.admin.send(Method::DELETE, &held.user("/sessions"), None).await.is(204);
    held.live([false; 3], "after an administrator ended the sessions").await;

    let held = Held::new().await;
    held.ana.me.post("/api/v1/me/deactivate", &right).await.is(204);
    held.live([false; 3], "after leaving").await;
    held.admin.post(&held.user("/activate"), &json!({})).await.is(204);
    held.live([false; 3], "after coming back").await;

    let held = Held::new().await;
    held.ana.me.send(Method::DELETE, "/api/v1/me", Some(&right)).await.is(204);
    held.live([false; 3], "after leaving for good").await;

    let held = Held::new().await;
    held.admin.send(Method::DELETE, &held.user(""), None).await.is(204);
    held.live([false; 3], "after being removed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_ends_with_its_own_session_and_no_other() {
    let held = Held::new().await;
    let other = held.app.second_node().await;
    let sessions = held.ana.me.get("/api/v1/me/sessions").await.is(200);
    let ids: Vec<&str> = sessions.items().iter().map(|session| session["id"].as_str().unwrap()).collect();
    let second = ids.iter().find(|id| **id != held.ana.session().to_string()).unwrap();
    held.ana.me.send(Method::DELETE, &format!("/api/v1/me/sessions/{second}"), None).await.is(204);
    held.live([true, false, true], "after one session ended").await;
    let shop = other.ask(&held.ana.shop);
    assert_eq!(shop.introspect(&held.tokens[OTHER]).await.is(200).json["active"], false);
    assert_eq!(shop.introspect(&held.tokens[OWN]).await.is(200).json["active"], true);
}

/// Switching a client on again gives nothing back.
#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_end_with_their_client_n095_n128_v059() {
    let held = Held::new().await;
    let client = held.ana.shop.who().id.clone();
    held.admin.update_client(&client, json!({ "client_name": "Shop" })).await.is(200);
    held.live([true; 3], "after another name").await;
    held.admin.update_client(&client, json!({ "active": false })).await.is(200);
    held.ana.shop.introspect(&held.tokens[OWN]).await.oauth(401, "invalid_client");
    held.admin.update_client(&client, json!({ "active": true })).await.is(200);
    held.live([false; 3], "after being switched off and on").await;

    let held = Held::new().await;
    let client = held.ana.shop.who().id.clone();
    held.admin.send(Method::DELETE, &admin_path(&["clients", &client]), None).await.is(204);
    held.ana.shop.introspect(&held.tokens[OWN]).await.oauth(401, "invalid_client");
    let mut conn = held.app.database.connect().await;
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM refresh_tokens").fetch_one(&mut conn).await.unwrap();
    assert_eq!(left, 0);
    held.ana.me.get("/api/v1/me").await.problem(401, "unauthorized");
}

/// A token that is used while its authorization is deleted leaves no successor behind.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_of_an_authorization_that_is_deleted_while_it_is_used() {
    let held = Held::new().await;
    let mut conn = held.app.database.connect().await;
    let mut tx = conn.begin().await.unwrap();
    let rotate = "WITH used AS (UPDATE refresh_tokens SET used_at = now() RETURNING authorization_id, expires_at)
        INSERT INTO refresh_tokens (hash, authorization_id, created_at, expires_at)
        SELECT uuid_send(gen_random_uuid()), authorization_id, now(), expires_at FROM used";
    sqlx::query(rotate).execute(&mut *tx).await.unwrap();
    let path = admin_path(&["clients", &held.ana.shop.who().id]);
    let used = async {
        held.app.database.somebody_waits().await;
        tx.commit().await.unwrap();
    };
    let (deleted, ()) = tokio::join!(held.admin.send(Method::DELETE, &path, None), used);
    deleted.is(204);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM refresh_tokens").fetch_one(&mut conn).await.unwrap();
    assert_eq!(left, 0);
}

/// Nothing that a client had before it was switched off is good when it is on again.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_held_ends_when_it_is_switched_off_v059() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let shop = app.web_client(&admin, json!({})).await;
    let mut browser = app.browser_of(&app.person("ana").await).await;
    let first = shop.offline_tokens(&mut browser).await;
    app.later(Duration::from_secs(3600));
    let admin = admin.with_fresh_token().await;
    let second = shop.refresh(&first.text_at("/refresh_token"), &[]).await.is(200);
    let code = shop.code(&mut browser, &[]).await;
    browser.open(&shop.path(&[("prompt", "consent")])).await;
    let waiting = browser.at.clone();
    let access = second.text_at("/access_token");
    app.bearer(&access).get("/oauth/userinfo").await.is(200);
    admin.update_client(&shop.id, json!({ "active": false })).await.is(200);
    assert_eq!(app.bearer(&access).get("/oauth/userinfo").await.status, 401);
    admin.update_client(&shop.id, json!({ "active": true })).await.is(200);
    assert_eq!(app.bearer(&access).get("/oauth/userinfo").await.status, 401);
    assert!(!shop.is_active(&access).await && !shop.is_active(&second.text_at("/refresh_token")).await);
    shop.redeem(&code).await.oauth(400, "invalid_grant");
    assert_eq!(browser.get(&waiting).await.status, 400);
    let first = shop.offline_tokens(&mut browser).await;
    app.bearer(&first.text_at("/access_token")).get("/oauth/userinfo").await.is(200);
    shop.refresh(&first.text_at("/refresh_token"), &[]).await.is(200);
}

/// Nor is what it had for itself; and what it asks for from then on is good at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_clients_own_tokens_end_when_it_is_switched_off_v059() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let (more, second) = (json!({ "grant_types": ["client_credentials"] }), app.second_node().await);
    let shop = app.web_client(&admin, more).await;
    let there = OAuthClient { http: second.ask(&shop.http), ..shop.clone() };
    let mut tokens = Vec::new();
    for round in 0..3 {
        for ask in [&shop, &there] {
            let fresh = ask.form("/oauth/token", &[("grant_type", "client_credentials"), ("scope", "photos")]).await;
            tokens.push(fresh.is(200).text_at("/access_token"));
        }
        for (n, token) in tokens.iter().enumerate() {
            let live = n >= 2 * round;
            assert_eq!((shop.is_active(token).await, there.is_active(token).await), (live, live), "{round} {n}");
        }
        admin.update_client(&shop.id, json!({ "active": false })).await.is(200);
        let on = admin.update_client(&shop.id, json!({ "active": true })).await.is(200);
        second.has(Revision(on.revision())).await;
    }
}

/// What is being made at that very moment ends, too, whichever of the two is first.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_is_given_while_it_is_switched_off_ends_v059() {
    let (codes, tokens) = ("SELECT FROM authorization_codes FOR UPDATE", "SELECT FROM refresh_tokens FOR UPDATE");
    for busy in [codes, tokens] {
        let app = TestApp::spawn().await;
        let admin = app.admin().await;
        let shop = app.web_client(&admin, json!({})).await;
        let mut browser = app.browser_of(&app.person("ana").await).await;
        let first = shop.offline_tokens(&mut browser).await;
        let scope = [("scope", "openid offline_access"), ("prompt", "consent")];
        let code = shop.code(&mut browser, &scope).await;
        let mut conn = app.database.connect().await;
        let mut tx = conn.begin().await.unwrap();
        sqlx::query(busy).execute(&mut *tx).await.unwrap();
        let making = async {
            match busy == codes {
                true => shop.redeem(&code).await,
                false => shop.refresh(&first.text_at("/refresh_token"), &[]).await,
            }
        };
        let switched = async {
            app.database.somebody_waits().await;
            admin.update_client(&shop.id, json!({ "active": false })).await.is(200);
            admin.update_client(&shop.id, json!({ "active": true })).await.is(200);
            tx.commit().await.unwrap();
        };
        let (made, ()) = tokio::join!(making, switched);
        if made.status == 200 {
            assert!(!shop.is_active(&made.text_at("/access_token")).await, "{busy}");
            assert!(!shop.is_active(&made.text_at("/refresh_token")).await, "{busy}");
            shop.refresh(&made.text_at("/refresh_token"), &[]).await.oauth(400, "invalid_grant");
        } else {
            made.oauth(400, "invalid_grant");
        }
    }
}

/// A node that has not heard of it yet asks the database, which gives nothing out for what came about before.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_not_heard_gives_nothing_out_v059() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let (shop, screen) = (app.web_client(&admin, json!({})).await, app.television(&admin, json!({})).await);
    let mut browser = app.browser_of(&ana).await;
    let refresh = shop.offline_tokens(&mut browser).await.text_at("/refresh_token");
    let code = shop.code(&mut browser, &[]).await;
    let (allowed, shown) = (screen.begin("openid").await, screen.begin("openid").await);
    allowed.answered(&mut browser, "allow").await;
    browser.open(&shop.path(&[("prompt", "consent")])).await;
    let waiting = browser.at.clone();
    let (authenticator, _) = ana.enable_totp(&app).await;
    app.next_step();
    let challenge = ana.first_step().await;

    let mut conn = app.database.connect().await;
    sqlx::query("UPDATE clients SET generation = generation + 1").execute(&mut conn).await.unwrap();

    shop.redeem(&code).await.oauth(400, "invalid_grant");
    shop.refresh(&refresh, &[]).await.oauth(400, "invalid_grant");
    allowed.ask().await.oauth(400, "invalid_grant");
    ana.shop.second_step(&challenge, &authenticator.code()).await.oauth(400, "invalid_grant");
    assert_eq!(browser.get(&waiting).await.status, 400);
    browser.open("/device").await;
    browser.submit("/device", &[("user_code", &shown.shown)]).await;
    browser.says("No device shows this code");
    admin.create_role("late", &[]).await.problem(401, "unauthorized");
}
