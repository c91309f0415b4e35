//! Refresh tokens, as this node knows them.
//!
//! Most come back to the node that gave them out, so it remembers what they follow from, which never changes. Whether one
//! is still good only the database can say, and is asked when the token is used.

use std::sync::Arc;

use crate::{
    model::Authorization,
    store::{
        self,
        refresh_tokens::{Hash, Presented, Rotation},
    },
};

/// See the module.
pub struct RefreshTokens {
    stored: store::refresh_tokens::RefreshTokens,
    given: moka::sync::Cache<Hash, Presented>,
}

impl RefreshTokens {
    /// Those in this database; at most `most` are remembered.
    pub fn new(pool: store::Pool, most: u64) -> Self {
        let stored = store::refresh_tokens::RefreshTokens::new(pool);
        Self { stored, given: moka::sync::Cache::new(most) }
    }

    /// One in the state in which it is.
    pub async fn find(&self, hash: Hash) -> Result<Option<Presented>, store::Error> {
        self.stored.find(hash).await
    }

    /// One as it was when this node gave it out; or else in the state in which it is. Somebody may have used or ended it
    /// meanwhile, which [`rotate`](Self::rotate) notices.
    pub async fn last_known(&self, hash: Hash) -> Result<Option<Presented>, store::Error> {
        match self.given.get(&hash) {
            Some(given) => Ok(Some(given)),
            None => self.find(hash).await,
        }
    }

    /// Uses one and puts its successor in its place; false when it was used before, has expired, or is ended.
    pub async fn rotate(&self, presented: &Presented, rotation: Rotation) -> Result<bool, store::Error> {
        self.given.invalidate(&rotation.old);
        let (new, successor) = (rotation.new, successor(presented, &rotation));
        let rotated = self.stored.rotate(rotation).await?;
        if rotated {
            self.given.insert(new, successor);
        }
        Ok(rotated)
    }
}

fn successor(presented: &Presented, rotation: &Rotation) -> Presented {
    let authorization = &presented.authorization;
    let authorization = match (&authorization.jkt, &rotation.jkt) {
        (None, Some(jkt)) => Arc::new(Authorization { jkt: Some(jkt.clone()), ..Authorization::clone(authorization) }),
        _ => Arc::clone(authorization),
    };
    let Rotation { at: issued_at, expires_at, .. } = *rotation;
    Presented { authorization, issued_at, expires_at, used: false, ended: false }
}
