//! The database for commands that work on it directly.

use super::Failure;
use crate::{config::DatabaseConfig, store};

/// Opens the configured database.
pub fn open() -> Result<store::Pool, Failure> {
    crate::telemetry::init_command();
    let config = DatabaseConfig::from_env()?;
    Ok(store::pool(config.url.expose(), config.connections)?)
}
