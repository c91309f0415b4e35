//! One's own second factor.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{
    Hidden,
    me::{Reason, proof},
};
use crate::{
    accounts::NewBackupCodes,
    app::App,
    web::{ApiError, Body, Caller, OptionalBody, Problem},
};

/// What is set up.
#[derive(Debug, Serialize, ToSchema)]
pub struct Mfa {
    /// Whether a second factor is asked for at every login.
    enabled: bool,
    /// Whether an authenticator is in use.
    totp: bool,
    /// How many backup codes are left.
    backup_codes_remaining: i64,
    /// Until when they work.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    backup_codes_expire_at: Option<OffsetDateTime>,
}

/// What an authenticator needs. Shown once.
#[derive(Serialize, ToSchema)]
#[schema(as = TotpEnrolment)]
pub struct Enrolment {
    /// Base32, to be typed.
    secret: String,
    otpauth_uri: String,
    qr_svg: String,
}

/// The code that the authenticator shows.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    code: Hidden,
    /// The current password. Needed unless the login is recent.
    password: Option<Hidden>,
}

/// Both factors.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BothFactors {
    password: Hidden,
    /// Of the authenticator, or a backup code.
    code: Hidden,
}

/// Codes that work once each. Shown once.
#[derive(Serialize, ToSchema)]
pub struct BackupCodes {
    backup_codes: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// Show what is set up.
#[utoipa::path(get, path = "/api/v1/me/mfa", tag = "account", responses((status = 200, body = Mfa),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn get(State(app): State<App>, caller: Caller) -> Result<Json<Mfa>, ApiError> {
    let user = caller.require_self(&app, "Deodar::viewSelf").await?;
    let state = app.accounts.mfa(user).await?;
    Ok(Json(Mfa {
        enabled: state.totp,
        totp: state.totp,
        backup_codes_remaining: state.backup_codes,
        backup_codes_expire_at: state.backup_codes_expire_at,
    }))
}

/// Begin to set up an authenticator, perhaps in the place of another one, which works until this is confirmed.
#[utoipa::path(post, path = "/api/v1/me/mfa/totp", tag = "account", request_body = Option<Reason>, responses(
    (status = 200, body = Enrolment),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn enrol(
    State(app): State<App>,
    caller: Caller,
    OptionalBody(body): OptionalBody<Reason>,
) -> Result<impl IntoResponse, ApiError> {
    let user = caller.require_self(&app, "Deodar::manageMfa").await?;
    let made = app.accounts.enrol(user, &proof(&caller, body.password), caller.origin()).await?;
    let (secret, uri, qr) = (made.secret, made.otpauth_uri, made.qr_svg);
    Ok(once(Enrolment {
        secret: secret.expose().clone(),
        otpauth_uri: uri.expose().clone(),
        qr_svg: qr.expose().clone(),
    }))
}

/// Put the authenticator into use, by a code that it shows.
#[utoipa::path(post, path = "/api/v1/me/mfa/totp/confirm", tag = "account", request_body = Confirmation, responses(
    (status = 200, body = BackupCodes),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn confirm(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<Confirmation>,
) -> Result<impl IntoResponse, ApiError> {
    let user = caller.require_self(&app, "Deodar::manageMfa").await?;
    let (code, proof) = (body.code.secret(), proof(&caller, body.password));
    let session = caller.token().session_id;
    let (codes, _) = app.accounts.confirm_enrolment(user, code.expose(), &proof, session, caller.origin()).await?;
    Ok(once(BackupCodes::from(codes)))
}

/// Replace the backup codes. Earlier ones are dead.
#[utoipa::path(post, path = "/api/v1/me/mfa/backup-codes", tag = "account", request_body = BothFactors, responses(
    (status = 200, body = BackupCodes),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn regenerate(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<BothFactors>,
) -> Result<impl IntoResponse, ApiError> {
    let user = caller.require_self(&app, "Deodar::manageMfa").await?;
    let (password, code) = (body.password.secret(), body.code.secret());
    let codes = app.accounts.regenerate_codes(user, password, code.expose(), caller.origin()).await?;
    Ok(once(BackupCodes::from(codes)))
}

/// Take the second factor away.
#[utoipa::path(delete, path = "/api/v1/me/mfa/totp", tag = "account", request_body = BothFactors, responses(
    (status = 204),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn disable(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<BothFactors>,
) -> Result<StatusCode, ApiError> {
    let user = caller.require_self(&app, "Deodar::manageMfa").await?;
    let (password, code) = (body.password.secret(), body.code.secret());
    app.accounts.disable_mfa(user, password, code.expose(), caller.origin()).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn once<T: Serialize>(body: T) -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "no-store")], Json(body))
}

impl From<NewBackupCodes> for BackupCodes {
    fn from(new: NewBackupCodes) -> Self {
        let backup_codes = new.codes.iter().map(|code| code.expose().clone()).collect();
        Self { backup_codes, expires_at: new.expires_at }
    }
}
