//! The pages, as a browser without scripts sees them.

mod account;
mod forms;
mod headers;
mod recovery;
pub mod second_factor;
mod sign_in;

use deodar::{
    accounts::Registration,
    model::{Origin, Secret, UserId},
    store,
};

use crate::{app::TestApp, browser::Browser};

/// A password that every policy takes.
pub const PASSWORD: &str = "seven quiet walnut boats";
/// Another one.
pub const OTHER_PASSWORD: &str = "purple lantern over granite";

impl TestApp {
    /// A fresh browser.
    pub fn browser(&self) -> Browser {
        Browser::new(&self.node().base)
    }

    /// Somebody with [`PASSWORD`] and an address at `example.com`, who has not followed a link yet.
    pub async fn resident(&self, name: &str) -> UserId {
        let new = Registration {
            username: name.parse().unwrap(),
            email: format!("{name}@example.com").parse().unwrap(),
            password: Secret::new(PASSWORD.to_owned()),
        };
        let app = &self.node().app;
        let name = new.username.clone();
        assert!(app.accounts.register(new, &Origin::local()).await.unwrap().is_none(), "nobody is told");
        loop {
            if let Some(id) = store::users::find_id(&app.pool, &name).await.unwrap() {
                return id;
            }
        }
    }

    /// A browser in which this person is signed in.
    pub async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        browser.sign_in(name, PASSWORD).await;
        browser.is_at("/account");
        browser
    }
}

impl Browser {
    /// Gives a name and a password at the form.
    pub async fn sign_in(&mut self, name: &str, password: &str) {
        self.open("/login").await;
        self.submit("/login", &[("login", name), ("password", password)]).await;
    }

    /// The cookie of the session.
    pub fn session(&self) -> Option<String> {
        self.cookies.get("__Host-deodar").cloned()
    }
}
