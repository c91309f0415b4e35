//! Another server, a client's: it keeps what it is asked, and answers as it is told.

use std::{
    collections::HashMap,
    net::TcpListener,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use axum_server::tls_rustls::RustlsConfig;
use serde_json::Value;
use tokio::{sync::watch, task::JoinHandle};

/// How long a request is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a path answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// With a status alone.
    Status(u16),
    /// With a document.
    Json(Value),
    /// With a text, of a kind of its own.
    Text(String),
    /// With a way to another place.
    Moved(String),
    /// Never.
    Silence,
    /// With a body that has no end.
    Endless,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Its path.
    pub path: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
}

/// See the module.
pub struct Neighbour {
    /// `http://127.0.0.1:PORT`.
    pub http: String,
    /// `https://localhost:PORT`.
    pub https: String,
    /// The PEM file that makes its certificate believed: `DEODAR_FETCH_CA`.
    pub ca: String,
    desk: Desk,
    serving: Vec<JoinHandle<()>>,
}

#[derive(Clone)]
struct Desk {
    replies: Arc<Mutex<HashMap<String, Reply>>>,
    heard: Arc<watch::Sender<Vec<Heard>>>,
}

impl Neighbour {
    /// One that says 200 to everything.
    pub async fn open() -> Self {
        deodar::crypto::install();
        let desk = Desk { replies: Arc::default(), heard: Arc::new(watch::Sender::new(Vec::new())) };
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let ca = std::env::temp_dir().join(format!("deodar-neighbour-{}.pem", uuid::Uuid::now_v7()));
        std::fs::write(&ca, made.cert.pem()).unwrap();
        let (cert, key) = (made.cert.pem().into_bytes(), made.signing_key.serialize_pem().into_bytes());
        let tls = RustlsConfig::from_pem(cert, key).await.unwrap();
        let listener = || {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let port = listener.local_addr().unwrap().port();
            (listener, port)
        };
        let service = Router::new().fallback(hear).with_state(desk.clone()).into_make_service();
        let ((plain, http), (protected, https)) = (listener(), listener());
        let plain = axum::serve(tokio::net::TcpListener::from_std(plain).unwrap(), service.clone());
        let protected = axum_server::from_tcp_rustls(protected, tls).unwrap().serve(service);
        let serving = vec![
            tokio::spawn(async move { plain.await.unwrap() }),
            tokio::spawn(async move { protected.await.unwrap() }),
        ];
        let ca = ca.to_str().unwrap().to_owned();
        Self {
            http: format!("http://127.0.0.1:{http}"),
            https: format!("https://localhost:{https}"),
            ca,
            desk,
            serving,
        }
    }

    /// Has a path answer so from now on.
    pub fn reply(&self, path: &str, reply: Reply) {
        self.desk.replies.lock().unwrap().insert(path.to_owned(), reply);
    }

    /// Every request to a path so far, oldest first.
    pub fn heard(&self, path: &str) -> Vec<Heard> {
        self.desk.heard.borrow().iter().filter(|heard| heard.path == path).cloned().collect()
    }

    /// Waits for so many requests to a path in all; the last one.
    pub async fn wait_for(&self, path: &str, count: usize) -> Heard {
        let enough = |all: &Vec<Heard>| all.iter().filter(|heard| heard.path == path).count() >= count;
        let mut heard = self.desk.heard.subscribe();
        let waited = tokio::time::timeout(PATIENCE, heard.wait_for(enough)).await.is_ok();
        assert!(waited, "not {count} requests to {path} among {:#?}", self.desk.heard.borrow());
        self.heard(path).pop().unwrap()
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.serving.iter().for_each(JoinHandle::abort);
        let _ = std::fs::remove_file(PathBuf::from(&self.ca));
    }
}

async fn hear(State(desk): State<Desk>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
    let reply = desk.replies.lock().unwrap().get(&path).cloned().unwrap_or(Reply::Status(200));
    let body = String::from_utf8(body.to_vec()).unwrap();
    desk.heard.send_modify(|all| all.push(Heard { path, headers: parts.headers, body }));
    match reply {
        Reply::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Reply::Json(json) => axum::Json(json).into_response(),
        Reply::Text(text) => text.into_response(),
        Reply::Moved(to) => (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response(),
        Reply::Silence => std::future::pending().await,
        Reply::Endless => {
            let more = futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 8192])));
            Body::from_stream(more).into_response()
        }
    }
}
