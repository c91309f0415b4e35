//! Mail to people, written into the outbox in the transaction that it tells of.

use super::{Accounts, Error, pace::Subject};
use crate::{
    mail::Message,
    model::{Email, Revision, UserId},
    pdp::Write,
    store::{self, Conn, Tx},
};

impl Accounts {
    /// Tells a person of something at their proven address, if they have one.
    pub(super) async fn notify(&self, conn: &mut Conn, user: UserId, message: &Message) -> Result<(), Error> {
        match store::users::find(&mut *conn, user).await? {
            Some(row) if row.email_verified => match row.email {
                Some(email) => Ok(self.post.put(conn, &email, message).await?),
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// Commits, and has the mail sent.
    pub(super) async fn commit(&self, tx: Tx<'static>) -> Result<(), Error> {
        tx.commit().await?;
        self.post.wake();
        Ok(())
    }

    /// Commits what changes decisions, and has mail sent and clients told.
    pub async fn finish(&self, write: Write) -> Result<Revision, Error> {
        let revision = write.commit().await?;
        self.post.wake();
        self.farewells.wake();
        Ok(revision)
    }

    /// The server as people know it.
    pub(super) fn host(&self) -> &str {
        self.settings.issuer.split_once("://").map_or("deodar", |(_, host)| host)
    }

    /// A page of ours with a token in it.
    pub(super) fn link(&self, path: &str, token: &str) -> String {
        link(&self.settings.issuer, path, token)
    }

    /// Whether one more mail may be sent to this address now.
    pub(super) async fn may_write_to(&self, email: &Email) -> Result<bool, Error> {
        let hash = self.sealer.keyed_hash("mail-address", email.key().as_bytes())?;
        match self.attempt(&Subject::Mail(&hash)).await {
            Ok(()) => Ok(true),
            Err(Error::Throttled { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A page of the server with a token in it.
pub(super) fn link(issuer: &str, path: &str, token: &str) -> String {
    format!("{issuer}{path}?token={token}")
}
