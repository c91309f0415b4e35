//! The database for commands that work on it directly.

use std::time::Duration;

use super::Failure;
use crate::{config::DatabaseConfig, store};

/// Enough for the largest export.
const DEADLINE: Duration = Duration::from_mins(10);

/// Opens the configured database.
pub fn open() -> Result<store::Pool, Failure> {
    crate::telemetry::init_command();
    let config = DatabaseConfig::from_env()?;
    Ok(store::pool(config.url.expose(), config.connections, DEADLINE)?)
}
