//! `deodar serve`.

use std::{net::TcpListener, path::PathBuf};

use axum_server::tls_rustls::RustlsConfig;
use clap::Args;

use super::{Failure, listen};
use crate::{
    app::{self, App, Directories},
    config::Config,
    ops,
    policy::Files,
    telemetry,
};

/// Flags of `serve`; everything else comes from the environment.
#[derive(Args)]
pub struct Options {
    /// Folder of hand-written policies; by default `policies` where there is one
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Folder of Cedar schemas; by default `schema` where there is one
    #[arg(long, value_name = "DIR")]
    schema: Option<PathBuf>,
}

/// Runs the server until it is told to stop.
pub async fn run(options: Options) -> Result<(), Failure> {
    let config = Config::from_env()?;
    telemetry::init(&config.log, config.log_format.json_lines());
    listen::keep_metrics();
    let directories = directories(&config, options.policies, options.schema);
    let files = directories.exist().then(|| read(&directories)).transpose()?;
    let tls = match config.tls() {
        Some((cert, key)) => Some(RustlsConfig::from_pem_file(cert, key).await?),
        None => None,
    };
    let listener = TcpListener::bind(config.listen)?;
    let metrics = config.metrics_listen.map(TcpListener::bind).transpose()?;
    let app = App::build(config, app::Options { files, ..app::Options::default() }).await?;
    if let Some(metrics) = metrics {
        metrics.set_nonblocking(true)?;
        tokio::spawn(axum_server::from_tcp(metrics)?.serve(ops::metrics().into_make_service()));
    }
    tracing::info!(address = %listener.local_addr()?, issuer = %app.config.issuer, "serving");
    listen::serve(&app, listener, tls, axum::Router::new()).await
}

/// Where the hand-written Cedar lies: flags, then settings, then the working directory.
pub fn directories(config: &Config, policies: Option<PathBuf>, schema: Option<PathBuf>) -> Directories {
    let policies = policies.or_else(|| config.policies.clone()).unwrap_or_else(|| "policies".into());
    let schema = schema.or_else(|| config.schema.clone()).unwrap_or_else(|| "schema".into());
    Directories { policies, schema }
}

/// Reads the files and makes sure that they compile.
fn read(directories: &Directories) -> Result<Files, Failure> {
    let files = directories.read()?;
    match super::policy::compile(directories, &files) {
        Ok(_) => Ok(files),
        Err(findings) => Err(Failure(format!("the policies cannot be used:\n{findings}"))),
    }
}
