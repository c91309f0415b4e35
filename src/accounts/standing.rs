//! Accounts made, switched off and on, and removed, in an open write: by their owners or by an administrator.

use super::{Accounts, Error, pace::Subject};
use crate::{
    crypto::import_password_hash,
    mail::Message,
    model::{Email, Event, Origin, Principal, Revision, Secret, UserId, Username},
    pdp::Write,
    store::{
        self,
        revision::Change,
        users::{NewUser, Stored},
    },
};

/// An account made by an administrator.
pub struct NewAccount {
    /// Its id to be.
    pub id: UserId,
    /// Login name.
    pub username: Username,
    /// Address.
    pub email: Option<Email>,
    /// Whether the address counts as proven.
    pub email_verified: bool,
    /// What to call them.
    pub display_name: Option<String>,
    /// How they log in.
    pub password: NewPassword,
}

/// How somebody logs in for the first time.
pub enum NewPassword {
    /// With this one.
    Given(Secret<String>),
    /// With the one whose hash comes from elsewhere.
    Imported(Secret<String>),
    /// By following a link to a new one.
    ByMail,
}

impl Accounts {
    /// The hash to keep for a new account. Slow: comes before the write is opened.
    pub async fn prepare(&self, account: &NewAccount) -> Result<Option<Secret<String>>, Error> {
        let email = account.email.as_ref();
        let context = [account.username.as_str(), email.map_or("", Email::as_str), email.map_or("", Email::local_part)];
        match &account.password {
            NewPassword::Given(text) => {
                let password = self.judge(text.clone(), &context).await?;
                Ok(Some(self.passwords.hash(&password).await?))
            }
            NewPassword::Imported(hash) => Ok(Some(import_password_hash(hash)?)),
            NewPassword::ByMail if account.email.is_none() => Err(Error::Missing("address to send a link to")),
            NewPassword::ByMail => Ok(None),
        }
    }

    /// Makes an account.
    pub async fn create(
        &self,
        write: &mut Write,
        account: &NewAccount,
        hash: Option<&Secret<String>>,
    ) -> Result<UserId, Error> {
        let id = account.id;
        let user = NewUser {
            id,
            username: &account.username,
            email: account.email.as_ref(),
            email_verified: account.email_verified,
            display_name: account.display_name.as_deref(),
            password_hash: hash,
            at: self.clock.now(),
        };
        match store::users::insert(write.conn(), &user).await? {
            Stored::Done => {}
            Stored::UsernameTaken | Stored::EmailTaken => {
                return Err(
                    match store::users::taken(write.conn(), &account.username, account.email.as_ref()).await? {
                        Stored::EmailTaken => Error::EmailTaken,
                        Stored::UsernameTaken | Stored::Done => Error::UsernameTaken,
                    },
                );
            }
        }
        write.changed(Change::Principal(Principal::User(id)));
        match (&account.password, &account.email) {
            (NewPassword::ByMail, Some(email)) => self.send_reset(write.conn(), id, email.as_str()).await?,
            (_, Some(email)) if !account.email_verified => self.send_verification(write, id, email).await?,
            _ => {}
        }
        Ok(id)
    }

    /// Gives a person another name or address, by an administrator. An address that does not count as proven is asked
    /// to prove itself.
    pub async fn rename(
        &self,
        write: &mut Write,
        user: UserId,
        username: Option<&Username>,
        address: Option<&Email>,
        verified: Option<bool>,
    ) -> Result<(), Error> {
        if let Some(name) = username
            && !store::users::set_username(write.conn(), user, name).await?
        {
            return Err(Error::UsernameTaken);
        }
        let now = self.clock.now();
        let current = store::users::find(write.conn(), user).await?.ok_or(Error::Unknown)?;
        let current = current.email.as_deref().map(store::users::email).transpose()?;
        let Some(address) = address.or(current.as_ref()) else { return Ok(()) };
        if current.as_ref() != Some(address) {
            // Links that went to an earlier address, and those that would bring another one, die with it (N-155).
            store::mail_tokens::delete_all(write.conn(), user).await?;
        }
        match verified {
            Some(true) if !store::users::prove_email(write.conn(), user, address, now).await? => Err(Error::EmailTaken),
            Some(true) => Ok(()),
            Some(false) => Ok(store::users::claim_email(write.conn(), user, address, now).await?),
            None if current.as_ref().is_some_and(|current| current == address) => Ok(()),
            None => {
                store::users::claim_email(write.conn(), user, address, now).await?;
                self.send_verification(write, user, address).await
            }
        }
    }

    /// Switches an account off: every session, token and link of it is dead.
    pub async fn deactivate(&self, write: &mut Write, user: UserId) -> Result<(), Error> {
        if !store::users::set_active(write.conn(), user, false).await? {
            store::users::find(write.conn(), user).await?.ok_or(Error::Unknown)?;
            return Ok(());
        }
        self.end(write, user, None, None).await?;
        store::mail_tokens::delete_all(write.conn(), user).await?;
        store::second_factors::delete_challenges(write.conn(), user).await?;
        store::second_factors::delete_bypass(write.conn(), user).await?;
        write.changed(Change::Principal(Principal::User(user)));
        self.notify(write.conn(), user, &Message::AccountDeactivated).await
    }

    /// Switches an account on again.
    pub async fn activate(&self, write: &mut Write, user: UserId) -> Result<(), Error> {
        if store::users::set_active(write.conn(), user, true).await? {
            write.changed(Change::Principal(Principal::User(user)));
            return Ok(());
        }
        store::users::find(write.conn(), user).await?.map(drop).ok_or(Error::Unknown)
    }

    /// Removes an account with everything personal. What is on record keeps its opaque id.
    pub async fn delete(&self, write: &mut Write, user: UserId) -> Result<(), Error> {
        self.notify(write.conn(), user, &Message::AccountDeleted).await?;
        self.end(write, user, None, None).await?;
        let principal = Principal::User(user);
        store::assignments::delete_all(write.conn(), &principal).await?;
        if !store::users::delete(write.conn(), user).await? {
            return Err(Error::Unknown);
        }
        write.changed(Change::Principal(principal));
        Ok(())
    }

    /// Forgets failed attempts, so that somebody need not wait.
    pub async fn unlock(&self, write: &mut Write, user: UserId) -> Result<(), Error> {
        store::users::find(write.conn(), user).await?.ok_or(Error::Unknown)?;
        let subjects = [Subject::Password(user).to_string(), Subject::Code(user).to_string()];
        Ok(store::throttle::forget(write.conn(), &subjects).await?)
    }

    /// Switches one's own account off, or removes it.
    pub async fn close(
        &self,
        user: UserId,
        proof: &super::Proof,
        remove: bool,
        origin: &Origin,
    ) -> Result<Revision, Error> {
        self.ensure_proven(user, proof, origin).await?;
        let mut write = self.pdp.write().await?;
        let action = if remove {
            self.delete(&mut write, user).await?;
            "account_deleted"
        } else {
            self.deactivate(&mut write, user).await?;
            "account_deactivated"
        };
        let event = Event::new(action, origin).by(Principal::User(user));
        store::audit::insert(write.conn(), self.clock.now(), &event).await?;
        self.finish(write).await
    }
}
