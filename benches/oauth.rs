//! What tokens cost, beside npm `oidc-provider` in the same run; and what the documents that clients read cost, beside a
//! bare axum handler.
//!
//! `make bench-peer`; words after `cargo bench --bench oauth --` choose the lines that have one of them. Servers take turns
//! of three seconds; `wrk` asks over 64 keep-alive connections. See `bench/README.md`.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a benchmark may stop")]

#[path = "oauth/ours.rs"]
mod ours;
#[path = "oauth/peer.rs"]
mod peer;

mod load;

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use axum::{Router, http::HeaderMap, routing::get};
use base64::{Engine, engine::general_purpose::STANDARD};
use deodar::{crypto, routes};

use load::{listen, median, wrk};

const ROUNDS: usize = 3;
/// Connections of a thread, and what `wrk` asks for before it sends anything.
const FAMILIES: usize = 40;
const THREADS: usize = 2;

/// A server with a client that may do everything here.
struct Server {
    token_endpoint: String,
    introspection_endpoint: String,
    /// HTTP Basic.
    authorization: String,
}

fn main() {
    crypto::install();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let url = load::database(&runtime, &std::env::var("DATABASE_URL").unwrap(), "bench_oauth");
    let app = runtime.block_on(deodar::app::App::build(load::config(&url), load::options())).unwrap();
    let ours = ours::Client::register(&runtime, &app);
    let address = listen(&runtime, routes::router(&app));
    let deodar = Server {
        token_endpoint: format!("http://{address}/oauth/token"),
        introspection_endpoint: format!("http://{address}/oauth/introspect"),
        authorization: basic(ours.id.as_str(), ours.secret.expose()),
    };
    let (mut signing, mut opaque) = (peer::Peer::start(false), peer::Peer::start(true));

    let body = "grant_type=client_credentials&scope=orders";
    let token = |server: &Server| fixed(&server.token_endpoint, &["POST", &server.authorization, body]);
    println!("requests a second ÷ those of oidc-provider:");
    race("client_credentials", 10.0, || token(&deodar), || token(&signing.server));
    race("  its tokens opaque, without a signature", 0.0, || token(&deodar), || token(&opaque.server));

    let (a, b) = (issued(&runtime, &deodar, body), issued(&runtime, &opaque.server, body));
    let introspect = |server: &Server, token: &str| {
        fixed(&server.introspection_endpoint, &["POST", &server.authorization, &format!("token={token}")])
    };
    race("introspection", 10.0, || introspect(&deodar, &a), || introspect(&opaque.server, &b));

    let mut refresh = || refreshed(&deodar, &ours.families(&runtime, &app, address, THREADS * FAMILIES));
    race("refresh, with an ID token", 5.0, &mut refresh, || {
        let families = signing.families(THREADS * FAMILIES);
        refreshed(&signing.server, &families)
    });
    race("  its access tokens opaque", 0.0, &mut refresh, || {
        let families = opaque.families(THREADS * FAMILIES);
        refreshed(&opaque.server, &families)
    });

    println!("requests a second ÷ those of a bare axum handler with the same answer:");
    for (name, path) in [("discovery", "/.well-known/openid-configuration"), ("key set", "/oauth/jwks")] {
        let bare = listen(&runtime, bare(&runtime, address, path));
        race(
            name,
            0.7,
            || fixed(&format!("http://{address}{path}"), &["GET"]),
            || fixed(&format!("http://{bare}{path}"), &["GET"]),
        );
    }
    runtime.block_on(app.stop());
}

/// Both take turns; the medians and their ratio.
fn race(what: &str, least: f64, mut ours: impl FnMut() -> f64, mut theirs: impl FnMut() -> f64) {
    let mut words = std::env::args().skip(1).filter(|word| !word.starts_with('-')).peekable();
    if words.peek().is_some() && !words.any(|word| what.contains(&word)) {
        return;
    }
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        a.push(ours());
        b.push(theirs());
    }
    let (a, b) = (median(&mut a), median(&mut b));
    let ratio = a / b;
    let verdict = match least {
        0.0 => String::new(),
        least if ratio >= least => format!(" (at least {least})"),
        least => format!(" (MISSED: at least {least})"),
    };
    println!("{ratio:>9.2} {what}{verdict}: {a:.0} ÷ {b:.0}");
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/peer").join(name)
}

fn fixed(url: &str, words: &[&str]) -> f64 {
    wrk(&script("fixed.lua"), url, words)
}

/// Chains of refreshes in parallel, each of which goes on with what it was given.
fn refreshed(server: &Server, families: &[String]) -> f64 {
    let prefix = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("families-");
    for (n, tokens) in families.chunks(FAMILIES).enumerate() {
        std::fs::write(format!("{}{n}", prefix.display()), tokens.join("\n")).unwrap();
    }
    wrk(&script("refresh.lua"), &server.token_endpoint, &[prefix.to_str().unwrap(), &server.authorization])
}

fn basic(id: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

fn issued(runtime: &tokio::runtime::Runtime, server: &Server, body: &'static str) -> String {
    let request = reqwest::Client::new().post(&server.token_endpoint).header("authorization", &server.authorization);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    let answer: serde_json::Value = runtime.block_on(async { request.send().await.unwrap().json().await.unwrap() });
    answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Answers the same bytes with the same headers, and does nothing else.
fn bare(runtime: &tokio::runtime::Runtime, server: SocketAddr, path: &str) -> Router {
    let answer = runtime.block_on(reqwest::get(format!("http://{server}{path}"))).unwrap();
    let mut headers: HeaderMap = answer.headers().clone();
    headers.remove("content-length");
    headers.remove("date");
    let body = runtime.block_on(answer.bytes()).unwrap();
    Router::new().route(path, get(move || async move { (headers, body) }))
}
