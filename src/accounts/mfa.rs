//! Second factors: set up, taken away, renewed; and what an administrator can do for somebody who lost theirs.

use time::{Duration, OffsetDateTime};

use super::{Accounts, Error, password::Proof, second_factor::TOTP, sessions::TWO_FACTORS};
use crate::{
    crypto::{BackupCode, Opaque, TotpSecret, qr_svg},
    mail::Message,
    model::{Event, Line, Origin, Principal, Secret, SessionId, UserId},
    pdp::Write,
    store::{self, Conn},
};

/// What there is of second factors.
pub struct MfaState {
    /// Whether an authenticator is in use.
    pub totp: bool,
    /// How many backup codes are left.
    pub backup_codes: i64,
    /// Until when these work.
    pub backup_codes_expire_at: Option<OffsetDateTime>,
}

/// What somebody needs to set an authenticator up. Shown once.
pub struct Enrolment {
    /// Base32, to be typed.
    pub secret: Secret<String>,
    /// For an application on the same device.
    pub otpauth_uri: Secret<String>,
    /// For a camera.
    pub qr_svg: Secret<String>,
}

/// Backup codes. Shown once.
pub struct NewBackupCodes {
    /// The codes.
    pub codes: Vec<Secret<String>>,
    /// Until when they work.
    pub expires_at: OffsetDateTime,
}

/// How many backup codes there are.
const CODES: usize = 10;
/// How long a secret that was shown waits to be confirmed.
const PENDING: Duration = Duration::minutes(30);
/// How long before their end somebody is warned of backup codes expiring.
const WARNING: Duration = Duration::days(30);

impl Accounts {
    /// What a person has set up.
    pub async fn mfa(&self, user: UserId) -> Result<MfaState, Error> {
        let now = self.clock.now();
        let totp = store::second_factors::find_totp(&self.pool, user, true, now).await?.is_some();
        let left = store::second_factors::remaining_backup_codes(&self.pool, user, now).await?;
        Ok(MfaState { totp, backup_codes: left.count, backup_codes_expire_at: left.expires_at })
    }

    /// Begins to set an authenticator up, perhaps in the place of another one, which works until this is confirmed.
    pub async fn enrol(&self, user: UserId, proof: &Proof, origin: &Origin) -> Result<Enrolment, Error> {
        self.ensure_may_enrol(user, proof, origin).await?;
        let row = store::users::find(&self.pool, user).await?.ok_or(Error::Unknown)?;
        let secret = TotpSecret::new()?;
        let sealed = self.sealer.seal(TOTP, secret.bytes())?;
        store::second_factors::put_pending_totp(&self.pool, user, &sealed, self.clock.now()).await?;
        let uri = secret.otpauth_uri(self.host(), &row.username)?;
        Ok(Enrolment {
            qr_svg: Secret::new(qr_svg(&uri)?),
            secret: Secret::new(secret.base32()),
            otpauth_uri: Secret::new(uri),
        })
    }

    /// Confirms that the authenticator shows the right codes, and puts it into use. `session` is where this happens:
    /// it now counts as one of two factors.
    pub async fn confirm_enrolment(
        &self,
        user: UserId,
        code: &str,
        proof: &Proof,
        session: Option<SessionId>,
        origin: &Origin,
    ) -> Result<(NewBackupCodes, Option<Opaque>), Error> {
        self.ensure_may_enrol(user, proof, origin).await?;
        let now = self.clock.now();
        let pending = store::second_factors::find_totp(&self.pool, user, false, now - PENDING).await?;
        let sealed = pending.ok_or(Error::Missing("authenticator being set up: begin again"))?.secret;
        self.attempt_code(user, origin).await?;
        let Some(step) = self.open_totp(&sealed)?.check(code, now.unix_timestamp().unsigned_abs(), None) else {
            return Err(self.wrong_code(user, origin).await?);
        };
        let mut tx = self.pool.begin().await?;
        // A login with one factor that is under way comes before or not at all.
        store::users::lock(&mut *tx, user).await?;
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        if !store::second_factors::activate_totp(&mut *tx, user, &sealed, step).await? {
            return Err(Error::Missing("authenticator being set up: begin again"));
        }
        let codes = self.renew_codes(&mut tx, user).await?;
        store::throttle::forget(&mut *tx, &[super::pace::Subject::Code(user).to_string()]).await?;
        let current = match session {
            Some(id) => store::sessions::find(&mut *tx, id, now).await?.filter(|s| s.client.is_none()),
            None => None,
        };
        let rotated = match current {
            Some(session) => self.strengthen(&mut tx, session, &TWO_FACTORS).await?.token,
            None => None,
        };
        self.notify(&mut tx, user, &Message::MfaEnabled).await?;
        let event = Event::new("mfa_enabled", origin).by(Principal::User(user));
        store::audit::insert(&mut *tx, now, &event).await?;
        self.commit(tx).await?;
        Ok((codes, rotated))
    }

    /// Succeeds when the person has proven who they are, and with the factor that is to be replaced, if there is one
    /// (N-164, V-034).
    async fn ensure_may_enrol(&self, user: UserId, proof: &Proof, origin: &Origin) -> Result<(), Error> {
        self.ensure_proven(user, proof, origin).await?;
        let found = store::users::credentials(&self.pool, user).await?.ok_or(Error::Unknown)?;
        let with_both = proof.mfa && self.is_recent(proof);
        if !found.mfa || with_both { Ok(()) } else { Err(Error::NotRecentWithMfa) }
    }

    /// Replaces the backup codes. Asks for password and code, not for a session alone (N-164).
    pub async fn regenerate_codes(
        &self,
        user: UserId,
        password: Secret<String>,
        code: &str,
        origin: &Origin,
    ) -> Result<NewBackupCodes, Error> {
        let mut tx = self.prove_both(user, password, code, origin).await?;
        let codes = self.renew_codes(&mut tx, user).await?;
        self.notify(&mut tx, user, &Message::BackupCodesRegenerated).await?;
        let event = Event::new("backup_codes_regenerated", origin).by(Principal::User(user));
        store::audit::insert(&mut *tx, self.clock.now(), &event).await?;
        self.commit(tx).await?;
        Ok(codes)
    }

    /// Takes the second factor away. Asks for password and code.
    pub async fn disable_mfa(
        &self,
        user: UserId,
        password: Secret<String>,
        code: &str,
        origin: &Origin,
    ) -> Result<(), Error> {
        let mut tx = self.prove_both(user, password, code, origin).await?;
        store::second_factors::delete_all(&mut *tx, user).await?;
        self.notify(&mut tx, user, &Message::MfaDisabled).await?;
        let event = Event::new("mfa_disabled", origin).by(Principal::User(user));
        store::audit::insert(&mut *tx, self.clock.now(), &event).await?;
        self.commit(tx).await
    }

    async fn prove_both(
        &self,
        user: UserId,
        password: Secret<String>,
        code: &str,
        origin: &Origin,
    ) -> Result<store::Tx<'static>, Error> {
        let found = store::users::credentials(&self.pool, user).await?;
        if !found.as_ref().is_some_and(|credentials| credentials.mfa) {
            return Err(Error::Conflict("there is no second factor: set one up first"));
        }
        self.prove_password(found.as_ref(), password, origin).await?;
        self.attempt_code(user, origin).await?;
        let mut tx = self.pool.begin().await?;
        if self.consume_code(&mut tx, user, code).await?.is_none() {
            tx.rollback().await?;
            return Err(self.wrong_code(user, origin).await?);
        }
        store::throttle::forget(&mut *tx, &[super::pace::Subject::Code(user).to_string()]).await?;
        Ok(tx)
    }

    async fn renew_codes(&self, conn: &mut Conn, user: UserId) -> Result<NewBackupCodes, Error> {
        let codes = BackupCode::set(CODES)?;
        let hashes =
            codes.iter().map(|code| Ok(code.hash(&self.sealer, user)?.to_vec())).collect::<Result<Vec<_>, Error>>()?;
        let expires_at = self.clock.now() + self.settings.backup_codes;
        store::second_factors::delete_backup_codes(&mut *conn, user).await?;
        store::second_factors::insert_backup_codes(conn, user, &hashes, expires_at).await?;
        Ok(NewBackupCodes {
            codes: codes.into_iter().map(|code| Secret::new(code.expose().to_owned())).collect(),
            expires_at,
        })
    }

    /// Takes somebody's second factor away, by an administrator, in an open write.
    pub async fn reset_mfa(&self, write: &mut Write, user: UserId) -> Result<(), Error> {
        if !store::second_factors::delete_all(write.conn(), user).await? {
            return Err(Error::Missing("second factor of this user"));
        }
        self.notify(write.conn(), user, &Message::MfaDisabled).await
    }

    /// Lets somebody in once without their second factor, by an administrator, in an open write (D3). Answers the
    /// code.
    pub async fn grant_bypass(
        &self,
        write: &mut Write,
        user: UserId,
        by: &Principal,
        reason: &Line,
        lifetime: Duration,
    ) -> Result<(Secret<String>, OffsetDateTime), Error> {
        let found = store::users::credentials(write.conn(), user).await?.ok_or(Error::Unknown)?;
        if !found.mfa {
            return Err(Error::Conflict("this user has no second factor to bypass"));
        }
        let code = BackupCode::new(BackupCode::BYPASS_LENGTH)?;
        let (hash, expires_at) = (code.hash(&self.sealer, user)?, self.clock.now() + lifetime);
        let by = by.to_string();
        store::second_factors::put_bypass(write.conn(), user, &hash, &by, reason.as_str(), expires_at).await?;
        self.notify(write.conn(), user, &Message::BypassIssued { by: None }).await?;
        Ok((Secret::new(code.expose().to_owned()), expires_at))
    }

    /// Warns those whose backup codes expire soon.
    pub(super) async fn warn_of_expiring_codes(&self, now: OffsetDateTime) -> Result<(), Error> {
        loop {
            let mut tx = self.pool.begin().await?;
            let some = store::second_factors::warn_of_expiry(&mut *tx, now, now + WARNING).await?;
            for (user, at) in &some {
                self.notify(&mut tx, *user, &Message::BackupCodesExpiring { at: *at }).await?;
            }
            self.commit(tx).await?;
            if some.is_empty() {
                return Ok(());
            }
        }
    }
}
