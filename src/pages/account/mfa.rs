//! `/account/mfa`: the second step of signing in.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
};
use serde::Deserialize;

use super::{Me, Told, mfa_set_up::codes_page};
use crate::{
    app::App,
    model::Secret,
    pages::{fault::Faults, words::day},
    web::browser::{Field, Frame, Notice, PageForm, PageResult, ReturnTo, html},
};

#[derive(Template)]
#[template(path = "pages/account/mfa.html")]
pub struct MfaPage<'a> {
    pub frame: &'a Frame,
    pub here: &'static str,
    pub notice: Notice,
    pub person: &'a str,
    pub on: bool,
    /// Whoever waits for it, where the person goes on afterwards.
    pub going_on: Option<ReturnTo>,
    pub codes: i64,
    pub codes_until: Option<String>,
    pub codes_password: Field,
    pub codes_code: Field,
    /// Only where the sign-in is not recent.
    pub app_password: Option<Field>,
    pub off_password: Field,
    pub off_code: Field,
}

/// What came of a form, and who sent the person here.
#[derive(Deserialize)]
pub struct Asked {
    #[serde(flatten)]
    told: Told,
    return_to: Option<String>,
}

/// What the forms hold that ask for both factors.
#[derive(Deserialize)]
pub struct Both {
    password: String,
    code: String,
}

/// The state, and what can be done.
pub async fn show(State(app): State<App>, me: Me, Query(asked): Query<Asked>) -> PageResult {
    me.require(&app, "Deodar::viewSelf").await?;
    page(&app, &me, &Faults::told(asked.told.notice()), false, going_on(asked.return_to.as_deref())).await
}

/// Where somebody goes on who was sent here to set up a second step.
pub(super) fn going_on(return_to: Option<&str>) -> Option<ReturnTo> {
    return_to.and_then(ReturnTo::parse).filter(|to| !to.is_of_account())
}

/// `prove` asks for the password before an app is set up.
pub(super) async fn page(app: &App, me: &Me, faults: &Faults, prove: bool, going_on: Option<ReturnTo>) -> PageResult {
    let state = app.accounts.mfa(me.person.id).await?;
    let password = || Field::password("password", "Your password");
    let code = || Field::code("code", "Code, or a backup code").letters();
    let page = MfaPage {
        frame: &me.frame,
        here: "/account/mfa",
        notice: faults.notice.clone(),
        person: &me.person.username,
        on: state.totp,
        going_on,
        codes: state.backup_codes,
        codes_until: state.backup_codes_expire_at.map(day),
        codes_password: password().named("codes-password"),
        codes_code: code().named("codes-code"),
        app_password: prove.then(|| password().named("app-password").fault(faults.about("password")).focus()),
        off_password: password().named("off-password"),
        off_code: code().named("off-code"),
    };
    Ok(faults.answer(html(StatusCode::OK, &page, None)))
}

const WRONG: &str = "The password or the code is not right.";

/// New backup codes, shown once.
pub async fn renew(State(app): State<App>, me: Me, PageForm(sent): PageForm<Both>) -> PageResult {
    me.require(&app, "Deodar::manageMfa").await?;
    let password = Secret::new(sent.password);
    match app.accounts.regenerate_codes(me.person.id, password, sent.code.trim(), &me.browser.origin).await {
        Ok(new) => Ok(codes_page(&me, Notice::done("Your old codes no longer work."), &new, None)),
        Err(error) => page(&app, &me, &Faults::of(error, WRONG)?, false, None).await,
    }
}

/// Back to the password alone.
pub async fn turn_off(State(app): State<App>, me: Me, PageForm(sent): PageForm<Both>) -> PageResult {
    me.require(&app, "Deodar::manageMfa").await?;
    let password = Secret::new(sent.password);
    match app.accounts.disable_mfa(me.person.id, password, sent.code.trim(), &me.browser.origin).await {
        Ok(()) => Ok(me.go("/account/mfa?done=off")),
        Err(error) => page(&app, &me, &Faults::of(error, WRONG)?, false, None).await,
    }
}
