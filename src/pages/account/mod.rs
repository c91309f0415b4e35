//! `/account`: what a person sees and changes of their own account.
//!
//! Every request is a Cedar action upon the person's own `User`, judged by `policies/account.cedar` like that of the
//! account API.

mod activity;
mod applications;
mod close;
mod email;
mod mfa;
mod mfa_set_up;
mod overview;
mod password;
mod profile;
mod sessions;

use axum::{
    Router,
    extract::FromRequestParts,
    http::{Method, request::Parts},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;

use crate::{
    accounts::Proof,
    app::App,
    model::{ClientId, Fields, Json, Principal, ScopeSet, Secret, SessionRecord},
    pdp::{AccessRequest, ResourceInput, Session, Subject},
    store::users::UserRow,
    web::{
        browser::{Browser, Frame, Notice, PageError, ReturnTo, see_other},
        refusal,
    },
};

/// The pages, as the navigation lists them.
pub const SECTIONS: [(&str, &str); 8] = [
    ("/account", "Overview"),
    ("/account/profile", "Profile"),
    ("/account/password", "Password"),
    ("/account/mfa", "Two-step sign-in"),
    ("/account/sessions", "Devices"),
    ("/account/applications", "Applications"),
    ("/account/activity", "Activity"),
    ("/account/close", "Close the account"),
];

/// Every page of the account.
pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/account", get(overview::show))
        .route("/account/send-link", post(email::send_link))
        .route("/account/profile", get(profile::show).post(profile::submit))
        .route("/account/email", post(email::submit))
        .route("/account/password", get(password::show).post(password::submit))
        .route("/account/mfa", get(mfa::show))
        .route("/account/mfa/app", post(mfa_set_up::begin))
        .route("/account/mfa/confirm", post(mfa_set_up::confirm))
        .route("/account/mfa/codes", post(mfa::renew))
        .route("/account/mfa/off", post(mfa::turn_off))
        .route("/account/sessions", get(sessions::show))
        .route("/account/sessions/end", post(sessions::end))
        .route("/account/sessions/end-others", post(sessions::end_others))
        .route("/account/applications", get(applications::show))
        .route("/account/applications/revoke", post(applications::revoke))
        .route("/account/activity", get(activity::show))
        .route("/account/close", get(close::show))
        .route("/account/deactivate", post(close::deactivate))
        .route("/account/delete", post(close::delete))
}

/// Somebody who is signed in. Whoever is not is sent to sign in, and back.
pub struct Me {
    /// Their browser.
    pub browser: Browser,
    /// The session that it is in.
    pub session: SessionRecord,
    /// They.
    pub person: UserRow,
    /// See [`Frame`].
    pub frame: Frame,
}

impl FromRequestParts<App> for Me {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let browser = Browser::from_request_parts(parts, app).await.map_err(IntoResponse::into_response)?;
        let frame = browser.frame(app);
        let Some(session) = browser.session(app).await.map_err(IntoResponse::into_response)? else {
            let asked = parts.uri.path_and_query().map_or("", |path| path.as_str());
            let asked = if parts.method == Method::GET { ReturnTo::parse(asked) } else { None };
            let to = asked.unwrap_or_else(ReturnTo::account);
            return Err(see_other(&frame.path(&format!("/login{}", to.query()))));
        };
        let found = app.accounts.find(session.user).await;
        let person = found.map_err(|error| PageError::from(error).into_response())?;
        Ok(Self { browser, session, person, frame })
    }
}

impl Me {
    /// Succeeds when the policies allow this upon one's own account.
    pub async fn require(&self, app: &App, action: &str) -> Result<(), PageError> {
        let me = Principal::User(self.person.id).entity();
        let request = AccessRequest {
            principal: Subject::plain(me.clone()),
            action: action.to_owned(),
            resource: ResourceInput::plain(me),
            context: Fields::from([("held".to_owned(), Json::Bool(true))]),
            session: Some(self.as_session()),
        };
        let (answer, _) = app.pdp.check(&request, None, false).await?;
        if answer.allow { Ok(()) } else { Err(refusal(&request).into()) }
    }

    fn as_session(&self) -> Session {
        Session {
            mfa: self.session.mfa(),
            acr: self.session.acr().to_owned(),
            amr: self.session.amr.clone(),
            auth_time: self.session.auth_time.unix_timestamp(),
            client: ClientId::own_pages(),
            scopes: ScopeSet::default(),
        }
    }

    /// Why this may be done: the password, where the form had it, else that the sign-in is recent.
    pub fn proof(&self, password: Option<String>) -> Proof {
        let password = password.filter(|text| !text.is_empty()).map(Secret::new);
        Proof { auth_time: self.session.auth_time, mfa: self.session.mfa(), password }
    }

    /// Goes on at a page of the account.
    pub fn go(&self, path: &str) -> Response {
        see_other(&self.frame.path(path))
    }
}

/// What the page before has to tell.
#[derive(Default, Deserialize)]
pub struct Told {
    done: Option<String>,
}

impl Told {
    /// In words. Only these: the address is anybody's to write.
    pub fn notice(&self) -> Notice {
        match self.done.as_deref() {
            Some("saved") => Notice::done("Saved."),
            Some("sent") => Notice::done("We have sent a link to that address. It counts once the link was followed."),
            Some("password") => Notice::done("Your password is changed. All other devices are signed out."),
            Some("off") => Notice::done("Two-step sign-in is off."),
            Some("ended") => Notice::done("Signed out there."),
            Some("revoked") => Notice::done("Access taken back."),
            _ => Notice::default(),
        }
    }
}

/// Nothing but the token of the form.
#[derive(Deserialize)]
pub struct Button {}
