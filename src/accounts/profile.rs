//! What a person says about themselves.

use super::{Accounts, Error};
use crate::{
    model::{Event, Origin, Principal, UserId},
    store::{
        self,
        users::{ProfileChange, UserRow},
    },
};

impl Accounts {
    /// One person.
    pub async fn find(&self, user: UserId) -> Result<UserRow, Error> {
        store::users::find(&self.pool, user).await?.ok_or(Error::Unknown)
    }

    /// Changes one's own profile.
    pub async fn update_profile(&self, user: UserId, change: &ProfileChange, origin: &Origin) -> Result<(), Error> {
        let now = self.clock.now();
        let mut tx = self.pool.begin().await?;
        store::users::update_profile(&mut *tx, user, change, now).await?;
        let event = Event::new("profile_changed", origin).by(Principal::User(user));
        store::audit::insert(&mut *tx, now, &event).await?;
        self.commit(tx).await
    }
}
