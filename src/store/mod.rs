//! All SQL. Free functions, one file for each table family, checked against the schema at compile time.

use std::{str::FromStr, sync::Arc, time::Duration};

use sqlx::{
    PgConnection, PgPool,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
};

pub mod assignments;
pub mod audit;
pub mod authorization_requests;
pub mod authorizations;
pub mod batch;
pub mod bundles;
pub mod clients;
pub mod codes;
pub mod consents;
pub mod devices;
pub mod farewells;
pub mod grants;
pub mod keys;
pub mod mail_tokens;
pub mod outbox;
pub mod principals;
pub mod refresh_tokens;
pub mod registration_tokens;
pub mod revision;
pub mod revocations;
pub mod roles;
pub mod second_factors;
pub mod sessions;
pub mod subjects;
pub mod throttle;
pub mod used_ids;
pub mod users;

pub use sqlx::{
    Connection, Error as DriverError, PgConnection as Conn, PgPool as Pool, PgTransaction as Tx,
    postgres::PgListener as Listener,
};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// The database did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be reached, or broke off.
    #[error("the database cannot be reached")]
    Unavailable(#[source] Arc<sqlx::Error>),
    /// It answered with an error that this server did not expect.
    #[error("the database refused a statement")]
    Refused(#[source] sqlx::Error),
    /// A row does not mean anything.
    #[error("the database holds {0}, which this version does not understand")]
    Unreadable(String),
    /// The schema could not be brought up to date.
    #[error("the database could not be migrated")]
    Migrate(#[from] sqlx::migrate::MigrateError),
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_)
            | sqlx::Error::WorkerCrashed => Self::Unavailable(Arc::new(error)),
            // Class 08: connection, 57P: the server is going down or coming up, 53: it is out of something,
            // 57014: our own timeout ended the statement.
            sqlx::Error::Database(db)
                if db.code().is_some_and(|c| c.starts_with("08") || c.starts_with("57") || c.starts_with("53")) =>
            {
                Self::Unavailable(Arc::new(error))
            }
            _ => Self::Refused(error),
        }
    }
}

/// How long a connection is waited for. Short, so that whoever asks is told before they give up.
const PATIENCE: Duration = Duration::from_millis(1500);
/// A connection that was used so lately is not asked whether it is still there; nor is its answer waited for any longer.
const LATELY: Duration = Duration::from_millis(500);
/// How long starting waits for the database.
const START: Duration = Duration::from_secs(10);

/// How long one statement may take. Above every deadline of a request, which ends first.
const STATEMENT: Duration = Duration::from_secs(60);

/// Opens a pool of so many connections, without waiting for one. All are held open: on a busy machine connecting takes
/// longer than whoever asks has patience for.
pub fn pool(url: &str, connections: u32) -> Result<PgPool, Error> {
    let timeout = format!("{}ms", STATEMENT.as_millis());
    let options = PgConnectOptions::from_str(url)?
        .application_name("deodar")
        .options([("statement_timeout", timeout.as_str()), ("idle_in_transaction_session_timeout", "10s")]);
    // Testing each connection before use would double the round trips. One that was used a moment ago is good; whatever
    // lay idle is asked first, or after an outage every one of them would cost somebody an error.
    let pool = PgPoolOptions::new()
        .max_connections(connections)
        .min_connections(connections)
        .test_before_acquire(false)
        .before_acquire(|conn, idle| Box::pin(async move { Ok(idle.idle_for < LATELY || answers(conn).await) }))
        .acquire_timeout(PATIENCE);
    Ok(pool.connect_lazy_with(options))
}

async fn answers(conn: &mut PgConnection) -> bool {
    matches!(tokio::time::timeout(LATELY, conn.ping()).await, Ok(Ok(())))
}

/// Applies the migrations that are missing. Several nodes may do so at once: one does, the others wait.
pub async fn migrate(url: &str) -> Result<(), Error> {
    let mut conn = connect(url).await?;
    MIGRATIONS.run(&mut conn).await?;
    Ok(conn.close().await?)
}

async fn connect(url: &str) -> Result<PgConnection, Error> {
    let connecting = tokio::time::timeout(START, PgConnection::connect(url)).await;
    Ok(connecting.map_err(|_| sqlx::Error::PoolTimedOut)??)
}

/// Makes a database unless it exists. `name` is a plain identifier.
pub async fn create_database(url: &str, name: &str) -> Result<(), Error> {
    let mut conn = connect(url).await?;
    let exists =
        sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1) AS "exists!""#, name);
    if !exists.fetch_one(&mut conn).await? {
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE \"{name}\""))).execute(&mut conn).await?;
    }
    Ok(conn.close().await?)
}

/// Begins a transaction that sees the database as of one instant and writes nothing.
pub async fn read_only(pool: &PgPool) -> Result<Tx<'static>, Error> {
    Ok(pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?)
}

/// Waits for the database, not for ever: a connection that fell silent says nothing for minutes.
pub async fn within<T, E: From<Error>>(work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
    let late = |_| E::from(sqlx::Error::PoolTimedOut.into());
    tokio::time::timeout(PATIENCE, work).await.unwrap_or_else(|elapsed| Err(late(elapsed)))
}

/// Lets the statements of this transaction take as long as they need.
pub async fn unhurried(conn: &mut PgConnection) -> Result<(), Error> {
    sqlx::query!("SELECT set_config('statement_timeout', '0', true)").fetch_one(conn).await?;
    Ok(())
}

/// Whether the database answers.
pub async fn ping(pool: &PgPool) -> Result<(), Error> {
    within(async { Ok(sqlx::query!("SELECT 1 AS one").fetch_one(pool).await.map(drop)?) }).await
}

fn unreadable<T, E: std::fmt::Display>(what: &str, read: Result<T, E>) -> Result<T, Error> {
    read.map_err(|error| Error::Unreadable(format!("{what} ({error})")))
}
