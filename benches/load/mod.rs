//! What benchmarks over HTTP need: a database, servers in this process, and `wrk`.

#![allow(dead_code, reason = "each takes what it needs")]

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    path::Path,
    process::Command,
};

use axum::Router;
use axum_server::accept::NoDelayAcceptor;
use base64::{Engine, engine::general_purpose::STANDARD};
use deodar::{
    app::{Directories, Options},
    config::Config,
    crypto, store,
};

/// The environment of a server.
pub fn settings(url: &str, issuer: &str) -> HashMap<&'static str, String> {
    let key = STANDARD.encode(crypto::digest(b"a master key for benchmarks"));
    HashMap::from([
        ("DATABASE_URL", url.to_owned()),
        ("DEODAR_ISSUER", issuer.to_owned()),
        ("DEODAR_MASTER_KEY", key),
        ("DEODAR_LOG", "warn".to_owned()),
        ("DEODAR_TOKEN_RATE", "0".to_owned()),
    ])
}

/// A configuration with them.
pub fn config(url: &str) -> Config {
    let settings = settings(url, "http://127.0.0.1");
    Config::read(|name| settings.get(name).cloned(), std::iter::empty()).unwrap()
}

/// The shipped policies.
pub fn options() -> Options {
    let files = Directories::below(Path::new(env!("CARGO_MANIFEST_DIR"))).read().unwrap();
    Options { files: Some(files), verbose: false, ..Options::default() }
}

/// Makes a fresh database; gives its URL.
pub fn database(runtime: &tokio::runtime::Runtime, server: &str, name: &str) -> String {
    psql(server, &format!("DROP DATABASE IF EXISTS {name}"));
    runtime.block_on(store::create_database(server, name)).unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

/// What one statement answers.
pub fn psql(url: &str, sql: &str) -> String {
    let done = Command::new("psql").args(["-XAtq", "-v", "ON_ERROR_STOP=1", url, "-c", sql]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// Serves on a free port.
pub fn listen(runtime: &tokio::runtime::Runtime, router: Router) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let _guard = runtime.enter();
    let server = axum_server::from_tcp(listener).unwrap().acceptor(NoDelayAcceptor::new());
    runtime.spawn(server.serve(router.into_make_service_with_connect_info::<SocketAddr>()));
    address
}

/// Requests a second that a server answers to 64 connections, for three seconds, as the script sends them; it may be
/// given words.
pub fn wrk(script: &Path, url: &str, words: &[&str]) -> f64 {
    wrk_with(&["-t2", "-c64", "-d3s"], script, url, words)
}

/// The same with other options.
pub fn wrk_with(options: &[&str], script: &Path, url: &str, words: &[&str]) -> f64 {
    let mut command = Command::new("wrk");
    command.args(options).arg("-s").arg(script).arg(url).arg("--").args(words);
    let run = command.output().expect("install `wrk`");
    let text = String::from_utf8_lossy(&run.stdout);
    assert!(!text.contains("Non-2xx"), "{text}");
    let line = text.lines().find(|line| line.starts_with("Requests/sec:"));
    let line = line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&run.stderr)));
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// The middle one.
pub fn median(figures: &mut [f64]) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}
