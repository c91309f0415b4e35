//! From the outbox to the mail server.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use deodar::{
    mail::{self, Message},
    post::PostError,
    store::outbox,
};
use serde_json::Value;
use sqlx::Row;
use time::OffsetDateTime;

use crate::{
    app::{Node, TestApp},
    mailbox::Mood,
};

const LINK: &str = "https://deodar.test/reset-password?token=dpr_abc";

fn reset() -> Message {
    Message::PasswordReset { link: LINK.to_owned() }
}

fn device(device: &str) -> Message {
    let address = "192.0.2.7".parse().unwrap();
    Message::NewDevice { device: device.to_owned(), address, at: OffsetDateTime::UNIX_EPOCH }
}

/// Writes mails in one transaction of this node, without waking anybody.
async fn put(node: &Node, mails: &[(&str, Message)]) -> Result<(), PostError> {
    let mut tx = node.app.pool.begin().await.unwrap();
    for (to, message) in mails {
        node.app.post.put(&mut tx, to, message).await?;
    }
    tx.commit().await.unwrap();
    Ok(())
}

async fn send(node: &Node, to: &str, message: Message) {
    put(node, &[(to, message)]).await.unwrap();
    node.app.post.wake();
}

/// Waits until so many mails are in the outbox.
async fn outbox_has(app: &TestApp, count: i64) {
    let since = Instant::now();
    let mut conn = app.database.connect().await;
    loop {
        let found = outbox::count(&mut conn).await.unwrap();
        if found == count {
            return;
        }
        assert!(since.elapsed() < Duration::from_secs(20), "{found} mails are in the outbox, not {count}");
    }
}

/// Plain text is there for those who want nothing else.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_arrives_once_as_text_and_html_and_leaves_nothing_behind_v070() {
    let app = TestApp::spawn().await;
    send(app.node(), "ana@shop.test", reset()).await;
    let mail = app.mailbox.wait_for("ana@shop.test", |_| true).await;
    assert_eq!(mail.subject, "Reset your password at deodar.test");
    assert_eq!(mail.links(), [LINK]);
    assert!(mail.html.contains(&format!("<a href=\"{LINK}\"")), "{}", mail.html);
    assert_eq!(mail.headers["from"], "Deodar <no-reply@deodar.test>");
    assert_eq!(mail.headers["to"], "ana@shop.test");
    assert_eq!(mail.headers["auto-submitted"], "auto-generated");
    assert!(mail.headers["content-type"].starts_with("multipart/alternative"));
    outbox_has(&app, 0).await;
    assert_eq!(app.mailbox.all().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_rolled_back_is_not_told() {
    let app = TestApp::spawn().await;
    let mut tx = app.node().app.pool.begin().await.unwrap();
    app.node().app.post.put(&mut tx, "ana@shop.test", &Message::PasswordChanged).await.unwrap();
    tx.rollback().await.unwrap();
    send(app.node(), "ben@shop.test", Message::PasswordChanged).await;
    app.mailbox.wait_for("ben@shop.test", |_| true).await;
    assert_eq!(app.mailbox.all().len(), 1);
}

/// Nobody has to wake the node: another one may have written the mail and died.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_nobody_announced_is_found() {
    let app = TestApp::spawn().await;
    put(app.node(), &[("ana@shop.test", reset())]).await.unwrap();
    app.mailbox.wait_for("ana@shop.test", |_| true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_refused_for_now_is_tried_again() {
    let app = TestApp::spawn().await;
    for (n, mood) in [Mood::Busy, Mood::Rude].into_iter().enumerate() {
        app.mailbox.be(mood);
        let to = format!("ana-{n}@shop.test");
        send(app.node(), &to, reset()).await;
        app.mailbox.wait_for_fruitless(n + 1).await;
        outbox_has(&app, 1).await;
        app.mailbox.be(Mood::Kind);
        app.later(Duration::from_secs(10));
        app.node().app.post.wake();
        app.mailbox.wait_for(&to, |_| true).await;
        outbox_has(&app, 0).await;
    }
    assert_eq!(app.mailbox.all().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_that_was_refused_for_good_is_dropped_and_holds_up_no_other() {
    let app = TestApp::spawn().await;
    app.mailbox.be(Mood::Refusing);
    send(app.node(), "nobody@shop.test", reset()).await;
    app.mailbox.wait_for_fruitless(1).await;
    outbox_has(&app, 0).await;
    app.mailbox.be(Mood::Kind);
    send(app.node(), "ana@shop.test", reset()).await;
    app.mailbox.wait_for("ana@shop.test", |_| true).await;
    assert_eq!(app.mailbox.all().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_send_forty_mails_once_each() {
    let app = TestApp::spawn().await;
    let other = app.second_node().await;
    let names: Vec<String> = (0..40).map(|n| format!("a{n}@shop.test")).collect();
    let mails: Vec<_> = names.iter().map(|name| (name.as_str(), reset())).collect();
    put(app.node(), &mails).await.unwrap();
    app.node().app.post.wake();
    other.app.post.wake();
    app.mailbox.wait_for_count(40).await;
    outbox_has(&app, 0).await;
    let all = app.mailbox.all();
    let ids: HashSet<_> = all.iter().map(|mail| mail.headers["message-id"].clone()).collect();
    let to: HashSet<_> = all.iter().flat_map(|mail| mail.to.clone()).collect();
    assert_eq!((all.len(), ids.len(), to), (40, 40, names.into_iter().collect()));
}

/// A mail taken by a node that died is not lost, and not taken before it is clear that the node is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_of_a_dead_node_is_sent_by_another_when_the_lease_ends() {
    let app = TestApp::spawn().await;
    let Node { app: inside, .. } = app.node();
    let now = app.clock.now();
    let mut tx = inside.pool.begin().await.unwrap();
    inside.post.put(&mut tx, "ana@shop.test", &reset()).await.unwrap();
    let taken = outbox::take(&mut *tx, now + Duration::from_secs(1), now + Duration::from_mins(2)).await.unwrap();
    tx.commit().await.unwrap();

    send(app.node(), "ben@shop.test", reset()).await;
    app.mailbox.wait_for("ben@shop.test", |_| true).await;
    assert_eq!(app.mailbox.all().len(), 1);
    app.later(Duration::from_mins(2));
    inside.post.wake();
    let mail = app.mailbox.wait_for("ana@shop.test", |_| true).await;
    let id = taken.unwrap().id;
    assert_eq!(mail.headers["message-id"], format!("<{id}@deodar.test>"));
}

/// R5: without a mail server everything else goes on, also stopping.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_mail_server_delays_nobody() {
    let app = TestApp::spawn().await;
    app.mailbox.be(Mood::Silent);
    let asked = Instant::now();
    send(app.node(), "ana@shop.test", reset()).await;
    send(app.node(), "ben@shop.test", reset()).await;
    app.anonymous().get("/health/ready").await.is(200);
    app.node().app.stop().await;
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    outbox_has(&app, 2).await;
}

/// Nothing of a mail goes to a server that is neither on this machine nor able to encrypt.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_gets_no_mail() {
    let own = crate::mailbox::Mailbox::open().await;
    // Not a loopback address by its looks, and yet this machine.
    let url = own.url.replace("127.0.0.1", "0.0.0.0");
    let app = TestApp::spawn_with(&[("SMTP_URL", &url)]).await;
    send(app.node(), "ana@shop.test", reset()).await;
    own.wait_for_fruitless(1).await;
    assert!(own.all().is_empty());
    outbox_has(&app, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_choose_changes_neither_headers_nor_markup_nor_recipients_v054_v070_v076() {
    let app = TestApp::spawn().await;
    let addresses = [
        "ana@shop.test\r\nBcc: evil@shop.test",
        "ana@shop.test,evil@shop.test",
        "ana@shop.test evil@shop.test",
        "<ana@shop.test>",
        "ana@shop.test\nRCPT TO:<evil@shop.test>",
        "",
    ];
    for to in addresses {
        put(app.node(), &[(to, reset())]).await.unwrap();
    }
    let hostile = "x\r\nBcc: evil@shop.test\r\n\r\n<script>alert(1)</script>\"'\u{202e}{{ host }}\u{0}\r\n.\r\nQUIT";
    let messages = [device(hostile), Message::BypassIssued { by: Some(hostile.to_owned()) }];
    for message in messages {
        send(app.node(), "ana@shop.test", message).await;
    }
    app.mailbox.wait_for_count(2).await;
    outbox_has(&app, 0).await;
    let all = app.mailbox.all();
    assert_eq!(all.len(), 2);
    for mail in all {
        assert_eq!(mail.to, ["ana@shop.test"]);
        assert!(!mail.headers.contains_key("bcc"), "{}", mail.raw);
        let (text, html) = (&mail.text, &mail.html);
        assert!(!text.lines().any(|line| line.starts_with("Bcc") || line == "QUIT"), "{text}");
        assert!(!text.contains(['\u{202e}', '\u{0}', '\r']), "{text:?}");
        assert!(text.contains("<script>alert(1)</script>\"'{{ host }}"), "{text}");
        assert!(html.contains("&#60;script&#62;alert(1)&#60;/script&#62;&#34;&#39;"), "{html}");
        assert!(!html.contains("<script"), "{html}");
    }
}

/// Whoever reads the database learns neither links nor recipients; whoever writes it cannot have a link sent elsewhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_mail_in_the_outbox_is_sealed_and_bound_to_its_row() {
    let app = TestApp::spawn_with(&[("SMTP_URL", ""), ("MAIL_FROM", "")]).await;
    put(app.node(), &[("ana@shop.test", reset()), ("ben@shop.test", Message::MfaEnabled)]).await.unwrap();
    let mut conn = app.database.connect().await;
    let rows = sqlx::query("SELECT sealed FROM outbox").fetch_all(&mut conn).await.unwrap();
    for row in rows {
        let sealed = String::from_utf8_lossy(row.get("sealed")).into_owned();
        assert!(!sealed.contains("dpr_abc") && !sealed.contains("shop.test"), "{sealed}");
    }
    // The one takes the place of the other.
    sqlx::query("UPDATE outbox o SET sealed = p.sealed FROM outbox p WHERE p.id <> o.id")
        .execute(&mut conn)
        .await
        .unwrap();
    let kept = mail::Mailbox::default();
    let node = app.second_node_with(Some(kept.clone())).await;
    send(&node, "cleo@shop.test", Message::MfaEnabled).await;
    outbox_has(&app, 2).await;
    assert_eq!(kept.list().iter().map(|mail| mail.to.as_str()).collect::<Vec<_>>(), ["cleo@shop.test"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_outbox_drops_mail_without_an_error() {
    let app = TestApp::spawn_with(&[("SMTP_URL", ""), ("MAIL_FROM", ""), ("DEODAR_MAIL_QUEUE", "2")]).await;
    for _ in 0..3 {
        put(app.node(), &[("ana@shop.test", reset())]).await.unwrap();
    }
    outbox_has(&app, 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_that_could_not_be_sent_for_a_day_is_forgotten() {
    let app = TestApp::spawn_with(&[("SMTP_URL", ""), ("MAIL_FROM", "")]).await;
    put(app.node(), &[("ana@shop.test", reset())]).await.unwrap();
    app.later(Duration::from_hours(23));
    put(app.node(), &[("ben@shop.test", reset())]).await.unwrap();
    app.later(Duration::from_hours(2));
    app.node().app.post.wake();
    outbox_has(&app, 1).await;
}

/// `deodar dev` without `SMTP_URL`.
#[tokio::test(flavor = "multi_thread")]
async fn the_development_mailbox_shows_mail_without_running_it() {
    let app = TestApp::spawn_with(&[("SMTP_URL", ""), ("MAIL_FROM", "")]).await;
    app.anonymous().get("/dev/mail").await.is(404);
    let kept = mail::Mailbox::default();
    let node = app.second_node_with(Some(kept.clone())).await;
    send(&node, "ana@shop.test", reset()).await;
    outbox_has(&app, 0).await;
    send(&node, "ben@shop.test", device("\"><script>alert(1)</script>")).await;
    outbox_has(&app, 0).await;

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move { axum::serve(listener, deodar::dev::mailbox::routes(kept)).await });
    let get = async |path: &str| {
        let answer = reqwest::get(format!("{base}{path}")).await.unwrap();
        let policy = answer.headers()["content-security-policy"].to_str().unwrap().to_owned();
        (answer.status().as_u16(), policy, answer.text().await.unwrap())
    };
    let (status, _, json) = get("/dev/mail.json").await;
    let mails: Vec<Value> = serde_json::from_str(&json).unwrap();
    assert_eq!((status, mails.len()), (200, 2));
    assert_eq!((&mails[0]["to"], &mails[1]["to"]), (&"ben@shop.test".into(), &"ana@shop.test".into()));
    assert_eq!(mails[1]["subject"], "Reset your password at deodar.test");
    assert!(mails[1]["text"].as_str().unwrap().contains(LINK));
    for field in ["html", "sent_at", "id"] {
        assert!(mails[1][field].is_string(), "{field}");
    }
    let (status, policy, list) = get("/dev/mail").await;
    assert_eq!(status, 200);
    assert!(policy.starts_with("default-src 'none'") && list.contains("to ana@shop.test"), "{policy} {list}");
    let (status, _, page) = get(&format!("/dev/mail/{}", mails[0]["id"].as_str().unwrap())).await;
    assert_eq!(status, 200);
    assert!(page.contains("srcdoc=\"<base target=_blank>&#60;!doctype html&#62;"), "{page}");
    assert!(!page.contains("<script"), "{page}");
    assert_eq!(get("/dev/mail/01890000-0000-7000-8000-000000000000").await.0, 404);
    serving.abort();
}
