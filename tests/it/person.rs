//! People who can log in, and their authenticators.

use deodar::{
    crypto::TotpSecret,
    model::{Clock, GrantType},
};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::Row;

use crate::{
    actor::{Actor, Who},
    answer::Answer,
    app::TestApp,
    mailbox::ReceivedMail,
};

/// Of everybody in these tests who has not chosen another one.
pub const PASSWORD: &str = "mauve otter dry kettle";

/// Somebody who registered, proved an address and logged in through a trusted application.
#[derive(Clone)]
pub struct Person {
    /// With a token of a fresh login.
    pub me: Actor,
    /// Login name.
    pub name: String,
    /// Address.
    pub email: String,
    /// The application through which this person logs in.
    pub shop: Actor,
}

/// An authenticator.
#[derive(Clone)]
pub struct Authenticator {
    secret: Vec<u8>,
    /// As it was shown.
    pub base32: String,
    clock: Clock,
}

impl TestApp {
    /// A person with [`PASSWORD`], who proved the address `NAME@example.com`. The server needs an administrator first.
    pub async fn person(&self, name: &str) -> Person {
        let shop = self.trusted().await;
        self.person_of(name, &shop).await
    }

    /// The same, logged in through this application.
    pub async fn person_of(&self, name: &str, shop: &Actor) -> Person {
        let email = format!("{name}@example.com");
        let is_link = |mail: &ReceivedMail| mail.text.contains("/verify-email?token=");
        let before = self.mailbox.all().iter().filter(|mail| mail.to == [email.clone()] && is_link(mail)).count();
        self.anonymous().register(name, &email, PASSWORD).await.is(202);
        let link = self.mailbox.wait_for_another(&email, before, is_link).await;
        let token = token_of(&link);
        self.anonymous().post("/api/v1/email-verification/confirm", &json!({ "token": token })).await.is(204);
        let signed_in = shop.sign_in(name, PASSWORD).await.is(200);
        let me = self.bearer(&signed_in.text_at("/access_token"));
        let id = me.get("/api/v1/me").await.is(200).text_at("/id");
        Person { me: Actor { who: Some(Who::user(&id)), ..me }, name: name.to_owned(), email, shop: shop.clone() }
    }

    /// An application that may ask for passwords (D1).
    pub async fn trusted(&self) -> Actor {
        let grants = [GrantType::Password, GrantType::ClientCredentials];
        self.client_with("shop", "openid profile email admin authz:check", &[], &grants).await
    }

    /// Lets time pass until codes are made of the next step.
    pub fn next_step(&self) {
        let now = self.clock.now().unix_timestamp();
        self.later(std::time::Duration::from_secs(u64::try_from(30 - now.rem_euclid(30)).unwrap()));
    }

    /// How many events there are with this action and outcome.
    pub async fn count_events(&self, action: &str, outcome: &str) -> i64 {
        let mut conn = self.database.connect().await;
        let count = sqlx::query("SELECT count(*) FROM audit WHERE action = $1 AND outcome = $2");
        count.bind(action).bind(outcome).fetch_one(&mut conn).await.unwrap().get(0)
    }
}

/// The token in the link of a mail.
pub fn token_of(mail: &ReceivedMail) -> String {
    let links = mail.links();
    links.iter().find_map(|link| link.split_once("?token=")).expect("a link with a token").1.to_owned()
}

/// `/oauth/token`, for people.
impl Actor {
    /// A form at the token endpoint, by this application.
    pub async fn token_request(&self, form: &[(&str, &str)]) -> Answer {
        let (id, secret) = (self.who().id.clone(), self.secret.clone().unwrap());
        let own = [("client_id", id.as_str()), ("client_secret", secret.as_str())];
        self.token_form(&[form, &own].concat()).await
    }

    /// Somebody logs in through this application.
    pub async fn sign_in(&self, login: &str, password: &str) -> Answer {
        self.token_request(&[("grant_type", "password"), ("username", login), ("password", password)]).await
    }

    /// The second step: `waiting` is what the first one answered.
    pub async fn second_step(&self, waiting: &str, code: &str) -> Answer {
        self.token_request(&[("grant_type", GrantType::MFA_OTP), ("mfa_token", waiting), ("otp", code)]).await
    }

    /// Registers somebody.
    pub async fn register(&self, name: &str, email: &str, password: &str) -> Answer {
        self.post("/api/v1/users", &json!({ "username": name, "email": email, "password": password })).await
    }
}

impl Person {
    /// The id.
    pub fn id(&self) -> &str {
        &self.me.who().id
    }

    /// Logs in with [`PASSWORD`].
    pub async fn sign_in(&self) -> Answer {
        self.shop.sign_in(&self.name, PASSWORD).await
    }

    /// Logs in up to the second factor.
    pub async fn first_step(&self) -> String {
        self.sign_in().await.oauth(400, "mfa_required").text_at("/mfa_token")
    }

    /// Logs in with a code.
    pub async fn sign_in_with(&self, code: &str) -> Answer {
        let waiting = self.first_step().await;
        self.shop.second_step(&waiting, code).await
    }

    /// The same person with another token.
    pub fn with_token(&self, answer: &Answer) -> Actor {
        Actor { token: Some(answer.text_at("/access_token")), ..self.me.clone() }
    }

    /// Sets an authenticator up. Answers it and the backup codes.
    pub async fn enable_totp(&self, app: &TestApp) -> (Authenticator, Vec<String>) {
        let authenticator = self.enrol(app).await;
        let body = json!({ "code": authenticator.code() });
        let done = self.me.post("/api/v1/me/mfa/totp/confirm", &body).await.is(200);
        (authenticator, codes(&done))
    }

    /// Begins to set an authenticator up.
    pub async fn enrol(&self, app: &TestApp) -> Authenticator {
        let shown = self.me.post("/api/v1/me/mfa/totp", &json!({})).await.is(200);
        assert_eq!(shown.header("cache-control"), "no-store");
        Authenticator::new(&shown.text_at("/secret"), app)
    }

    /// Everything this person sees of what happened, newest first, as `action outcome`.
    pub async fn activity(&self, me: &Actor) -> Vec<String> {
        events(&me.get("/api/v1/me/activity?limit=200").await.is(200))
    }
}

/// `action outcome` of each event.
pub fn events(page: &Answer) -> Vec<String> {
    let text = |event: &Value, name: &str| event[name].as_str().unwrap().to_owned();
    page.items().iter().map(|event| format!("{} {}", text(event, "action"), text(event, "outcome"))).collect()
}

/// The backup codes of an answer.
pub fn codes(answer: &Answer) -> Vec<String> {
    let codes = answer.json["backup_codes"].as_array().unwrap();
    codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect()
}

impl Authenticator {
    /// With a secret as it was shown.
    pub fn new(base32: &str, app: &TestApp) -> Self {
        let bits: String =
            base32.chars().map(|c| format!("{:05b}", "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap())).collect();
        let bytes = bits.as_bytes().chunks_exact(8);
        let secret = bytes.map(|b| u8::from_str_radix(std::str::from_utf8(b).unwrap(), 2).unwrap()).collect();
        Self { secret, base32: base32.to_owned(), clock: app.clock.clone() }
    }

    /// The code of this moment (RFC 6238 over RFC 4226).
    pub fn code(&self) -> String {
        self.code_at(0)
    }

    /// The code of a step before or after.
    pub fn code_at(&self, offset: i64) -> String {
        let step = self.clock.now().unix_timestamp().div_euclid(30) + offset;
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.secret);
        let tag = aws_lc_rs::hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        let at = usize::from(tag[19] & 15);
        let number = u32::from_be_bytes(tag[at..at + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }

    /// A code that is wrong now, and one for each `n`.
    pub fn wrong(&self, n: u32) -> String {
        let near: Vec<String> = (-2..=2).map(|offset| self.code_at(offset)).collect();
        (n..).map(|n| format!("{:06}", n % 1_000_000)).find(|code| !near.contains(code)).unwrap()
    }
}

/// DELETE with a body.
impl Actor {
    /// Takes the second factor away.
    pub async fn disable_totp(&self, password: &str, code: &str) -> Answer {
        let body = json!({ "password": password, "code": code });
        self.send(Method::DELETE, "/api/v1/me/mfa/totp", Some(&body)).await
    }
}

/// The server's own arithmetic agrees with this one.
#[test]
fn the_authenticator_of_these_tests_is_one() {
    let secret = TotpSecret::from_bytes(b"12345678901234567890").unwrap();
    let clock = Clock::default();
    let authenticator = Authenticator { secret: secret.bytes().to_vec(), base32: secret.base32(), clock };
    let now = authenticator.clock.now().unix_timestamp().unsigned_abs();
    assert!(secret.check(&authenticator.code(), now, None).is_some());
}
