//! Addresses: proven by following a link, and changed only once the new one is proven.

use std::sync::Arc;

use super::{Accounts, Error, pace::Subject, password::Proof};
use crate::{
    crypto::{Opaque, digest},
    mail::Message,
    model::{Email, Event, Origin, Principal, UserId},
    store::{self, mail_tokens::Purpose, users::email},
};

impl Accounts {
    /// Sends a new link to prove the address of an account that has not proven it yet.
    pub async fn resend_verification(&self, user: UserId) -> Result<(), Error> {
        let row = store::users::find(&self.pool, user).await?.ok_or(Error::Unknown)?;
        let address = match row.email {
            Some(address) if !row.email_verified => email(&address)?,
            Some(_) => return Err(Error::Conflict("the address is proven already")),
            None => return Err(Error::Missing("address")),
        };
        if self.may_write_to(&address).await? {
            let mut write = self.pdp.write().await?;
            self.send_verification(&mut write, user, &address).await?;
            self.finish(write).await?;
        }
        Ok(())
    }

    /// The same for somebody who is not logged in. Answers at once and alike, whether anybody waits for a link or not:
    /// the work goes on afterwards.
    pub async fn request_verification(self: &Arc<Self>, address: Email, origin: Origin) -> Result<(), Error> {
        self.attempt(&Subject::Address(&origin)).await?;
        let people = store::within(store::users::list_reachable(&self.pool, &address)).await?;
        let accounts = Arc::clone(self);
        self.tasks.spawn(async move {
            for (user, _) in people {
                match accounts.resend_verification(user).await {
                    Ok(()) | Err(Error::Conflict(_) | Error::Missing(_) | Error::Unknown) => {}
                    Err(error) => {
                        let request_id = &origin.request_id;
                        tracing::error!(request_id, error = %error, "a link to prove an address was not sent");
                    }
                }
            }
        });
        Ok(())
    }

    /// Whether a link to prove an address still works.
    pub async fn can_confirm_email(&self, token: &str) -> Result<bool, Error> {
        let (hash, now) = (digest(token.as_bytes()), self.clock.now());
        for purpose in [Purpose::VerifyEmail, Purpose::ChangeEmail] {
            if store::mail_tokens::find(&self.pool, purpose, &hash, now).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Proves an address by the token of a link. Whoever else claimed it loses the claim.
    pub async fn confirm_email(&self, token: &str, origin: &Origin) -> Result<UserId, Error> {
        let (hash, now) = (digest(token.as_bytes()), self.clock.now());
        let mut tx = self.pool.begin().await?;
        let mut redeemed = None;
        for purpose in [Purpose::VerifyEmail, Purpose::ChangeEmail] {
            if redeemed.is_none() {
                let row = store::mail_tokens::redeem(&mut *tx, purpose, &hash, now).await?;
                redeemed = row.map(|row| (purpose, row));
            }
        }
        let (purpose, (user, address)) = redeemed.ok_or(Error::Spent)?;
        let address = email(&address.ok_or(Error::Spent)?)?;
        let row = store::users::find(&mut *tx, user).await?.filter(|row| row.active).ok_or(Error::Spent)?;
        if !store::users::prove_email(&mut tx, user, &address, now).await? {
            return Err(Error::Spent);
        }
        let action = match purpose {
            Purpose::ChangeEmail => {
                // Links that went to the old address die with it (N-155).
                store::mail_tokens::delete_all(&mut *tx, user).await?;
                if let Some(old) = row.email.filter(|_| row.email_verified) {
                    self.post
                        .put(&mut tx, &old, &Message::EmailChanged { address: address.as_str().to_owned() })
                        .await?;
                }
                "email_changed"
            }
            Purpose::VerifyEmail | Purpose::ResetPassword | Purpose::Recover => "email_verified",
        };
        let event = Event::new(action, origin).by(Principal::User(user));
        store::audit::insert(&mut *tx, now, &event).await?;
        self.commit(tx).await?;
        Ok(user)
    }

    /// Asks a new address to prove itself. The old one stays until it has.
    pub async fn change_email(&self, user: UserId, new: &Email, proof: &Proof, origin: &Origin) -> Result<(), Error> {
        self.ensure_proven(user, proof, origin).await?;
        let row = store::users::find(&self.pool, user).await?.ok_or(Error::Unknown)?;
        if row.email_verified && row.email.as_deref() == Some(new.as_str()) {
            return Ok(());
        }
        let may_write = self.may_write_to(new).await?;
        let (token, now) = (Opaque::new(Opaque::EMAIL)?, self.clock.now());
        let mut tx = self.pool.begin().await?;
        // Whose address it is already is told by mail, and nobody else is.
        let message = if store::users::is_proven(&mut *tx, new).await? {
            Message::EmailTaken
        } else {
            let until = now + self.settings.verification;
            let address = Some(new.as_str());
            store::mail_tokens::put(&mut *tx, Purpose::ChangeEmail, user, address, &token.hash(), until).await?;
            Message::EmailChange { link: self.link("/verify-email", token.expose()) }
        };
        if may_write {
            self.post.put(&mut tx, new.as_str(), &message).await?;
        }
        let event = Event::new("email_change_requested", origin).by(Principal::User(user));
        store::audit::insert(&mut *tx, now, &event).await?;
        self.commit(tx).await
    }
}
