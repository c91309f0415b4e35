//! The one handle that every handler gets: cheap to clone, built once.

mod files;
mod hint;
mod maintenance;
mod settings;

use std::{
    ops::Deref,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use self::files::{Directories, Unreadable, built_in};
use crate::{
    accounts::Accounts,
    config::Config,
    crypto::{CryptoError, Passwords, Sealer},
    farewell::Farewells,
    fetch::BadCertificates,
    mail::{BadServer, Mailbox},
    model::Clock,
    pdp::{self, Adopted, Pdp},
    policy::Files,
    post::Post,
    store,
    tokens::{Clients, Document, Keys, KeysError, RefreshTokens, Tokens},
};

/// See the module.
#[derive(Clone)]
pub struct App(Arc<Inner>);

/// What [`App`] points to.
pub struct Inner {
    /// Every setting.
    pub config: Config,
    /// Whether error answers may say what happened inside.
    pub verbose: bool,
    /// The database.
    pub pool: store::Pool,
    /// The time.
    pub clock: Clock,
    /// The decision point.
    pub pdp: Arc<Pdp>,
    /// Registered clients.
    pub clients: Clients,
    /// Refresh tokens.
    pub refresh_tokens: RefreshTokens,
    /// Issues and verifies tokens.
    pub tokens: Arc<Tokens>,
    /// Use cases about people.
    pub accounts: Arc<Accounts>,
    /// Mail on its way.
    pub post: Arc<Post>,
    /// Word to clients that sessions ended.
    pub farewells: Arc<Farewells>,
    /// What the OpenID provider says of itself, once it was asked.
    pub metadata: OnceLock<Document>,
    redis: Option<redis::Client>,
    leaving: AtomicBool,
    stop: CancellationToken,
    tasks: TaskTracker,
}

/// How an app differs from one on a customer's machine.
#[derive(Default)]
pub struct Options {
    /// The files to start with; the database decides without.
    pub files: Option<Files>,
    /// See [`Inner::verbose`].
    pub verbose: bool,
    /// The time.
    pub clock: Clock,
    /// Keeps mail for reading where no mail server is configured; without it such mail waits in the outbox.
    pub mailbox: Option<Mailbox>,
}

/// The server cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Policies, or what is stored of them.
    #[error(transparent)]
    Pdp(#[from] pdp::Error),
    /// Signing keys.
    #[error(transparent)]
    Keys(#[from] KeysError),
    /// The threads that hash passwords.
    #[error(transparent)]
    Passwords(#[from] CryptoError),
    /// The URL of Redis. Whether Redis is there does not matter.
    #[error("`REDIS_URL` is not a Redis URL")]
    Redis(#[from] redis::RedisError),
    /// Certificates of those whom this server asks.
    #[error(transparent)]
    Certificates(#[from] BadCertificates),
    /// The file with them.
    #[error("the file of `DEODAR_FETCH_CA` cannot be read")]
    CertificatesUnreadable(#[source] std::io::Error),
    /// The mail server's settings. Whether it is there does not matter.
    #[error(transparent)]
    Mail(#[from] BadServer),
}

impl App {
    /// Migrates, adopts files, loads everything, and starts following the database.
    pub async fn build(config: Config, options: Options) -> Result<Self, StartError> {
        store::migrate(config.database_url.expose()).await?;
        let pool = store::pool(config.database_url.expose(), config.database_connections)?;
        store::revision::poll(&pool, &options.clock).await?;
        // Before the first event: a partition cannot be made for a day that already has some.
        let keep = config.audit_retention.try_into().unwrap_or(time::Duration::MAX);
        store::audit::maintain(&pool, options.clock.ahead(), keep).await?;
        let (_, active) = store::revision::get(&pool).await?;
        match options.files.or_else(|| active.is_none().then(built_in)) {
            Some(files) => report(&pdp::adopt(&pool, files).await?),
            None => tracing::debug!("the database's bundle stays active"),
        }
        let redis = config.redis_url.as_ref().map(|url| redis::Client::open(url.expose().as_str())).transpose()?;
        let sealer = Arc::new(Sealer::new(config.master_keys.iter().cloned()));
        let rotation = config.key_rotation.try_into().unwrap_or(time::Duration::MAX);
        let keys = Keys::load(pool.clone(), Arc::clone(&sealer), options.clock.clone(), rotation).await?;
        let pdp = Arc::new(Pdp::load(pool.clone(), options.clock.clone(), settings::pdp(&config)).await?);
        pdp.warn_if_locked_out().await?;
        let fetcher = settings::fetcher(&config)?;
        let clients =
            Clients::new(pool.clone(), Arc::clone(&pdp), fetcher.clone(), options.clock.clone(), config.client_cache);
        let refresh_tokens = RefreshTokens::new(pool.clone(), config.token_cache);
        let issuer = config.issuer.as_str().to_owned();
        let clock = &options.clock;
        let tokens = Tokens::new(settings::tokens(&config), clock.clone(), keys);
        let tasks = TaskTracker::new();
        let host = config.issuer.host().to_owned();
        let mailer = settings::mailer(&config, options.mailbox)?;
        let post = Post::new(pool.clone(), Arc::clone(&sealer), mailer, clock.clone(), host, config.mail_queue);
        let post = Arc::new(post);
        let farewells = Arc::new(Farewells::new(pool.clone(), fetcher.clone(), clock.clone()));
        let accounts = Accounts::new(
            pool.clone(),
            Arc::clone(&pdp),
            clock.clone(),
            sealer,
            Passwords::new(settings::passwords(&config))?,
            Arc::clone(&post),
            Arc::clone(&farewells),
            settings::accounts(&config, issuer),
            tasks.clone(),
        );
        let app = Self(Arc::new(Inner {
            verbose: options.verbose,
            clock: options.clock,
            metadata: OnceLock::new(),
            redis,
            leaving: AtomicBool::new(false),
            stop: CancellationToken::new(),
            tasks,
            config,
            pdp,
            clients,
            refresh_tokens,
            tokens: Arc::new(tokens),
            accounts: Arc::new(accounts),
            post,
            farewells,
            pool,
        }));
        app.start_tasks();
        Ok(app)
    }

    fn start_tasks(&self) {
        self.tasks.spawn(Arc::clone(&self.pdp).follow(self.stop.clone()));
        if let Some(redis) = self.redis.clone() {
            let (pdp, stop) = (Arc::clone(&self.pdp), self.stop.clone());
            self.tasks.spawn(async move {
                stop.run_until_cancelled(hint::exchange(redis, pdp)).await;
            });
        }
        let (post, stop) = (Arc::clone(&self.post), self.stop.clone());
        self.tasks.spawn(async move { post.run(stop).await });
        let (farewells, tokens, stop) = (Arc::clone(&self.farewells), Arc::clone(&self.tokens), self.stop.clone());
        self.tasks.spawn(async move {
            farewells.run(stop, |client, it| tokens.issue_logout(client, &it.subject, it.session)).await;
        });
        self.tasks.spawn(maintenance::run(
            self.pool.clone(),
            Arc::clone(&self.accounts),
            self.clock.clone(),
            self.config.audit_retention,
            self.stop.clone(),
        ));
        let (app, stop) = (Arc::downgrade(&self.0), self.stop.clone());
        let changes = self.pdp.key_changes();
        self.tasks.spawn(async move {
            stop.run_until_cancelled(follow_keys(app, changes)).await;
        });
    }
}

impl Inner {
    /// Since when events are on record.
    pub fn oldest_event(&self) -> time::OffsetDateTime {
        let keep = self.config.audit_retention.try_into().unwrap_or(time::Duration::MAX);
        self.clock.now().checked_sub(keep).unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
    }

    /// When what follows from an authorization that is given at `now` ends.
    pub fn authorization_ends(&self, now: time::OffsetDateTime) -> store::codes::Ends {
        let after = |setting: Duration| now + time::Duration::try_from(setting).unwrap_or(time::Duration::DAY);
        store::codes::Ends {
            access: self.tokens.access_expiry(now),
            idle: after(self.config.refresh_idle).min(after(self.config.refresh_lifetime)),
            refresh: after(self.config.refresh_lifetime),
        }
    }

    /// Announces that this node will stop: it is not ready from now on.
    pub fn leave(&self) {
        self.leaving.store(true, Ordering::Release);
    }

    /// Whether this node is about to stop.
    pub fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Acquire)
    }

    /// Ends the background tasks and waits for them.
    pub async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.pool.close().await;
    }
}

impl Deref for App {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Reads the signing keys when another node replaced them, and replaces them when it is time.
async fn follow_keys(app: Weak<Inner>, mut changes: watch::Receiver<()>) {
    loop {
        let told = tokio::select! {
            told = changes.changed() => told.is_ok(),
            () = tokio::time::sleep(Duration::from_mins(1)) => false,
        };
        let Some(app) = app.upgrade() else { return };
        let done = if told { app.tokens.reload_keys().await } else { app.tokens.keys().tend().await };
        if let Err(error) = done {
            tracing::warn!(error = %error, "cannot read the signing keys");
        }
    }
}

fn report(adopted: &Adopted) {
    match adopted {
        Adopted::Activated(number) => tracing::info!(bundle = number, "new files are active"),
        Adopted::Known(number) => tracing::debug!(bundle = number, "the files were known"),
        Adopted::Refused(broken) => {
            for grants in broken {
                tracing::error!(grants = ?grants.ids, count = grants.count, reason = grants.fault.message,
                    "the files would break existing grants and were not activated");
            }
        }
    }
}
