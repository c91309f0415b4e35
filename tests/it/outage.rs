//! The database goes away and comes back.

use std::time::{Duration, Instant};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::json;

use crate::{
    actor::{Actor, Who, document, question},
    app::TestApp,
    database::{Cable, Wire},
};

const SHORT: [(&str, &str); 2] = [("DEODAR_STALENESS_BOUND", "1s"), ("DEODAR_POLL_INTERVAL", "100ms")];

/// A server on a cable, an administrator, and somebody who may read.
async fn library() -> (TestApp, Cable, Actor, Who) {
    let (app, cable) = TestApp::spawn_over_cable(&SHORT).await;
    let admin = app.admin().await;
    admin.create_role("viewer", &[]).await.is(201);
    admin.grant("viewer", "read", json!({ "type": "Document" })).await.is(201);
    let ana = app.user("ana", &["viewer"]).await;
    admin.check(question(&ana, "read", document("1"))).await.allows();
    admin.get("/health/ready").await.is(200);
    (app, cable, admin, ana)
}

/// Contract §5, "Freshness": decisions go on for the bound and not longer; no restart is needed.
async fn survives(wire: Wire) {
    let (app, cable, admin, ana) = library().await;
    let ask = || question(&ana, "read", document("1"));
    cable.make(wire);
    let cut = Instant::now();

    // Within the bound nobody notices; after it nobody is told anything that may be wrong.
    let mut allowed = 0;
    let refused = loop {
        let answer = admin.check(ask()).await;
        let since = cut.elapsed();
        if answer.status == 503 {
            break answer;
        }
        answer.allows();
        allowed += 1;
        assert!(since < Duration::from_millis(1600), "still allowed after {since:?}");
    };
    println!("{allowed} checks were answered until {:?} after the database went away", cut.elapsed());
    assert!(allowed > 0);
    assert!(cut.elapsed() > Duration::from_millis(700), "refused after {:?} already", cut.elapsed());
    assert!(!refused.header("retry-after").is_empty());
    refused.problem(503, "stale");
    admin.check_batch(&[ask()]).await.problem(503, "stale");

    let asked = Instant::now();
    let ready = admin.get("/health/ready").await.is(503);
    assert!(ready.text.contains("a confirmed revision"), "{}", ready.text);
    assert!(ready.text.contains("the database"), "{}", ready.text);
    admin.get("/health/live").await.is(200);
    let write = admin.create_role("too-late", &[]).await.is(503);
    assert!(!write.header("retry-after").is_empty());
    write.problem(503, "stale");
    let token = admin.client_credentials(None).await;
    assert_eq!((token.status, token.header("retry-after")), (503, "1"));
    if wire == Wire::Cut {
        token.oauth(503, "temporarily_unavailable");
    }
    assert!(asked.elapsed() < Duration::from_secs(8), "{:?}", asked.elapsed());
    app.anonymous().get("/oauth/jwks").await.is(200);
    app.bearer("garbage").check(ask()).await.problem(401, "unauthorized");

    cable.make(Wire::Whole);
    let back = Instant::now();
    let works = async || {
        admin.get("/health/ready").await.status == 200
            && admin.check(ask()).await.status == 200
            && matches!(admin.create_role("in-time", &[]).await.status, 201 | 409)
            && admin.role("too-late").await.status == 404
            && admin.client_credentials(None).await.status == 200
    };
    while !works().await {
        assert!(back.elapsed() < Duration::from_secs(10), "not ready again");
    }
    println!("as before {:?} after the database came back", back.elapsed());
    admin.check(ask()).await.allows();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_database_stops_decisions_at_the_bound_and_comes_back() {
    survives(Wire::Cut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_database_stops_decisions_at_the_bound_and_comes_back() {
    survives(Wire::Silent).await;
}

/// A database that moved leaves connections behind that answer nothing, for ever. They are given up.
#[tokio::test(flavor = "multi_thread")]
async fn connections_that_answer_nothing_are_given_up() {
    let (_app, cable, admin, ana) = library().await;
    cable.make(Wire::Replaced);
    let moved = Instant::now();
    let mut refused = false;
    loop {
        let answer = admin.check(question(&ana, "read", document("1"))).await;
        refused |= answer.status == 503;
        // Either it recovered within the bound, or it said that it had not.
        if answer.status == 200 && admin.get("/health/ready").await.status == 200 {
            let write = admin.create_role("moved", &[]).await;
            if write.status == 201 {
                break;
            }
        }
        assert!(moved.elapsed() < Duration::from_secs(20), "no recovery; refused before: {refused}");
    }
    println!("recovered after {:?}", moved.elapsed());
}

/// Before the bound is over, writes already say what is missing.
#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_a_database_is_a_503_and_nothing_half_done() {
    let (_app, cable) = TestApp::spawn_over_cable(&[("DEODAR_STALENESS_BOUND", "30s")]).await;
    let admin = _app.admin().await;
    admin.create_role("before", &[]).await.is(201);
    cable.make(Wire::Cut);
    let calls = [
        admin.create_role("new", &[]).await,
        admin.delete_role("before").await,
        admin.create_client(json!({ "client_name": "new" })).await,
        admin.roles("").await,
    ];
    for answer in calls {
        assert!(!answer.header("retry-after").is_empty());
        answer.problem(503, "database_unavailable");
    }
    cable.make(Wire::Whole);
    let back = Instant::now();
    while admin.roles("").await.status != 200 {
        assert!(back.elapsed() < Duration::from_secs(5), "no recovery");
    }
    let names: Vec<String> = admin.roles("").await.items().iter().map(|r| r["name"].to_string()).collect();
    assert_eq!(names, ["\"admin\"", "\"before\""]);
}

/// A server that has nothing to show starts no listener.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_does_not_start_without_its_database() {
    let master_key = STANDARD.encode(deodar::crypto::random::<32>().unwrap());
    let config = deodar::config::Config::read(
        |name| match name {
            "DATABASE_URL" => Some("postgres://nobody@127.0.0.1:1/nothing".to_owned()),
            "DEODAR_ISSUER" => Some(crate::app::ISSUER.to_owned()),
            "DEODAR_MASTER_KEY" => Some(master_key.clone()),
            _ => None,
        },
        std::iter::empty(),
    );
    let asked = Instant::now();
    let built = deodar::app::App::build(config.unwrap(), deodar::app::Options::default()).await;
    let error = built.err().expect("it started");
    assert!(asked.elapsed() < Duration::from_secs(11));
    assert!(matches!(error, deodar::app::StartError::Store(deodar::store::Error::Unavailable(_))), "{error:?}");
}
