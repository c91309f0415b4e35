//! The code flow as a client and a person go through it.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::{
    actor::Actor,
    answer::Answer,
    app::{ISSUER, TestApp},
    browser::Browser,
    person::{PASSWORD, Person},
};

/// What every client here proves itself by (RFC 7636 appendix B).
pub const VERIFIER: &str = "dBjftJeZ4CVP-mBxvU9EXAMPLE-a-verifier-of-ours-1234";

/// A registered client.
#[derive(Clone)]
pub struct OAuthClient {
    /// Its id.
    pub id: String,
    /// Its secret, if it has one.
    pub secret: Option<String>,
    /// Where answers go.
    pub redirect_uri: String,
    /// Its own requests.
    pub http: Actor,
}

/// What came back to a redirect URI.
#[derive(Debug)]
pub struct Returned {
    /// Up to the query.
    pub uri: String,
    /// The parameters of the answer, decoded.
    pub fields: BTreeMap<String, String>,
}

/// What [`VERIFIER`] hashes to.
pub fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(deodar::crypto::digest(verifier.as_bytes()))
}

impl TestApp {
    /// A confidential web client that may use codes and refresh tokens; `more` replaces members.
    pub async fn web_client(&self, admin: &Actor, more: Value) -> OAuthClient {
        let mut body = json!({
            "client_name": "Meadow", "redirect_uris": ["https://meadow.test/cb"],
            "grant_types": ["authorization_code", "refresh_token"],
            "scope": "openid profile email offline_access photos",
        });
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        let made = admin.create_client(body).await.is(201);
        OAuthClient {
            id: made.text_at("/client_id"),
            secret: made.json["client_secret"].as_str().map(str::to_owned),
            redirect_uri: made.json["redirect_uris"][0].as_str().unwrap_or_default().to_owned(),
            http: self.anonymous(),
        }
    }

    /// A public client.
    pub async fn public_client(&self, admin: &Actor) -> OAuthClient {
        let more = json!({ "client_name": "Pocket", "token_endpoint_auth_method": "none",
            "redirect_uris": ["http://127.0.0.1/cb"] });
        self.web_client(admin, more).await
    }

    /// A browser in which this person is logged in.
    pub async fn browser_of(&self, person: &Person) -> Browser {
        let mut browser = Browser::new(&self.node().base);
        browser.open("/login").await;
        browser.submit("/login", &[("login", &person.name), ("password", PASSWORD)]).await;
        browser.is_at("/account");
        browser
    }
}

impl OAuthClient {
    /// The parameters of a request; `more` replaces some, and takes away those it leaves empty.
    pub fn parameters(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let challenge = challenge(VERIFIER);
        let usual = [
            ("response_type", "code"),
            ("client_id", &self.id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", "openid"),
            ("state", "st&te=1 ä"),
            ("nonce", "n-1"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let replaced = |name: &str| more.iter().any(|(other, _)| *other == name);
        let kept = usual.into_iter().filter(|(name, _)| !replaced(name));
        let all = kept.chain(more.iter().copied().filter(|(_, value)| !value.is_empty()));
        all.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    /// The path of a request.
    pub fn path(&self, more: &[(&str, &str)]) -> String {
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(self.parameters(more)).finish();
        format!("/oauth/authorize?{query}")
    }

    /// A person goes through a request, agrees where they are asked, and comes back with a code.
    pub async fn authorize(&self, browser: &mut Browser, more: &[(&str, &str)]) -> Returned {
        browser.open(&self.path(more)).await;
        if browser.at.starts_with("/consent") {
            browser.submit("/consent", &[("decision", "allow")]).await;
        }
        self.returned(browser)
    }

    /// The same, up to the code alone.
    pub async fn code(&self, browser: &mut Browser, more: &[(&str, &str)]) -> String {
        self.authorize(browser, more).await.code()
    }

    /// What came back to this client.
    #[track_caller]
    pub fn returned(&self, browser: &Browser) -> Returned {
        let at = browser.at.clone();
        let (uri, query) = at.split_once('?').unwrap_or_else(|| panic!("{at}: {}", browser.page.text));
        assert!(!uri.starts_with('/'), "still at {at}: {}", browser.page.text);
        assert!(!at.contains('#'), "{at}");
        Returned { uri: uri.to_owned(), fields: url::form_urlencoded::parse(query.as_bytes()).into_owned().collect() }
    }

    /// A form at the token endpoint (or another path), by this client.
    pub async fn form(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut all = form.to_vec();
        all.push(("client_id", &self.id));
        all.extend(self.secret.as_deref().map(|secret| ("client_secret", secret)));
        let request = self.http.http.post(format!("{}{path}", self.http.base)).form(&all);
        Answer::read(request.send().await.unwrap()).await
    }

    /// Redeems a code.
    pub async fn redeem(&self, code: &str) -> Answer {
        self.redeem_with(code, &[]).await
    }

    /// Redeems a code; `more` replaces parameters, and takes away those it leaves empty.
    pub async fn redeem_with(&self, code: &str, more: &[(&str, &str)]) -> Answer {
        let usual = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", self.redirect_uri.as_str()),
            ("code_verifier", VERIFIER),
        ];
        let replaced = |name: &str| more.iter().any(|(other, _)| *other == name);
        let kept = usual.into_iter().filter(|(name, _)| !replaced(name));
        let all: Vec<_> = kept.chain(more.iter().copied().filter(|(_, value)| !value.is_empty())).collect();
        self.form("/oauth/token", &all).await
    }

    /// Refreshes.
    pub async fn refresh(&self, token: &str, more: &[(&str, &str)]) -> Answer {
        let usual = [("grant_type", "refresh_token"), ("refresh_token", token)];
        self.form("/oauth/token", &[&usual, more].concat()).await
    }

    /// Whether a token is active, as this client is told.
    pub async fn is_active(&self, token: &str) -> bool {
        let answer = self.form("/oauth/introspect", &[("token", token)]).await.is(200);
        answer.json["active"].as_bool().unwrap()
    }

    /// Tokens with a refresh token among them.
    pub async fn offline_tokens(&self, browser: &mut Browser) -> Answer {
        let more = [("scope", "openid offline_access photos"), ("prompt", "consent")];
        let code = self.code(browser, &more).await;
        self.redeem(&code).await.is(200)
    }
}

impl Returned {
    /// The code of a good answer (N-001).
    #[track_caller]
    pub fn code(&self) -> String {
        assert_eq!(self.fields.get("iss").map(String::as_str), Some(ISSUER), "{self:?}");
        self.fields.get("code").unwrap_or_else(|| panic!("{self:?}")).clone()
    }

    /// Expects an error, with `state` and `iss`.
    #[track_caller]
    pub fn error(&self, error: &str) {
        let field = |name: &str| self.fields.get(name).map(String::as_str);
        assert_eq!((field("error"), field("iss"), field("code")), (Some(error), Some(ISSUER), None), "{self:?}");
    }
}

/// A part of a token, decoded.
pub fn claims(token: &str) -> Value {
    super::part(token, 1)
}
