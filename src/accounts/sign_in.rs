//! Logging in with a password.

use super::{
    Accounts, Error, NewSession,
    pace::Subject,
    sessions::{ONE_FACTOR, TWO_FACTORS},
};
use crate::{
    crypto::{Opaque, Password, PasswordError, Verified},
    model::{ClientId, EntityRef, Event, Json, Origin, Outcome, Principal, ScopeSet, Secret, SessionRecord, UserId},
    pdp::{AccessRequest, ResourceInput, Session, Subject as Asking},
    store::{
        self, Conn,
        sessions::{Allowed, Judged},
        throttle::{Attempt, Turn},
        users::Credentials,
    },
};

/// What a right password leads to.
pub enum SignIn {
    /// The person is logged in.
    Done(Box<NewSession>),
    /// The person has a second factor, which is still to come.
    SecondFactor(Opaque),
}

impl Accounts {
    /// Logs somebody in by username or address and password; to an application with what it is `allowed`.
    ///
    /// # Errors
    /// [`Error::Wrong`], alike for every cause, also for too many attempts at one account; [`Error::Throttled`] for too
    /// many failures from one address; [`Error::Busy`]; [`Error::Refused`] and
    /// [`Error::MfaNeeded`] when the policies say so.
    pub async fn sign_in(
        &self,
        login: &str,
        password: Secret<String>,
        allowed: Option<&Allowed<'_>>,
        origin: &Origin,
    ) -> Result<SignIn, Error> {
        // In a rush most are sent away, and that must cost the database nothing.
        self.passwords.ensure_room()?;
        let Attempt { found, turn, subject: attempts } = self.attempt_sign_in(login, origin).await?;
        if let Turn::At(_) = turn {
            self.ensure_calm(origin).await?;
            // Whoever is told to wait learns that others tried this account. It looks and takes as long as a wrong
            // password, and the text for both says to wait (N-101, V-058).
            if Password::parse(&password).is_ok() {
                self.work_in_vain().await?;
            }
            return self.failed(found.as_ref(), "throttled", origin).await;
        }
        let user = self.look_at_password(found.as_ref(), &attempts, password, origin).await?;
        let Some(judged_by) = found else { return Err(Error::Wrong) };
        let two_factors = judged_by.mfa;
        if !two_factors && let Err(refused) = self.ensure_one_factor_will_do(user, origin).await {
            store::throttle::forget(&self.pool, &[attempts]).await?;
            return Err(refused);
        }
        if two_factors {
            let mut tx = self.pool.begin().await?;
            store::users::lock(&mut *tx, user).await?;
            self.ensure_unchanged(&mut tx, &judged_by).await?;
            store::throttle::forget(&mut *tx, &[attempts]).await?;
            let (token, now) = (Opaque::new(Opaque::CHALLENGE)?, self.clock.now());
            let until = now + self.settings.challenge;
            let client = origin.client.as_ref();
            store::second_factors::insert_challenge(&mut *tx, &token.hash(), user, client, now, until).await?;
            tx.commit().await?;
            return Ok(SignIn::SecondFactor(token));
        }
        let judged = Judged { by: &judged_by, attempts: &attempts };
        let session = if origin.client.is_some() {
            // One statement, which needs no transaction around it.
            let mut conn = self.pool.acquire().await?;
            self.open(&mut conn, user, &ONE_FACTOR, Some(&judged), allowed, origin).await?
        } else {
            let mut tx = self.pool.begin().await?;
            let session = self.open(&mut tx, user, &ONE_FACTOR, Some(&judged), allowed, origin).await?;
            // Only a new browser is told of by mail.
            if session.device.is_some() {
                self.commit(tx).await?
            } else {
                tx.commit().await?
            }
            session
        };
        Ok(SignIn::Done(Box::new(session)))
    }

    /// Somebody in a browser session proves once more who they are.
    pub async fn sign_in_again(
        &self,
        session: SessionRecord,
        password: Secret<String>,
        origin: &Origin,
    ) -> Result<SignIn, Error> {
        let user = session.user;
        let found = store::users::credentials(&self.pool, user).await?;
        self.prove_password(found.as_ref(), password, origin).await?;
        let Some(judged_by) = found else { return Err(Error::Wrong) };
        let mut tx = self.pool.begin().await?;
        store::users::lock(&mut *tx, user).await?;
        self.ensure_unchanged(&mut tx, &judged_by).await?;
        if judged_by.mfa {
            let (token, now) = (Opaque::new(Opaque::CHALLENGE)?, self.clock.now());
            let until = now + self.settings.challenge;
            store::second_factors::insert_challenge(&mut *tx, &token.hash(), user, None, now, until).await?;
            self.commit(tx).await?;
            return Ok(SignIn::SecondFactor(token));
        }
        let stronger = self.strengthen(&mut tx, session, &ONE_FACTOR).await?;
        let event = Event::new("sign_in_again", origin).by(Principal::User(user));
        store::audit::insert(&mut *tx, self.clock.now(), &event).await?;
        self.commit(tx).await?;
        Ok(SignIn::Done(Box::new(stronger)))
    }

    /// Succeeds with the person, who is signed in, when the password is theirs, and forgets earlier attempts.
    pub(super) async fn prove_password(
        &self,
        found: Option<&Credentials>,
        password: Secret<String>,
        origin: &Origin,
    ) -> Result<UserId, Error> {
        let Some(user) = found else { return Err(Error::Wrong) };
        let subject = match &origin.device {
            Some(device) if store::sessions::knows_device(&self.pool, user.id, device).await? => {
                Subject::Device(user.id, device)
            }
            _ => Subject::Password(user.id),
        };
        // No stranger at the same address holds up somebody who is signed in.
        self.attempt(&subject).await?;
        let attempts = subject.to_string();
        let user = self.look_at_password(found, &attempts, password, origin).await?;
        store::throttle::forget(&self.pool, &[attempts]).await?;
        Ok(user)
    }

    /// Looks whether the password is right, whose attempt is counted already: works as long as for anybody else, and puts a
    /// failure on record.
    async fn look_at_password(
        &self,
        found: Option<&Credentials>,
        attempts: &str,
        password: Secret<String>,
        origin: &Origin,
    ) -> Result<UserId, Error> {
        // What cannot be a password is not this one's either, and costs nothing.
        let verified = match Password::parse(&password) {
            Err(_) => Verified::Differs,
            Ok(password) => {
                let kept = found.and_then(|user| user.password_hash.as_ref());
                match self.passwords.verify(&password, kept).await {
                    Ok(Verified::Matches { outdated: true }) => {
                        self.upgrade(found, &password).await?;
                        Verified::Matches { outdated: true }
                    }
                    Ok(verified) => verified,
                    Err(busy) => {
                        store::throttle::give_back(&self.pool, attempts).await?;
                        return Err(busy.into());
                    }
                }
            }
        };
        match (found, verified) {
            (Some(user), Verified::Matches { .. }) if user.active => Ok(user.id),
            (found, _) => self.failed(found, "password", origin).await,
        }
    }

    /// Puts a failure on record and counts it against the address that it came from.
    async fn failed<T>(&self, found: Option<&Credentials>, reason: &str, origin: &Origin) -> Result<T, Error> {
        self.failed_from(origin).await?;
        let event = Event::new("sign_in", origin).ended(Outcome::Failure).with("reason", reason);
        let event = match found {
            Some(user) => event.on(Principal::User(user.id).entity()),
            None => event,
        };
        store::audit::insert(&self.pool, self.clock.now(), &event).await?;
        Err(Error::Wrong)
    }

    /// Succeeds if a person, whom this transaction has locked, is still as they were when the login was judged: no session
    /// outlives a change that overtook it (V-059).
    async fn ensure_unchanged(&self, conn: &mut Conn, judged_by: &Credentials) -> Result<(), Error> {
        let now = store::users::credentials(conn, judged_by.id).await?;
        if now.is_some_and(|now| now.are_as_good_as(judged_by)) { Ok(()) } else { Err(Error::Wrong) }
    }

    /// Takes as long as looking at a password.
    async fn work_in_vain(&self) -> Result<(), Error> {
        if let Ok(decoy) = Password::parse(&Secret::new(String::new())) {
            self.passwords.verify(&decoy, None).await?;
        }
        Ok(())
    }

    async fn upgrade(&self, found: Option<&Credentials>, password: &Password) -> Result<(), Error> {
        let Some((id, old)) = found.and_then(|user| Some((user.id, user.password_hash.as_ref()?))) else {
            return Ok(());
        };
        let new = match self.passwords.hash(password).await {
            Ok(new) => new,
            // There is no hurry: the next login brings the password once more.
            Err(PasswordError::Busy { .. }) => return Ok(()),
            Err(failed) => return Err(failed.into()),
        };
        Ok(store::users::upgrade_hash(&self.pool, id, old, &new).await?)
    }

    /// Asks the policies whether a password alone lets this person in here.
    async fn ensure_one_factor_will_do(&self, user: UserId, origin: &Origin) -> Result<(), Error> {
        let (answer, _) = self.pdp.check(&self.signing_in(user, origin, false), None, false).await?;
        let refused = match (answer.allow, answer.step_up, &origin.client) {
            (true, ..) => return Ok(()),
            // In a browser the account's own pages remain, where a second factor is set up.
            (false, true, None) => return Ok(()),
            (false, true, Some(_)) => Error::MfaNeeded,
            (false, false, _) => Error::Refused,
        };
        self.refused(user, origin).await?;
        Err(refused)
    }

    /// Puts on record that the policies did not let somebody in.
    pub(super) async fn refused(&self, user: UserId, origin: &Origin) -> Result<(), Error> {
        let event = Event::new("sign_in", origin).by(Principal::User(user)).ended(Outcome::Denied);
        Ok(store::audit::insert(&self.pool, self.clock.now(), &event).await?)
    }

    /// The question whether a person may log in to a client, or to the server itself.
    pub(super) fn signing_in(&self, user: UserId, origin: &Origin, mfa: bool) -> AccessRequest {
        let resource = match &origin.client {
            Some(client) => EntityRef::new("Client", client.as_str()),
            None => EntityRef::new("Deodar::Server", "deodar"),
        };
        let session = Session {
            mfa,
            acr: if mfa { SessionRecord::ACR_MFA } else { SessionRecord::ACR_PASSWORD }.to_owned(),
            amr: if mfa { TWO_FACTORS.to_vec() } else { ONE_FACTOR.to_vec() }.into_iter().map(str::to_owned).collect(),
            auth_time: self.clock.now().unix_timestamp(),
            client: origin.client.clone().unwrap_or_else(ClientId::own_pages),
            scopes: ScopeSet::default(),
        };
        AccessRequest {
            principal: Asking::plain(Principal::User(user).entity()),
            action: "Deodar::signIn".to_owned(),
            resource: ResourceInput::plain(resource),
            context: vec![("held".to_owned(), Json::Bool(true))],
            session: Some(session),
        }
    }
}
