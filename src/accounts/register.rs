//! Registering oneself.
//!
//! By default the answer does not tell whether a name or an address is taken (N-153): whoever owns the address is told
//! by mail.

use std::sync::Arc;

use super::{Accounts, Error, pace::Subject};
use crate::{
    crypto::Opaque,
    mail::Message,
    model::{Email, Event, Origin, Outcome, Principal, Secret, UserId, Username},
    pdp::Write,
    store::{
        self,
        mail_tokens::Purpose,
        revision::Change,
        users::{NewUser, Stored},
    },
};

/// What somebody registers with.
pub struct Registration {
    /// Login name.
    pub username: Username,
    /// Address.
    pub email: Email,
    /// Password.
    pub password: Secret<String>,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// There is an account now; its address is to be proven.
    Created(UserId),
    /// Somebody has the name.
    UsernameTaken,
    /// Somebody has proven the address.
    EmailTaken,
}

impl Accounts {
    /// Whether strangers may register.
    pub fn sign_up_open(&self) -> bool {
        self.settings.sign_up
    }

    /// Registers somebody. Where nobody is to be told, nothing is looked up before the answer, `None`: it takes no longer
    /// for a name that is taken (N-153).
    pub async fn register(self: &Arc<Self>, new: Registration, origin: &Origin) -> Result<Option<Registered>, Error> {
        if !self.settings.sign_up {
            return Err(Error::SignUpOff);
        }
        self.attempt(&Subject::Address(origin)).await?;
        let context = [new.username.as_str(), new.email.as_str(), new.email.local_part()];
        let password = self.judge(new.password.clone(), &context).await?;
        let hash = self.passwords.hash(&password).await?;
        if self.settings.sign_up_tells {
            return self.enter(&new, &hash, origin).await.map(Some);
        }
        let (accounts, origin) = (Arc::clone(self), origin.clone());
        self.tasks.spawn(async move {
            if let Err(error) = accounts.enter(&new, &hash, &origin).await {
                tracing::error!(request_id = origin.request_id, error = %error, "somebody could not be registered");
            }
        });
        Ok(None)
    }

    async fn enter(&self, new: &Registration, hash: &Secret<String>, origin: &Origin) -> Result<Registered, Error> {
        let now = self.clock.now();
        let id = UserId::new();
        let mut write = self.pdp.write().await?;
        let user = NewUser {
            id,
            username: &new.username,
            email: Some(&new.email),
            email_verified: false,
            display_name: None,
            password_hash: Some(hash),
            at: now,
        };
        let registered = match store::users::insert(write.conn(), &user).await? {
            Stored::Done => {
                self.welcome(&mut write, id, &new.email).await?;
                Registered::Created(id)
            }
            Stored::UsernameTaken | Stored::EmailTaken => {
                let taken = store::users::taken(write.conn(), &new.username, Some(&new.email)).await?;
                match taken {
                    Stored::EmailTaken => Registered::EmailTaken,
                    Stored::UsernameTaken | Stored::Done => Registered::UsernameTaken,
                }
            }
        };
        let event = match registered {
            Registered::Created(id) => Event::new("register", origin).by(Principal::User(id)),
            Registered::UsernameTaken | Registered::EmailTaken => {
                Event::new("register", origin).ended(Outcome::Failure).with("reason", "taken")
            }
        };
        store::audit::insert(write.conn(), now, &event).await?;
        let told = match registered {
            Registered::Created(_) => None,
            Registered::EmailTaken => Some(Message::EmailTaken),
            Registered::UsernameTaken => Some(Message::UsernameTaken),
        };
        if let Some(message) = told
            && self.may_write_to(&new.email).await?
        {
            self.post.put(write.conn(), new.email.as_str(), &message).await?;
        }
        self.finish(write).await?;
        Ok(registered)
    }

    /// What every new account gets: roles, and a mail to prove the address.
    async fn welcome(&self, write: &mut Write, id: UserId, email: &Email) -> Result<(), Error> {
        let principal = Principal::User(id);
        for role in &self.settings.default_roles {
            if store::roles::find(write.conn(), role).await?.is_some() {
                store::assignments::put(write.conn(), &principal, role, None).await?;
            } else {
                tracing::error!(%role, "a default role does not exist and is not given");
            }
        }
        write.changed(Change::Principal(principal));
        self.send_verification(write, id, email).await
    }

    pub(super) async fn send_verification(&self, write: &mut Write, id: UserId, email: &Email) -> Result<(), Error> {
        let token = Opaque::new(Opaque::EMAIL)?;
        let until = self.clock.now() + self.settings.verification;
        let conn = write.conn();
        store::mail_tokens::put(&mut *conn, Purpose::VerifyEmail, id, Some(email.as_str()), &token.hash(), until)
            .await?;
        let link = self.link("/verify-email", token.expose());
        Ok(self.post.put(conn, email.as_str(), &Message::VerifyEmail { link }).await?)
    }
}
