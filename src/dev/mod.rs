//! The zero-configuration mode: a database of its own, generated secrets, demo data.

pub mod demo;
pub mod mailbox;
pub mod postgres;
pub mod secrets;
pub mod watch;
