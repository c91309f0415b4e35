//! What people let applications do, looked at and taken back.

use super::{Accounts, Error};
use crate::{
    model::{ClientId, EntityRef, Event, Origin, Principal, UserId},
    store::{self, authorizations::Which, consents::Consent},
};

impl Accounts {
    /// The applications that a person agreed to, last first.
    pub async fn list_applications(&self, user: UserId) -> Result<Vec<Consent>, Error> {
        Ok(store::consents::list(&self.pool, user).await?)
    }

    /// Takes an agreement back: the application is signed out everywhere, and asks anew.
    pub async fn withdraw(&self, user: UserId, client: &ClientId, origin: &Origin) -> Result<(), Error> {
        let now = self.clock.now();
        let mut write = self.pdp.write().await?;
        let agreed = store::consents::delete(write.conn(), user, client).await?;
        // Codes first: one that is being redeemed meanwhile is waited for, and what follows from it is seen below.
        store::codes::delete_open(write.conn(), user, client).await?;
        store::devices::delete_open(write.conn(), user, client).await?;
        let granted = store::authorizations::end_several(write.conn(), user, Which::Client(client), now).await?;
        let sessions = store::sessions::delete_of_client(write.conn(), user, client).await?;
        if !agreed && granted.is_empty() && sessions.is_empty() {
            return Err(Error::Missing("such application"));
        }
        let granted = granted.iter().map(|id| format!("grant:{id}"));
        let ended: Vec<String> = granted.chain(sessions.iter().map(|id| format!("sid:{id}"))).collect();
        if !ended.is_empty() {
            write.revoke(ended, now + self.settings.access_token + time::Duration::MINUTE).await?;
        }
        let event = Event::new("consent_withdrawn", origin).by(Principal::User(user));
        let event = event.on(EntityRef::new("Client", client.as_str()));
        store::audit::insert(write.conn(), now, &event).await?;
        self.finish(write).await?;
        Ok(())
    }
}
