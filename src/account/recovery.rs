//! A new password by mail.

use axum::{extract::State, http::StatusCode};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Hidden, email};
use crate::{
    app::App,
    model::Origin,
    web::{ApiError, Body, Problem},
};

/// The token of a link, and what it is for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    token: Hidden,
    new_password: Hidden,
}

/// Send a link to a new password. Answers alike, whether there is such an account or not.
#[utoipa::path(post, path = "/api/v1/password-reset", tag = "account", security(()), request_body = email::Address,
    responses((status = 202),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn request(
    State(app): State<App>,
    origin: Origin,
    Body(body): Body<email::Address>,
) -> Result<StatusCode, ApiError> {
    app.accounts.request_reset(email::read(&body.email)?, origin).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Set a new password by the token of a link. Every session of the account ends; a second factor stays.
#[utoipa::path(post, path = "/api/v1/password-reset/confirm", tag = "account", security(()),
    request_body = NewPassword, responses((status = 204),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn confirm(
    State(app): State<App>,
    origin: Origin,
    Body(body): Body<NewPassword>,
) -> Result<StatusCode, ApiError> {
    let (token, password) = (body.token.secret(), body.new_password.secret());
    let done = app.accounts.reset_password(token.expose(), password, &origin).await;
    done.map_err(|error| ApiError::from(error).renamed("password", "new_password"))?;
    Ok(StatusCode::NO_CONTENT)
}
