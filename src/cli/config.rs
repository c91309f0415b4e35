//! `deodar config`.

use clap::Subcommand;

use super::Failure;
use crate::config::Config;

/// What to do with the configuration.
#[derive(Subcommand)]
pub enum Command {
    /// Read the configuration and say everything that is wrong with it
    Check,
    /// List every variable with its default and meaning
    List,
}

/// Runs one of them.
pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Check => {
            Config::from_env()?;
            println!("the configuration is good");
        }
        Command::List => {
            for (name, presence, doc) in Config::describe() {
                println!("{name:<30} {presence:<18} {doc}");
            }
        }
    }
    Ok(())
}
