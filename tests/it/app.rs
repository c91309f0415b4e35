//! The real server in this process, with a database of its own.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use deodar::{
    app::{self, App, Directories},
    config::Config,
    crypto::{self, Opaque},
    model::{Client, ClientId, ClientMetadata, Clock, GrantType, Principal, Revision, RoleName, UserId},
    store::{
        self,
        clients::Known,
        revision::Change,
        users::{NewUser, Stored},
    },
};
use tokio::{net::TcpListener, runtime::Handle, sync::oneshot, task::JoinHandle};

use crate::{
    actor::{Actor, Who},
    database::{Cable, Database},
    mailbox::Mailbox,
    meter::Meter,
};

/// The name of the server in its tokens, whatever port it has.
pub const ISSUER: &str = "https://deodar.test";

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A server under test. Needs a runtime of several threads, to end in good order.
pub struct TestApp {
    /// The time of every node.
    pub clock: Clock,
    /// The database.
    pub database: Database,
    /// The mail server of every node.
    pub mailbox: Mailbox,
    first: Option<Node>,
    variables: BTreeMap<String, String>,
}

/// One running server.
pub struct Node {
    /// Its inside.
    pub app: App,
    /// Where it listens.
    pub base: String,
    end: Option<oneshot::Sender<()>>,
    serving: Option<JoinHandle<()>>,
}

impl TestApp {
    /// Starts a server with the shipped policies.
    pub async fn spawn() -> Self {
        Self::spawn_with(&[]).await
    }

    /// Starts a server with some settings of its own.
    pub async fn spawn_with(settings: &[(&str, &str)]) -> Self {
        let database = Database::create().await;
        Self::start(database, None, settings).await
    }

    /// Starts a server that reaches its database over a cable.
    pub async fn spawn_over_cable(settings: &[(&str, &str)]) -> (Self, Cable) {
        let database = Database::create().await;
        let cable = Cable::to(&database).await;
        (Self::start(database, Some(cable.url.to_string()), settings).await, cable)
    }

    /// Starts a server whose way to its database counts round trips.
    pub async fn spawn_over_meter(settings: &[(&str, &str)]) -> (Self, Meter) {
        let database = Database::create().await;
        let meter = Meter::to(&database).await;
        (Self::start(database, Some(meter.url.to_string()), settings).await, meter)
    }

    async fn start(database: Database, url: Option<String>, settings: &[(&str, &str)]) -> Self {
        crypto::install();
        let mailbox = Mailbox::open().await;
        let master_key = STANDARD.encode(crypto::random::<32>().unwrap());
        let url = url.unwrap_or_else(|| database.url.to_string());
        let usual = [
            ("DATABASE_URL", url.as_str()),
            ("DEODAR_ISSUER", ISSUER),
            ("DEODAR_MASTER_KEY", &master_key),
            ("DEODAR_DATABASE_CONNECTIONS", "8"),
            ("DEODAR_TOKEN_RATE", "0"),
            // A busy machine is no fault of the server's.
            ("DEODAR_REQUEST_TIMEOUT", "20s"),
            ("DEODAR_FETCH_PRIVATE", "on"),
            ("SMTP_URL", &mailbox.url),
            ("MAIL_FROM", "Deodar <no-reply@deodar.test>"),
        ];
        let variables = usual.iter().chain(settings).map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let variables = variables.collect();
        let mut app = Self { clock: Clock::default(), database, mailbox, first: None, variables };
        app.first = Some(app.second_node().await);
        app
    }

    /// Starts one more server on the same database.
    pub async fn second_node(&self) -> Node {
        self.second_node_with(None).await
    }

    /// The same, which keeps mail in this mailbox if it has no mail server.
    pub async fn second_node_with(&self, mailbox: Option<deodar::mail::Mailbox>) -> Node {
        self.add_node(mailbox, self.clock.clone()).await
    }

    /// The same on a machine whose clock is wrong by so much.
    pub async fn second_node_off_by(&self, wrong: time::Duration) -> Node {
        self.add_node(None, self.clock.elsewhere(wrong)).await
    }

    async fn add_node(&self, mailbox: Option<deodar::mail::Mailbox>, clock: Clock) -> Node {
        let config = Config::read(|name| self.variables.get(name).cloned(), self.variables.keys().cloned()).unwrap();
        let files = Directories::below(Path::new(env!("CARGO_MANIFEST_DIR"))).read().unwrap();
        let options = app::Options { files: Some(files), verbose: true, clock, mailbox };
        let app = App::build(config, options).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let (end, ended) = oneshot::channel::<()>();
        let service = deodar::routes::router(&app).into_make_service_with_connect_info::<SocketAddr>();
        let serving = tokio::spawn(async move {
            let ended = async { drop(ended.await) };
            axum::serve(listener, service).with_graceful_shutdown(ended).await.unwrap();
        });
        Node { app, base, end: Some(end), serving: Some(serving) }
    }

    /// The first node.
    pub fn node(&self) -> &Node {
        self.first.as_ref().unwrap()
    }

    /// Somebody without a token.
    pub fn anonymous(&self) -> Actor {
        Actor::new(&self.node().base)
    }

    /// Somebody with this text for a token.
    pub fn bearer(&self, token: &str) -> Actor {
        Actor { token: Some(token.to_owned()), ..self.anonymous() }
    }

    /// A client that administers the server.
    pub async fn admin(&self) -> Actor {
        self.client("admin", "admin authz:check", &["admin"]).await
    }

    /// A client with these scopes and roles, which are made where they are missing; with a token for all its scopes.
    pub async fn client(&self, name: &str, scopes: &str, roles: &[&str]) -> Actor {
        self.client_with(name, scopes, roles, &[GrantType::ClientCredentials]).await
    }

    /// The same, with these grants; client credentials are one of them.
    pub async fn client_with(&self, name: &str, scopes: &str, roles: &[&str], grants: &[GrantType]) -> Actor {
        let id: ClientId = format!("{name}-{}", COUNT.fetch_add(1, Ordering::Relaxed)).parse().unwrap();
        let secret = Opaque::new(Opaque::CLIENT_SECRET).unwrap();
        let metadata = ClientMetadata {
            client_name: Some(name.to_owned()),
            grant_types: grants.to_vec(),
            scope: scopes.parse().unwrap(),
            ..ClientMetadata::default()
        };
        let client = Client::new(id.clone(), metadata.completed(), self.clock.now());
        let known = Known { client, secret: Some(secret.hash()), registration: None };
        let pool = &self.node().app.pool;
        let mut tx = pool.begin().await.unwrap();
        store::revision::lock(&mut tx).await.unwrap();
        store::clients::insert(&mut *tx, &known).await.unwrap();
        let who = Principal::Client(id.clone());
        let mut changes = give(&mut tx, &who, roles).await;
        changes.push(Change::Principal(who));
        let revision = store::revision::advance(&mut tx, &changes).await.unwrap();
        tx.commit().await.unwrap();
        self.node().has(revision).await;
        let actor =
            Actor { who: Some(Who::client(id.as_str())), secret: Some(secret.expose().to_owned()), ..self.anonymous() };
        actor.with_fresh_token().await
    }

    /// A person with these roles, who cannot log in: a principal of checks.
    pub async fn user(&self, name: &str, roles: &[&str]) -> Who {
        let id = UserId::new();
        let pool = &self.node().app.pool;
        let mut tx = pool.begin().await.unwrap();
        store::revision::lock(&mut tx).await.unwrap();
        let username = name.parse().unwrap();
        let user = NewUser {
            id,
            username: &username,
            email: None,
            email_verified: false,
            display_name: None,
            password_hash: None,
            at: self.clock.now(),
        };
        assert_eq!(store::users::insert(&mut *tx, &user).await.unwrap(), Stored::Done);
        let mut changes = give(&mut tx, &Principal::User(id), roles).await;
        changes.push(Change::Principal(Principal::User(id)));
        let revision = store::revision::advance(&mut tx, &changes).await.unwrap();
        tx.commit().await.unwrap();
        self.node().has(revision).await;
        Who::user(&id.to_string())
    }

    /// Waits until the first node and this one have what the other has.
    pub async fn agrees_with(&self, other: &Node) {
        let revision = |node: &Node| node.app.pdp.snapshot().revision;
        let newest = revision(self.node()).max(revision(other));
        self.node().has(newest).await;
        other.has(newest).await;
    }

    /// Moves the time of every node.
    pub fn later(&self, by: Duration) {
        self.clock.advance(by);
    }
}

async fn give(tx: &mut store::Tx<'static>, who: &Principal, roles: &[&str]) -> Vec<Change> {
    let mut changes = Vec::new();
    for name in roles {
        let role: RoleName = name.parse().unwrap();
        if store::roles::insert(&mut **tx, &role, "").await.unwrap() {
            changes.push(Change::Role(role.clone()));
        }
        store::assignments::put(&mut **tx, who, &role, None).await.unwrap();
    }
    changes
}

impl Node {
    /// The same actor, calling this node.
    pub fn ask(&self, actor: &Actor) -> Actor {
        Actor { base: self.base.clone(), ..actor.clone() }
    }

    /// Waits until this node has a revision.
    pub async fn has(&self, revision: Revision) {
        self.app.pdp.ensure(Some(revision)).await.unwrap();
    }

    /// Stops serving in good order.
    async fn stop(&mut self) {
        drop(self.end.take());
        if let Some(mut serving) = self.serving.take()
            && tokio::time::timeout(Duration::from_secs(2), &mut serving).await.is_err()
        {
            serving.abort();
        }
        let _ = tokio::time::timeout(Duration::from_secs(2), self.app.stop()).await;
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        tokio::task::block_in_place(|| Handle::current().block_on(self.stop()));
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        drop(self.first.take());
        tokio::task::block_in_place(|| Handle::current().block_on(self.database.remove()));
    }
}
