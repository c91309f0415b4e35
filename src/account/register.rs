//! Registering oneself.

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Hidden;
use crate::{
    accounts::{Registered, Registration},
    app::App,
    model::{Email, Origin, UserId, Username},
    web::{ApiError, Body, FieldFault, Problem},
};

/// Somebody new.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// Login name.
    username: String,
    /// Address, which has to be proven.
    email: String,
    password: Hidden,
}

/// What happens next.
#[derive(Debug, Serialize, ToSchema)]
pub struct Accepted {
    /// For people.
    message: &'static str,
    /// Where the server tells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    id: Option<UserId>,
}

const MAIL: &str = "we have sent a mail to this address: follow the link in it";

/// Register. Whether the name or the address is taken is told by mail only, unless the server is set to tell.
#[utoipa::path(post, path = "/api/v1/users", tag = "account", security(()), request_body = NewUser, responses(
    (status = 201, description = "where the server tells", body = Accepted),
    (status = 202, description = "by default, whatever became of it", body = Accepted),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn register(State(app): State<App>, origin: Origin, Body(body): Body<NewUser>) -> Result<Response, ApiError> {
    let mut faults = Vec::new();
    let mut fault = |field: &str, text: String| faults.push(FieldFault::new(field, &format!("invalid_{field}"), text));
    let username = body.username.parse::<Username>().map_err(|error| fault("username", error.to_string()));
    let email = body.email.parse::<Email>().map_err(|error| fault("email", error.to_string()));
    let (Ok(username), Ok(email)) = (username, email) else { return Err(ApiError::Unprocessable(faults)) };
    let new = Registration { username, email, password: body.password.secret() };
    match app.accounts.register(new, &origin).await? {
        None => Ok((StatusCode::ACCEPTED, Json(Accepted { message: MAIL, id: None })).into_response()),
        Some(Registered::Created(id)) => {
            Ok((StatusCode::CREATED, Json(Accepted { message: MAIL, id: Some(id) })).into_response())
        }
        Some(Registered::UsernameTaken) => Err(crate::accounts::Error::UsernameTaken.into()),
        Some(Registered::EmailTaken) => Err(crate::accounts::Error::EmailTaken.into()),
    }
}
