//! `/login/mfa` and `/account/mfa`.

use std::time::Duration;

use aws_lc_rs::hmac;

use super::PASSWORD;
use crate::{app::TestApp, browser::Browser};

/// An authenticator app.
pub struct Authenticator(Vec<u8>);

impl Authenticator {
    /// Reads the key off the page.
    pub fn scan(browser: &Browser) -> Self {
        let shown = browser.page.text.split("id=\"secret\">").nth(1).unwrap().split("</p>").next().unwrap();
        let letters = shown.replace("<span>", "").replace("</span>", "");
        let (mut bits, mut count, mut key) = (0_u32, 0, Vec::new());
        for letter in letters.trim().bytes() {
            let value = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".iter().position(|known| *known == letter).unwrap();
            bits = bits << 5 | u32::try_from(value).unwrap();
            count += 5;
            if count >= 8 {
                count -= 8;
                key.push((bits >> count & 0xff) as u8);
            }
        }
        Self(key)
    }

    /// The code of this moment (RFC 6238).
    pub fn code(&self, app: &TestApp) -> String {
        let step = u64::try_from(app.clock.now().unix_timestamp()).unwrap() / 30;
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[19] & 15);
        let number = u32::from_be_bytes([tag[at] & 127, tag[at + 1], tag[at + 2], tag[at + 3]]);
        format!("{:06}", number % 1_000_000)
    }
}

/// Turns it on; answers the app and the backup codes.
async fn enrol(app: &TestApp, browser: &mut Browser) -> (Authenticator, Vec<String>) {
    browser.open("/account/mfa").await;
    browser.submit("/account/mfa/app", &[]).await;
    let authenticator = Authenticator::scan(browser);
    browser.submit("/account/mfa/confirm", &[("code", &authenticator.code(app))]).await;
    (authenticator, codes(browser))
}

fn codes(browser: &Browser) -> Vec<String> {
    browser.says("Your backup codes");
    let codes = browser.page.text.split("<li><code>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned());
    let codes: Vec<String> = codes.collect();
    assert_eq!(codes.len(), 10);
    codes
}

#[tokio::test(flavor = "multi_thread")]
async fn from_then_on_signing_in_takes_a_code_n159_n160_n162_n169() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.signed_in("ana").await;
    let before = browser.session();
    let (authenticator, codes) = enrol(&app, &mut browser).await;
    assert_ne!(browser.session(), before, "a stronger session has a new cookie");
    browser.open("/account/mfa").await;
    browser.says("<strong>10</strong> of your backup codes");

    let mut other = app.browser();
    let spent = authenticator.code(&app);
    other.sign_in("ana", PASSWORD).await;
    other.is_at("/login/mfa");
    assert_eq!(other.session(), None);
    // The code that confirmed the app was used by that.
    other.submit("/login/mfa", &[("code", &spent)]).await;
    assert_eq!((other.page.status, other.session()), (422, None));
    app.later(Duration::from_secs(30));
    other.submit("/login/mfa", &[("code", &authenticator.code(&app))]).await;
    other.is_at("/account");
    assert!(!other.cookies.contains_key("__Host-deodar-mfa"));

    let mut third = app.browser();
    third.sign_in("ana", PASSWORD).await;
    third.open("/login/mfa?with=backup").await;
    third.submit("/login/mfa", &[("code", &codes[3].to_lowercase())]).await;
    third.is_at("/account");
    let mut fourth = app.browser();
    fourth.sign_in("ana", PASSWORD).await;
    fourth.submit("/login/mfa", &[("code", &codes[3])]).await;
    assert_eq!((fourth.page.status, fourth.session()), (422, None));
    fourth.says("That code is not right, or was used.");
}

/// Half a sign-in opens nothing but the second half.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_alone_reaches_no_page_of_the_account_v034() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.signed_in("ana").await;
    enrol(&app, &mut browser).await;
    let mut half = app.browser();
    half.sign_in("ana", PASSWORD).await;
    half.is_at("/login/mfa");
    for path in ["/account", "/account/mfa", "/account/profile", "/account/sessions", "/login?again=1"] {
        half.open(path).await;
        half.is_at("/login");
    }
    let challenge = half.cookies["__Host-deodar-mfa"].clone();
    half.cookies.insert("__Host-deodar".to_owned(), challenge);
    half.open("/account").await;
    half.is_at("/login");
    // Nor does the step open without a password.
    let mut none = app.browser();
    none.open("/login/mfa").await;
    none.is_at("/login");
}

/// Proving once more with both factors keeps the session.
#[tokio::test(flavor = "multi_thread")]
async fn proving_once_more_takes_both_factors_and_keeps_the_session_v026() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.signed_in("ana").await;
    let (authenticator, _) = enrol(&app, &mut browser).await;
    app.later(Duration::from_hours(1));
    // To replace the app the old one is asked for.
    browser.open("/account/mfa").await;
    browser.submit("/account/mfa/app", &[]).await;
    browser.is_at("/login");
    browser.says("Is it still you?");
    browser.submit("/login", &[("password", PASSWORD)]).await;
    browser.is_at("/login/mfa");
    browser.submit("/login/mfa", &[("code", &authenticator.code(&app))]).await;
    browser.is_at("/account/mfa");
    browser.submit("/account/mfa/app", &[]).await;
    browser.says("Scan this");
    browser.open("/account/sessions").await;
    assert_eq!(browser.page.text.matches("Firefox on Linux</strong>").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn turning_it_off_and_new_codes_take_both_factors_n163_n164() {
    let app = TestApp::spawn().await;
    app.resident("ana").await;
    let mut browser = app.signed_in("ana").await;
    let (authenticator, old) = enrol(&app, &mut browser).await;
    app.later(Duration::from_secs(30));
    browser.open("/account/mfa").await;
    browser.submit("/account/mfa/codes", &[("password", PASSWORD), ("code", "000000")]).await;
    assert_eq!(browser.page.status, 422);
    browser.submit("/account/mfa/codes", &[("password", PASSWORD), ("code", &authenticator.code(&app))]).await;
    let new = codes(&browser);
    browser.open("/account/mfa").await;
    browser.submit("/account/mfa/off", &[("password", PASSWORD), ("code", &old[0])]).await;
    assert_eq!(browser.page.status, 422);
    browser.submit("/account/mfa/off", &[("password", "not the password at all"), ("code", &new[0])]).await;
    assert_eq!(browser.page.status, 422);
    browser.submit("/account/mfa/off", &[("password", PASSWORD), ("code", &new[0])]).await;
    browser.is_at("/account/mfa");
    browser.says("Two-step sign-in is off.");
}
