//! The database for commands that work on it directly.

use super::Failure;
use crate::{
    config::{DatabaseConfig, LinkConfig},
    model::Clock,
    store,
};

/// Opens the configured database.
pub fn open() -> Result<store::Pool, Failure> {
    crate::telemetry::init_command();
    connect(&DatabaseConfig::from_env()?)
}

/// The same, with the base URL of links.
pub fn open_with_issuer() -> Result<(store::Pool, String), Failure> {
    crate::telemetry::init_command();
    let config = LinkConfig::from_env()?;
    Ok((connect(&config.database)?, config.issuer.as_str().to_owned()))
}

/// The time that the servers of this database go by.
pub async fn clock(pool: &store::Pool) -> Result<Clock, Failure> {
    let clock = Clock::default();
    store::revision::poll(pool, &clock).await?;
    Ok(clock)
}

/// Connections of a command, which does one thing at a time.
pub const CONNECTIONS: u32 = 2;

fn connect(config: &DatabaseConfig) -> Result<store::Pool, Failure> {
    Ok(store::pool(config.url.expose(), CONNECTIONS)?)
}
