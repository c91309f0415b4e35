//! `deodar dev`.

use std::{
    collections::HashMap,
    fs,
    net::{SocketAddr, TcpListener},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use axum_server::tls_rustls::RustlsConfig;
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::{Failure, listen};
use crate::{
    app::{self, App, Directories, built_in},
    config::{Config, Environment},
    dev::{demo, mailbox, postgres, secrets, watch},
    mail::Mailbox,
    model::Clock,
    ops,
    policy::Files,
    store, telemetry,
};

/// Flags of `dev`.
#[derive(Args)]
pub struct Options {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where everything is kept
    #[arg(long, value_name = "DIR", default_value = ".deodar")]
    data_dir: PathBuf,
    /// Start over: remove the data directory first
    #[arg(long)]
    fresh: bool,
    /// A Redis server to use
    #[arg(long, value_name = "URL")]
    redis_url: Option<String>,
    /// Serve https with a certificate of its own
    #[arg(long)]
    tls: bool,
    /// Folder of hand-written policies, watched
    #[arg(long, value_name = "DIR")]
    policies: Option<PathBuf>,
    /// Folder of Cedar schemas, watched
    #[arg(long, value_name = "DIR")]
    schema: Option<PathBuf>,
}

/// Runs everything until told to stop.
pub async fn run(options: Options) -> Result<(), Failure> {
    let dir = options.data_dir.clone();
    let home = dir.join("postgres");
    if options.fresh && dir.exists() {
        postgres::remove(&home).await?;
        fs::remove_dir_all(&dir)?;
    }
    fs::DirBuilder::new().recursive(true).mode(0o755).create(&dir)?;
    let cluster = postgres::start(&home).await?;
    let served = serve(&options, &dir, &cluster).await;
    cluster.stop().await?;
    served
}

async fn serve(flags: &Options, dir: &Path, cluster: &postgres::Cluster) -> Result<(), Failure> {
    let listener = TcpListener::bind(flags.listen)?;
    let address = listener.local_addr()?;
    let secrets = secrets::Secrets::load(dir)?;
    let database_url = cluster.url("deodar");
    store::create_database(&cluster.url("postgres"), "deodar").await?;
    let config = configure(flags, address, &database_url, &secrets)?;
    telemetry::init(&config.log, config.log_format.json_lines());
    listen::keep_metrics();

    let directories = super::serve::directories(&config, flags.policies.clone(), flags.schema.clone());
    let (files, watched) = files(&directories)?;
    let files = usable(&directories, files, &database_url).await?;
    let kept = Mailbox::default();
    let options = app::Options { files, verbose: true, clock: Clock::default(), mailbox: Some(kept.clone()) };
    let app = App::build(config, options).await?;
    let dev = demo::seed(&app, &secrets, database_url).await?;
    let file = dir.join("dev.json");
    secrets::write_private(&file, &serde_json::to_vec_pretty(&dev)?)?;

    let tls = if flags.tls { Some(own_certificate(dir).await?) } else { None };
    let stop = CancellationToken::new();
    if watched.is_some() {
        tokio::spawn(watch::follow(app.clone(), directories, watched, stop.clone()));
    }
    println!("{}", dev.welcome(&file));
    let served = listen::serve(&app, listener, tls, ops::metrics().merge(mailbox::routes(kept))).await;
    stop.cancel();
    served
}

/// Generated values, and the environment where it says otherwise.
fn configure(
    options: &Options,
    address: SocketAddr,
    database_url: &str,
    secrets: &secrets::Secrets,
) -> Result<Config, Failure> {
    let scheme = if options.tls { "https" } else { "http" };
    let mut generated = HashMap::from([
        ("DATABASE_URL", database_url.to_owned()),
        ("DEODAR_ISSUER", format!("{scheme}://{address}")),
        ("DEODAR_LISTEN", address.to_string()),
        ("DEODAR_METRICS_LISTEN", "off".to_owned()),
        ("DEODAR_MASTER_KEY", secrets.master_key.clone()),
        // Applications under development are on this machine.
        ("DEODAR_FETCH_PRIVATE", "on".to_owned()),
        ("DEODAR_LOG", "info,deodar::access=warn".to_owned()),
    ]);
    if let Some(url) = &options.redis_url {
        generated.insert("REDIS_URL", url.clone());
    }
    let environment = Environment::process();
    let fixed = ["DATABASE_URL", "DEODAR_LISTEN", "DEODAR_MASTER_KEY"];
    let lookup = |name: &str| {
        let given = if fixed.contains(&name) { None } else { environment.get(name) };
        given.or_else(|| generated.get(name).cloned())
    };
    Ok(Config::read(lookup, environment.names())?)
}

/// The files to start with, and those to watch for changes.
fn files(directories: &Directories) -> Result<(Files, Option<Files>), Failure> {
    if directories.exist() {
        let files = directories.read()?;
        return Ok((files.clone(), Some(files)));
    }
    let mut files = built_in();
    files.insert("schema/docs.cedarschema".into(), include_str!("../../schema/docs.cedarschema").into());
    files.insert("policies/guardrails.cedar".into(), include_str!("../../policies/guardrails.cedar").into());
    Ok((files, None))
}

/// Files that compile; else `None`, which keeps the last good ones, if there are any.
async fn usable(directories: &Directories, files: Files, database_url: &str) -> Result<Option<Files>, Failure> {
    let compiled = crate::pdp::compile(0, files.clone()).await?;
    let Err(error) = compiled else { return Ok(Some(files)) };
    watch::report(directories, &files, &error);
    store::migrate(database_url).await?;
    let pool = store::pool(database_url, 1)?;
    let (_, active) = store::revision::get(&pool).await?;
    Ok(active.is_none().then(built_in))
}

/// A certificate for loopback names, made once and kept in the data directory.
async fn own_certificate(dir: &Path) -> Result<RustlsConfig, Failure> {
    let (cert, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    if !cert.exists() || !key.exists() {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let made = rcgen::generate_simple_self_signed(names)?;
        secrets::write_private(&key, made.signing_key.serialize_pem().as_bytes())?;
        fs::write(&cert, made.cert.pem())?;
    }
    Ok(RustlsConfig::from_pem_file(cert, key).await?)
}
