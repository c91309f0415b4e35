//! What a check costs over HTTP with a million grants loaded, beside a bare axum handler in the same run.
//!
//! `scripts/with-services cargo bench --bench http`; `wrk` sends the load over 64 keep-alive connections. Both servers
//! run in this process, take turns, read the same body and answer the same bytes. See `bench/README.md`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a benchmark may stop")]

mod load;

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command},
    time::{Duration, Instant},
};

use axum::{Json, Router, routing::post};
use deodar::{
    app::App,
    crypto::{self, Opaque},
    model::{Client, ClientId, ClientMetadata, GrantType, Principal, RoleName},
    routes,
    store::{self, clients::Known},
};
use serde_json::{Value, json};

use load::{config, database, listen, median, options, psql, settings, wrk};

const ROUNDS: usize = 5;
const MILLION: &str = "
    INSERT INTO roles (name) SELECT 'r' || n FROM generate_series(0, 9999) n;
    INSERT INTO role_inherits SELECT 'r' || n, 'r' || n - 1 FROM generate_series(0, 9999) n WHERE n % 10 > 0;
    INSERT INTO grants (id, role, effect, action, resource_type, resource_id)
      SELECT gen_random_uuid(), 'r' || n % 10000, 'permit', 'read', 'Document', gen_random_uuid()::text
      FROM generate_series(1, 990000) n;
    INSERT INTO grants (id, role, effect, action, resource_type)
      SELECT gen_random_uuid(), 'r' || n, 'permit', 'read', 'Document' FROM generate_series(0, 9999) n;
    UPDATE state SET revision = revision + 1;
    ANALYZE;";

fn main() {
    crypto::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let server = std::env::var("DATABASE_URL").unwrap();
    let (empty, million) = (database(&runtime, &server, "bench_empty"), database(&runtime, &server, "bench_million"));
    start_empty(&empty);

    runtime.block_on(store::migrate(&million)).unwrap();
    psql(&million, MILLION);
    let started = Instant::now();
    let app = runtime.block_on(App::build(config(&million), options())).unwrap();
    println!("{:>9.2} s to load 1 000 000 grants over 10 000 roles (at most 8)", started.elapsed().as_secs_f64());

    let (id, secret) = runtime.block_on(register(&app));
    let deodar = listen(&runtime, routes::router(&app));
    let (token, body) = runtime.block_on(prepare(deodar, &id, &secret));
    let answer = runtime.block_on(ask(deodar, &token, &body));
    let bare = listen(&runtime, bare(answer));
    one_more(&runtime, deodar, &token, &id);

    let script = script(&token, &body);
    let paths = [format!("http://{deodar}/authz/check"), format!("http://{bare}/authz/check")];
    let before = statements(&million);
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(wrk(&script, &paths[0], &[]));
        theirs.push(wrk(&script, &paths[1], &[]));
    }
    let seconds = (ROUNDS * 2 * 3) as f64;
    let (ours, theirs) = (median(&mut ours), median(&mut theirs));
    println!("{:>9.2} checks a second ÷ the bare handler's (at least 0.5): {ours:.0} ÷ {theirs:.0}", ours / theirs);
    let polls = (statements(&million) - before) as f64 / seconds;
    println!("{polls:>9.1} database transactions a second meanwhile: the revision's poll, none for checks");
    runtime.block_on(app.stop());
}

/// `deodar serve` on an empty database.
fn start_empty(url: &str) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut times: Vec<f64> = (0..3)
        .map(|round| {
            let started = Instant::now();
            let mut child = serve(url, address);
            while !ready(address) {
                assert!(started.elapsed() < Duration::from_secs(10), "not ready");
            }
            let took = started.elapsed().as_secs_f64() * 1e3;
            if round == 0 {
                let rss = resident(child.id());
                println!("{took:>9.0} ms until `serve` is ready on an empty database, migrations and all (below 300)");
                println!("{rss:>9.1} MB resident then (below 60)");
            }
            child.kill().unwrap();
            child.wait().unwrap();
            took
        })
        .collect();
    println!("{:>9.0} ms the next times, median", median(&mut times));
}

fn serve(url: &str, address: SocketAddr) -> Child {
    let settings = settings(url, &format!("http://{address}"));
    Command::new(env!("CARGO_BIN_EXE_deodar"))
        .arg("serve")
        .envs(settings)
        .env("DEODAR_LISTEN", address.to_string())
        .env("DEODAR_METRICS_LISTEN", "off")
        .env("DEODAR_LOG", "warn")
        .spawn()
        .unwrap()
}

fn ready(address: SocketAddr) -> bool {
    let client =
        Command::new("curl").args(["-sf", "-o", "/dev/null", &format!("http://{address}/health/ready")]).status();
    client.unwrap().success()
}

/// Megabytes.
fn resident(pid: u32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// Transactions of the database so far, as it counts them.
fn statements(url: &str) -> i64 {
    let sql = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()";
    psql(url, sql).trim().parse().unwrap()
}

async fn register(app: &App) -> (ClientId, Opaque) {
    let secret = Opaque::new(Opaque::CLIENT_SECRET).unwrap();
    let metadata = ClientMetadata {
        grant_types: vec![GrantType::ClientCredentials],
        scope: "admin authz:check".parse().unwrap(),
        ..ClientMetadata::default()
    };
    let client = Client::new(ClientId::new(), metadata.completed(), app.clock.now());
    let known = Known { client: client.clone(), secret: Some(secret.hash()), registration: None };
    let mut write = app.pdp.write().await.unwrap();
    store::clients::insert(write.conn(), &known).await.unwrap();
    let principal = Principal::Client(client.id.clone());
    // `r2` inherits two others: three grants on the type are candidates, and the administrators' policies are not.
    for role in [RoleName::admin(), "r2".parse().unwrap()] {
        store::assignments::put(write.conn(), &principal, &role, None).await.unwrap();
    }
    write.changed(store::revision::Change::Principal(principal));
    write.commit().await.unwrap();
    (client.id, secret)
}

/// Reads any JSON, answers the same bytes.
fn bare(answer: Value) -> Router {
    Router::new().route(
        "/authz/check",
        post(move |Json(_): Json<Value>| {
            let answer = answer.clone();
            async move { Json(answer) }
        }),
    )
}

async fn prepare(server: SocketAddr, id: &ClientId, secret: &Opaque) -> (String, String) {
    let form = format!("grant_type=client_credentials&client_id={id}&client_secret={}", secret.expose());
    let client = reqwest::Client::new().post(format!("http://{server}/oauth/token"));
    let answer = client.header("content-type", "application/x-www-form-urlencoded").body(form).send().await.unwrap();
    let token = answer.json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned();
    let body = json!({
        "principal": { "type": "Client", "id": id.as_str() },
        "action": "read",
        "resource": { "type": "Document", "id": "42", "parents": [{ "type": "Folder", "id": "7" }] },
        "context": { "ip": "10.0.0.1" },
    });
    (token, body.to_string())
}

async fn ask(server: SocketAddr, token: &str, body: &str) -> Value {
    let request = reqwest::Client::new().post(format!("http://{server}/authz/check")).bearer_auth(token);
    let answer = request.header("content-type", "application/json").body(body.to_owned()).send().await.unwrap();
    let answer = answer.json::<Value>().await.unwrap();
    assert_eq!(answer["decision"], "allow", "{answer}");
    answer
}

/// Grants one more thing by REST, and asks for it with the revision that the write returned.
fn one_more(runtime: &tokio::runtime::Runtime, server: SocketAddr, token: &str, id: &ClientId) {
    let client = reqwest::Client::new();
    let mut times: Vec<f64> = (0..20)
        .map(|n| {
            let grant = json!({ "action": "write", "resource": { "type": "Document", "id": format!("new-{n}") } });
            runtime.block_on(async {
                let started = Instant::now();
                let url = format!("http://{server}/api/v1/admin/roles/r1/grants");
                let written = client.post(url).bearer_auth(token).json(&grant).send().await.unwrap();
                let revision: i64 = written.headers()["deodar-revision"].to_str().unwrap().parse().unwrap();
                let body = json!({
                    "principal": { "type": "Client", "id": id.as_str() },
                    "action": "write", "resource": grant["resource"], "at_least_revision": revision,
                });
                ask(server, token, &body.to_string()).await;
                started.elapsed().as_secs_f64() * 1e3
            })
        })
        .collect();
    println!(
        "{:>9.1} ms from a REST write of one more grant to the check that sees it (at most 50)",
        median(&mut times)
    );
}

fn script(token: &str, body: &str) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("check.lua");
    let text = format!(
        "wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\n\
         wrk.headers['Authorization'] = 'Bearer {token}'\nwrk.body = '{body}'\n"
    );
    fs::write(&path, text).unwrap();
    path
}
