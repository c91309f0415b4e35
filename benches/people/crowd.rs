//! What the crowd does.

use std::{
    collections::BTreeMap,
    future::Future,
    time::{Duration, Instant},
};

use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinSet};

use crate::{
    figures::Figures,
    server::{PASSWORD, Server},
};

async fn join<T: 'static>(mut tasks: JoinSet<T>) -> Vec<T> {
    let mut all = Vec::new();
    while let Some(done) = tasks.join_next().await {
        all.push(done.unwrap());
    }
    all
}

/// What came of many who sign in at once, and come again when they are told to.
#[derive(Default)]
pub struct Rush {
    pub signed_in: usize,
    pub busy: usize,
    pub failures: Vec<String>,
    pub took: Duration,
}

/// Everybody once, at the same instant, each over a connection of their own.
pub async fn rush(server: &Server, crowd: usize) -> Rush {
    let start = Instant::now();
    let mut tasks = JoinSet::new();
    for person in 0..crowd {
        let request = server.sign_in(person);
        tasks.spawn(async move {
            let mut busy = 0;
            loop {
                let answer = match request.try_clone().unwrap().send().await {
                    Ok(answer) => answer,
                    Err(error) => return (busy, Err(error.to_string())),
                };
                let status = answer.status().as_u16();
                let wait = answer.headers().get("retry-after").and_then(|wait| wait.to_str().ok()?.parse::<u64>().ok());
                let text = answer.text().await.unwrap_or_default();
                match (status, wait) {
                    (200, _) => return (busy, Ok(())),
                    (503, Some(wait)) if busy < 300 => {
                        busy += 1;
                        tokio::time::sleep(Duration::from_secs(wait)).await;
                    }
                    _ => return (busy, Err(format!("{status} {text}"))),
                }
            }
        });
    }
    let mut rush = Rush::default();
    for (busy, done) in join(tasks).await {
        rush.busy += busy;
        match done {
            Ok(()) => rush.signed_in += 1,
            Err(failure) => rush.failures.push(failure),
        }
    }
    Rush { took: start.elapsed(), ..rush }
}

/// Asks all the while until `end`, at a steady pace over a few connections.
pub async fn checks_until(server: &Server, end: impl Future<Output = ()>) -> Figures {
    checks_during(server, end).await.0
}

/// The same while something else goes on.
pub async fn checks_during<T>(server: &Server, work: impl Future<Output = T>) -> (Figures, T) {
    let token = server.token().await;
    let (id, _) = &server.client;
    let body = json!({
        "principal": { "type": "Client", "id": id },
        "action": "read",
        "resource": { "type": "Document", "id": "42", "parents": [{ "type": "Folder", "id": "7" }] },
    });
    // A client of its own: the crowd does not stand before it in a queue on this side.
    let http = reqwest::Client::new();
    let request = http.post(format!("{}/authz/check", server.base)).bearer_auth(token).json(&body);
    let (mut ends, mut tasks) = (Vec::new(), JoinSet::new());
    for _ in 0..4 {
        let (end, mut ended) = oneshot::channel::<()>();
        ends.push(end);
        let request = request.try_clone().unwrap();
        tasks.spawn(async move {
            let mut figures = Figures::default();
            let mut beat = tokio::time::interval(Duration::from_millis(20));
            while ended.try_recv().is_err_and(|why| why == oneshot::error::TryRecvError::Empty) {
                beat.tick().await;
                figures.add(timed(request.try_clone().unwrap(), 200).await.unwrap());
            }
            figures
        });
    }
    let done = work.await;
    drop(ends);
    let mut all = Figures::default();
    for figures in join(tasks).await {
        all.add_all(&figures);
    }
    (all, done)
}

/// Time from sending to the last byte.
async fn timed(request: RequestBuilder, status: u16) -> Result<Duration, String> {
    let start = Instant::now();
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let seen = answer.status().as_u16();
    let text = answer.text().await.map_err(|error| error.to_string())?;
    if seen == status { Ok(start.elapsed()) } else { Err(format!("{seen} {text}")) }
}

/// People who are signed in, by a browser and by an application.
pub struct People {
    cookies: Vec<String>,
    tokens: Vec<String>,
}

impl People {
    /// So many of them.
    pub async fn sign_in(server: &Server, count: usize) -> Self {
        let (mut cookies, mut tokens) = (Vec::new(), Vec::new());
        for person in 0..count {
            let answer = server.sign_in(person).send().await.unwrap().json::<Value>().await.unwrap();
            tokens.push(answer["access_token"].as_str().unwrap().to_owned());
            cookies.push(by_browser(server, person).await);
        }
        Self { cookies, tokens }
    }
}

async fn by_browser(server: &Server, person: usize) -> String {
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let page = http.get(format!("{}/login", server.base)).send().await.unwrap();
    let form = cookie(&page, "__Host-deodar-form");
    let text = page.text().await.unwrap();
    let token = text.split("name=\"form_token\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let body = format!("form_token={token}&return_to=/account&login=p{person}&password={}", PASSWORD.replace(' ', "+"));
    let request = http.post(format!("{}/login", server.base)).header("cookie", &form);
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 303);
    format!("{form}; {}", cookie(&answer, "__Host-deodar"))
}

fn cookie(answer: &Response, name: &str) -> String {
    let all = answer.headers().get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.filter_map(|cookie| cookie.split(';').next());
    pairs.rfind(|pair| pair.split('=').next() == Some(name)).unwrap().to_owned()
}

/// Everybody asks for one thing after another for a while, on a connection of their own. Answers the times by what was
/// asked for, and how often something failed.
pub async fn look_around(
    server: &Server,
    people: &People,
    crowd: usize,
    thinking: Duration,
    length: Duration,
) -> (BTreeMap<&'static str, Figures>, usize) {
    let end = Instant::now() + length;
    let mut tasks = JoinSet::new();
    for person in 0..crowd {
        let http = reqwest::Client::new();
        let requests = requests(&http, server, people, person);
        // Spread over their first thought, in steps that share no factor with the number of things to ask for.
        let first = thinking.mul_f64(person as f64 / crowd as f64);
        tasks.spawn(async move {
            tokio::time::sleep(first).await;
            let (mut seen, mut failures) = (Vec::new(), 0);
            for (what, request) in requests.iter().cycle().skip(person % requests.len()) {
                if Instant::now() > end {
                    break;
                }
                match timed(request.try_clone().unwrap(), 200).await {
                    Ok(took) => seen.push((*what, took)),
                    Err(text) => {
                        eprintln!("{what}: {text}");
                        failures += 1;
                    }
                }
                tokio::time::sleep(thinking).await;
            }
            (seen, failures)
        });
    }
    let (mut all, mut failures) = (BTreeMap::<&str, Figures>::new(), 0);
    for (seen, failed) in join(tasks).await {
        failures += failed;
        for (what, took) in seen {
            all.entry(what).or_default().add(took);
        }
    }
    (all, failures)
}

fn requests(
    http: &reqwest::Client,
    server: &Server,
    people: &People,
    person: usize,
) -> Vec<(&'static str, RequestBuilder)> {
    let (cookie, token) =
        (&people.cookies[person % people.cookies.len()], &people.tokens[person % people.tokens.len()]);
    let url = |path: &str| format!("{}{path}", server.base);
    let (id, secret) = &server.client;
    let paths = [
        "/account",
        "/account/profile",
        "/account/sessions",
        "/account/mfa",
        "/account/applications",
        "/account/activity",
    ];
    let mut all: Vec<(&'static str, RequestBuilder)> =
        paths.into_iter().map(|path| (path, http.get(url(path)).header("cookie", cookie))).collect();
    for path in ["/login", "/register", "/forgot-password", "/oauth/jwks", "/.well-known/openid-configuration"] {
        all.push((path, http.get(url(path))));
    }
    for path in ["/api/v1/me", "/api/v1/me/sessions", "/api/v1/me/activity", "/oauth/userinfo"] {
        all.push((path, http.get(url(path)).bearer_auth(token)));
    }
    let client = format!("client_id={id}&client_secret={secret}");
    let form = |path: &str, body: String| {
        http.post(url(path)).header("content-type", "application/x-www-form-urlencoded").body(body)
    };
    all.push((
        "/oauth/token, client credentials",
        form("/oauth/token", format!("grant_type=client_credentials&{client}")),
    ));
    all.push(("/oauth/introspect", form("/oauth/introspect", format!("token={token}&{client}"))));
    all
}
