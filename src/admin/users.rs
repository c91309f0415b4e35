//! People, as administrators see them.

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};

use super::{
    authority::{self, Act, Gives},
    server,
};
use crate::{
    accounts::{NewAccount, NewPassword},
    app::App,
    model::{Email, EntityRef, InvalidEmail, InvalidLine, InvalidUsername, Line, Secret, UserId, Username},
    pdp::Write,
    store::{self, users::UserRow},
    web::{ApiError, Body, Caller, Cursor, Page, Params, PathOf, Problem, Revised, nullable, profile},
};

/// A person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = User)]
pub struct UserView {
    #[schema(value_type = String)]
    id: UserId,
    username: String,
    #[schema(required)]
    email: Option<String>,
    email_verified: bool,
    #[schema(required)]
    display_name: Option<String>,
    #[schema(required)]
    locale: Option<String>,
    #[schema(required)]
    zoneinfo: Option<String>,
    /// False: everything of theirs stops.
    active: bool,
    mfa_enabled: bool,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    updated_at: OffsetDateTime,
}

/// A person to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUserBody {
    username: String,
    email: Option<String>,
    /// Whether the address counts as proven. Else a link is sent to prove it.
    #[serde(default)]
    email_verified: bool,
    display_name: Option<String>,
    /// Without a password and a hash, a link to choose one is sent.
    #[schema(format = Password)]
    password: Option<String>,
    /// From elsewhere: Argon2, bcrypt, PBKDF2 or scrypt, in PHC or modular crypt form. Replaced at the next login.
    #[schema(format = Password)]
    password_hash: Option<String>,
}

/// What may change of a person. Null takes a value away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserChange {
    username: Option<String>,
    /// Counts as proven only with `email_verified`; else a link is sent to prove it.
    email: Option<String>,
    email_verified: Option<bool>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    display_name: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    locale: Option<Option<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    zoneinfo: Option<Option<String>>,
}

/// Which people.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Search {
    /// The beginning of a username or an address, or a part of a display name.
    #[serde(default)]
    search: String,
    /// Only those who are switched on, or off.
    active: Option<bool>,
    /// Most items, 1 to 200; 50 without.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// Why somebody is let in without their second factor.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BypassBody {
    /// Goes on record.
    reason: String,
    /// How long the code works: 60 to 900 seconds.
    #[schema(minimum = 60, maximum = 900)]
    ttl_seconds: i64,
}

/// A code that works once. Shown once.
#[derive(Serialize, ToSchema)]
pub struct Bypass {
    code: String,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
}

/// List people, oldest first.
#[utoipa::path(get, path = "/api/v1/admin/users", tag = "users", params(Search), responses(
    (status = 200, body = Page<UserView>),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn list(
    State(app): State<App>,
    caller: Caller,
    Params(search): Params<Search>,
) -> Result<Json<Page<UserView>>, ApiError> {
    caller.require(&app, "Deodar::listUsers", server()).await?;
    let cursor = Cursor::new(search.limit, search.cursor);
    let after = cursor.after_parsed::<UserId>()?;
    if search.search.contains('\0') {
        return Ok(Json(cursor.page(Vec::new(), |row: &UserRow| row.id.to_string(), UserView::from)));
    }
    let text = search.search.to_lowercase();
    let rows = store::users::list(&app.pool, &text, search.active, after, cursor.rows()?).await?;
    Ok(Json(cursor.page(rows, |row| row.id.to_string(), UserView::from)))
}

/// Add a person.
#[utoipa::path(post, path = "/api/v1/admin/users", tag = "users", request_body = NewUserBody, responses(
    (status = 201, body = UserView, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn create(
    State(app): State<App>,
    caller: Caller,
    Body(body): Body<NewUserBody>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require(&app, "Deodar::createUser", server()).await?;
    let account = body.read()?;
    let hash = app.accounts.prepare(&account).await?;
    let made = EntityRef::new("User", account.id.to_string());
    let act = Act::new("Deodar::createUser", server(), Gives::Nothing).about(made);
    let mut write = authority::begin(&app, &caller, &[act]).await?;
    let id = app.accounts.create(&mut write, &account, hash.as_ref()).await?;
    let view = find(&mut write, id).await?;
    let revision = app.accounts.finish(write).await?;
    let location = format!("/api/v1/admin/users/{id}");
    Ok(Revised(revision, (StatusCode::CREATED, [(header::LOCATION, location)], Json(view))))
}

/// Show a person.
#[utoipa::path(get, path = "/api/v1/admin/users/{id}", tag = "users", params(("id" = String, Path)), responses(
    (status = 200, body = UserView),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn get(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<Json<UserView>, ApiError> {
    caller.require(&app, "Deodar::viewUser", EntityRef::new("User", id.as_str())).await?;
    Ok(Json(app.accounts.find(existing(&id)?).await?.into()))
}

/// Change a person.
#[utoipa::path(patch, path = "/api/v1/admin/users/{id}", tag = "users", params(("id" = String, Path)),
    request_body = UserChange, responses((status = 200, body = UserView),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn update(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    Body(body): Body<UserChange>,
) -> Result<impl IntoResponse, ApiError> {
    let (mut write, id) = begin(&app, &caller, &id, "Deodar::updateUser").await?;
    let username = body.username.as_deref().map(username).transpose()?;
    let address = body.email.as_deref().map(address).transpose()?;
    let change = profile::read(body.display_name, body.locale, body.zoneinfo)?;
    find(&mut write, id).await?;
    app.accounts.rename(&mut write, id, username.as_ref(), address.as_ref(), body.email_verified).await?;
    store::users::update_profile(write.conn(), id, &change, app.clock.now()).await?;
    let view = find(&mut write, id).await?;
    app.accounts.finish(write).await?;
    Ok(Json(view))
}

/// Remove a person with everything personal. What is on record keeps the opaque id.
#[utoipa::path(delete, path = "/api/v1/admin/users/{id}", tag = "users", params(("id" = String, Path)), responses(
    (status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn delete(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    let (mut write, id) = begin(&app, &caller, &id, "Deodar::deleteUser").await?;
    app.accounts.delete(&mut write, id).await?;
    Ok(Revised(app.accounts.finish(write).await?, StatusCode::NO_CONTENT))
}

/// Switch a person off: every session, token and check stops.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/deactivate", tag = "users", params(("id" = String, Path)),
    responses((status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn deactivate(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    let (mut write, id) = begin(&app, &caller, &id, "Deodar::deactivateUser").await?;
    app.accounts.deactivate(&mut write, id).await?;
    Ok(Revised(app.accounts.finish(write).await?, StatusCode::NO_CONTENT))
}

/// Switch a person on again.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/activate", tag = "users", params(("id" = String, Path)),
    responses((status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn activate(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    let (mut write, id) = begin(&app, &caller, &id, "Deodar::activateUser").await?;
    app.accounts.activate(&mut write, id).await?;
    Ok(Revised(app.accounts.finish(write).await?, StatusCode::NO_CONTENT))
}

/// Forget failed attempts, so that a person need not wait.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/unlock", tag = "users", params(("id" = String, Path)),
    responses((status = 204),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn unlock(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    let (mut write, id) = begin(&app, &caller, &id, "Deodar::unlockUser").await?;
    app.accounts.unlock(&mut write, id).await?;
    app.accounts.finish(write).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// End every session of a person. Its tokens are dead.
#[utoipa::path(delete, path = "/api/v1/admin/users/{id}/sessions", tag = "users", params(("id" = String, Path)),
    responses((status = 204, headers(("Deodar-Revision" = i64))),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn end_sessions(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    let (mut write, id) = begin(&app, &caller, &id, "Deodar::endUserSessions").await?;
    find(&mut write, id).await?;
    app.accounts.end(&mut write, id, None, None).await?;
    Ok(Revised(app.accounts.finish(write).await?, StatusCode::NO_CONTENT))
}

/// Take a person's second factor away. They are told by mail.
#[utoipa::path(delete, path = "/api/v1/admin/users/{id}/mfa", tag = "users", params(("id" = String, Path)),
    responses((status = 204),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn reset_mfa(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
) -> Result<impl IntoResponse, ApiError> {
    let (mut write, id) = begin(&app, &caller, &id, "Deodar::resetUserMfa").await?;
    find(&mut write, id).await?;
    app.accounts.reset_mfa(&mut write, id).await?;
    app.accounts.finish(write).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Let a person in once without their second factor. They are told by mail.
#[utoipa::path(post, path = "/api/v1/admin/users/{id}/mfa-bypass", tag = "users", params(("id" = String, Path)),
    request_body = BypassBody, responses((status = 201, body = Bypass),
    (status = "default", body = Problem, content_type = "application/problem+json")))]
pub async fn grant_bypass(
    State(app): State<App>,
    caller: Caller,
    PathOf(id): PathOf<String>,
    Body(body): Body<BypassBody>,
) -> Result<impl IntoResponse, ApiError> {
    caller.require_admin_scope()?;
    let id = existing(&id)?;
    let wrong = |error: InvalidLine| ApiError::field("reason", "invalid_reason", error.to_string());
    let reason: Line = body.reason.parse().map_err(wrong)?;
    if !(60..=900).contains(&body.ttl_seconds) {
        return Err(ApiError::field("ttl_seconds", "out_of_bounds", "write 60 to 900 seconds"));
    }
    let act = Act::on_user("Deodar::grantMfaBypass", id).with("reason", reason.as_str());
    let mut write = authority::begin(&app, &caller, &[act]).await?;
    let lifetime = Duration::seconds(body.ttl_seconds);
    let (code, expires_at) = app.accounts.grant_bypass(&mut write, id, caller.principal(), &reason, lifetime).await?;
    app.accounts.finish(write).await?;
    let body = Bypass { code: code.expose().clone(), expires_at };
    Ok((StatusCode::CREATED, [(header::CACHE_CONTROL, "no-store")], Json(body)))
}

/// Opens a write upon a person for a caller who is allowed this.
async fn begin(app: &App, caller: &Caller, id: &str, action: &'static str) -> Result<(Write, UserId), ApiError> {
    caller.require_admin_scope()?;
    let id = existing(id)?;
    Ok((authority::begin(app, caller, &[Act::on_user(action, id)]).await?, id))
}

async fn find(write: &mut Write, id: UserId) -> Result<UserView, ApiError> {
    let row = store::users::find(write.conn(), id).await?;
    row.map(UserView::from).ok_or_else(|| ApiError::NotFound(format!("user `{id}`")))
}

fn existing(id: &str) -> Result<UserId, ApiError> {
    id.parse().map_err(|_| ApiError::NotFound(format!("user `{}`", id.escape_debug())))
}

fn username(text: &str) -> Result<Username, ApiError> {
    text.parse().map_err(|error: InvalidUsername| ApiError::field("username", "invalid_username", error.to_string()))
}

fn address(text: &str) -> Result<Email, ApiError> {
    text.parse().map_err(|error: InvalidEmail| ApiError::field("email", "invalid_email", error.to_string()))
}

impl NewUserBody {
    fn read(self) -> Result<NewAccount, ApiError> {
        let password = match (self.password, self.password_hash) {
            (Some(_), Some(_)) => {
                return Err(ApiError::field("password_hash", "ambiguous", "give a password or a hash, not both"));
            }
            (Some(password), None) => NewPassword::Given(Secret::new(password)),
            (None, Some(hash)) => NewPassword::Imported(Secret::new(hash)),
            (None, None) if self.email.is_none() => {
                let text = "without a password an address is needed, to send a link to";
                return Err(ApiError::field("email", "missing", text));
            }
            (None, None) => NewPassword::ByMail,
        };
        let name = profile::read(self.display_name.map(Some), None, None)?.display_name.flatten();
        Ok(NewAccount {
            id: UserId::new(),
            username: username(&self.username)?,
            email: self.email.as_deref().map(address).transpose()?,
            email_verified: self.email_verified,
            display_name: name,
            password,
        })
    }
}

impl From<UserRow> for UserView {
    fn from(row: UserRow) -> Self {
        Self {
            id: row.id,
            username: row.username,
            email: row.email,
            email_verified: row.email_verified,
            display_name: row.display_name,
            locale: row.locale,
            zoneinfo: row.zoneinfo,
            active: row.active,
            mfa_enabled: row.mfa,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
