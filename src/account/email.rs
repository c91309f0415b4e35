//! Proving an address.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::Hidden;
use crate::{
    app::App,
    model::{Email, InvalidEmail, Origin},
    web::{ApiError, Body, Problem},
};

/// Who wants a new link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Address {
    /// The address to write to.
    pub email: String,
}

/// The token of a link.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Token {
    token: Hidden,
}

/// Send a new link to prove an address. Answers alike, whether somebody waits for one or not.
#[utoipa::path(post, path = "/api/v1/email-verification", tag = "account", security(()), request_body = Address,
    responses((status = 202),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn request(
    State(app): State<App>,
    origin: Origin,
    Body(body): Body<Address>,
) -> Result<StatusCode, ApiError> {
    app.accounts.request_verification(read(&body.email)?, origin).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Prove an address by the token of a link.
#[utoipa::path(post, path = "/api/v1/email-verification/confirm", tag = "account", security(()), request_body = Token,
    responses((status = 204),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn confirm(State(app): State<App>, origin: Origin, Body(body): Body<Token>) -> Result<StatusCode, ApiError> {
    app.accounts.confirm_email(body.token.secret().expose(), &origin).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Reads an address.
pub fn read(text: &str) -> Result<Email, ApiError> {
    text.parse()
        .map_err(|error: InvalidEmail| ApiError::BadRequest { code: "invalid_email", message: error.to_string() })
}
