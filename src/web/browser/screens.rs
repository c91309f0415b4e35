//! Pages of the provider: what the face `oauth` asks people. It brings the facts, the words are here.

use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::{Field, Frame, Notice, frame, return_to::source};
use crate::{crypto::digest, model::ScopeSet};

/// Asks whether an application may have what it asks for. The form goes to `action` with `request` and `decision` (`allow`
/// or `deny`).
#[derive(Template)]
#[template(path = "pages/consent.html")]
pub struct Consent<'a> {
    /// See [`Frame`].
    pub frame: &'a Frame,
    /// Path that the form goes to.
    pub action: &'a str,
    /// Names the request that waits.
    pub request: &'a str,
    /// The application's name.
    pub client: &'a str,
    /// Its own page.
    pub home: Option<&'a str>,
    /// What it does with what it learns, in its own words.
    pub privacy: Option<&'a str>,
    /// On which terms, in its own words.
    pub terms: Option<&'a str>,
    /// False when it registered itself.
    pub verified: bool,
    /// What it asks for.
    pub scopes: Vec<Scope<'a>>,
    /// Who is asked: a username.
    pub person: &'a str,
    /// Host, or scheme, of the redirect URI.
    pub goes_to: &'a str,
}

/// One scope in words.
pub struct Scope<'a> {
    /// What it allows.
    pub words: &'static str,
    /// Its name, where the words are not enough.
    pub detail: Option<&'a str>,
}

impl<'a> Scope<'a> {
    /// The words of a scope.
    pub fn of(scope: &'a str) -> Self {
        let known = |words| Self { words, detail: None };
        match scope {
            ScopeSet::OPENID => known("Know that it is you who signs in"),
            "profile" => known("See your name, language and time zone"),
            "email" => known("See your e-mail address"),
            ScopeSet::OFFLINE => known("Keep this access while you are away"),
            ScopeSet::CHECK => known("Ask what anybody here is allowed to do"),
            ScopeSet::ADMIN => known("Administer this server, as far as you may"),
            other => Self { words: "Use its own permission", detail: Some(other) },
        }
    }
}

/// Asks for the code that a device shows (RFC 8628 §3.3). The form goes to `/device` with `user_code`.
#[derive(Template)]
#[template(path = "pages/device_code.html")]
pub struct DeviceCode<'a> {
    /// See [`Frame`].
    pub frame: &'a Frame,
    /// What is wrong.
    pub notice: Notice,
    code: Field,
}

impl<'a> DeviceCode<'a> {
    /// With a code that came in the link, and what is wrong with it.
    pub fn new(frame: &'a Frame, code: &str, fault: &str) -> Self {
        let field = Field::text("user_code", "Code", "off").value(code).focus();
        let notice = if fault.is_empty() { Notice::default() } else { Notice::wrong(fault) };
        Self { frame, notice, code: field }
    }
}

/// Asks whether a device may have what it asks for. The form goes to `/device/confirm` with `user_code` and `decision`.
#[derive(Template)]
#[template(path = "pages/device_confirm.html")]
pub struct DeviceConfirm<'a> {
    /// See [`Frame`].
    pub frame: &'a Frame,
    /// The code, as the device shows it.
    pub user_code: &'a str,
    /// The application's name.
    pub client: &'a str,
    /// False when it registered itself.
    pub verified: bool,
    /// What it asks for.
    pub scopes: Vec<Scope<'a>>,
    /// Who is asked: a username.
    pub person: &'a str,
}

/// Asks whether to sign out. The form goes to `action`.
#[derive(Template)]
#[template(path = "pages/sign_out.html")]
pub struct SignOut<'a> {
    /// See [`Frame`].
    pub frame: &'a Frame,
    /// Who: a username.
    pub person: &'a str,
    /// The application that asks for it.
    pub client: Option<&'a str>,
    /// Path that the form goes to.
    pub action: &'a str,
    /// What it carries besides.
    pub hidden: Vec<(&'a str, &'a str)>,
}

/// Tells something, with one way to go on.
#[derive(Template)]
#[template(path = "pages/message.html")]
pub struct Message<'a> {
    /// See [`Frame`].
    pub frame: &'a Frame,
    /// The heading.
    pub title: &'a str,
    /// What there is to say.
    pub paragraphs: Vec<String>,
    /// Where to go on: label and path.
    pub link: Option<(&'a str, &'a str)>,
}

/// Hands the answer to an authorization request over by a form (OAuth 2.0 Form Post Response Mode).
///
/// The only page with a script: one line that sends the form, named in the policy by its hash. Without scripts there is
/// a button.
pub struct FormPost<'a> {
    /// See [`Frame`].
    pub frame: &'a Frame,
    /// The redirect URI, proven to be the client's.
    pub action: &'a str,
    /// The answer.
    pub fields: Vec<(&'a str, &'a str)>,
}

#[derive(Template)]
#[template(path = "pages/form_post.html")]
struct FormPostPage<'a> {
    frame: &'a Frame,
    action: &'a str,
    fields: &'a [(&'a str, &'a str)],
    script: &'static str,
}

const SEND: &str = "document.forms[0].submit()";

impl IntoResponse for FormPost<'_> {
    fn into_response(self) -> Response {
        let page = FormPostPage { frame: self.frame, action: self.action, fields: &self.fields, script: SEND };
        let mut response = frame::html(StatusCode::OK, &page, None);
        let target = source(self.action).unwrap_or_else(|| "'none'".to_owned());
        let policy = format!(
            "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'sha256-{}'; form-action {target}; \
             frame-ancestors 'none'; base-uri 'none'",
            STANDARD.encode(digest(SEND.as_bytes()))
        );
        if let Ok(policy) = HeaderValue::try_from(policy) {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        response
    }
}
