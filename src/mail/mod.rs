//! Outgoing mail: what is said ([`Message`]), how it looks ([`Letter`]) and how it leaves ([`Mailer`]).
//!
//! Nothing here waits or retries; `post` does. A mail may arrive twice when a node dies between handing it over and
//! noting that; both copies carry the same `Message-ID`, by which mail programs fold them into one.

mod letter;
mod mailbox;
mod mailer;
mod message;
mod smtp;

pub use letter::{Letter, Unwritable, plain};
pub use mailbox::{Kept, Mailbox};
pub use mailer::{Mailer, SendError, Session};
pub use message::Message;
pub use smtp::{BadServer, Relay};
