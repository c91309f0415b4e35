//! The server from outside: real requests over a real socket to a real server on a database of its own.
//!
//! `scripts/with-services cargo test --test it`

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods, reason = "a test may stop")]

mod actor;
mod answer;
mod app;
mod browser;
mod database;
mod mailbox;
mod meter;
mod neighbour;
mod person;
mod prover;

mod admin;
mod checks;
mod commands;
mod concurrency;
mod coverage;
mod escalation;
mod mail;
mod oauth;
mod outage;
mod pages;
mod people;
mod permissions;
mod questions;
