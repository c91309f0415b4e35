//! Errors in OAuth's form (RFC 6749 §5.2).

use axum::{
    Json,
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::authorize::Fault;
use crate::{model::GrantType, web::ApiError};

/// What a call of `/oauth/*` can fail with.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// Missing, repeated or malformed parameters.
    #[error("{0}")]
    InvalidRequest(String),
    /// Client authentication failed.
    #[error("client authentication failed")]
    InvalidClient,
    /// The client may not use this grant.
    #[error("this client may not use this grant type")]
    UnauthorizedClient,
    /// There is no such grant.
    #[error("this grant type is not supported")]
    UnsupportedGrantType,
    /// The client may not have this scope.
    #[error("{0}")]
    InvalidScope(String),
    /// The token cannot be for these resource servers (RFC 8707 §2).
    #[error("{0}")]
    InvalidTarget(&'static str),
    /// An authorization request that was pushed cannot be granted (RFC 9126 §2.3).
    #[error("{}", .0.description)]
    Authorization(Fault),
    /// The code, the token or the password is not good, or no longer.
    #[error("{0}")]
    InvalidGrant(&'static str),
    /// Nobody has answered yet whether the device may come in (RFC 8628 §3.5).
    #[error("{}", if *slower { "wait five seconds longer between two questions" } else { "the person has not answered yet" })]
    Pending {
        /// It was asked too early.
        slower: bool,
    },
    /// The person said no (RFC 8628 §3.5).
    #[error("the person does not want to connect this device")]
    Denied,
    /// Nobody answered in time (RFC 8628 §3.5).
    #[error("nobody answered in time: begin again")]
    Expired,
    /// The password was right, and a second factor is to come.
    #[error("a second factor is needed: send `mfa_token` and `otp` with the grant type `{}`", GrantType::MFA_OTP)]
    MfaRequired {
        /// What to send with the code.
        mfa_token: String,
    },
    /// The token that protects this endpoint is missing or not good (RFC 6750 §3.1).
    #[error("the token is not valid here")]
    InvalidToken {
        /// Whether one was sent.
        presented: bool,
    },
    /// There is no proof of possession, or not one for this request (RFC 9449 §5).
    #[error("{0}")]
    InvalidProof(&'static str),
    /// This server does not do that for anybody.
    #[error("{0}")]
    AccessDenied(&'static str),
    /// A redirect URI that cannot be registered (RFC 7591 §3.2.2).
    #[error("{0}")]
    InvalidRedirectUri(String),
    /// Metadata that cannot be registered (RFC 7591 §3.2.2).
    #[error("{0}")]
    InvalidClientMetadata(String),
    /// What can go wrong anywhere. The outermost layer writes it in OAuth's form.
    #[error(transparent)]
    Api(ApiError),
}

/// The body of an error.
#[derive(Debug, Serialize, ToSchema)]
pub struct OAuthErrorBody {
    /// A code of RFC 6749 or of the endpoint's own RFC.
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
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client"),
            Self::UnauthorizedClient => (StatusCode::BAD_REQUEST, "unauthorized_client"),
            Self::UnsupportedGrantType => (StatusCode::BAD_REQUEST, "unsupported_grant_type"),
            Self::InvalidScope(_) => (StatusCode::BAD_REQUEST, "invalid_scope"),
            Self::InvalidTarget(_) => (StatusCode::BAD_REQUEST, "invalid_target"),
            Self::Authorization(fault) => (StatusCode::BAD_REQUEST, fault.error),
            Self::InvalidGrant(_) => (StatusCode::BAD_REQUEST, "invalid_grant"),
            Self::Pending { slower: false } => (StatusCode::BAD_REQUEST, "authorization_pending"),
            Self::Pending { slower: true } => (StatusCode::BAD_REQUEST, "slow_down"),
            Self::Denied => (StatusCode::BAD_REQUEST, "access_denied"),
            Self::Expired => (StatusCode::BAD_REQUEST, "expired_token"),
            Self::MfaRequired { .. } => (StatusCode::BAD_REQUEST, "mfa_required"),
            Self::InvalidToken { .. } => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::InvalidProof(_) => (StatusCode::BAD_REQUEST, "invalid_dpop_proof"),
            Self::AccessDenied(_) => (StatusCode::FORBIDDEN, "access_denied"),
            Self::InvalidRedirectUri(_) => (StatusCode::BAD_REQUEST, "invalid_redirect_uri"),
            Self::InvalidClientMetadata(_) => (StatusCode::BAD_REQUEST, "invalid_client_metadata"),
            Self::Api(error) => (error.parts().0, error.oauth_code()),
        }
    }

    fn challenge(&self) -> Option<&'static str> {
        match self {
            Self::InvalidClient => Some("Basic realm=\"deodar\""),
            Self::InvalidToken { presented: true } => Some("Bearer error=\"invalid_token\""),
            Self::InvalidToken { presented: false } => Some("Bearer"),
            _ => None,
        }
    }
}

impl IntoResponse for OAuthError {
    fn into_response(self) -> Response {
        if let Self::Api(error) = self {
            return error.into_response();
        }
        let ((status, error), challenge) = (self.parts(), self.challenge());
        let error_description = self.to_string();
        let mfa_token = if let Self::MfaRequired { mfa_token } = self { Some(mfa_token) } else { None };
        let body = OAuthErrorBody { error, error_description, mfa_token };
        let mut response = (status, no_store(), Json(body)).into_response();
        if let Some(challenge) = challenge {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

/// An answer that nobody keeps (RFC 6749 §5.1).
pub fn unkept(body: &impl Serialize) -> Result<Response, OAuthError> {
    // What is usual fits, and is not moved as it grows.
    let mut json = Vec::with_capacity(2048);
    serde_json::to_writer(&mut json, body).map_err(|error| ApiError::Internal(error.into()))?;
    let mut response = Response::new(Body::from(json));
    let headers = response.headers_mut();
    // With those that every answer has.
    headers.reserve(6);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::PRAGMA, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// RFC 6749 §5.1.
pub fn no_store() -> [(header::HeaderName, &'static str); 2] {
    [(header::CACHE_CONTROL, "no-store"), (header::PRAGMA, "no-cache")]
}

impl<E: Into<ApiError>> From<E> for OAuthError {
    fn from(error: E) -> Self {
        Self::Api(error.into())
    }
}
