//! `/device`: a person types the code that a device shows, sees what it asks for, and answers (RFC 8628 §3.3).
//!
//! Nothing is done for a link alone, not even one with the code in it (RFC 8628 §5.4): somebody may have been sent it.
//! So consent is always asked, also for what the person agreed to before, and for applications of the house.

use std::sync::Arc;

use axum::{
    extract::{Query, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use serde::Deserialize;

use crate::{
    accounts::Error,
    app::App,
    crypto::UserCode,
    model::{Device, GrantType, Login, SessionRecord},
    tokens::{Permit, Registered, Wish},
    web::{
        ApiError,
        browser::{
            Browser, DeviceCode, DeviceConfirm, Message, PageError, PageForm, PageResult, ReturnTo, Scope, html,
            see_other,
        },
    },
};

/// The code, as it came in the link.
#[derive(Deserialize)]
pub struct Linked {
    #[serde(default)]
    user_code: String,
}

/// The code, as it was typed.
#[derive(Deserialize)]
pub struct Typed {
    user_code: String,
}

/// The answer.
#[derive(Deserialize)]
pub struct Answered {
    user_code: String,
    decision: Decision,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Decision {
    Allow,
    Deny,
}

const UNKNOWN: &str = "No device shows this code now. Check it, or begin again at the device.";

/// Asks for the code.
pub async fn show(State(app): State<App>, browser: Browser, Query(linked): Query<Linked>) -> PageResult {
    let code = UserCode::parse(&linked.user_code);
    if browser.session(&app).await?.is_none() {
        return Ok(lead(&app, &browser, "/login", code.as_ref()));
    }
    let shown = code.map(|code| code.shown()).unwrap_or_default();
    Ok(html(StatusCode::OK, &DeviceCode::new(&browser.frame(&app), &shown, ""), None))
}

/// Shows what the device asks for.
pub async fn submit(
    State(app): State<App>,
    browser: Browser,
    PageForm(sent): PageForm<Typed>,
) -> Result<Response, Early> {
    let visit = Visit::begin(&app, &browser, &sent.user_code).await?;
    let person = app.accounts.find(visit.session.user).await?;
    let page = DeviceConfirm {
        frame: &browser.frame(&app),
        user_code: &visit.code.shown(),
        client: visit.registered.client.name(),
        verified: !visit.registered.client.self_registered,
        scopes: visit.device.scope.for_people().map(Scope::of).collect(),
        person: &person.username,
    };
    Ok(html(StatusCode::OK, &page, None))
}

/// Takes the answer.
pub async fn answer(
    State(app): State<App>,
    browser: Browser,
    PageForm(sent): PageForm<Answered>,
) -> Result<Response, Early> {
    let visit = Visit::begin(&app, &browser, &sent.user_code).await?;
    if sent.decision == Decision::Allow {
        visit.conclude(true, "Connected", "You can go on at your device.").await
    } else {
        visit.conclude(false, "Not connected", "The device was told that you do not want to connect it.").await
    }
}

/// A person who typed the code of a device that waits, and may let it in.
struct Visit<'a> {
    app: &'a App,
    browser: &'a Browser,
    session: SessionRecord,
    code: UserCode,
    device: Device,
    registered: Arc<Registered>,
}

impl<'a> Visit<'a> {
    async fn begin(app: &'a App, browser: &'a Browser, typed: &str) -> Result<Self, Early> {
        let code = UserCode::parse(typed);
        let Some(session) = browser.session(app).await? else {
            return Err(Early::Page(lead(app, browser, "/login", code.as_ref())));
        };
        let Some(code) = code else { return Err(again(app, browser)) };
        let device = match app.accounts.find_device(&code, &session, &browser.origin).await {
            Ok(device) => device,
            Err(Error::Wrong) => return Err(again(app, browser)),
            Err(error) => return Err(error.into()),
        };
        let Some(registered) = app.clients.find(&device.client).await? else { return Err(again(app, browser)) };
        let visit = Self { app, browser, session, code, device, registered };
        match visit.permit().await? {
            Permit::Granted => Ok(visit),
            Permit::AfterMfa if !visit.session.mfa() => {
                Err(Early::Page(lead(app, browser, "/login/mfa", Some(&visit.code))))
            }
            Permit::AfterMfa | Permit::Refused => {
                let text = "You are not allowed to connect this device.";
                Err(Early::Page(visit.conclude(false, "Not connected", text).await?))
            }
        }
    }

    async fn permit(&self) -> Result<Permit, ApiError> {
        let login = Login::from(&self.session);
        let wish = Wish {
            client: &self.registered.client,
            login: Some(&login),
            grant_type: GrantType::DeviceCode.as_str(),
            scope: &self.device.scope,
            resources: &self.device.resources,
        };
        Ok(wish.ask(&self.app.pdp).await?)
    }

    async fn conclude(&self, allowed: bool, title: &str, text: &str) -> Result<Response, Early> {
        let Self { app, browser, session, device, .. } = self;
        match app.accounts.answer_device(device, session, allowed, &browser.origin).await {
            Ok(()) => {}
            Err(Error::Spent) => return Err(again(app, browser)),
            Err(error) => return Err(error.into()),
        }
        let frame = &browser.frame(app);
        let page =
            Message { frame, title, paragraphs: vec![text.to_owned()], link: Some(("Your account", "/account")) };
        Ok(html(StatusCode::OK, &page, None))
    }
}

/// Another page than the one that was to come.
pub enum Early {
    /// This one.
    Page(Response),
    /// The one of an error.
    Failed(PageError),
}

impl IntoResponse for Early {
    fn into_response(self) -> Response {
        match self {
            Self::Page(page) => page,
            Self::Failed(error) => error.into_response(),
        }
    }
}

impl<E: Into<ApiError>> From<E> for Early {
    fn from(error: E) -> Self {
        Self::Failed(error.into().into())
    }
}

impl From<PageError> for Early {
    fn from(error: PageError) -> Self {
        Self::Failed(error)
    }
}

/// Leads to a page that comes first, and back here.
fn lead(app: &App, browser: &Browser, page: &str, code: Option<&UserCode>) -> Response {
    let query = code.map(|code| format!("?user_code={}", code.shown())).unwrap_or_default();
    let back = ReturnTo::parse(&format!("/device{query}")).unwrap_or_else(ReturnTo::account);
    see_other(&browser.frame(app).path(&format!("{page}{}", back.query())))
}

/// The form once more, for a code that no device shows.
fn again(app: &App, browser: &Browser) -> Early {
    Early::Page(html(StatusCode::UNPROCESSABLE_ENTITY, &DeviceCode::new(&browser.frame(app), "", UNKNOWN), None))
}
