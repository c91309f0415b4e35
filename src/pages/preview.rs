//! Every page with sample data, for looking at: `cargo test --lib preview -- --ignored` writes them to `target/pages/`.

use std::{fs, path::Path};

use askama::Template;
use axum::{body::to_bytes, response::IntoResponse};
use time::macros::datetime;

use super::{
    account::*,
    recovery::{ForgotPasswordPage, ResetPasswordPage},
    register::RegisterPage,
    second_factor::SecondFactorPage,
    sign_in::{SignInAgainPage, SignInPage},
    verify_email::VerifyEmailPage,
    words::moment,
};
use crate::{
    config::Issuer,
    crypto::qr_svg,
    web::browser::{
        Consent, DeviceCode, DeviceConfirm, Field, FormPost, Frame, Message, Notice, Scope, SignOut, preview as assets,
    },
};

struct Folder {
    path: std::path::PathBuf,
}

impl Folder {
    fn put(&self, name: &str, text: &str) {
        let text = text.replace(&format!("{}/", frame().assets()), "");
        fs::write(self.path.join(name), text).unwrap();
    }

    fn page(&self, name: &str, page: &impl Template) {
        self.put(&format!("{name}.html"), &page.render().unwrap());
    }
}

fn frame() -> Frame {
    Frame::new(&Issuer::parse("https://id.deodar.example").unwrap(), "00".repeat(32))
}

fn password() -> Field {
    Field::password("password", "Password")
}

fn scopes() -> Vec<Scope<'static>> {
    ["openid", "profile", "email", "offline_access", "albums:read"].map(Scope::of).into()
}

#[tokio::test]
#[ignore = "for looking at"]
async fn writes_every_page() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/pages");
    fs::create_dir_all(&path).unwrap();
    let folder = Folder { path };
    for (name, text) in assets() {
        folder.put(name, text);
    }
    signing_in(&folder);
    recovering(&folder);
    asking(&folder).await;
    account(&folder);
    protecting(&folder);
}

fn signing_in(folder: &Folder) {
    let frame = &frame();
    let login = |value: &str| Field::text("login", "Username or e-mail", "username").value(value);
    let page = |notice, value| SignInPage {
        frame,
        notice,
        return_to: "/account",
        login: login(value),
        password: password(),
        sign_up: true,
    };
    folder.page("sign_in", &page(Notice::default(), ""));
    folder.page("sign_in_wrong", &page(Notice::wrong("The name or the password is not right."), "ana"));
    folder.page("sign_in_news", &page(Notice::done("Your new password is set. Sign in with it."), ""));
    folder.page(
        "sign_in_again",
        &SignInAgainPage {
            frame,
            notice: Notice::default(),
            return_to: "/account",
            person: "ana",
            password: password(),
            another: String::new(),
        },
    );
    let second = |backup: bool| SecondFactorPage {
        frame,
        notice: Notice::default(),
        return_to: "/account",
        code: if backup { Field::text("code", "Backup code", "off") } else { Field::code("code", "Code") },
        backup,
        other: String::new(),
        again: String::new(),
    };
    folder.page("second_factor", &second(false));
    folder.page("second_factor_backup", &second(true));
    folder.page(
        "sign_out",
        &SignOut { frame, person: "ana", client: Some("Meadow Photos"), action: "/logout", hidden: Vec::new() },
    );
}

fn recovering(folder: &Folder) {
    let frame = &frame();
    let register = |fault: &str| RegisterPage {
        frame,
        notice: if fault.is_empty() {
            Notice::default()
        } else {
            Notice::wrong("Please look at what is marked below.")
        },
        username: Field::text("username", "Username", "username")
            .hint("Others may see it. Letters, digits, and . _ - between them."),
        email: Field::email("email", "E-mail"),
        password: Field::new_password("password", "Password", 15).fault(fault),
    };
    folder.page("register", &register(""));
    folder.page(
        "register_wrong",
        &register("The password is too short; write 15 characters or more, such as a few unrelated words."),
    );
    folder.page("verify_email", &VerifyEmailPage { frame, token: "x" });
    let email = Field::email("email", "E-mail");
    folder.page("forgot_password", &ForgotPasswordPage { frame, notice: Notice::default(), email });
    let password = Field::new_password("password", "New password", 15);
    folder.page("reset_password", &ResetPasswordPage { frame, notice: Notice::default(), token: "x", password });
    folder.page(
        "message",
        &Message {
            frame,
            title: "Look into your mail",
            paragraphs: vec![
                "We have sent you a link. Follow it, and your account is ready.".to_owned(),
                "Nothing there? It can take a minute, or lie with the spam.".to_owned(),
            ],
            link: Some(("Sign in", "/login")),
        },
    );
}

async fn asking(folder: &Folder) {
    let frame = &frame();
    let consent = |verified, client| Consent {
        frame,
        action: "/consent",
        request: "x",
        client,
        home: Some("https://photos.meadow.example"),
        privacy: Some("https://photos.meadow.example/privacy"),
        terms: Some("https://photos.meadow.example/terms"),
        verified,
        scopes: scopes(),
        person: "ana",
        goes_to: "photos.meadow.example",
    };
    folder.page("consent", &consent(true, "Meadow Photos"));
    folder.page("consent_unverified", &consent(false, "<script>alert(1)</script>AReallyLongNameWithoutAnySpaces&amp;"));
    folder.page("device_code", &DeviceCode::new(frame, "", ""));
    folder.page(
        "device_confirm",
        &DeviceConfirm {
            frame,
            user_code: "BCDF-GHJK",
            client: "Meadow TV",
            verified: true,
            scopes: scopes(),
            person: "ana",
        },
    );
    let post = FormPost { frame, action: "https://photos.meadow.example/cb", fields: vec![("code", "x")] };
    let body = to_bytes(post.into_response().into_body(), usize::MAX).await.unwrap();
    // As it looks where scripts are off.
    folder.put("form_post.html", &String::from_utf8(body.to_vec()).unwrap().replace(".submit()", ""));
}

fn account(folder: &Folder) {
    let frame = &frame();
    let at = |minutes: i64| moment(datetime!(2026-11-23 21:48 UTC) - time::Duration::minutes(minutes));
    let states = ["Ana Silva", "Change it", "On, 9 backup codes left", "Signed in on 3", "Who may know you"];
    let states = states.into_iter().chain(["What happened lately", "Switch it off, or delete it"]);
    let rows = SECTIONS.iter().skip(1).zip(states);
    folder.page(
        "account",
        &OverviewPage {
            frame,
            here: "/account",
            notice: Notice::default(),
            person: "ana",
            unproven: Some("ana@example.com"),
            rows: rows.map(|((path, label), state)| Row { path, label, state: state.to_owned() }).collect(),
        },
    );
    let text = |name, label, value: &str| Field::text(name, label, "off").optional().value(value);
    folder.page(
        "profile",
        &ProfilePage {
            frame,
            here: "/account/profile",
            notice: Notice::done("Saved."),
            person: "ana",
            since: "3 May 2026".to_owned(),
            display_name: text("display_name", "Name", "Ana Silva"),
            locale: text("locale", "Language", "pt").hint("Such as en, or pt-BR."),
            zoneinfo: text("zoneinfo", "Time zone", "Europe/Lisbon").hint("Such as Europe/Lisbon."),
            address: Some("ana@example.com"),
            confirmed: true,
            email: Field::email("email", "New address"),
            password: Field::password("password", "Your password"),
        },
    );
    let device = |device: &str, address: &str, here, minutes| Device {
        id: String::new(),
        device: device.to_owned(),
        address: address.to_owned(),
        since: at(minutes + 9000),
        last: at(minutes),
        here,
    };
    folder.page(
        "sessions",
        &SessionsPage {
            frame,
            here: "/account/sessions",
            notice: Notice::default(),
            person: "ana",
            sessions: vec![
                device("Firefox on Linux", "192.0.2.7", true, 0),
                device("Safari on iPhone", "2001:db8:4:1::9c", false, 95),
                device("Chrome on Windows", "198.51.100.23", false, 2811),
            ],
        },
    );
    let application = |name: &str, scopes: &str, minutes| Application {
        id: String::new(),
        name: name.to_owned(),
        scopes: scopes.to_owned(),
        since: at(minutes),
    };
    folder.page(
        "applications",
        &ApplicationsPage {
            frame,
            here: "/account/applications",
            notice: Notice::default(),
            person: "ana",
            applications: vec![
                application("Meadow Photos", "your name, your e-mail address, while you are away", 40000),
                application("Harbour Wiki", "your name", 90000),
            ],
        },
    );
    let line = |words: &str, failed, minutes| Line {
        words: words.to_owned(),
        failed,
        at: at(minutes),
        address: Some("192.0.2.7".to_owned()),
        client: None,
    };
    folder.page(
        "activity",
        &ActivityPage {
            frame,
            here: "/account/activity",
            person: "ana",
            events: vec![
                line("Signed in", false, 0),
                line("Gave a code", false, 1),
                line("Somebody gave a wrong code", true, 2),
                line("Used a backup code", false, 2500),
                line("Turned two-step sign-in on", false, 2600),
                line("Changed the password", false, 4000),
            ],
            older: Some("x".to_owned()),
        },
    );
}

fn protecting(folder: &Folder) {
    let frame = &frame();
    let mine = || Field::password("password", "Your password");
    folder.page(
        "password",
        &PasswordPage {
            frame,
            here: "/account/password",
            notice: Notice::default(),
            person: "ana",
            current: Field::password("current", "Current password"),
            new: Field::new_password("password", "New password", 15),
        },
    );
    let mfa = |on: bool| MfaPage {
        frame,
        here: "/account/mfa",
        notice: Notice::default(),
        person: "ana",
        on,
        going_on: None,
        codes: 9,
        codes_until: Some("23 November 2027".to_owned()),
        codes_password: mine().named("codes-password"),
        codes_code: Field::code("code", "Code, or a backup code").named("codes-code"),
        app_password: None,
        off_password: mine().named("off-password"),
        off_code: Field::code("code", "Code, or a backup code").named("off-code"),
    };
    folder.page("mfa_on", &mfa(true));
    folder.page("mfa_off", &mfa(false));
    let uri = "otpauth://totp/id.deodar.example:ana?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=id.deodar.example";
    folder.page(
        "mfa_app",
        &SetUpPage {
            frame,
            here: "/account/mfa",
            notice: Notice::default(),
            person: "ana",
            shown: Some(Shown {
                qr: qr_svg(uri).unwrap(),
                uri: uri.to_owned(),
                secret: ["JBSW", "Y3DP", "EHPK", "3PXP", "JBSW", "Y3DP", "EHPK", "3PXP"].map(str::to_owned).into(),
            }),
            code: Field::code("code", "Code"),
            password: None,
            going_on: None,
        },
    );
    folder.page(
        "mfa_codes",
        &CodesPage {
            frame,
            here: "/account/mfa",
            notice: Notice::done("Two-step sign-in is on."),
            person: "ana",
            codes: (0..10).map(|n| format!("7KQ{n}-M4X{n}")).collect(),
            until: "23 November 2027".to_owned(),
            going_on: None,
        },
    );
    folder.page(
        "close",
        &ClosePage {
            frame,
            here: "/account/close",
            notice: Notice::default(),
            person: "ana",
            off_password: mine().named("off-password"),
            delete_password: mine().named("delete-password"),
            delete_name: Field::text("username", "Your username, to be sure", "off"),
        },
    );
}
