//! Setting an authenticator up: a secret that is shown once, then a code that proves it arrived.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde::Deserialize;

use super::{
    Me,
    mfa::{self, going_on},
};
use crate::{
    accounts::{Error, NewBackupCodes},
    app::App,
    crypto::BackupCode,
    pages::{fault::Faults, words::day},
    web::browser::{Field, Frame, Notice, PageForm, PageResult, ReturnTo, html, renew},
};

#[derive(Template)]
#[template(path = "pages/account/mfa_app.html")]
pub struct SetUpPage<'a> {
    pub frame: &'a Frame,
    pub here: &'static str,
    pub notice: Notice,
    pub person: &'a str,
    /// Nothing after a wrong code: the app has it already.
    pub shown: Option<Shown>,
    pub code: Field,
    /// Only where the sign-in is not recent any more.
    pub password: Option<Field>,
    /// Whoever waits for it, where the person goes on afterwards.
    pub going_on: Option<ReturnTo>,
}

/// What the app needs.
pub struct Shown {
    /// An SVG of our own making.
    pub qr: String,
    /// For an app on the same device.
    pub uri: String,
    /// In groups of four.
    pub secret: Vec<String>,
}

#[derive(Template)]
#[template(path = "pages/account/mfa_codes.html")]
pub struct CodesPage<'a> {
    pub frame: &'a Frame,
    pub here: &'static str,
    pub notice: Notice,
    pub person: &'a str,
    pub codes: Vec<String>,
    pub until: String,
    /// Whoever waits for it, where the person goes on.
    pub going_on: Option<ReturnTo>,
}

/// The password, where it was asked for.
#[derive(Deserialize)]
pub struct Begin {
    password: Option<String>,
    return_to: Option<String>,
}

/// The first code.
#[derive(Deserialize)]
pub struct Confirm {
    code: String,
    password: Option<String>,
    return_to: Option<String>,
}

/// Where a factor is to be replaced, it is asked for first, and then this page again.
fn prove_again(going_on: Option<&ReturnTo>) -> String {
    format!("/login{}&again=1", ReturnTo::mfa(going_on).query())
}

/// A fresh secret. Answers the form itself, so that no address ever leads to a secret.
pub async fn begin(State(app): State<App>, me: Me, PageForm(sent): PageForm<Begin>) -> PageResult {
    me.require(&app, "Deodar::manageMfa").await?;
    let going_on = going_on(sent.return_to.as_deref());
    match app.accounts.enrol(me.person.id, &me.proof(sent.password), &me.browser.origin).await {
        Ok(new) => {
            let letters: Vec<char> = new.secret.expose().chars().collect();
            let shown = Shown {
                qr: new.qr_svg.expose().clone(),
                uri: new.otpauth_uri.expose().clone(),
                secret: letters.chunks(4).map(|part| part.iter().collect()).collect(),
            };
            Ok(set_up_page(&me, Some(shown), &Faults::default(), going_on))
        }
        Err(Error::Wrong) => {
            let faults = Faults::field("password", "that is not your password");
            mfa::page(&app, &me, &faults, true, going_on).await
        }
        Err(Error::NotRecentWithMfa) => Ok(me.go(&prove_again(going_on.as_ref()))),
        Err(Error::NotRecent) if me.person.mfa => Ok(me.go(&prove_again(going_on.as_ref()))),
        Err(error @ Error::NotRecent) => mfa::page(&app, &me, &Faults::of(error, "")?, true, going_on).await,
        Err(error) => mfa::page(&app, &me, &Faults::of(error, "")?, false, going_on).await,
    }
}

fn set_up_page(me: &Me, shown: Option<Shown>, faults: &Faults, going_on: Option<ReturnTo>) -> Response {
    let ask = !faults.about("password").is_empty();
    let page = SetUpPage {
        frame: &me.frame,
        here: "/account/mfa",
        notice: faults.notice.clone(),
        person: &me.person.username,
        shown,
        going_on,
        code: Field::code("code", "Code").fault(faults.about("code")),
        password: ask.then(|| Field::password("password", "Your password").fault(faults.about("password"))),
    };
    faults.answer(html(StatusCode::OK, &page, None))
}

/// Turns it on, and shows the backup codes. This browser has proven both factors now, so it gets a new cookie.
pub async fn confirm(State(app): State<App>, me: Me, PageForm(sent): PageForm<Confirm>) -> PageResult {
    me.require(&app, "Deodar::manageMfa").await?;
    let (user, here) = (me.person.id, Some(me.session.id));
    let (proof, code) = (me.proof(sent.password), sent.code.trim());
    let going_on = going_on(sent.return_to.as_deref());
    match app.accounts.confirm_enrolment(user, code, &proof, here, &me.browser.origin).await {
        Ok((new, token)) => {
            let page = codes_page(&me, Notice::done("Two-step sign-in is on."), &new, going_on);
            Ok(if let Some(token) = token { renew(page, &token) } else { page })
        }
        Err(Error::Wrong) => {
            let text = "that is not the code that the app shows now: wait for the next one, and see that the clock of \
                        your phone is right";
            Ok(set_up_page(&me, None, &Faults::field("code", text), going_on))
        }
        Err(Error::NotRecentWithMfa) => Ok(me.go(&prove_again(going_on.as_ref()))),
        Err(Error::Missing(_)) => Ok(me.go(ReturnTo::mfa(going_on.as_ref()).as_str())),
        Err(error) => Ok(set_up_page(&me, None, &Faults::of(error, "")?, going_on)),
    }
}

/// The backup codes, once.
pub(super) fn codes_page(me: &Me, notice: Notice, new: &NewBackupCodes, going_on: Option<ReturnTo>) -> Response {
    let page = CodesPage {
        frame: &me.frame,
        here: "/account/mfa",
        notice,
        person: &me.person.username,
        codes: new.codes.iter().filter_map(|code| Some(BackupCode::parse(code.expose())?.shown())).collect(),
        until: day(new.expires_at),
        going_on,
    };
    html(StatusCode::OK, &page, None)
}
