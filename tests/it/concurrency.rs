//! Many at once.

use futures_util::future::join_all;
use serde_json::json;
use sqlx::Row;

use crate::app::TestApp;

/// House §1.4: one number for each write, and what it changed beside it.
#[tokio::test(flavor = "multi_thread")]
async fn fifty_parallel_writes_get_fifty_revisions_with_their_changes() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let admin = app.admin().await;
    let there = other.ask(&admin);
    let first = admin.create_role("first", &[]).await.is(201).revision();
    let writes = (0..50).map(|n| {
        let actor = if n % 2 == 0 { &admin } else { &there };
        async move {
            let name = format!("r{n}");
            let revision = actor.create_role(&name, &[]).await.is(201).revision();
            // Whoever wrote sees what they wrote, on the node where they wrote it.
            let seen = actor.effective(&name).await.is(200);
            assert!(seen.header("deodar-revision").parse::<i64>().unwrap() >= revision);
            (revision, name)
        }
    });
    let mut written = join_all(writes).await;
    written.sort();
    let revisions: Vec<i64> = written.iter().map(|(revision, _)| *revision).collect();
    assert_eq!(revisions, (first + 1..=first + 50).collect::<Vec<_>>());

    let mut conn = app.database.connect().await;
    let rows = sqlx::query("SELECT revision, kind, subject FROM change_log WHERE revision > $1 ORDER BY revision");
    let rows = rows.bind(first).fetch_all(&mut conn).await.unwrap();
    let logged: Vec<(i64, String)> = rows.iter().map(|row| (row.get("revision"), row.get("subject"))).collect();
    assert_eq!(logged, written);
    assert!(rows.iter().all(|row| row.get::<String, _>("kind") == "role"));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_sixteen_who_make_the_same_role_makes_it() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let admin = app.admin().await;
    let there = other.ask(&admin);
    let attempts = (0..16).map(|n| {
        let actor = if n % 2 == 0 { &admin } else { &there };
        async { actor.create_role("same", &[]).await.status }
    });
    let statuses = join_all(attempts).await;
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 15, "{statuses:?}");
}

/// The second of two requests that would close a circle is refused, wherever they arrive.
#[tokio::test(flavor = "multi_thread")]
async fn a_circle_is_never_closed_by_two_at_once_v039() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let admin = app.admin().await;
    let there = other.ask(&admin);
    for round in 0..8 {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        admin.create_role(&a, &[]).await.is(201);
        admin.create_role(&b, &[]).await.is(201);
        let (one, two) = tokio::join!(admin.inherit(&a, &b), there.inherit(&b, &a));
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409], "{} {}", one.text, two.text);
        if one.status == 409 { one } else { two }.problem(409, "inheritance_cycle");
    }
    no_cycle(&app).await;
}

/// Sixteen edges that together are a circle: exactly one is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_circle_is_never_closed_by_sixteen_at_once_v039() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let admin = app.admin().await;
    let there = other.ask(&admin);
    for n in 0..16 {
        admin.create_role(&format!("r{n}"), &[]).await.is(201);
    }
    let edges = (0..16).map(|n| {
        let actor = if n % 2 == 0 { &admin } else { &there };
        async move { actor.inherit(&format!("r{n}"), &format!("r{}", (n + 1) % 16)).await.status }
    });
    let statuses = join_all(edges).await;
    assert_eq!(statuses.iter().filter(|status| **status == 409).count(), 1, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|status| **status == 204).count(), 15, "{statuses:?}");
    no_cycle(&app).await;
}

async fn no_cycle(app: &TestApp) {
    let mut conn = app.database.connect().await;
    let cycles = "WITH RECURSIVE way (role, at) AS (
            SELECT role, inherits FROM role_inherits
            UNION SELECT way.role, i.inherits FROM way JOIN role_inherits i ON i.role = way.at
        ) SELECT count(*) FROM way WHERE role = at";
    let count: i64 = sqlx::query_scalar(cycles).fetch_one(&mut conn).await.unwrap();
    assert_eq!(count, 0);
}

/// A check asked while roles are given and taken is answered by some state that there was.
#[tokio::test(flavor = "multi_thread")]
async fn checks_during_writes_never_mix_two_states() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    for role in ["left", "right"] {
        admin.create_role(role, &[]).await.is(201);
    }
    admin.grant("left", "read", json!({ "type": "Document" })).await.is(201);
    admin.grant("right", "write", json!({ "type": "Document" })).await.is(201);
    admin.create_role("either", &["left"]).await.is(201);
    let ana = app.user("ana", &["either"]).await;
    let ask = |action| crate::actor::question(&ana, action, crate::actor::document("1"));
    let pair = [ask("read"), ask("write")];
    let writing = async {
        for _ in 0..10 {
            admin.inherit("either", "right").await.is(204);
            admin.disinherit("either", "left").await.is(204);
            admin.inherit("either", "left").await.is(204);
            admin.disinherit("either", "right").await.is(204);
        }
    };
    let asking = async {
        for _ in 0..200 {
            let answer = admin.check_batch(&pair).await.is(200);
            let allowed = |n: usize| answer.json["results"][n]["decision"] == "allow";
            assert!(allowed(0) || allowed(1), "ana always has one of the two: {}", answer.text);
        }
    };
    tokio::join!(writing, asking);
}
