//! A new password by mail.

use std::sync::Arc;

use super::{Accounts, Error, pace::Subject};
use crate::{
    crypto::{Opaque, digest},
    mail::Message,
    model::{Email, Event, Origin, Outcome, Principal, Secret, UserId},
    pdp::Write,
    store::{self, mail_tokens::Purpose, users::email},
};

impl Accounts {
    /// Sends a link to a new password to whoever has this address. Answers at once and alike, whether there is anybody
    /// or not: the work goes on afterwards.
    pub async fn request_reset(self: &Arc<Self>, address: Email, origin: Origin) -> Result<(), Error> {
        self.attempt(&Subject::Address(&origin)).await?;
        let people = store::within(store::users::list_reachable(&self.pool, &address)).await?;
        let accounts = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Err(error) = accounts.send_resets(people, &address, &origin).await {
                tracing::error!(request_id = origin.request_id, error = %error, "a link to a new password was not sent");
            }
        });
        Ok(())
    }

    async fn send_resets(&self, people: Vec<(UserId, String)>, address: &Email, origin: &Origin) -> Result<(), Error> {
        let now = self.clock.now();
        if people.is_empty() {
            let event = Event::new("password_reset_requested", origin).ended(Outcome::Failure);
            return Ok(store::audit::insert(&self.pool, now, &event).await?);
        }
        if !self.may_write_to(address).await? {
            return Ok(());
        }
        for (user, stored) in people {
            let mut tx = self.pool.begin().await?;
            self.send_reset(&mut tx, user, &stored).await?;
            let event = Event::new("password_reset_requested", origin).on(Principal::User(user).entity());
            store::audit::insert(&mut *tx, now, &event).await?;
            self.commit(tx).await?;
        }
        Ok(())
    }

    /// Writes a link to a new password into the outbox. An earlier one is dead.
    pub(super) async fn send_reset(&self, conn: &mut store::Conn, user: UserId, to: &str) -> Result<(), Error> {
        let token = Opaque::new(Opaque::RESET)?;
        let until = self.clock.now() + self.settings.reset;
        store::mail_tokens::put(&mut *conn, Purpose::ResetPassword, user, Some(to), &token.hash(), until).await?;
        let link = self.link("/reset-password", token.expose());
        Ok(self.post.put(conn, to, &Message::PasswordReset { link }).await?)
    }

    /// Whether a link to a new password still works.
    pub async fn can_reset(&self, token: &str) -> Result<bool, Error> {
        Ok(self.find_reset(token).await?.is_some())
    }

    async fn find_reset(&self, token: &str) -> Result<Option<(UserId, Purpose)>, Error> {
        let (hash, now) = (digest(token.as_bytes()), self.clock.now());
        for purpose in [Purpose::ResetPassword, Purpose::Recover] {
            if let Some((user, _)) = store::mail_tokens::find(&self.pool, purpose, &hash, now).await? {
                return Ok(Some((user, purpose)));
            }
        }
        Ok(None)
    }

    /// Sets a new password by the token of a link. Every session ends; a second factor stays, except where the link
    /// came from the command line to let an administrator back in. Nobody is logged in by this.
    pub async fn reset_password(&self, token: &str, new: Secret<String>, origin: &Origin) -> Result<UserId, Error> {
        let (user, purpose) = self.find_reset(token).await?.ok_or(Error::Spent)?;
        let recovers = purpose == Purpose::Recover;
        let row = store::users::find(&self.pool, user).await?.filter(|row| row.active || recovers);
        let row = row.ok_or(Error::Spent)?;
        // A refused password leaves the link as it is, for a second try.
        let password = self.judge_for(new, &row).await?;
        let hash = self.passwords.hash(&password).await?;
        let now = self.clock.now();
        let mut write = self.pdp.write().await?;
        let redeemed = store::mail_tokens::redeem(write.conn(), purpose, &digest(token.as_bytes()), now).await?;
        let (user, address) = redeemed.ok_or(Error::Spent)?;
        store::users::set_password(write.conn(), user, &hash, now).await?;
        store::mail_tokens::delete_all(write.conn(), user).await?;
        store::second_factors::delete_challenges(write.conn(), user).await?;
        self.end(&mut write, user, None, None).await?;
        store::sessions::forget_devices(write.conn(), user).await?;
        let event = Event::new("password_reset", origin).by(Principal::User(user));
        let event = if recovers { event.with("method", "recovery_link") } else { event };
        store::audit::insert(write.conn(), now, &event).await?;
        let unproven = !row.email_verified && row.email.is_some() && row.email == address;
        if unproven || recovers {
            // Following the link proves the address. Whoever set the account up may have been somebody else, and
            // keeps nothing (V-057). And who was locked out may have lost the second factor too.
            self.drop_second_factor(&mut write, user, origin).await?;
        }
        if recovers {
            self.activate(&mut write, user).await?;
        }
        if unproven && let Some(address) = address {
            store::users::prove_email(write.conn(), user, &email(&address)?, now).await?;
        }
        // Codes stay counted where the factor stays: mail buys nobody more guesses at it (V-028).
        let forgiven = [Subject::Password(user).to_string(), Subject::Code(user).to_string()];
        store::throttle::forget(write.conn(), &forgiven[..if recovers { 2 } else { 1 }]).await?;
        self.notify(write.conn(), user, &Message::PasswordChanged).await?;
        self.finish(write).await?;
        Ok(user)
    }

    async fn drop_second_factor(&self, write: &mut Write, user: UserId, origin: &Origin) -> Result<(), Error> {
        if store::second_factors::delete_all(write.conn(), user).await? {
            self.notify(write.conn(), user, &Message::MfaDisabled).await?;
            let event = Event::new("mfa_disabled", origin).by(Principal::User(user));
            store::audit::insert(write.conn(), self.clock.now(), &event).await?;
        }
        Ok(())
    }
}
