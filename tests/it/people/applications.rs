//! What people let applications do: `/api/v1/me/applications`.

use deodar::{
    model::{AuthorizationId, ClientId, SessionId, UserId},
    store,
};
use reqwest::Method;
use serde_json::json;
use sqlx::Row;

use crate::{
    actor::Actor,
    app::TestApp,
    browser::Browser,
    person::{PASSWORD, Person},
};

const APPLICATIONS: &str = "/api/v1/me/applications";

/// This person agrees that this application acts for them, and it does.
async fn agree(app: &TestApp, person: &Person, client: &Actor, scope: &str) -> AuthorizationId {
    let (pool, now) = (&app.node().app.pool, app.clock.now());
    let user: UserId = person.id().parse().unwrap();
    let id: ClientId = client.who().id.parse().unwrap();
    store::consents::put(pool, user, &id, &scope.parse().unwrap(), now).await.unwrap();
    app.authorize(client, person, SessionId::new(), scope).await
}

async fn ended(app: &TestApp, id: AuthorizationId) -> bool {
    let mut conn = app.database.connect().await;
    let row = sqlx::query("SELECT ended_at IS NOT NULL FROM authorizations WHERE id = $1").bind(id.0);
    row.fetch_one(&mut conn).await.unwrap().get(0)
}

/// Contract §4: what one agreed to is listed, and taking it back ends everything that followed, on every node.
#[tokio::test(flavor = "multi_thread")]
async fn taking_consent_back_ends_what_the_application_may_do() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let other = app.second_node().await;
    let ana = app.person("ana").await;
    let ben = app.person_of("ben", &ana.shop).await;
    let (photos, wiki) = (app.client("photos", "", &[]).await, app.client("wiki", "", &[]).await);
    assert!(ana.me.get(APPLICATIONS).await.is(200).items().is_empty());
    let mine = agree(&app, &ana, &photos, "openid email").await;
    let same = agree(&app, &ana, &photos, "openid profile").await;
    let kept = agree(&app, &ana, &wiki, "openid").await;
    let his = agree(&app, &ben, &photos, "openid").await;

    let listed = ana.me.get(APPLICATIONS).await.is(200);
    let view = |n: usize, name: &str| listed.items()[n][name].clone();
    assert_eq!(
        (listed.items().len(), view(0, "client_name"), view(1, "client_name")),
        (2, json!("wiki"), json!("photos"))
    );
    assert_eq!((view(1, "client_id"), view(1, "scope")), (json!(photos.who().id), json!("email openid profile")));
    assert_eq!(view(1, "client_uri"), json!(null));

    let path = format!("{APPLICATIONS}/{}", photos.who().id);
    ana.me.send(Method::DELETE, &path, None).await.is(204);
    ana.me.send(Method::DELETE, &path, None).await.problem(404, "not_found");
    assert!(ended(&app, mine).await && ended(&app, same).await);
    assert!(!ended(&app, kept).await && !ended(&app, his).await);
    let names =
        |page: &crate::answer::Answer| page.items().iter().map(|item| item["client_name"].clone()).collect::<Vec<_>>();
    assert_eq!(names(&ana.me.get(APPLICATIONS).await.is(200)), [json!("wiki")]);
    assert_eq!(names(&ben.me.get(APPLICATIONS).await.is(200)), [json!("photos")]);
    for node in [app.node(), &other] {
        node.has(node.app.pdp.snapshot().revision).await;
        let revoked = |id: AuthorizationId| node.app.pdp.is_revoked(&[format!("grant:{id}")]);
        app.node().app.pdp.ensure(None).await.unwrap();
        assert!(!revoked(kept) && !revoked(his));
    }
    let revoked = format!("grant:{mine}");
    assert!(app.node().app.pdp.is_revoked(&[revoked]));
    let told = admin.get(&format!("/api/v1/admin/audit?action=consent_withdrawn&actor={}", ana.id())).await.is(200);
    assert_eq!((told.items().len(), &told.items()[0]["target"]["id"]), (1, &json!(photos.who().id)));
}

/// D4: the application that one is logged in by is signed out with it.
#[tokio::test(flavor = "multi_thread")]
async fn an_application_taken_back_is_signed_out_everywhere() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let other = app.second_node().await;
    let elsewhere = ana.with_token(&ana.sign_in().await.is(200));
    let wiki = app.trusted().await;
    let by_wiki = ana.with_token(&wiki.sign_in("ana", PASSWORD).await.is(200));
    ana.me.send(Method::DELETE, &format!("{APPLICATIONS}/{}", ana.shop.who().id), None).await.is(204);
    ana.me.get("/api/v1/me").await.is(401);
    elsewhere.get("/api/v1/me").await.is(401);
    by_wiki.get("/api/v1/me").await.is(200);
    other.has(app.node().app.pdp.snapshot().revision).await;
    other.ask(&elsewhere).get("/api/v1/me").await.is(401);
    for missing in ["no-such-client", "%00", "a%20b"] {
        by_wiki.send(Method::DELETE, &format!("{APPLICATIONS}/{missing}"), None).await.problem(404, "not_found");
    }
}

/// Contract §7.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_lists_applications_and_takes_them_back() {
    let app = TestApp::spawn().await;
    app.admin().await;
    let ana = app.person("ana").await;
    let photos = app.client("<b>photos", "", &[]).await;
    let mine = agree(&app, &ana, &photos, "offline_access openid email photos:read").await;
    let mut browser = Browser::new(&app.node().base);
    browser.open("/account/applications").await;
    browser.submit("/login", &[("login", "ana"), ("password", PASSWORD)]).await;
    browser.is_at("/account/applications");
    browser.says("&#60;b&#62;photos");
    browser.says("who you are, your e-mail address, while you are away, photos:read");
    browser.submit("/account/applications/revoke", &[]).await;
    browser.says("Access taken back.");
    browser.says("No application has access to your account.");
    assert!(ended(&app, mine).await);
}
