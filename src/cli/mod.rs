//! The commands. Each says what it did; 0 means done, 1 failed, 2 wrong usage.

mod admin;
mod config;
mod database;
mod dev;
mod keys;
mod listen;
mod migrate;
mod policy;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio::runtime::Builder;

/// OpenID Connect provider and Cedar policy decision point in one binary
#[derive(Parser)]
#[command(name = "deodar", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run everything on this machine with no configuration
    Dev(dev::Options),
    /// Run the server, configured by the environment
    Serve(serve::Options),
    /// Apply the database migrations and stop
    Migrate,
    /// Check, test, store and activate hand-written Cedar
    #[command(subcommand)]
    Policy(policy::Command),
    /// Bootstrap administration
    #[command(subcommand)]
    Admin(admin::Command),
    /// List and replace the keys that sign tokens
    #[command(subcommand)]
    Keys(keys::Command),
    /// Look at the configuration
    #[command(subcommand)]
    Config(config::Command),
}

/// A command failed; the text is for the person who typed it.
pub struct Failure(String);

impl<E: std::error::Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let chain = std::iter::successors(error.source(), |inner| inner.source());
        let causes: Vec<String> = chain.map(ToString::to_string).collect();
        let mut text = error.to_string();
        for cause in causes {
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        Self(text)
    }
}

/// Runs the command that was typed.
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    crate::crypto::install();
    // Cedar evaluates recursively and reports an error where the stack ends; address space costs nothing.
    let runtime = match Builder::new_multi_thread().enable_all().thread_stack_size(8 * 1024 * 1024).build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("deodar: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(async {
        match cli.command {
            Command::Dev(options) => dev::run(options).await,
            Command::Serve(options) => serve::run(options).await,
            Command::Migrate => migrate::run().await,
            Command::Policy(command) => policy::run(command).await,
            Command::Admin(command) => admin::run(command).await,
            Command::Keys(command) => keys::run(command).await,
            Command::Config(command) => config::run(command),
        }
    });
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(text)) => {
            eprintln!("deodar: {text}");
            ExitCode::FAILURE
        }
    }
}
