//! Where the answer to an authorization request goes. There is no such thing until the redirect URI is proven to be the
//! client's, so nothing can be sent anywhere else.

use axum::response::{IntoResponse, Response};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{
    model::ClientMetadata,
    oauth::Parameters,
    web::browser::{FormPost, Frame, see_other},
};

/// How the answer travels (OAuth 2.0 Multiple Response Type Encoding Practices §2.1, Form Post Response Mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResponseMode {
    /// In the query of the redirect URI.
    Query,
    /// In a form that the browser posts.
    FormPost,
    /// In the fragment: only for the refusal of a response type that implies it.
    Fragment,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Destination {
    uri: String,
    mode: ResponseMode,
    /// Comes back as it was (RFC 6749 §4.1.2).
    state: Option<String>,
}

/// What RFC 3986 §2.3 leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

impl ResponseMode {
    /// Every mode that can be asked for.
    pub const SUPPORTED: [(&'static str, Self); 2] = [("query", Self::Query), ("form_post", Self::FormPost)];

    /// The one of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::SUPPORTED.into_iter().find(|(known, _)| *known == name).map(|(_, mode)| mode)
    }

    /// What a request asks for, or what its response type implies.
    fn of(parameters: &Parameters) -> Self {
        let implied = match parameters.get("response_type") {
            Some(types) if types.split(' ').any(|ty| matches!(ty, "token" | "id_token")) => Self::Fragment,
            _ => Self::Query,
        };
        let asked = parameters.get("response_mode").filter(|_| !parameters.is_repeated("response_mode"));
        asked.and_then(Self::parse).unwrap_or(implied)
    }
}

impl Destination {
    /// The redirect URI of a request, if the client registered it.
    pub fn prove(client: &ClientMetadata, parameters: &Parameters) -> Option<Self> {
        let uri = parameters.get("redirect_uri").filter(|uri| client.has_redirect_uri(uri))?;
        let state = parameters.get("state").filter(|_| !parameters.is_repeated("state"));
        Some(Self { uri: uri.to_owned(), mode: ResponseMode::of(parameters), state: state.map(str::to_owned) })
    }

    /// The redirect URI.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// As people know the place: its host, or the scheme of an application on their own machine.
    pub fn name(&self) -> String {
        let url = url::Url::parse(&self.uri).ok();
        let host = url.as_ref().and_then(|url| url.host_str().map(str::to_owned));
        host.or_else(|| url.map(|url| format!("{}:", url.scheme()))).unwrap_or_default()
    }

    /// Sends the answer there, with `state` and `iss` (RFC 9207).
    pub fn answer(&self, issuer: &str, frame: &Frame, answer: &[(&str, &str)]) -> Response {
        let state = self.state.as_deref().map(|state| ("state", state));
        let fields: Vec<(&str, &str)> = answer.iter().copied().chain(state).chain([("iss", issuer)]).collect();
        let before = match self.mode {
            ResponseMode::FormPost => return FormPost { frame, action: &self.uri, fields }.into_response(),
            ResponseMode::Fragment => '#',
            ResponseMode::Query if self.uri.contains('?') => '&',
            ResponseMode::Query => '?',
        };
        let encode = |text| utf8_percent_encode(text, RESERVED);
        let pairs = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        see_other(&format!("{}{before}{}", self.uri, pairs.collect::<Vec<_>>().join("&")))
    }
}
