//! The record: `/api/v1/admin/audit`.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::Row;

use crate::{
    actor::Actor,
    answer::Answer,
    app::TestApp,
    person::{PASSWORD, events},
};

const HOUR: u64 = 60 * 60;
const AUDIT: &str = "/api/v1/admin/audit";

async fn export(admin: &Actor, accept: &str, query: &str) -> Answer {
    let request = admin.request(reqwest::Method::GET, &format!("{AUDIT}?{query}")).header("accept", accept);
    Answer::read(request.send().await.unwrap()).await.is(200)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_older_than_seven_days_is_gone_and_nothing_younger_n176() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let keep = time::Duration::days(7);
    let registered = "action=register";
    let tend = async || deodar::store::audit::maintain(&app.node().app.pool, app.clock.ahead(), keep).await.unwrap();
    let see = async || {
        let admin = admin.clone().with_fresh_token().await;
        let page = admin.get(&format!("{AUDIT}?{registered}")).await.is(200).items().len();
        let lines = export(&admin, "application/x-ndjson", registered).await.text.lines().count();
        let table = export(&admin, "text/csv", registered).await.text.lines().count() - 1;
        assert_eq!((page, page), (lines, table));
        page
    };
    app.later(Duration::from_secs(6 * 24 * HOUR + 23 * HOUR));
    tend().await;
    assert_eq!(see().await, 1, "6 days and 23 hours");
    let hers = ana.with_token(&ana.sign_in().await.is(200));
    assert!(ana.activity(&hers).await.contains(&"register success".to_owned()));
    app.later(Duration::from_secs(2 * HOUR));
    tend().await;
    assert_eq!(see().await, 0, "7 days and an hour");
    let hers = ana.with_token(&ana.sign_in().await.is(200));
    assert!(!ana.activity(&hers).await.contains(&"register success".to_owned()));
    // From the disk it goes with its day.
    app.later(Duration::from_secs(24 * HOUR));
    tend().await;
    assert_eq!(app.count_events("register", "success").await, 0);
    let mut conn = app.database.connect().await;
    let left = sqlx::query("SELECT count(*) FROM audit").fetch_one(&mut conn).await.unwrap();
    assert!(left.get::<i64, _>(0) > 0, "what is younger stays");
}

/// One filter, three forms, and nothing in them that a reader would execute.
#[tokio::test(flavor = "multi_thread")]
async fn the_record_is_filtered_paged_and_exported_n175_v076() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    for _ in 0..3 {
        let agent = "evil\u{9}=cmd|' /C calc'!A0";
        let form = [("grant_type", "password"), ("username", "ana"), ("password", "wrong")];
        let own = [("client_id", ana.shop.who().id.clone()), ("client_secret", ana.shop.secret.clone().unwrap())];
        let request = ana.shop.http.post(format!("{}/oauth/token", ana.shop.base)).header("user-agent", agent);
        let form: Vec<(&str, &str)> =
            form.into_iter().chain(own.iter().map(|(name, value)| (*name, value.as_str()))).collect();
        let request = request.header("x-request-id", "-1-2").form(&form);
        assert_eq!(request.send().await.unwrap().status(), 400);
    }
    let reason = "=HYPERLINK(\"http://evil\"), \"quoted\"";
    ana.enable_totp(&app).await;
    let bypass = json!({ "reason": reason, "ttl_seconds": 60 });
    admin.post(&format!("/api/v1/admin/users/{}/mfa-bypass", ana.id()), &bypass).await.is(201);

    let all = admin.get(&format!("{AUDIT}?limit=200")).await.is(200);
    let count = async |query: &str| admin.get(&format!("{AUDIT}?limit=200&{query}")).await.is(200).items().len();
    assert_eq!(count("outcome=failure").await, 3);
    assert_eq!(count(&format!("outcome=failure&target={}", ana.id())).await, 3);
    assert_eq!(count(&format!("outcome=failure&target=User::%22{}%22", ana.id())).await, 3);
    assert_eq!(count(&format!("actor={}&action=mfa_enabled", ana.id())).await, 1);
    assert_eq!(count("action=nothing").await, 0);
    assert_eq!(count("until=2020-01-01T00:00:00Z").await, 0);
    assert_eq!(count("since=2020-01-01T00:00:00Z").await, all.items().len());
    for wrong in ["outcome=perhaps", "since=yesterday", "actor=a%00b", "limit=0", "limit=201", "cursor=x", "order=asc"]
    {
        let answer = admin.get(&format!("{AUDIT}?{wrong}")).await;
        assert_eq!(answer.status, 400, "{wrong}: {}", answer.text);
    }
    let (mut paged, mut cursor): (Vec<Value>, String) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("{AUDIT}?limit=3{cursor}")).await.is(200);
        paged.extend(page.items().to_vec());
        match page.json["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(paged, all.items());

    let lines = export(&admin, "application/x-ndjson", "").await;
    let read: Vec<Value> = lines.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(read, all.items());
    let table = export(&admin, "text/csv", "").await;
    assert_eq!(table.header("content-type"), "text/csv; charset=utf-8");
    let mut reader = csv::Reader::from_reader(table.text.as_bytes());
    let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), all.items().len());
    let cells = rows.iter().flat_map(|row| row.iter());
    for cell in cells {
        assert!(!cell.starts_with(['=', '+', '-', '@', '\t', '\r']), "a spreadsheet would run `{cell}`");
    }
    assert!(rows.iter().any(|row| row.iter().any(|cell| cell == "'-1-2")));
    assert!(rows.iter().any(|row| row.iter().any(|cell| cell.contains("HYPERLINK"))));

    // It is read and nothing else.
    for method in ["POST", "PUT", "PATCH", "DELETE"] {
        admin.send(method.parse().unwrap(), AUDIT, None).await.problem(405, "method_not_allowed");
    }
    ana.me.get(AUDIT).await.problem(403, "forbidden");
    let auditor = app.client("auditor", "admin", &["auditor"]).await;
    auditor.get(AUDIT).await.is(200);
}

/// A login that the policies refuse is on record, whatever the password.
#[tokio::test(flavor = "multi_thread")]
async fn a_login_that_the_policies_refuse_is_on_record_n175() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let ana = app.person("ana").await;
    let ben = app.person_of("ben", &ana.shop).await;
    ben.enable_totp(&app).await;
    app.next_step();
    let waiting = ben.first_step().await;
    let (_, mut files) = admin.active_bundle().await;
    let forbid = |who: &str, unless: &str| {
        format!("forbid (principal == User::\"{who}\", action == Deodar::Action::\"signIn\", resource) {unless};\n")
    };
    let mfa = "unless { context has session && context.session.mfa }";
    let policies = forbid(ana.id(), mfa) + &forbid(ben.id(), "");
    files.insert("policies/house.cedar".to_owned(), policies);
    let number = admin.create_bundle(&files).await.is(201).json["number"].as_i64().unwrap();
    admin.activate(number).await.is(204);

    let needed = ana.sign_in().await.oauth(400, "invalid_grant");
    assert!(needed.text.contains("a second factor is needed"), "{}", needed.text);
    ben.shop.second_step(&waiting, "000000").await.oauth(400, "invalid_grant");
    let code = {
        let body = json!({ "reason": "a code that is right", "ttl_seconds": 60 });
        admin.post(&format!("/api/v1/admin/users/{}/mfa-bypass", ben.id()), &body).await.is(201).text_at("/code")
    };
    ben.shop.second_step(&waiting, &code).await.oauth(400, "invalid_grant");
    for person in [&ana, &ben] {
        let denied = admin.get(&format!("{AUDIT}?outcome=denied&action=sign_in&actor={}", person.id())).await.is(200);
        assert_eq!(events(&denied), ["sign_in denied"]);
    }
    // Who has one gets in.
    let (authenticator, _) = ana.enable_totp(&app).await;
    app.next_step();
    ana.sign_in_with(&authenticator.code()).await.is(200);
    ana.shop.sign_in("ana", PASSWORD).await.oauth(400, "mfa_required");
}
