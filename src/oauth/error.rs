//! Errors in OAuth's form (RFC 6749 §5.2).

use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{accounts, crypto::CryptoError, model::GrantType, pdp, store};

/// What a call of `/oauth/*` can fail with.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// Missing, repeated or malformed parameters.
    #[error("{0}")]
    InvalidRequest(String),
    /// Client authentication failed.
    #[error("client authentication failed")]
    InvalidClient {
        /// By HTTP Basic.
        basic: bool,
    },
    /// The client may not use this grant.
    #[error("this client may not use this grant type")]
    UnauthorizedClient,
    /// There is no such grant.
    #[error("this grant type is not supported")]
    UnsupportedGrantType,
    /// The client may not have this scope.
    #[error("{0}")]
    InvalidScope(String),
    /// The code, the token or the password is not good, or no longer.
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// The password was right, and a second factor is to come.
    #[error("a second factor is needed: send `mfa_token` and `otp` with the grant type `{}`", GrantType::MFA_OTP)]
    MfaRequired {
        /// What to send with the code.
        mfa_token: String,
    },
    /// Too many attempts.
    #[error("too many attempts: wait a moment")]
    TooMany {
        /// Seconds to wait.
        retry_after: u64,
    },
    /// Not now.
    #[error("try again in a moment")]
    TemporarilyUnavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Our fault.
    #[error("something went wrong here")]
    ServerError(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct OAuthErrorBody {
    /// A code of RFC 6749.
    error: &'static str,
    /// For developers.
    error_description: String,
    /// With `mfa_required`: what to send with the code.
    #[serde(skip_serializing_if = "Option::is_none")]
    mfa_token: Option<String>,
}

impl OAuthError {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::InvalidRequest(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::InvalidClient { .. } => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::UnauthorizedClient => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::InvalidScope(_) => (StatusCode::BAD_REQUEST, "invalid_scope"),
            Self::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::MfaRequired { .. } => (StatusCode::FORBIDDEN, "mfa_required"),
            Self::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable"),
            Self::TemporarilyUnavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
            Self::ServerError(_) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        let (status, error) = self.parts();
        if status.is_server_error() {
            let source = std::error::Error::source(&self).map(ToString::to_string);
            tracing::error!(error, source, "a call of the OAuth endpoints failed");
        }
        let mfa_token = if let Self::MfaRequired { mfa_token } = &self { Some(mfa_token.clone()) } else { None };
        let body = OAuthErrorBody { error, error_description: self.to_string(), mfa_token };
        let mut response = (status, no_store(), Json(body)).into_response();
        let headers = response.headers_mut();
        match self {
            Self::InvalidClient { basic: true } => {
                headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"deodar\""));
            }
            Self::TooMany { retry_after } => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after));
            }
            Self::TemporarilyUnavailable(_) => {
                headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            }
            _ => {}
        }
        response
    }
}

/// RFC 6749 §5.1.
pub fn no_store() -> [(header::HeaderName, &'static str); 2] {
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")]
}

impl From<store::Error> for OAuthError {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::Unavailable(_) => Self::TemporarilyUnavailable(Box::new(error)),
            store::Error::Refused(_) | store::Error::Unreadable(_) | store::Error::Migrate(_) => {
                Self::ServerError(Box::new(error))
            }
        }
    }
}

impl From<pdp::Error> for OAuthError {
    fn from(error: pdp::Error) -> Self {
        Self::TemporarilyUnavailable(Box::new(error))
    }
}

impl From<accounts::Error> for OAuthError {
    fn from(error: accounts::Error) -> Self {
        use accounts::Error as E;
        match error {
            E::Wrong => Self::InvalidGrant("the credentials are wrong"),
            E::Spent => Self::InvalidGrant("this login does not wait any more: begin again"),
            E::Refused => Self::InvalidGrant("the policies do not allow this person to log in here"),
            E::MfaNeeded => Self::InvalidGrant("a second factor is needed here, and this person has none"),
            E::Throttled { wait } => Self::TooMany { retry_after: wait },
            E::Store(error) => error.into(),
            E::Pdp(error) => error.into(),
            E::Busy => Self::TemporarilyUnavailable(Box::new(error)),
            other => Self::ServerError(Box::new(other)),
        }
    }
}

impl From<CryptoError> for OAuthError {
    fn from(error: CryptoError) -> Self {
        Self::ServerError(Box::new(error))
    }
}
