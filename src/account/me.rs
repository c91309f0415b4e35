//! One's own profile and password, and leaving.

use axum::{Json, extract::State, http::StatusCode};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::Hidden;
use crate::{
    accounts::Proof,
    app::App,
    model::UserId,
    store::users::{ProfileChange, UserRow},
    web::{ApiError, Body, Caller, OptionalBody, Problem, Revised, nullable, profile},
};

/// A person, as they see themselves.
#[derive(Debug, Serialize, ToSchema)]
pub struct Profile {
    #[schema(value_type = String)]
    id: UserId,
    username: String,
    #[schema(required)]
    email: Option<String>,
    email_verified: bool,
    #[schema(required)]
    display_name: Option<String>,
    /// BCP 47.
    #[schema(required)]
    locale: Option<String>,
    /// IANA time zone.
    #[schema(required)]
    zoneinfo: Option<String>,
    mfa_enabled: bool,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// What may change of a profile. Null takes a value away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProfileBody {
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    display_name: Option<Option<String>>,
    /// BCP 47: `pt-BR`.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    locale: Option<Option<String>>,
    /// IANA time zone: `Europe/Lisbon`.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    zoneinfo: Option<Option<String>>,
    /// A new address. It counts once the link that is sent to it was followed.
    email: Option<String>,
    /// Needed for a new address, unless the login is recent.
    current_password: Option<Hidden>,
}

/// Why this may be done.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The current password. Needed unless the login is recent.
    pub password: Option<Hidden>,
}

/// A change of password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    current_password: Hidden,
    new_password: Hidden,
}

/// Show one's own profile.
#[utoipa::path(get, path = "/api/v1/me", tag = "account", responses((status = 200, body = Profile),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn get(State(app): State<App>, caller: Caller) -> Result<Json<Profile>, ApiError> {
    let user = caller.require_self(&app, "Deodar::viewSelf").await?;
    Ok(Json(app.accounts.find(user).await?.into()))
}

/// Change one's own profile.
#[utoipa::path(patch, path = "/api/v1/me", tag = "account", request_body = ProfileBody, responses(
    (status = 200, body = Profile),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<ProfileBody>,
) -> Result<Json<Profile>, ApiError> {
    let user = caller.require_self(&app, "Deodar::updateSelf").await?;
    let email = body.email.as_deref().map(super::email::read).transpose()?;
    let change: ProfileChange = profile::read(body.display_name, body.locale, body.zoneinfo)?;
    if let Some(email) = email {
        let proof = proof(&caller, body.current_password);
        app.accounts.change_email(user, &email, &proof, caller.origin()).await?;
    }
    if !change.is_empty() {
        app.accounts.update_profile(user, &change, caller.origin()).await?;
    }
    Ok(Json(app.accounts.find(user).await?.into()))
}

/// Remove one's own account with everything personal. What is on record keeps its opaque id.
#[utoipa::path(delete, path = "/api/v1/me", tag = "account", request_body = Option<Reason>, responses(
    (status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    OptionalBody(body): OptionalBody<Reason>,
) -> Result<Revised<StatusCode>, ApiError> {
    let user = caller.require_self(&app, "Deodar::closeAccount").await?;
    let revision = app.accounts.close(user, &proof(&caller, body.password), true, caller.origin()).await?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

/// Switch one's own account off. Everything of it stops; an administrator can switch it on again.
#[utoipa::path(post, path = "/api/v1/me/deactivate", tag = "account", request_body = Option<Reason>, responses(
    (status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn deactivate(
    State(app): State<App>,
    caller: Caller,
    OptionalBody(body): OptionalBody<Reason>,
) -> Result<Revised<StatusCode>, ApiError> {
    let user = caller.require_self(&app, "Deodar::closeAccount").await?;
    let revision = app.accounts.close(user, &proof(&caller, body.password), false, caller.origin()).await?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

/// Change one's own password. Every other session ends.
#[utoipa::path(post, path = "/api/v1/me/password", tag = "account", request_body = PasswordChange, responses(
    (status = 204),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn change_password(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<PasswordChange>,
) -> Result<Revised<StatusCode>, ApiError> {
    let user = caller.require_self(&app, "Deodar::updateSelf").await?;
    let (current, new) = (body.current_password.secret(), body.new_password.secret());
    let session = caller.token().session_id;
    let done = app.accounts.change_password(user, current, new, session, caller.origin()).await;
    let revision = done.map_err(|error| ApiError::from(error).renamed("password", "new_password"))?;
    Ok(Revised(revision, StatusCode::NO_CONTENT))
}

/// Why the caller may change what protects the account.
pub fn proof(caller: &Caller, password: Option<Hidden>) -> Proof {
    let session = caller.token().session.as_ref();
    let auth_time = session.map_or(0, |session| session.auth_time);
    Proof {
        mfa: session.is_some_and(|session| session.mfa),
        auth_time: OffsetDateTime::from_unix_timestamp(auth_time).unwrap_or(OffsetDateTime::UNIX_EPOCH),
        password: password.map(Hidden::secret),
    }
}

impl From<UserRow> for Profile {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id,
            username: row.username,
            email: row.email,
            email_verified: row.email_verified,
            display_name: row.display_name,
            locale: row.locale,
            zoneinfo: row.zoneinfo,
            mfa_enabled: row.mfa,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
