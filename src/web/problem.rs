//! Errors as `application/problem+json` (RFC 9457).

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::dpop;
use crate::{
    accounts,
    crypto::CryptoError,
    pdp,
    policy::{CompileError, GrantFault},
    store,
};

/// Whatever a REST call can fail with.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// The request cannot be read.
    #[error("{message}")]
    BadRequest {
        /// Machine-readable.
        code: &'static str,
        /// What to write instead.
        message: String,
    },
    /// The request can be read and makes no sense.
    #[error("some fields are not acceptable")]
    Unprocessable(Vec<FieldFault>),
    /// No token, or one that is not believed.
    #[error("an access token is needed: send `Authorization: Bearer …`")]
    Unauthorized {
        /// Whether one was sent.
        presented: bool,
    },
    /// The token is bound to a key, and nothing proves that whoever sends it has that key (RFC 9449 §7.1).
    #[error("{0}")]
    InvalidProof(&'static str),
    /// The token was not issued for this.
    #[error("the access token lacks the scope `{0}`")]
    InsufficientScope(&'static str),
    /// The policies say no.
    #[error("{0}")]
    Forbidden(String),
    /// The account says no: a wrong password or code, or none where one is needed.
    #[error("{message}")]
    Refused {
        /// Machine-readable.
        code: &'static str,
        /// What to do instead.
        message: String,
    },
    /// There is no such thing.
    #[error("there is no {0}")]
    NotFound(String),
    /// The path exists, not for this method.
    #[error("this path does not take that method")]
    MethodNotAllowed,
    /// Something in the way.
    #[error("{message}")]
    Conflict {
        /// Machine-readable.
        code: &'static str,
        /// What is in the way.
        message: String,
    },
    /// The body is over the limit.
    #[error("the body is too large")]
    TooLarge,
    /// The body is not JSON.
    #[error("the body must be JSON: send `Content-Type: application/json`")]
    UnsupportedMediaType,
    /// Too many requests.
    #[error("too many requests")]
    TooMany {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// Too many people at once.
    #[error("too many people are logging in at this moment")]
    Busy {
        /// At least a second. The answer itself is held back for what is no whole second: `Retry-After` cannot say it, and
        /// those who were turned away together would come back together.
        retry_after: Duration,
    },
    /// Not now.
    #[error("{message}")]
    Unavailable {
        /// Machine-readable.
        code: &'static str,
        /// What is missing.
        message: &'static str,
        /// For the log.
        #[source]
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// Our fault.
    #[error("something went wrong here")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// One field that is not acceptable.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct FieldFault {
    /// Where: `action`, `grants[3].condition`, `files`.
    pub field: String,
    /// Machine-readable.
    pub code: String,
    /// What is wrong and what to write instead.
    pub message: String,
    /// For Cedar text: the file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// For Cedar text: the line, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// For Cedar text: the column, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// Grants that would break.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<String>,
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `urn:deodar:error:<code>`.
    #[serde(rename = "type")]
    pub ty: String,
    /// The kind of error in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Machine-readable.
    pub code: String,
    /// What happened this time, for people.
    pub detail: String,
    /// Finds the log line.
    pub request_id: String,
    /// For a 422: each field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldFault>,
    /// In `deodar dev` only: what happened inside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub debug: Option<String>,
}

impl FieldFault {
    /// A fault of one field.
    pub fn new(field: impl Into<String>, code: &str, message: impl Into<String>) -> Self {
        Self { field: field.into(), code: code.to_owned(), message: message.into(), ..Self::default() }
    }
}

impl ApiError {
    /// One faulty field.
    pub fn field(field: &str, code: &str, message: impl Into<String>) -> Self {
        Self::Unprocessable(vec![FieldFault::new(field, code, message)])
    }

    /// The same, with another name for a field: the one by which the caller knows it.
    pub fn renamed(mut self, field: &str, name: &str) -> Self {
        if let Self::Unprocessable(faults) = &mut self {
            for fault in faults.iter_mut().filter(|fault| fault.field == field) {
                name.clone_into(&mut fault.field);
            }
        }
        self
    }

    /// Status, code and title.
    pub fn parts(&self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::BadRequest { code, .. } => (StatusCode::BAD_REQUEST, code, "Bad request"),
            Self::Unprocessable(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid_fields", "Invalid fields"),
            Self::Unauthorized { .. } => (StatusCode::UNAUTHORIZED, "unauthorized", "Not authenticated"),
            Self::InvalidProof(_) => (StatusCode::UNAUTHORIZED, "invalid_dpop_proof", "Not authenticated"),
            Self::InsufficientScope(_) => (StatusCode::FORBIDDEN, "insufficient_scope", "Insufficient scope"),
            Self::Forbidden(_) => (StatusCode::FORBIDDEN, "forbidden", "Not allowed"),
            Self::Refused { code, .. } => (StatusCode::FORBIDDEN, code, "Not allowed"),
            Self::NotFound(_) => (StatusCode::NOT_FOUND, "not_found", "Not found"),
            Self::MethodNotAllowed => (StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "Method not allowed"),
            Self::Conflict { code, .. } => (StatusCode::CONFLICT, code, "Conflict"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "too_large", "Too large"),
            Self::UnsupportedMediaType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", "Unsupported media type")
            }
            Self::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests", "Too many requests"),
            Self::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, "busy", "Not available"),
            Self::Unavailable { code, .. } => (StatusCode::SERVICE_UNAVAILABLE, code, "Not available"),
            Self::Internal(_) => (StatusCode::INTERNAL_SERVER_ERROR, "internal", "Internal error"),
        }
    }

    /// The code in OAuth's form (RFC 6749 §4.1.2.1, §5.2).
    pub fn oauth_code(&self) -> &'static str {
        match self.parts().0 {
            _ if matches!(self, Self::InsufficientScope(_)) => "insufficient_scope",
            _ if matches!(self, Self::InvalidProof(_)) => "invalid_dpop_proof",
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "temporarily_unavailable",
            status if status.is_server_error() => "server_error",
            StatusCode::UNAUTHORIZED => "invalid_token",
            StatusCode::FORBIDDEN => "access_denied",
            _ => "invalid_request",
        }
    }

    /// What to authenticate by (RFC 6750 §3, RFC 9449 §7.1), one scheme each.
    fn challenges(&self) -> Vec<String> {
        let algorithms = dpop::algorithms();
        match self {
            Self::Unauthorized { presented: false } => vec!["Bearer".to_owned(), format!("DPoP {algorithms}")],
            Self::Unauthorized { presented: true } => {
                let error = "error=\"invalid_token\"";
                vec![format!("Bearer {error}"), format!("DPoP {error}, {algorithms}")]
            }
            Self::InvalidProof(_) => vec![format!("DPoP error=\"invalid_dpop_proof\", {algorithms}")],
            Self::InsufficientScope(scope) => {
                vec![format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"")]
            }
            _ => Vec::new(),
        }
    }

    /// The body.
    pub fn problem(&self, request_id: &str, verbose: bool) -> Problem {
        let (status, code, title) = self.parts();
        Problem {
            ty: format!("urn:deodar:error:{code}"),
            title: title.to_owned(),
            status: status.as_u16(),
            code: code.to_owned(),
            detail: self.to_string(),
            request_id: request_id.to_owned(),
            errors: if let Self::Unprocessable(faults) = self { faults.clone() } else { Vec::new() },
            debug: verbose.then(|| causes(self)).filter(|text| !text.is_empty()),
        }
    }
}

/// Everything beneath an error, outermost first.
pub fn causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(error.source(), |inner| inner.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

/// An error travels to the one layer that writes its body, logs it and knows the request's id.
impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let mut response = self.parts().0.into_response();
        let headers = response.headers_mut();
        for challenge in self.challenges() {
            if let Ok(value) = HeaderValue::try_from(challenge) {
                headers.append(header::WWW_AUTHENTICATE, value);
            }
        }
        match &self {
            Self::TooMany { retry_after } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(*retry_after));
            }
            Self::Busy { retry_after } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after.as_secs()));
            }
            Self::Unavailable { .. } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}

impl From<store::Error> for ApiError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) => Self::Unavailable {
                code: "database_unavailable",
                message: "the database cannot be reached",
                source: Some(Box::new(error)),
            },
            store::Error::Refused(_) | store::Error::Unreadable(_) | store::Error::Migrate(_) => {
                Self::Internal(Box::new(error))
            }
        }
    }
}

impl From<pdp::Error> for ApiError {
    fn from(error: pdp::Error) -> Self {
        let unavailable = |code, message, source| Self::Unavailable { code, message, source };
        match error {
            pdp::Error::Unknown { field, unknown } => {
                let code = if field == "action" { "unknown_action" } else { "unknown_type" };
                Self::field(field, code, unknown.to_string())
            }
            pdp::Error::NotApplicable { field, message } => Self::field(field, "action_not_applicable", message),
            pdp::Error::Mistyped(fault) => Self::BadRequest { code: "mistyped", message: fault.to_string() },
            pdp::Error::RevisionUnavailable(_) => {
                unavailable("revision_unavailable", "this node has not seen that revision yet", Some(Box::new(error)))
            }
            pdp::Error::Stale => unavailable("stale", "this node cannot tell whether it is up to date", None),
            pdp::Error::Store(error) => error.into(),
            pdp::Error::Bundle(_) | pdp::Error::NoBundle => {
                unavailable("bundle_unavailable", "the active bundle cannot be used here", Some(Box::new(error)))
            }
            pdp::Error::LastAdministrator => Self::Conflict {
                code: "last_administrator",
                message: "no active administrator would be left who can administer the server".to_owned(),
            },
            pdp::Error::BrokenOff => Self::Internal(Box::new(error)),
        }
    }
}

impl From<CryptoError> for ApiError {
    fn from(error: CryptoError) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl From<accounts::Error> for ApiError {
    fn from(error: accounts::Error) -> Self {
        use accounts::Error as E;
        let text = error.to_string();
        let refused = |code, message| Self::Refused { code, message };
        match error {
            E::Wrong => refused("wrong_credentials", text),
            E::Throttled { wait } => Self::TooMany { retry_after: wait },
            E::Busy { wait } => Self::Busy { retry_after: wait },
            E::Refused => refused("sign_in_refused", text),
            E::MfaNeeded => refused("mfa_needed", text),
            E::SignUpOff => refused("sign_up_off", text),
            E::NotRecent | E::NotRecentWithMfa => refused("reauthentication_required", text),
            E::Weak(faults) => Self::Unprocessable(
                faults.into_iter().map(|fault| FieldFault::new("password", fault.code(), fault.to_string())).collect(),
            ),
            E::Foreign(_) => Self::field("password_hash", "unusable_hash", text),
            E::Spent => Self::BadRequest { code: "invalid_token", message: text },
            E::UsernameTaken => Self::Conflict { code: "username_taken", message: text },
            E::EmailTaken => Self::Conflict { code: "email_taken", message: text },
            E::Unknown => Self::NotFound("such user".to_owned()),
            E::Missing(what) => Self::NotFound(what.to_owned()),
            E::Conflict(_) => Self::Conflict { code: "conflict", message: text },
            E::Store(error) => error.into(),
            E::Pdp(error) => error.into(),
            E::Crypto(_) | E::Seal(_) | E::Post(_) => Self::Internal(Box::new(error)),
        }
    }
}

impl From<CompileError> for ApiError {
    fn from(error: CompileError) -> Self {
        let faults = error.diagnostics.into_iter().map(|d| FieldFault {
            file: Some(d.file),
            line: Some(d.line),
            column: Some(d.column),
            ..FieldFault::new("files", "invalid_cedar", d.message)
        });
        Self::Unprocessable(faults.collect())
    }
}

impl From<GrantFault> for FieldFault {
    fn from(fault: GrantFault) -> Self {
        Self::new(fault.field, fault.code, fault.message)
    }
}
