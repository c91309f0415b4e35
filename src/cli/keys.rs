//! `deodar keys`.

use std::sync::Arc;

use clap::Subcommand;

use super::{Failure, database};
use crate::{
    config::Config,
    crypto::Sealer,
    model::Algorithm,
    store::{self, revision::Change},
    tokens::{Keys, Rotation},
};

/// What to do with the signing keys.
#[derive(Subcommand)]
pub enum Command {
    /// List them
    List,
    /// Replace them; running servers take the new ones over
    Rotate {
        /// Somebody else has the keys: the new ones sign at once, and every token that there is is dead
        #[arg(long)]
        compromised: bool,
    },
}

/// Runs it. Works on the database directly.
pub async fn run(command: Command) -> Result<(), Failure> {
    crate::telemetry::init_command();
    let config = Config::from_env()?;
    let pool = store::pool(config.database_url.expose(), database::CONNECTIONS)?;
    let clock = database::clock(&pool).await?;
    if let Command::Rotate { compromised } = command {
        let sealer = Arc::new(Sealer::new(config.master_keys.iter().cloned()));
        let rotation = config.key_rotation.try_into()?;
        let keys = Keys::load(pool.clone(), sealer, clock.clone(), rotation).await?;
        let fresh = keys.fresh(&Algorithm::ALL).await?;
        let why = if compromised { Rotation::Compromised } else { Rotation::Planned };
        let mut tx = pool.begin().await?;
        store::revision::lock(&mut tx).await?;
        keys.replace(&mut tx, &fresh, why).await?;
        store::revision::advance(&mut tx, &[Change::Keys]).await?;
        tx.commit().await?;
    }
    println!("{:<18}{:<8}{:<22}VERIFIES UNTIL", "KID", "ALG", "SIGNS FROM");
    for row in store::keys::list(&pool, clock.now()).await? {
        let minute = |at: time::OffsetDateTime| format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute());
        let until = row.verifies_until.map_or_else(|| "-".to_owned(), minute);
        println!("{:<18}{:<8}{:<22}{until}", row.kid, row.algorithm.as_str(), minute(row.signs_from));
    }
    Ok(())
}
