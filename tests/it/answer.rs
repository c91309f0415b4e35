//! What came back.

use reqwest::header::HeaderMap;
use serde_json::Value;

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
    /// The body as JSON; null when it is none.
    pub json: Value,
}

impl Answer {
    /// Reads an answer.
    pub async fn read(response: reqwest::Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Self { status, headers, text, json }
    }

    /// Expects a status.
    #[track_caller]
    pub fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// Expects a problem (RFC 9457) with a status and a code.
    #[track_caller]
    pub fn problem(self, status: u16, code: &str) -> Self {
        let seen = (self.status, self.json["code"].as_str().unwrap_or_default());
        assert_eq!(seen, (status, code), "{}", self.text);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.json["status"], status);
        assert_eq!(self.json["request_id"], self.header("x-request-id"));
        assert!(self.json["type"].is_string() && self.json["title"].is_string(), "{}", self.text);
        self
    }

    /// Expects a 422 one of whose errors is about this field, with this code; gives its message.
    #[track_caller]
    pub fn faulty(&self, field: &str, code: &str) -> String {
        assert_eq!(self.status, 422, "{}", self.text);
        let errors = self.json["errors"].as_array().expect("errors");
        let found = errors.iter().find(|e| e["field"] == field && e["code"] == code);
        let found = found.unwrap_or_else(|| panic!("no `{code}` about `{field}`: {}", self.text));
        found["message"].as_str().expect("message").to_owned()
    }

    /// Expects an error of OAuth's form (RFC 6749 §5.2).
    #[track_caller]
    pub fn oauth(self, status: u16, error: &str) -> Self {
        let seen = (self.status, self.json["error"].as_str().unwrap_or_default());
        assert_eq!(seen, (status, error), "{}", self.text);
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("content-type"), "application/json");
        self
    }

    /// Expects the answer to a check to be an allow.
    #[track_caller]
    pub fn allows(self) -> Self {
        let this = self.is(200);
        assert_eq!(this.json["decision"], "allow", "{}", this.text);
        this
    }

    /// Expects the answer to a check to be a deny.
    #[track_caller]
    pub fn denies(self) -> Self {
        let this = self.is(200);
        assert_eq!(this.json["decision"], "deny", "{}", this.text);
        this
    }

    /// A header, or nothing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// `Deodar-Revision`.
    #[track_caller]
    pub fn revision(&self) -> i64 {
        self.header("deodar-revision").parse().unwrap_or_else(|_| panic!("no revision: {} {}", self.status, self.text))
    }

    /// Text at a JSON pointer.
    #[track_caller]
    pub fn text_at(&self, pointer: &str) -> String {
        let found = self.json.pointer(pointer).and_then(Value::as_str);
        found.unwrap_or_else(|| panic!("no text at {pointer}: {}", self.text)).to_owned()
    }

    /// The items of a page.
    #[track_caller]
    pub fn items(&self) -> &[Value] {
        self.json["items"].as_array().unwrap_or_else(|| panic!("no page: {} {}", self.status, self.text))
    }
}
