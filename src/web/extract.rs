//! Requests read at the edge, with errors that say what to write instead.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request, rejection::BytesRejection},
    http::{StatusCode, header, request::Parts},
};
use serde::de::DeserializeOwned;

use super::ApiError;

/// A JSON body.
pub struct Body<T>(pub T);

/// Query parameters.
pub struct Params<T>(pub T);

/// Path parameters.
pub struct PathOf<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let ty = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = ty.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(ApiError::UnsupportedMediaType);
        }
        let bytes = Bytes::from_request(request, state).await.map_err(unread)?;
        // A list would be taken for an object's members in their order of declaration.
        if bytes.trim_ascii_start().first().is_some_and(|first| *first == b'[') {
            let message = "the body is not acceptable: expected an object, found an array".to_owned();
            return Err(ApiError::BadRequest { code: "invalid_body", message });
        }
        serde_json::from_slice(&bytes).map(Self).map_err(|error| {
            let code = if error.is_data() { "invalid_body" } else { "malformed_json" };
            ApiError::BadRequest { code, message: format!("the body is not acceptable: {error}") }
        })
    }
}

fn unread(rejection: BytesRejection) -> ApiError {
    match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
        _ => ApiError::BadRequest { code: "unreadable_body", message: "the body broke off".to_owned() },
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read = Query::<T>::from_request_parts(parts, state).await;
        read.map(|Query(params)| Self(params)).map_err(|rejection| ApiError::BadRequest {
            code: "invalid_query",
            message: format!("the query is not acceptable: {}", rejection.body_text()),
        })
    }
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for PathOf<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let read = Path::<T>::from_request_parts(parts, state).await;
        read.map(|Path(params)| Self(params)).map_err(|rejection| ApiError::BadRequest {
            code: "invalid_path",
            message: format!("the path is not acceptable: {}", rejection.body_text()),
        })
    }
}
