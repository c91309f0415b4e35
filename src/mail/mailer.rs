//! Where mail goes.

use super::{
    Letter, Mailbox,
    smtp::{Connection, Relay},
};

/// The way out of this server.
pub enum Mailer {
    /// A mail server.
    Relay(Relay),
    /// A mailbox in this process, for reading.
    Kept(Mailbox),
    /// None: mail stays where it is.
    None,
}

/// Mail is sent one after the other over one connection, which is made when it is needed.
pub struct Session<'a>(Way<'a>);

enum Way<'a> {
    Relay(Connection<'a>),
    Kept(&'a Mailbox),
}

/// A mail did not leave.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// It never will: the address means nothing, or the server refuses it for good (5xx).
    #[error("the mail cannot be delivered")]
    Permanent(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Not now: the server puts it off (4xx), or this node cannot read it.
    #[error("the mail cannot be sent now")]
    Temporary(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server is not there, not who it should be, or fell silent: no mail can be sent.
    #[error("the mail server cannot be used")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl Mailer {
    /// A session, where there is a way out. Nothing is connected yet.
    pub fn session(&self) -> Option<Session<'_>> {
        match self {
            Self::Relay(relay) => Some(Session(Way::Relay(relay.connection()))),
            Self::Kept(mailbox) => Some(Session(Way::Kept(mailbox))),
            Self::None => None,
        }
    }
}

impl Session<'_> {
    /// Hands a letter over. Takes under a minute.
    ///
    /// # Errors
    /// Whether it is worth another attempt. After any of them the session goes on with a new connection.
    pub async fn send(&mut self, letter: &Letter) -> Result<(), SendError> {
        match &mut self.0 {
            Way::Relay(connection) => connection.send(letter).await,
            Way::Kept(mailbox) => {
                mailbox.deliver(letter);
                Ok(())
            }
        }
    }

    /// Takes leave of the server.
    pub async fn close(self) {
        match self.0 {
            Way::Relay(connection) => connection.close().await,
            Way::Kept(_) => {}
        }
    }
}
