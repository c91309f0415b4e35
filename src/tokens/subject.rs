//! How people are named in tokens (OpenID Connect Core §8).

use super::Tokens;
use crate::{
    model::{Client, UserId},
    store,
};

impl Tokens {
    /// How a person is named to a client: by their id, or by a name that no client of another sector knows.
    pub async fn subject(&self, client: &Client, user: UserId) -> Result<String, store::Error> {
        store::within(store::subjects::name(self.keys.pool(), client, user)).await
    }
}
