//! Passwords: judged, changed, and asked for once more before something that matters.

use time::OffsetDateTime;

use super::{Accounts, Error};
use crate::{
    crypto::Password,
    mail::Message,
    model::{Event, Origin, Principal, Revision, Secret, SessionId, UserId},
    store::{self, authorizations::Which, users::UserRow},
};

/// Why somebody who is logged in may change what protects the account.
pub struct Proof {
    /// When they last proved who they are.
    pub auth_time: OffsetDateTime,
    /// Whether they gave a second factor then.
    pub mfa: bool,
    /// Their password, once more.
    pub password: Option<Secret<String>>,
}

impl Accounts {
    /// Reads a new password and judges it against the policy.
    pub async fn judge(&self, password: Secret<String>, context: &[&str]) -> Result<Password, Error> {
        let password = Password::parse(&password).map_err(|fault| Error::Weak(vec![fault]))?;
        self.passwords.judge(&self.settings.password_policy, &password, context).await?.map_err(Error::Weak)?;
        Ok(password)
    }

    pub(super) async fn judge_for(&self, password: Secret<String>, user: &UserRow) -> Result<Password, Error> {
        let context = [
            &*user.username,
            user.email.as_deref().unwrap_or_default(),
            user.display_name.as_deref().unwrap_or_default(),
        ];
        self.judge(password, &context).await
    }

    /// Succeeds when the person has proven lately who they are, or does so now (N-151, N-163).
    pub(super) async fn ensure_proven(&self, user: UserId, proof: &Proof, origin: &Origin) -> Result<(), Error> {
        if let Some(password) = &proof.password {
            let found = store::users::credentials(&self.pool, user).await?;
            return self.prove_password(found.as_ref(), password.clone(), origin).await.map(drop);
        }
        if self.is_recent(proof) { Ok(()) } else { Err(Error::NotRecent) }
    }

    pub(super) fn is_recent(&self, proof: &Proof) -> bool {
        proof.auth_time + self.settings.recent >= self.clock.now()
    }

    /// Changes a password. Every other session ends. Access tokens of this one live on, their minutes; its refresh tokens
    /// do not, for whoever had the old password may have them (N-095).
    pub async fn change_password(
        &self,
        user: UserId,
        current: Secret<String>,
        new: Secret<String>,
        session: Option<SessionId>,
        origin: &Origin,
    ) -> Result<Revision, Error> {
        let row = store::users::find(&self.pool, user).await?.ok_or(Error::Unknown)?;
        let found = store::users::credentials(&self.pool, user).await?;
        self.prove_password(found.as_ref(), current, origin).await?;
        let password = self.judge_for(new, &row).await?;
        let hash = self.passwords.hash(&password).await?;
        let mut write = self.pdp.write().await?;
        store::users::set_password(write.conn(), user, &hash, self.clock.now()).await?;
        store::mail_tokens::delete_all(write.conn(), user).await?;
        store::second_factors::delete_challenges(write.conn(), user).await?;
        self.end(&mut write, user, None, session).await?;
        let own: Vec<SessionId> = session.into_iter().collect();
        store::authorizations::end_several(write.conn(), user, Which::Sessions(&own), self.clock.now()).await?;
        self.notify(write.conn(), user, &Message::PasswordChanged).await?;
        let event = Event::new("password_changed", origin).by(Principal::User(user));
        store::audit::insert(write.conn(), self.clock.now(), &event).await?;
        self.finish(write).await
    }
}
