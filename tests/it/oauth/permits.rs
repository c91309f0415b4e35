//! What the policies let a client have that asks for itself. It asks the same again and again, and is told the same only
//! while nothing changed.

use std::time::Duration;

use crate::app::TestApp;

const WHILE: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lasts_as_long_as_what_it_rests_on() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    admin.create_role("reporter", &[]).await.is(201);
    admin.create_role("chief", &["reporter"]).await.is(201);
    let robot = app.client("robot", "orders reports", &[]).await;
    let (who, granted, refused) = (
        robot.who(),
        async || robot.client_credentials(None).await.is(200),
        async || {
            // Twice: what was refused is not granted by being asked again.
            robot.client_credentials(None).await.oauth(400, "invalid_scope");
            robot.client_credentials(None).await.oauth(400, "invalid_scope")
        },
    );
    granted().await;

    let policy = r#"
        @id("reports-for-reporters")
        forbid (principal is Client, action == Deodar::Action::"issueToken", resource)
        when { context.scopes.contains("reports") }
        unless { principal in Role::"reporter" };"#;
    let (before, mut files) = admin.active_bundle().await;
    files.insert("policies/extra.cedar".to_owned(), policy.to_owned());
    let number = admin.create_bundle(&files).await.is(201).json["number"].as_i64().unwrap();
    admin.activate(number).await.is(204);
    refused().await;
    robot.client_credentials(Some("orders")).await.is(200);

    admin.assign_until(who, "reporter", app.clock.now() + WHILE).await.is(204);
    granted().await;
    app.later(2 * WHILE);
    refused().await;
    admin.assign(who, "reporter").await.is(204);
    granted().await;
    admin.unassign(who, "reporter").await.is(204);
    refused().await;
    admin.assign(who, "chief").await.is(204);
    granted().await;
    admin.disinherit("chief", "reporter").await.is(204);
    refused().await;
    admin.activate(before).await.is(204);
    granted().await;
}

/// Contract §2: a server that was given no policies issues tokens by its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_files_issues_tokens() {
    let app = TestApp::spawn().await;
    let ana = app.person("ana").await;
    let node = &app.node().app;
    deodar::pdp::adopt(&node.pool, deodar::app::built_in()).await.unwrap();
    node.pdp.refresh().await.unwrap();
    app.client("shop", "orders", &[]).await.client_credentials(None).await.is(200);
    ana.sign_in().await.is(200);
}
