//! Letting in a device that has no browser (RFC 8628): it shows a short code, and a person who is logged in types it.
//!
//! Whoever types codes of others would let strange devices in, or take over what others let in. So guesses are counted
//! like those at passwords, by person and by address (RFC 8628 §5.1), and a right one forgives itself alone.

use time::Duration;

use super::{Accounts, Error, pace::Subject};
use crate::{
    crypto::{Opaque, UserCode},
    model::{Device, Event, Login, Origin, Outcome, Principal, SessionRecord},
    store,
};

/// What a device is given.
pub struct DeviceCodes {
    /// What it asks for tokens with.
    pub device: Opaque,
    /// What it shows.
    pub user: UserCode,
}

/// How often a user code that is taken is replaced by another one.
const TRIES: usize = 5;

impl Accounts {
    /// Lets a device wait for so long, asking every `wait` seconds.
    ///
    /// # Errors
    /// The database failed, or the system gave no random bytes.
    pub async fn admit_device(&self, device: &Device, wait: i32, lifetime: Duration) -> Result<DeviceCodes, Error> {
        let (code, now) = (Opaque::new(Opaque::DEVICE_CODE)?, self.clock.now());
        for _ in 0..TRIES {
            let user = UserCode::new()?;
            let (hash, typed) = (code.hash(), user.hash(&self.sealer)?);
            let insert = store::devices::insert(&self.pool, &hash, &typed, device, wait, now, now + lifetime);
            if store::within(insert).await? {
                return Ok(DeviceCodes { device: code, user });
            }
        }
        Err(Error::Busy { wait: std::time::Duration::from_secs(1) })
    }

    /// The device that shows a code, as somebody who is logged in typed it.
    ///
    /// # Errors
    /// [`Error::Wrong`] when no device shows it now; [`Error::Throttled`].
    pub async fn find_device(
        &self,
        code: &UserCode,
        session: &SessionRecord,
        origin: &Origin,
    ) -> Result<Device, Error> {
        let subject = Subject::UserCode(session.user);
        self.attempt_from(origin, &subject).await?;
        let hashes = code.hashes(&self.sealer)?;
        match store::within(store::devices::find(&self.pool, &hashes, self.clock.now())).await? {
            Some(device) => {
                store::within(store::throttle::give_back(&self.pool, &subject.to_string())).await?;
                Ok(device)
            }
            None => {
                self.failed_from(origin).await?;
                Err(Error::Wrong)
            }
        }
    }

    /// Takes a person's answer.
    ///
    /// # Errors
    /// [`Error::Spent`] when it waits no longer.
    pub async fn answer_device(
        &self,
        device: &Device,
        session: &SessionRecord,
        allowed: bool,
        origin: &Origin,
    ) -> Result<(), Error> {
        let now = self.clock.now();
        let outcome = if allowed { Outcome::Success } else { Outcome::Denied };
        let event = Event::new("device_consent", origin).by(Principal::User(session.user)).ended(outcome);
        let event = event.on(Principal::Client(device.client.clone()).entity());
        let event = event.with("scope", device.scope.to_string());
        let yes = allowed.then(|| Login::from(session));
        let write = async {
            let mut tx = self.pool.begin().await?;
            if !store::devices::answer(&mut *tx, device, yes.as_ref(), now).await? {
                return Err(Error::Spent);
            }
            if allowed {
                // So that the person finds the application among those that they let in.
                store::consents::put(&mut *tx, session.user, &device.client, &device.scope, now).await?;
            }
            store::audit::insert(&mut *tx, now, &event).await?;
            tx.commit().await?;
            Ok(())
        };
        store::within(write).await
    }
}
