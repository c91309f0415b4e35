//! Every operation of the OpenAPI document without authority, and with too little of it.

use reqwest::Method;
use serde_json::{Value, json};

use crate::{
    actor::{Actor, question},
    answer::Answer,
    app::TestApp,
};

/// Who may call an operation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// Everybody.
    Public,
    /// Everybody, by what they know; nobody is told more than that.
    Stranger,
    /// A person in a browser: what is wrong is told on a page.
    Browser,
    /// A client, by its own credentials.
    Credentials,
    /// A person, about themselves.
    Oneself,
    /// Everybody with a token, about themselves; with `authz:check` about others.
    Check,
    /// Scope `admin`, and the policies.
    Admin,
}

/// One operation and how to call it.
pub struct Operation {
    /// HTTP method.
    pub method: Method,
    /// The path as the document has it.
    pub path: &'static str,
    /// Who may call it.
    pub guard: Guard,
    body: Option<Value>,
}

/// What the placeholders of paths stand for.
#[derive(Clone, Debug)]
pub struct Targets {
    /// A role.
    pub role: String,
    /// Another role.
    pub other: String,
    /// A person.
    pub user: String,
    /// A client.
    pub client: String,
    /// A grant.
    pub grant: String,
    /// A bundle.
    pub bundle: String,
}

impl Targets {
    /// What does not exist.
    pub fn missing() -> Self {
        Self {
            role: "no-such-role".to_owned(),
            other: "no-other-role".to_owned(),
            user: "01890000-0000-7000-8000-000000000000".to_owned(),
            client: "no-such-client".to_owned(),
            grant: "01890000-0000-7000-8000-000000000001".to_owned(),
            bundle: "999999".to_owned(),
        }
    }

    fn path(&self, template: &str) -> String {
        let id = match template {
            t if t.contains("/users/") || t.contains("/sessions/") => &self.user,
            t if t.contains("/grants/") => &self.grant,
            _ => &self.client,
        };
        let path = template.replace("{name}", &self.role).replace("{role}", &self.role).replace("{other}", &self.other);
        let path = path.replace("{client_id}", &self.client).replace("{id}", id).replace("{n}", &self.bundle);
        assert!(!path.contains('{'), "what is meant by the placeholder in `{template}`?");
        path
    }
}

/// Every operation there is. The document may have no other one.
pub fn operations() -> Vec<Operation> {
    use Guard::{Admin, Browser, Check, Credentials, Oneself, Public, Stranger};
    let nobody = crate::actor::Who::user("01890000-0000-7000-8000-000000000002");
    let check = question(&nobody, "read", json!({ "type": "Document", "id": "42" }));
    let grant = json!({ "action": "read", "resource": { "type": "Document" } });
    let both = json!({ "password": "x", "code": "000000" });
    let bypass = json!({ "reason": "lost the phone", "ttl_seconds": 60 });
    let in_batch = json!({ "role": "no-such-role", "action": "read", "resource": { "type": "Document" } });
    let rows: Vec<(&str, &'static str, Guard, Option<Value>)> = vec![
        ("GET", "/health/live", Public, None),
        ("GET", "/health/ready", Public, None),
        ("GET", "/oauth/jwks", Public, None),
        ("GET", "/.well-known/oauth-authorization-server", Public, None),
        ("GET", "/.well-known/openid-configuration", Public, None),
        ("GET", "/.well-known/openid_configuration", Public, None),
        ("GET", "/oauth/logout", Public, None),
        ("POST", "/oauth/logout", Public, None),
        ("POST", "/oauth/introspect", Credentials, None),
        ("POST", "/oauth/revoke", Credentials, None),
        ("POST", "/oauth/token", Credentials, None),
        ("POST", "/oauth/par", Credentials, None),
        ("POST", "/oauth/device_authorization", Credentials, None),
        ("GET", "/oauth/authorize", Browser, None),
        ("POST", "/oauth/authorize", Browser, None),
        ("GET", "/oauth/userinfo", Credentials, None),
        ("POST", "/oauth/userinfo", Credentials, None),
        ("POST", "/oauth/register", Credentials, None),
        ("GET", "/oauth/register/{client_id}", Credentials, None),
        ("PUT", "/oauth/register/{client_id}", Credentials, None),
        ("DELETE", "/oauth/register/{client_id}", Credentials, None),
        ("POST", "/api/v1/users", Stranger, Some(json!({}))),
        ("POST", "/api/v1/email-verification", Stranger, Some(json!({ "email": "nobody@nowhere.example" }))),
        ("POST", "/api/v1/email-verification/confirm", Stranger, Some(json!({ "token": "dev_x" }))),
        ("POST", "/api/v1/password-reset", Stranger, Some(json!({ "email": "nobody@nowhere.example" }))),
        ("POST", "/api/v1/password-reset/confirm", Stranger, Some(json!({ "token": "dpr_x", "new_password": "x" }))),
        ("GET", "/api/v1/me", Oneself, None),
        ("PATCH", "/api/v1/me", Oneself, Some(json!({ "display_name": "Other" }))),
        ("DELETE", "/api/v1/me", Oneself, None),
        ("POST", "/api/v1/me/deactivate", Oneself, None),
        ("POST", "/api/v1/me/password", Oneself, Some(json!({ "current_password": "x", "new_password": "y" }))),
        ("GET", "/api/v1/me/mfa", Oneself, None),
        ("POST", "/api/v1/me/mfa/totp", Oneself, None),
        ("POST", "/api/v1/me/mfa/totp/confirm", Oneself, Some(json!({ "code": "000000" }))),
        ("DELETE", "/api/v1/me/mfa/totp", Oneself, Some(both.clone())),
        ("POST", "/api/v1/me/mfa/backup-codes", Oneself, Some(both)),
        ("GET", "/api/v1/me/sessions", Oneself, None),
        ("DELETE", "/api/v1/me/sessions", Oneself, None),
        ("DELETE", "/api/v1/me/sessions/{id}", Oneself, None),
        ("GET", "/api/v1/me/applications", Oneself, None),
        ("DELETE", "/api/v1/me/applications/{client_id}", Oneself, None),
        ("GET", "/api/v1/me/activity", Oneself, None),
        ("POST", "/authz/check", Check, Some(check.clone())),
        ("POST", "/authz/check/batch", Check, Some(json!({ "checks": [check] }))),
        ("GET", "/api/v1/admin/roles", Admin, None),
        ("POST", "/api/v1/admin/roles", Admin, Some(json!({ "name": "fresh", "inherits": ["no-such-role"] }))),
        ("GET", "/api/v1/admin/roles/{name}", Admin, None),
        ("PATCH", "/api/v1/admin/roles/{name}", Admin, Some(json!({ "description": "other" }))),
        ("DELETE", "/api/v1/admin/roles/{name}", Admin, None),
        ("PUT", "/api/v1/admin/roles/{name}/inherits/{other}", Admin, None),
        ("DELETE", "/api/v1/admin/roles/{name}/inherits/{other}", Admin, None),
        ("GET", "/api/v1/admin/roles/{name}/effective", Admin, None),
        ("GET", "/api/v1/admin/roles/{name}/grants", Admin, None),
        ("POST", "/api/v1/admin/roles/{name}/grants", Admin, Some(grant)),
        ("GET", "/api/v1/admin/grants/{id}", Admin, None),
        ("DELETE", "/api/v1/admin/grants/{id}", Admin, None),
        ("POST", "/api/v1/admin/grants:batch", Admin, Some(json!({ "create": [in_batch] }))),
        ("GET", "/api/v1/admin/users", Admin, None),
        ("POST", "/api/v1/admin/users", Admin, Some(json!({ "username": "fresh", "email": "fresh@example.com" }))),
        ("GET", "/api/v1/admin/users/{id}", Admin, None),
        ("PATCH", "/api/v1/admin/users/{id}", Admin, Some(json!({ "display_name": "Other" }))),
        ("POST", "/api/v1/admin/users/{id}/unlock", Admin, None),
        ("DELETE", "/api/v1/admin/users/{id}/sessions", Admin, None),
        ("DELETE", "/api/v1/admin/users/{id}/mfa", Admin, None),
        ("POST", "/api/v1/admin/users/{id}/mfa-bypass", Admin, Some(bypass)),
        ("POST", "/api/v1/admin/users/{id}/deactivate", Admin, None),
        ("POST", "/api/v1/admin/users/{id}/activate", Admin, None),
        ("GET", "/api/v1/admin/audit", Admin, None),
        ("GET", "/api/v1/admin/users/{id}/roles", Admin, None),
        ("PUT", "/api/v1/admin/users/{id}/roles/{role}", Admin, None),
        ("DELETE", "/api/v1/admin/users/{id}/roles/{role}", Admin, None),
        ("DELETE", "/api/v1/admin/users/{id}", Admin, None),
        ("GET", "/api/v1/admin/clients/{id}/roles", Admin, None),
        ("PUT", "/api/v1/admin/clients/{id}/roles/{role}", Admin, None),
        ("DELETE", "/api/v1/admin/clients/{id}/roles/{role}", Admin, None),
        ("GET", "/api/v1/admin/clients", Admin, None),
        ("POST", "/api/v1/admin/clients", Admin, Some(json!({ "client_name": "fresh" }))),
        ("GET", "/api/v1/admin/clients/{id}", Admin, None),
        ("PATCH", "/api/v1/admin/clients/{id}", Admin, Some(json!({ "client_name": "other" }))),
        ("DELETE", "/api/v1/admin/clients/{id}", Admin, None),
        ("POST", "/api/v1/admin/clients/{id}/secret", Admin, None),
        ("GET", "/api/v1/admin/bundles", Admin, None),
        ("POST", "/api/v1/admin/bundles", Admin, Some(json!({ "files": {} }))),
        ("GET", "/api/v1/admin/bundles/{n}", Admin, None),
        ("POST", "/api/v1/admin/bundles/{n}/activate", Admin, None),
        ("GET", "/api/v1/admin/registration-tokens", Admin, None),
        ("POST", "/api/v1/admin/registration-tokens", Admin, Some(json!({}))),
        ("DELETE", "/api/v1/admin/registration-tokens/{id}", Admin, None),
        ("GET", "/api/v1/admin/keys", Admin, None),
        ("POST", "/api/v1/admin/keys/rotate", Admin, None),
    ];
    let operation =
        |(method, path, guard, body): (&str, _, _, _)| Operation { method: method.parse().unwrap(), path, guard, body };
    rows.into_iter().map(operation).collect()
}

impl Operation {
    /// Calls it.
    pub async fn call(&self, actor: &Actor, targets: &Targets) -> Answer {
        actor.send(self.method.clone(), &targets.path(self.path), self.body.as_ref()).await
    }
}

/// Things that exist, for every placeholder.
pub async fn existing(app: &TestApp, admin: &Actor) -> Targets {
    let user = app.user("target", &["held"]).await;
    let client = app.client("target", "", &["held"]).await;
    admin.create_role("target", &[]).await.is(201);
    let grant = admin.grant("target", "read", json!({ "type": "Document" })).await.is(201).text_at("/id");
    let (number, _) = admin.active_bundle().await;
    Targets {
        role: "target".to_owned(),
        other: "held".to_owned(),
        user: user.id,
        client: client.who().id.clone(),
        grant,
        bundle: number.to_string(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_operation_of_the_document_is_known_here_and_the_other_way_round() {
    let app = TestApp::spawn().await;
    let document = app.anonymous().get("/openapi.json").await.is(200).json;
    let mut documented = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            documented.push(format!("{} {path}", method.to_uppercase()));
        }
    }
    let mut known: Vec<String> = operations().iter().map(|o| format!("{} {}", o.method, o.path)).collect();
    documented.sort();
    known.sort();
    assert_eq!(documented, known);
}

/// Without a token, with a wrong one, with one that was not issued for it, without a role.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_for_whoever_lacks_authority_and_nothing_is_given_away_n177_n178() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let targets = [existing(&app, &admin).await, Targets::missing()];
    let garbage = app.bearer("garbage");
    let basic = app.client("basic", "authz:check", &[]).await;
    let without_scope = app.client("without-scope", "other", &["admin"]).await;
    let without_role = app.client("without-role", "admin", &[]).await;
    let before = admin.create_role("before", &[]).await.revision();

    for operation in operations() {
        let call = format!("{} {}", operation.method, operation.path);
        let mut forbidden = Vec::new();
        for targets in &targets {
            let anonymous = operation.call(&app.anonymous(), targets).await;
            let rejected = operation.call(&garbage, targets).await;
            match operation.guard {
                Guard::Public => {
                    assert_eq!((anonymous.status, rejected.status), (200, 200), "{call}");
                    continue;
                }
                Guard::Stranger => {
                    assert!(matches!(anonymous.status, 202 | 400 | 422), "{call}: {}", anonymous.text);
                    assert_eq!(
                        (anonymous.status, anonymous.json["code"].clone()),
                        (rejected.status, rejected.json["code"].clone()),
                        "{call}"
                    );
                    continue;
                }
                Guard::Browser => {
                    for answer in [&anonymous, &rejected] {
                        assert!(matches!(answer.status, 400 | 415), "{call}: {}", answer.text);
                        assert!(answer.header("content-type").starts_with("text/html"), "{call}");
                    }
                    continue;
                }
                Guard::Credentials => {
                    assert!((400..=401).contains(&anonymous.status), "{call}: {}", anonymous.text);
                    continue;
                }
                Guard::Check | Guard::Admin | Guard::Oneself => {
                    assert_eq!(anonymous.header("www-authenticate"), "Bearer", "{call}");
                    anonymous.problem(401, "unauthorized");
                    assert_eq!(rejected.header("www-authenticate"), "Bearer error=\"invalid_token\"", "{call}");
                    rejected.problem(401, "unauthorized");
                    let url = format!("{}{}", app.anonymous().base, targets.path(operation.path));
                    let request = basic.http.request(operation.method.clone(), url);
                    let request = request.basic_auth(&basic.who().id, basic.secret.as_ref());
                    Answer::read(request.send().await.unwrap()).await.problem(401, "unauthorized");
                }
            }
            if operation.guard == Guard::Oneself {
                // A program has no account of its own, whatever it may do.
                operation.call(&admin, targets).await.problem(403, "forbidden");
                continue;
            }
            let unscoped = operation.call(&without_scope, targets).await;
            if operation.path.ends_with("/batch") {
                assert_eq!(unscoped.is(200).json["results"][0]["error"]["code"], "insufficient_scope");
                continue;
            }
            assert!(unscoped.header("www-authenticate").contains("insufficient_scope"), "{call}");
            unscoped.problem(403, "insufficient_scope");
            if operation.guard == Guard::Admin {
                let answer = operation.call(&without_role, targets).await;
                assert_eq!(answer.status, 403, "{call}: {}", answer.text);
                forbidden.push((answer.json["code"].clone(), answer.json["title"].clone()));
                answer.problem(403, "forbidden");
            }
        }
        assert!(forbidden.windows(2).all(|pair| pair[0] == pair[1]), "{call} tells what exists");
    }
    let after = admin.create_role("after", &[]).await.revision();
    assert_eq!(after, before + 1, "somebody without authority changed something");
}

/// With authority every operation works or says what is missing: 500 is never the answer.
#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_gets_an_answer_from_every_operation() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    for targets in [Targets::missing(), existing(&app, &admin).await] {
        for operation in operations().iter().filter(|o| matches!(o.guard, Guard::Admin | Guard::Check)) {
            let answer = operation.call(&admin, &targets).await;
            let fine = matches!(answer.status, 200..=204 | 404 | 409 | 422);
            assert!(fine, "{} {}: {} {}", operation.method, operation.path, answer.status, answer.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_that_a_path_does_not_take_is_a_405_n073_n178() {
    let app = TestApp::spawn().await;
    let admin = app.admin().await;
    let operations = operations();
    let mut paths: Vec<&str> = operations.iter().map(|o| o.path).collect();
    paths.dedup();
    for path in paths {
        for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if operations.iter().any(|o| o.path == path && o.method == method) {
                continue;
            }
            let answer = admin.send(method.clone(), &Targets::missing().path(path), None).await;
            assert_eq!(answer.status, 405, "{method} {path}: {}", answer.text);
            assert!(!answer.header("allow").is_empty(), "{method} {path} does not say what it takes");
            if path.starts_with("/oauth/") {
                answer.oauth(405, "invalid_request");
            } else {
                answer.problem(405, "method_not_allowed");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_a_problem_too() {
    let app = TestApp::spawn().await;
    for path in ["/nothing", "/api/v1/admin", "/api/v1/admin/", "/api/v1/admin/nothing", "/authz/check/"] {
        app.anonymous().get(path).await.problem(404, "not_found");
    }
}

/// No spelling of a path reaches a handler by another door.
#[tokio::test(flavor = "multi_thread")]
async fn odd_spellings_of_a_path_never_pass_a_guard_v051() {
    let app = TestApp::spawn().await;
    let nobody = app.client("nobody", "admin", &[]).await;
    let spellings = [
        "/api/v1/admin/..;/admin/roles",
        "/api/v1/%61dmin/roles",
        "//api/v1/admin/roles",
        "/api/v1/admin//roles",
        "/API/v1/admin/roles",
        "/api/v1/admin/roles.",
        "/api/v1/admin/roles;a=b",
        "/api/v1/admin/roles/%2e%2e/roles",
        "/api/v1/admin/roles/..%2froles",
        "/api/v1/admin/roles/%zz",
        "/api/v1/admin/roles/%ff",
        "/api/v1/admin/roles/a%00b",
        "/health/live/../../api/v1/admin/roles",
    ];
    for path in spellings {
        // `reqwest` would tidy the path up.
        let host = nobody.base.trim_start_matches("http://");
        let token = nobody.token.as_ref().unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nauthorization: Bearer {token}\r\n");
        let status = raw(host, &format!("{head}connection: close\r\n\r\n")).await;
        assert!(matches!(status, 400 | 403 | 404), "{path}: {status}");
    }
}

/// Sends bytes as they are and reads the status.
async fn raw(host: &str, request: &str) -> u16 {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// Contract §6: every answer has an id, the caller's where it is harmless.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_a_request_id() {
    let app = TestApp::spawn().await;
    let anonymous = app.anonymous();
    let (first, second) = (anonymous.get("/health/live").await, anonymous.get("/authz/check").await);
    assert!(!first.header("x-request-id").is_empty());
    assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
    let request = anonymous.request(Method::GET, "/health/live").header("x-request-id", "mine-1");
    assert_eq!(Answer::read(request.send().await.unwrap()).await.header("x-request-id"), "mine-1");
    let request = anonymous.request(Method::GET, "/health/live").header("x-request-id", "<script>");
    assert_ne!(Answer::read(request.send().await.unwrap()).await.header("x-request-id"), "<script>");
}
