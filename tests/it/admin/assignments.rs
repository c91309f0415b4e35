//! Which principal holds which role.

use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::{
    actor::{Who, admin_path, document, question},
    app::TestApp,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_role_is_given_shown_and_taken() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    admin.create_role("viewer", &[]).await.is(201);
    admin.grant("viewer", "read", json!({ "type": "Document" })).await.is(201);
    let shop = app.client("shop", "", &[]).await;
    for who in [app.user("ana", &[]).await, shop.who().clone()] {
        let ask = || question(&who, "read", document("1"));
        admin.check(ask()).await.denies();
        let given = admin.assign(&who, "viewer").await.is(204);
        admin.check(ask()).await.allows();
        // Again is no write.
        assert_eq!(admin.assign(&who, "viewer").await.is(204).revision(), given.revision());
        let list = admin.assignments(&who).await.is(200);
        assert_eq!((&list.items()[0]["role"], &list.items()[0]["expires_at"]), (&json!("viewer"), &json!(null)));
        admin.unassign(&who, "viewer").await.is(204);
        admin.check(ask()).await.denies();
        admin.unassign(&who, "viewer").await.problem(404, "not_found");
        admin.assign(&who, "nobody").await.problem(404, "not_found");
    }
    for who in [Who::user("01890000-0000-7000-8000-000000000000"), Who::user("ana"), Who::client("nobody")] {
        admin.assign(&who, "viewer").await.problem(404, "not_found");
        admin.unassign(&who, "viewer").await.problem(404, "not_found");
        admin.assignments(&who).await.problem(404, "not_found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_ends_at_its_second() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let admin = app.admin().await;
    admin.create_role("viewer", &[]).await.is(201);
    admin.grant("viewer", "read", json!({ "type": "Document" })).await.is(201);
    let ana = app.user("ana", &[]).await;
    let ask = || question(&ana, "read", document("1"));
    let end = app.clock.now() + Duration::from_secs(600);
    let revision = admin.assign_until(&ana, "viewer", end).await.is(204).revision();
    let there = other.ask(&admin);
    admin.check(ask()).await.allows();
    there.check(crate::actor::with(ask(), "at_least_revision", revision)).await.allows();
    let left = end - app.clock.now();
    app.later(left.unsigned_abs().checked_sub(Duration::from_secs(3)).unwrap());
    admin.check(ask()).await.allows();
    there.check(ask()).await.allows();
    app.later((end - app.clock.now()).unsigned_abs() + Duration::from_millis(1));
    admin.check(ask()).await.denies();
    there.check(ask()).await.denies();
    // Given anew it counts again, and by and by for good.
    admin.assign_until(&ana, "viewer", app.clock.now() + Duration::from_secs(60)).await.is(204);
    admin.check(ask()).await.allows();
    admin.assign(&ana, "viewer").await.is(204);
    app.later(Duration::from_secs(120));
    admin.check(ask()).await.allows();
}

/// A role that ends leaves the others, and ends for the admin API too.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_for_a_while_is_none_afterwards() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let brief = app.client("brief", "admin", &[]).await;
    brief.roles("").await.problem(403, "forbidden");
    admin.assign_until(brief.who(), "admin", app.clock.now() + Duration::from_secs(300)).await.is(204);
    brief.roles("").await.is(200);
    brief.create_role("made", &[]).await.is(201);
    app.later(Duration::from_secs(301));
    brief.roles("").await.problem(403, "forbidden");
    brief.create_role("late", &[]).await.problem(403, "forbidden");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_an_assignment_is_a_time_to_come() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    admin.create_role("viewer", &[]).await.is(201);
    let ana = app.user("ana", &[]).await;
    for ago in [0, 1, 86_400] {
        let answer = admin.assign_until(&ana, "viewer", app.clock.now() - Duration::from_secs(ago)).await;
        answer.faulty("expires_at", "in_the_past");
    }
    let path = admin_path(&["users", &ana.id, "roles", "viewer"]);
    for bad in [
        json!({ "expires_at": "tomorrow" }),
        json!({ "expires_at": 1_800_000_000 }),
        json!({ "expires_at": "2031-02-30T00:00:00Z" }),
        json!({ "expires_at": "2031-01-01" }),
        json!({ "expires": "2031-01-01T00:00:00Z" }),
        json!({ "role": "admin" }),
        json!([]),
    ] {
        let answer = admin.send(Method::PUT, &path, Some(&bad)).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text);
    }
    assert!(admin.assignments(&ana).await.items().is_empty());
    for far in ["9999-12-31T23:59:59Z", "2999-01-01T00:00:00+01:00"] {
        admin.send(Method::PUT, &path, Some(&json!({ "expires_at": far }))).await.is(204);
        assert!(admin.assignments(&ana).await.text_at("/items/0/expires_at").ends_with('Z'));
    }
    admin.send(Method::PUT, &path, Some(&json!({ "expires_at": null }))).await.is(204);
    admin.send(Method::PUT, &path, Some(&json!({}))).await.is(204);
}
