//! Somebody who calls the server, and what they can ask of it.

use std::collections::BTreeMap;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::answer::Answer;

/// A caller.
#[derive(Clone, Debug)]
pub struct Actor {
    /// For requests that have no name here.
    pub http: Client,
    /// Where the server is.
    pub base: String,
    /// An access token.
    pub token: Option<String>,
    /// Which principal this is.
    pub who: Option<Who>,
    /// A client's secret.
    pub secret: Option<String>,
}

/// A principal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// `User` or `Client`.
    pub ty: &'static str,
    /// The entity id.
    pub id: String,
}

impl Who {
    /// A person.
    pub fn user(id: &str) -> Self {
        Self { ty: "User", id: id.to_owned() }
    }

    /// A program.
    pub fn client(id: &str) -> Self {
        Self { ty: "Client", id: id.to_owned() }
    }

    /// As the principal of a check.
    pub fn json(&self) -> Value {
        json!({ "type": self.ty, "id": self.id })
    }

    fn collection(&self) -> &'static str {
        if self.ty == "User" { "users" } else { "clients" }
    }
}

/// A document of the example application.
pub fn document(id: &str) -> Value {
    json!({ "type": "Document", "id": id })
}

/// A document in a folder.
pub fn document_in(id: &str, folder: &str) -> Value {
    json!({ "type": "Document", "id": id, "parents": [{ "type": "Folder", "id": folder }] })
}

/// A question with reasons.
pub fn question(who: &Who, action: &str, resource: Value) -> Value {
    json!({ "principal": who.json(), "action": action, "resource": resource, "explain": true })
}

/// The same question with one more member.
pub fn with(mut question: Value, name: &str, value: impl Into<Value>) -> Value {
    question[name] = value.into();
    question
}

impl Actor {
    /// Somebody without a token.
    pub fn new(base: &str) -> Self {
        Self { http: Client::new(), base: base.to_owned(), token: None, who: None, secret: None }
    }

    /// Which principal this is.
    pub fn who(&self) -> &Who {
        self.who.as_ref().unwrap()
    }

    /// A request with this actor's token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// A request that may have a JSON body.
    pub async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::read(request.send().await.unwrap()).await
    }

    /// A body as it is, said to be JSON.
    pub async fn send_text(&self, method: Method, path: &str, body: impl Into<reqwest::Body>) -> Answer {
        let request = self.request(method, path).header("content-type", "application/json").body(body);
        Answer::read(request.send().await.unwrap()).await
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn put(&self, path: &str) -> Answer {
        self.send(Method::PUT, path, None).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }
}

/// `/oauth`.
impl Actor {
    /// A form at the token endpoint, without this actor's credentials.
    pub async fn token_form(&self, form: &[(&str, &str)]) -> Answer {
        let request = self.http.post(format!("{}/oauth/token", self.base)).form(form);
        Answer::read(request.send().await.unwrap()).await
    }

    /// Asks for a token by this client's id and secret.
    pub async fn client_credentials(&self, scope: Option<&str>) -> Answer {
        let form = [("grant_type", "client_credentials")].into_iter().chain(scope.map(|scope| ("scope", scope)));
        let request = self.http.post(format!("{}/oauth/token", self.base)).form(&form.collect::<Vec<_>>());
        // RFC 6749 §2.3.1: both are form-encoded first.
        let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let request = request.basic_auth(encode(&self.who().id), self.secret.as_deref().map(encode));
        Answer::read(request.send().await.unwrap()).await
    }

    /// This client with a token for all its scopes.
    pub async fn with_fresh_token(self) -> Self {
        let token = self.client_credentials(None).await.is(200).text_at("/access_token");
        Self { token: Some(token), ..self }
    }
}

/// `/authz`.
impl Actor {
    /// One check.
    pub async fn check(&self, question: Value) -> Answer {
        self.post("/authz/check", &question).await
    }

    /// Several checks.
    pub async fn check_batch(&self, checks: &[Value]) -> Answer {
        self.post("/authz/check/batch", &json!({ "checks": checks })).await
    }
}

const ADMIN: &str = "/api/v1/admin";

/// A path below the admin API from whatever text.
pub fn admin_path(segments: &[&str]) -> String {
    let mut url = url::Url::parse("http://x").unwrap();
    url.path_segments_mut().unwrap().extend(["api", "v1", "admin"]).extend(segments);
    url.path().to_owned()
}

/// `/api/v1/admin/roles` and grants.
impl Actor {
    /// Makes a role.
    pub async fn create_role(&self, name: &str, inherits: &[&str]) -> Answer {
        self.post(&format!("{ADMIN}/roles"), &json!({ "name": name, "inherits": inherits })).await
    }

    /// One role.
    pub async fn role(&self, name: &str) -> Answer {
        self.get(&admin_path(&["roles", name])).await
    }

    /// A page of roles.
    pub async fn roles(&self, query: &str) -> Answer {
        self.get(&format!("{ADMIN}/roles?{query}")).await
    }

    /// Changes a role.
    pub async fn update_role(&self, name: &str, change: Value) -> Answer {
        self.send(Method::PATCH, &admin_path(&["roles", name]), Some(&change)).await
    }

    /// Removes a role.
    pub async fn delete_role(&self, name: &str) -> Answer {
        self.delete(&admin_path(&["roles", name])).await
    }

    /// Makes a role inherit another.
    pub async fn inherit(&self, name: &str, other: &str) -> Answer {
        self.put(&admin_path(&["roles", name, "inherits", other])).await
    }

    /// Ends an inheritance.
    pub async fn disinherit(&self, name: &str, other: &str) -> Answer {
        self.delete(&admin_path(&["roles", name, "inherits", other])).await
    }

    /// Every grant of a role, own and inherited.
    pub async fn effective(&self, name: &str) -> Answer {
        self.get(&admin_path(&["roles", name, "effective"])).await
    }

    /// Permits an action.
    pub async fn grant(&self, role: &str, action: &str, resource: Value) -> Answer {
        self.grant_body(role, &json!({ "action": action, "resource": resource })).await
    }

    /// Forbids an action.
    pub async fn forbid(&self, role: &str, action: &str, resource: Value) -> Answer {
        self.grant_body(role, &json!({ "effect": "forbid", "action": action, "resource": resource })).await
    }

    /// Any grant.
    pub async fn grant_body(&self, role: &str, body: &Value) -> Answer {
        self.post(&admin_path(&["roles", role, "grants"]), body).await
    }

    /// A role's own grants.
    pub async fn grants(&self, role: &str) -> Answer {
        self.get(&admin_path(&["roles", role, "grants"])).await
    }

    /// One grant.
    pub async fn find_grant(&self, id: &str) -> Answer {
        self.get(&admin_path(&["grants", id])).await
    }

    /// Removes a grant.
    pub async fn delete_grant(&self, id: &str) -> Answer {
        self.delete(&admin_path(&["grants", id])).await
    }

    /// Many grants, all or none.
    pub async fn grants_batch(&self, body: &Value) -> Answer {
        self.post(&format!("{ADMIN}/grants:batch"), body).await
    }
}

/// Assignments.
impl Actor {
    /// Gives a role for good.
    pub async fn assign(&self, who: &Who, role: &str) -> Answer {
        self.put(&admin_path(&[who.collection(), &who.id, "roles", role])).await
    }

    /// Gives a role until some time.
    pub async fn assign_until(&self, who: &Who, role: &str, end: OffsetDateTime) -> Answer {
        let body = json!({ "expires_at": end.format(&Rfc3339).unwrap() });
        self.send(Method::PUT, &admin_path(&[who.collection(), &who.id, "roles", role]), Some(&body)).await
    }

    /// Takes a role.
    pub async fn unassign(&self, who: &Who, role: &str) -> Answer {
        self.delete(&admin_path(&[who.collection(), &who.id, "roles", role])).await
    }

    /// Roles of a principal.
    pub async fn assignments(&self, who: &Who) -> Answer {
        self.get(&admin_path(&[who.collection(), &who.id, "roles"])).await
    }
}

/// `/api/v1/admin/clients`.
impl Actor {
    /// Registers a client.
    pub async fn create_client(&self, body: Value) -> Answer {
        self.post(&format!("{ADMIN}/clients"), &body).await
    }

    /// One client.
    pub async fn find_client(&self, id: &str) -> Answer {
        self.get(&admin_path(&["clients", id])).await
    }

    /// A page of clients.
    pub async fn clients(&self, query: &str) -> Answer {
        self.get(&format!("{ADMIN}/clients?{query}")).await
    }

    /// Changes a client.
    pub async fn update_client(&self, id: &str, change: Value) -> Answer {
        self.send(Method::PATCH, &admin_path(&["clients", id]), Some(&change)).await
    }

    /// Removes a client.
    pub async fn delete_client(&self, id: &str) -> Answer {
        self.delete(&admin_path(&["clients", id])).await
    }

    /// Replaces a client's secret.
    pub async fn rotate_secret(&self, id: &str) -> Answer {
        self.send(Method::POST, &admin_path(&["clients", id, "secret"]), None).await
    }
}

/// The files of a bundle.
pub type Files = BTreeMap<String, String>;

/// `/api/v1/admin/bundles`.
impl Actor {
    /// Stores a bundle.
    pub async fn create_bundle(&self, files: &Files) -> Answer {
        self.post(&format!("{ADMIN}/bundles"), &json!({ "files": files })).await
    }

    /// One bundle.
    pub async fn bundle(&self, number: i64) -> Answer {
        self.get(&format!("{ADMIN}/bundles/{number}")).await
    }

    /// A page of bundles.
    pub async fn bundles(&self) -> Answer {
        self.get(&format!("{ADMIN}/bundles")).await
    }

    /// Makes a bundle the active one.
    pub async fn activate(&self, number: i64) -> Answer {
        self.send(Method::POST, &format!("{ADMIN}/bundles/{number}/activate"), None).await
    }

    /// The number and the files of the active bundle.
    pub async fn active_bundle(&self) -> (i64, Files) {
        let all = self.bundles().await.is(200);
        let number = all.items().iter().find(|b| b["active"] == true).unwrap()["number"].as_i64().unwrap();
        (number, serde_json::from_value(self.bundle(number).await.is(200).json["files"].clone()).unwrap())
    }
}
