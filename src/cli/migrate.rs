//! `deodar migrate`.

use super::Failure;
use crate::{config::DatabaseConfig, store};

/// Applies the migrations that are missing.
pub async fn run() -> Result<(), Failure> {
    let config = DatabaseConfig::from_env()?;
    store::migrate(config.url.expose()).await?;
    println!("the database is up to date");
    Ok(())
}
