//! The cookies of a browser.
//!
//! All are `__Host-`: `Secure`, `HttpOnly`, for the whole path and for this host alone, so that no sibling host can plant
//! one (V-025). `SameSite=Lax` lets a client send a person here and keeps others from posting in their name.
//!
//! Why also over plain http on this machine: browsers take `http://127.0.0.1` and `http://localhost` for trustworthy and
//! keep `Secure` cookies there (checked in Chromium 148). There is no second, weaker set of names for development.

use axum::http::{HeaderMap, HeaderValue, header};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use time::Duration;

/// The session.
const SESSION: &str = "__Host-deodar";
/// A browser that once signed somebody in.
const DEVICE: &str = "__Host-deodar-device";
/// A sign-in that waits for its second factor.
const CHALLENGE: &str = "__Host-deodar-mfa";
/// What ties forms to this browser.
const FORM: &str = "__Host-deodar-form";
/// Browsers cap it at 400 days.
const DEVICE_KEPT: Duration = Duration::days(180);

/// What a browser sent.
#[derive(Clone, Debug)]
pub struct Cookies(CookieJar);

impl Cookies {
    /// Reads them off a request.
    pub(super) fn read(headers: &HeaderMap) -> Self {
        Self(CookieJar::from_headers(headers))
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(Cookie::value).filter(|value| !value.is_empty())
    }

    /// The token of the session.
    pub(super) fn session(&self) -> Option<&str> {
        self.get(SESSION)
    }

    /// What the browser is recognised by.
    pub(super) fn device(&self) -> Option<&str> {
        self.get(DEVICE)
    }

    /// The token of a sign-in that waits.
    pub(super) fn challenge(&self) -> Option<&str> {
        self.get(CHALLENGE)
    }

    /// The browser's secret for forms.
    pub(super) fn form(&self) -> Option<&str> {
        self.get(FORM)
    }

    /// Until the browser is closed: how long a session lasts is judged here, not there.
    pub(super) fn set_session(token: &str) -> HeaderValue {
        header(cookie(SESSION, token))
    }

    /// For a sign-in that waits.
    pub(super) fn set_challenge(token: &str) -> HeaderValue {
        header(cookie(CHALLENGE, token))
    }

    /// For months.
    pub(super) fn set_device(token: &str) -> HeaderValue {
        let mut cookie = cookie(DEVICE, token);
        cookie.set_max_age(DEVICE_KEPT);
        header(cookie)
    }

    /// Until the browser is closed.
    pub(super) fn set_form(secret: &str) -> HeaderValue {
        header(cookie(FORM, secret))
    }

    /// The session is over.
    pub(super) fn clear_session() -> HeaderValue {
        header(gone(SESSION))
    }

    /// The sign-in waits no longer.
    pub(super) fn clear_challenge() -> HeaderValue {
        header(gone(CHALLENGE))
    }
}

fn cookie(name: &'static str, value: &str) -> Cookie<'static> {
    let cookie = Cookie::build((name, value.to_owned())).path("/").secure(true).http_only(true);
    cookie.same_site(SameSite::Lax).build()
}

fn gone(name: &'static str) -> Cookie<'static> {
    let mut cookie = cookie(name, "");
    cookie.set_max_age(Duration::ZERO);
    cookie
}

fn header(cookie: Cookie<'static>) -> HeaderValue {
    // Names are ours and tokens are letters and digits: every one of them fits into a header.
    HeaderValue::try_from(cookie.to_string()).unwrap_or(HeaderValue::from_static(""))
}

/// Adds a cookie to an answer.
pub(super) fn send(headers: &mut HeaderMap, cookie: HeaderValue) {
    headers.append(header::SET_COOKIE, cookie);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// N-169.
    #[test]
    fn every_cookie_is_for_this_host_alone() {
        let all = [
            Cookies::set_session("x"),
            Cookies::set_challenge("x"),
            Cookies::set_device("x"),
            Cookies::set_form("x"),
            Cookies::clear_session(),
            Cookies::clear_challenge(),
        ];
        for cookie in all {
            let text = cookie.to_str().unwrap();
            assert!(text.starts_with("__Host-deodar"), "{text}");
            for attribute in ["; Secure", "; HttpOnly", "; SameSite=Lax", "; Path=/"] {
                assert!(text.contains(attribute), "{text}");
            }
            assert!(!text.contains("Domain"), "{text}");
        }
    }
}
