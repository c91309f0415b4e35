//! The second step of a login, and wherever else a code is asked for.
//!
//! Three kinds of code, told apart by their length: six digits of an authenticator, eight characters of a backup
//! code, twelve of an administrator's bypass.

use super::{Accounts, Error, NewSession, pace::Subject, sessions::TWO_FACTORS};
use crate::{
    crypto::{BackupCode, CryptoError, Opaque, TotpSecret, digest},
    model::{Event, Origin, Outcome, Principal, SessionRecord, UserId},
    store::{self, Conn, sessions::Allowed},
};

/// Which kind of code was right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Totp,
    BackupCode,
    Bypass,
}

impl Kind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::BackupCode => "backup_code",
            Self::Bypass => "bypass",
        }
    }
}

/// What TOTP secrets are sealed for.
pub(super) const TOTP: &str = "totp";

impl Accounts {
    /// Finishes a login whose password was right; to an application with what it is `allowed`.
    ///
    /// # Errors
    /// [`Error::Spent`] when the login waits no longer; [`Error::Wrong`], alike for every kind of code;
    /// [`Error::Throttled`]; [`Error::Refused`].
    pub async fn second_factor(
        &self,
        challenge: &str,
        code: &str,
        allowed: Option<&Allowed<'_>>,
        origin: &Origin,
    ) -> Result<NewSession, Error> {
        self.second_step(challenge, code, None, allowed, origin).await
    }

    /// The same in a browser where somebody is logged in. The session stays if it is theirs, and is made stronger.
    pub async fn second_factor_in(
        &self,
        current: SessionRecord,
        challenge: &str,
        code: &str,
        origin: &Origin,
    ) -> Result<NewSession, Error> {
        self.second_step(challenge, code, Some(current), None, origin).await
    }

    async fn second_step(
        &self,
        challenge: &str,
        code: &str,
        current: Option<SessionRecord>,
        allowed: Option<&Allowed<'_>>,
        origin: &Origin,
    ) -> Result<NewSession, Error> {
        let hash = digest(challenge.as_bytes());
        let waiting = store::within(store::second_factors::find_challenge(&self.pool, &hash, self.clock.now())).await?;
        let user = waiting.filter(|waiting| waiting.client == origin.client).ok_or(Error::Spent)?.user;
        self.attempt_code(user, origin).await?;
        let (answer, _) = self.pdp.check(&self.signing_in(user, origin, true), None, false).await?;
        let mut tx = self.pool.begin().await?;
        // A change of the account that overtakes the login ends it (V-059).
        store::users::lock(&mut *tx, user).await?;
        if store::second_factors::find_challenge(&mut *tx, &hash, self.clock.now()).await?.is_none() {
            return Err(Error::Spent);
        }
        let Some(kind) = self.consume_code(&mut tx, user, code).await? else {
            tx.rollback().await?;
            return Err(self.wrong_code(user, origin).await?);
        };
        if !answer.allow {
            tx.rollback().await?;
            self.refused(user, origin).await?;
            return Err(Error::Refused);
        }
        if !store::second_factors::consume_challenge(&mut *tx, &hash).await? {
            return Err(Error::Spent);
        }
        store::throttle::forget(&mut *tx, &[Subject::Code(user).to_string()]).await?;
        self.note_code(&mut tx, user, kind, origin).await?;
        let opened = match current.filter(|current| current.user == user) {
            Some(current) => self.prove_again(&mut tx, current, origin).await?,
            None => self.open(&mut tx, user, &TWO_FACTORS, None, allowed, origin).await?,
        };
        self.commit(tx).await?;
        Ok(opened)
    }

    /// Finishes the second step of somebody who is logged in and proves once more who they are, or who gives a code
    /// where a password was enough before.
    pub async fn second_factor_again(
        &self,
        session: SessionRecord,
        code: &str,
        origin: &Origin,
    ) -> Result<NewSession, Error> {
        let user = session.user;
        self.attempt_code(user, origin).await?;
        let mut tx = self.pool.begin().await?;
        let Some(kind) = self.consume_code(&mut tx, user, code).await? else {
            tx.rollback().await?;
            return Err(self.wrong_code(user, origin).await?);
        };
        store::throttle::forget(&mut *tx, &[Subject::Code(user).to_string()]).await?;
        self.note_code(&mut tx, user, kind, origin).await?;
        let stronger = self.prove_again(&mut tx, session, origin).await?;
        self.commit(tx).await?;
        Ok(stronger)
    }

    async fn prove_again(&self, conn: &mut Conn, session: SessionRecord, origin: &Origin) -> Result<NewSession, Error> {
        let user = Principal::User(session.user);
        let stronger = self.strengthen(conn, session, &TWO_FACTORS).await?;
        let event = Event::new("sign_in_again", origin).by(user).with("amr", TWO_FACTORS.to_vec());
        store::audit::insert(conn, self.clock.now(), &event).await?;
        Ok(stronger)
    }

    /// Whether a login still waits for its second factor, for pages that show the form.
    pub async fn is_waiting(&self, challenge: &str) -> Result<bool, Error> {
        let hash = digest(challenge.as_bytes());
        Ok(store::second_factors::find_challenge(&self.pool, &hash, self.clock.now()).await?.is_some())
    }

    /// Counts an attempt at a code, before it is looked at.
    pub(super) async fn attempt_code(&self, user: UserId, origin: &Origin) -> Result<(), Error> {
        self.attempt_from(origin, &Subject::Code(user)).await
    }

    /// Uses a code up, in the transaction of what it allows.
    pub(super) async fn consume_code(&self, conn: &mut Conn, user: UserId, code: &str) -> Result<Option<Kind>, Error> {
        let now = self.clock.now();
        if code.len() > 100 {
            return Ok(None);
        }
        if let Some(row) = store::second_factors::find_totp(&mut *conn, user, true, now).await? {
            let secret = self.open_totp(&row.secret)?;
            let last = row.last_step.and_then(|step| u64::try_from(step).ok());
            if let Some(step) = secret.check(code, now.unix_timestamp().unsigned_abs(), last) {
                let step = i64::try_from(step).unwrap_or(i64::MAX);
                let fresh = store::second_factors::consume_step(conn, user, step).await?;
                return Ok(fresh.then_some(Kind::Totp));
            }
        }
        let Some(code) = BackupCode::parse(code) else { return Ok(None) };
        let hashes: Vec<Vec<u8>> = code.hashes(&self.sealer, user)?.iter().map(|hash| hash.to_vec()).collect();
        // Of different lengths, no code is of both kinds.
        if store::second_factors::consume_backup_code(&mut *conn, user, &hashes, now).await? {
            return Ok(Some(Kind::BackupCode));
        }
        let granted = store::second_factors::consume_bypass(conn, user, &hashes, now).await?;
        Ok(granted.map(|_| Kind::Bypass))
    }

    /// A TOTP secret as it was kept.
    pub(super) fn open_totp(&self, sealed: &[u8]) -> Result<TotpSecret, Error> {
        let bytes = self.sealer.open(TOTP, sealed)?;
        Ok(TotpSecret::from_bytes(&bytes).ok_or(CryptoError("a TOTP secret has the wrong length"))?)
    }

    async fn note_code(&self, conn: &mut Conn, user: UserId, kind: Kind, origin: &Origin) -> Result<(), Error> {
        let event = Event::new("second_factor", origin).by(Principal::User(user)).with("method", kind.as_str());
        Ok(store::audit::insert(conn, self.clock.now(), &event).await?)
    }

    /// Puts a wrong code on record, and answers with the error for it.
    pub(super) async fn wrong_code(&self, user: UserId, origin: &Origin) -> Result<Error, Error> {
        self.failed_from(origin).await?;
        let event = Event::new("second_factor", origin).on(Principal::User(user).entity()).ended(Outcome::Failure);
        store::audit::insert(&self.pool, self.clock.now(), &event).await?;
        Ok(Error::Wrong)
    }

    /// Ends a login that waits, at the wish of whoever waits.
    pub async fn give_up(&self, challenge: &Opaque) -> Result<(), Error> {
        store::second_factors::consume_challenge(&self.pool, &challenge.hash()).await?;
        Ok(())
    }
}
