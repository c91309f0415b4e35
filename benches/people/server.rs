//! `deodar serve` on a database of its own, with people and clients in it.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use deodar::{
    crypto::{self, Opaque, Password, Passwords, PoolSettings},
    model::{Client, ClientId, ClientMetadata, Clock, GrantType, Principal, RoleName, Secret},
    store::{self, clients::Known},
};
use serde_json::Value;

use crate::load::psql;

pub const PASSWORD: &str = "mauve otter dry trombone";
pub const MEMORY_KIB: u32 = 19_456;
pub const ITERATIONS: u32 = 2;

/// See the module.
pub struct Server {
    pub base: String,
    pub http: reqwest::Client,
    /// A client that people trust with their passwords, and that checks.
    pub client: (String, String),
    child: Child,
}

impl Server {
    /// Starts it with so many people, `p0` to `p…`, who all have [`PASSWORD`].
    pub async fn start(people: usize) -> Self {
        let server = std::env::var("DATABASE_URL").unwrap();
        psql(&server, "DROP DATABASE IF EXISTS bench_people");
        store::create_database(&server, "bench_people").await.unwrap();
        let url = format!("{}/bench_people", server.rsplit_once('/').unwrap().0);
        store::migrate(&url).await.unwrap();
        populate(&url, people).await;
        let client = register(&url).await;

        let probe = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = probe.local_addr().unwrap().to_string();
        drop(probe);
        let base = format!("http://{address}");
        let child = Command::new(env!("CARGO_BIN_EXE_deodar"))
            .arg("serve")
            .env("DATABASE_URL", &url)
            .env("DEODAR_ISSUER", &base)
            .env("DEODAR_MASTER_KEY", STANDARD.encode(crypto::digest(b"a master key for benchmarks")))
            .env("DEODAR_LISTEN", &address)
            .env("DEODAR_METRICS_LISTEN", "off")
            .env("DEODAR_LOG", "error")
            // In life the crowd has many addresses; here it has one.
            .env("DEODAR_TOKEN_RATE", "0")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { base, http: reqwest::Client::new(), client, child };
        server.ready().await;
        server
    }

    async fn ready(&self) {
        for _ in 0..600 {
            let answer = self.http.get(format!("{}/health/ready", self.base)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server does not get ready");
    }

    /// A password grant of one person.
    pub fn sign_in(&self, person: usize) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}/oauth/token", self.base));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        request.body(self.sign_in_form(&person.to_string()))
    }

    /// Its form.
    pub fn sign_in_form(&self, person: &str) -> String {
        let (id, secret) = &self.client;
        format!(
            "grant_type=password&username=p{person}&password={}&client_id={id}&client_secret={secret}",
            PASSWORD.replace(' ', "+")
        )
    }

    /// A token of the client's own.
    pub async fn token(&self) -> String {
        let (id, secret) = &self.client;
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let request = self.http.post(format!("{}/oauth/token", self.base));
        let answer = request.header("content-type", "application/x-www-form-urlencoded").body(form).send().await;
        answer.unwrap().json::<Value>().await.unwrap()["access_token"].as_str().unwrap().to_owned()
    }

    /// The most memory that the server had resident so far.
    pub fn peak_megabytes(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
    }

    /// Ends it.
    pub async fn stop(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

async fn populate(url: &str, people: usize) {
    let patience = Duration::from_secs(60);
    let settings = PoolSettings { threads: 1, queue: 1, patience, memory_kib: MEMORY_KIB, iterations: ITERATIONS };
    let password = Password::parse(&Secret::new(PASSWORD.to_owned())).unwrap();
    let hash = Passwords::new(settings).unwrap().hash(&password).await.unwrap();
    let sql = format!(
        "INSERT INTO users (id, username, username_key, email, email_key, email_verified, password_hash)
         SELECT gen_random_uuid(), 'p' || n, 'p' || n, 'p' || n || '@example.com', 'p' || n || '@example.com', true, '{}'
         FROM generate_series(0, {}) n; ANALYZE",
        hash.expose(),
        people - 1
    );
    psql(url, &sql);
}

async fn register(url: &str) -> (String, String) {
    let pool = store::pool(url, 2).unwrap();
    let secret = Opaque::new(Opaque::CLIENT_SECRET).unwrap();
    let metadata = ClientMetadata {
        grant_types: vec![GrantType::ClientCredentials, GrantType::Password],
        scope: "openid profile email authz:check".parse().unwrap(),
        ..ClientMetadata::default()
    };
    let client = Client::new(ClientId::new(), metadata.completed(), Clock::default().now());
    let id = client.id.clone();
    let known = Known { client, secret: Some(secret.hash()), registration: None };
    let mut tx = pool.begin().await.unwrap();
    store::revision::lock(&mut tx).await.unwrap();
    store::clients::insert(&mut *tx, &known).await.unwrap();
    let principal = Principal::Client(id.clone());
    store::assignments::put(&mut *tx, &principal, &RoleName::admin(), None).await.unwrap();
    store::revision::advance(&mut tx, &[store::revision::Change::Principal(principal)]).await.unwrap();
    tx.commit().await.unwrap();
    (id.to_string(), secret.expose().to_owned())
}
