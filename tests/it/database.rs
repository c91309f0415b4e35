//! A database for each test, cloned from one that was migrated once; and the wire to it, which can be cut.

use std::{
    net::SocketAddr,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OnceCell, watch},
    task::JoinHandle,
};
use url::Url;

static TEMPLATE: OnceCell<String> = OnceCell::const_new();
static COUNT: AtomicU64 = AtomicU64::new(0);
/// `pg_advisory_lock` under which the template is made: "deodar".
const LOCK: i64 = 0x6465_6f64_6172;

/// A database that is dropped at the end of its test.
pub struct Database {
    name: String,
    /// Its URL.
    pub url: Url,
}

impl Database {
    /// A fresh one with all migrations.
    pub async fn create() -> Self {
        let template = TEMPLATE.get_or_init(template).await;
        let stamp = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos();
        let name = format!("it_{}_{}_{stamp}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut conn = connect(&server()).await;
        execute(&mut conn, &format!("CREATE DATABASE {name} TEMPLATE {template}")).await;
        Self { url: named(&name), name }
    }

    /// A connection that no server knows of.
    pub async fn connect(&self) -> PgConnection {
        connect(&self.url).await
    }

    /// Waits until somebody waits for a lock that somebody else holds.
    pub async fn somebody_waits(&self) {
        let mut conn = self.connect().await;
        let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')";
        let begun = Instant::now();
        while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(&mut conn).await.unwrap() {
            assert!(begun.elapsed() < Duration::from_secs(10), "nobody waits");
        }
    }

    /// Drops it, whoever is still connected.
    pub async fn remove(&self) {
        let mut conn = connect(&server()).await;
        execute(&mut conn, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)).await;
    }
}

/// One for each state of `migrations/`, made by whoever comes first.
async fn template() -> String {
    let mut conn = connect(&server()).await;
    sqlx::query("SELECT pg_advisory_lock($1)").bind(LOCK).execute(&mut conn).await.unwrap();
    let name = format!("it_template_{}", digest());
    let found = sqlx::query("SELECT FROM pg_database WHERE datname = $1").bind(&name);
    if found.fetch_optional(&mut conn).await.unwrap().is_none() {
        let unfinished = format!("{name}_unfinished");
        execute(&mut conn, &format!("DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")).await;
        execute(&mut conn, &format!("CREATE DATABASE {unfinished}")).await;
        deodar::store::migrate(named(&unfinished).as_str()).await.unwrap();
        execute(&mut conn, &format!("ALTER DATABASE {unfinished} RENAME TO {name}")).await;
    }
    conn.close().await.unwrap();
    name
}

fn digest() -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let all: Vec<u8> = paths.iter().flat_map(|path| std::fs::read(path).unwrap()).collect();
    deodar::crypto::digest(&all)[..6].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn server() -> Url {
    let url = std::env::var("DATABASE_URL").expect("run this under scripts/with-services");
    url.parse().unwrap()
}

fn named(database: &str) -> Url {
    let mut url = server();
    url.set_path(database);
    url
}

async fn connect(url: &Url) -> PgConnection {
    PgConnection::connect(url.as_str()).await.unwrap()
}

async fn execute(conn: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(conn).await.unwrap();
}

/// What happens to the wire between a server and its database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Wire {
    /// It works.
    Whole,
    /// Connections break and new ones are refused.
    Cut,
    /// Nothing comes through any more, and nobody is told.
    Silent,
    /// Connections that there are fall silent for good; new ones work.
    Replaced,
}

/// A way to a database that can be interrupted.
pub struct Cable {
    /// What a server is to be given in place of the database's URL.
    pub url: Url,
    state: Arc<watch::Sender<Wire>>,
    task: JoinHandle<()>,
}

impl Cable {
    /// A whole one.
    pub async fn to(database: &Database) -> Self {
        let target = (database.url.host_str().unwrap().to_owned(), database.url.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut url = database.url.clone();
        url.set_ip_host(address.ip()).unwrap();
        url.set_port(Some(address.port())).unwrap();
        let state = Arc::new(watch::Sender::new(Wire::Whole));
        let task = tokio::spawn(carry(listener, address, target, Arc::clone(&state)));
        Self { url, state, task }
    }

    /// Changes what happens to it.
    pub fn make(&self, wire: Wire) {
        self.state.send_replace(wire);
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.make(Wire::Cut);
        self.task.abort();
    }
}

async fn carry(listener: TcpListener, address: SocketAddr, target: (String, u16), state: Arc<watch::Sender<Wire>>) {
    let mut changes = state.subscribe();
    let mut listener = Some(listener);
    loop {
        if *changes.borrow_and_update() == Wire::Cut {
            listener = None;
            changes.wait_for(|wire| *wire != Wire::Cut).await.unwrap();
        }
        if listener.is_none() {
            listener = Some(TcpListener::bind(address).await.unwrap());
        }
        let accepting = listener.as_ref().unwrap();
        tokio::select! {
            accepted = accepting.accept() => {
                let (near, _) = accepted.unwrap();
                tokio::spawn(join(near, target.clone(), state.subscribe()));
            }
            _ = changes.changed() => {}
        }
    }
}

async fn join(mut near: TcpStream, target: (String, u16), mut state: watch::Receiver<Wire>) {
    // A connection that gets no further than half of its login would hold up `DROP DATABASE` for everybody.
    if state.wait_for(|wire| *wire != Wire::Silent).await.is_err() {
        return;
    }
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    let mut ending = state.clone();
    let born = *state.borrow_and_update();
    let carried = async {
        loop {
            if *state.borrow() == Wire::Replaced && born != Wire::Replaced {
                std::future::pending::<()>().await;
            }
            if *state.borrow_and_update() == Wire::Silent {
                let _ = state.wait_for(|wire| *wire != Wire::Silent).await;
            }
            tokio::select! {
                _ = tokio::io::copy_bidirectional(&mut near, &mut far) => break,
                _ = state.changed() => {}
            }
        }
    };
    tokio::select! {
        () = carried => {}
        _ = ending.wait_for(|wire| *wire == Wire::Cut) => {}
    }
}
