//! Every setting of the server: its variable, type, unit, default and meaning, in the one table below.
//!
//! [`Config::read`] looks at everything before anything starts and reports every fault at once, each with what to
//! write instead. No message ever holds the value of a secret. An empty value counts as absent.
//!
//! Adding a setting is adding one entry to the table: the field, its documentation, the reading, the list of known
//! names and [`Config::describe`] all come from it. A value that parses but makes no sense with another one is the
//! business of `Reader::both_or_none` and its like.
//!
//! Why a lookup function: tests and `deodar dev` supply values without touching the environment of the process, which
//! is shared by all threads. Only `environment.rs` reads it.

mod command;
mod environment;
mod fault;
mod ip_block;
mod issuer;
mod master_keys;
mod parse;
mod reader;
#[cfg(test)]
mod tests;
mod units;

use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::model::{RoleName, Secret};

pub use self::command::{DatabaseConfig, LinkConfig};
pub use self::environment::Environment;
pub use self::fault::{ConfigErrors, Fault};
pub use self::ip_block::IpBlock;
pub use self::issuer::Issuer;
pub use self::master_keys::MasterKeys;
pub use self::reader::Presence;

use self::parse::{
    Mailbox, choice, file, list, log_filter, mailbox, number, optional, or_off, path, role_name, smtp_url,
    socket_address, url_with_scheme,
};
use self::reader::{Reader, Setting, settings};
use self::units::{KIB, MIB, bytes, duration};

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const ON_OFF: [(&str, bool); 2] = [("on", true), ("off", false)];

// field: Type = "VARIABLE" => parser;                  required
// field: Type = "VARIABLE" or "default" => parser;     the default is text and goes through the same parser
// field: Option<Type> = "VARIABLE" or "" => optional(parser);
settings! {
    /// The PostgreSQL database, as in `postgres://user:password@host:5432/database`.
    database_url: Secret<String> = "DATABASE_URL" => url_with_scheme(&["postgres", "postgresql"]);
    /// How many database connections one node holds open.
    database_connections: u32 = "DEODAR_DATABASE_CONNECTIONS" or "16" => number(2..=1000);
    /// The Redis server that nodes share, as in `redis://host:6379`; without it they share the database only.
    redis_url: Option<Secret<String>> = "REDIS_URL" or "" => optional(url_with_scheme(&["redis", "rediss"]));
    /// The base URL under which browsers and clients reach this server, as in `https://login.my-company.com`.
    issuer: Issuer = "DEODAR_ISSUER" => Issuer::parse;
    /// The keys that seal secrets in the database, each 32 bytes in base64 as `openssl rand -base64 32` prints, with
    /// commas between them; the first one encrypts, the others still decrypt.
    master_keys: MasterKeys = "DEODAR_MASTER_KEY" => MasterKeys::parse;

    /// The address and port to serve on.
    listen: SocketAddr = "DEODAR_LISTEN" or "127.0.0.1:8080" => socket_address;
    /// The address and port that serve `/metrics`, or `off`.
    metrics_listen: Option<SocketAddr> = "DEODAR_METRICS_LISTEN" or "127.0.0.1:9090" => or_off(socket_address);
    /// The PEM file with the certificate chain; together with `DEODAR_TLS_KEY` it makes the server speak TLS itself.
    tls_cert: Option<PathBuf> = "DEODAR_TLS_CERT" or "" => optional(file);
    /// The PEM file with the private key of the certificate.
    tls_key: Option<PathBuf> = "DEODAR_TLS_KEY" or "" => optional(file);
    /// The addresses or blocks (`10.0.0.0/8`), with commas between them, whose `X-Forwarded-For` is believed.
    trusted_proxies: Vec<IpBlock> = "DEODAR_TRUSTED_PROXIES" or "" => list(IpBlock::parse);
    /// The longest time one request may take before it is answered with an error.
    request_timeout: Duration = "DEODAR_REQUEST_TIMEOUT" or "3s" => duration(SECOND..=30 * SECOND);
    /// The largest request body that is read.
    body_limit: usize = "DEODAR_BODY_LIMIT" or "1MiB" => bytes(16 * KIB..=16 * MIB);
    /// The requests a second that one address may send to the token endpoint; 0 is no limit.
    token_rate: u32 = "DEODAR_TOKEN_RATE" or "200" => number(0..=1_000_000);
    /// The requests that one address may send to the token endpoint at once before its rate counts.
    token_burst: u32 = "DEODAR_TOKEN_BURST" or "1000" => number(1..=1_000_000);
    /// The time that requests in flight get to finish after the listener has closed.
    shutdown_grace: Duration = "DEODAR_SHUTDOWN_GRACE" or "10s" => duration(Duration::ZERO..=10 * MINUTE);
    /// The time between reporting not ready and closing the listener, for load balancers to notice.
    shutdown_delay: Duration = "DEODAR_SHUTDOWN_DELAY" or "0s" => duration(Duration::ZERO..=10 * MINUTE);

    /// The mail server, as in `smtps://user:password@host` or `smtp://host:587`; it needs TLS unless it is on this
    /// machine.
    smtp_url: Option<Secret<String>> = "SMTP_URL" or "" => optional(smtp_url);
    /// The sender of outgoing mail, as in `Accounts <no-reply@my-company.com>`.
    mail_from: Option<Mailbox> = "MAIL_FROM" or "" => optional(mailbox);
    /// The number of mails that may wait to be sent; more are dropped.
    mail_queue: u32 = "DEODAR_MAIL_QUEUE" or "10000" => number(1..=1_000_000);

    /// Whether the addresses that clients register (back-channel logout, keys, sector documents) may lead into private
    /// networks: `on` or `off`. Off, only public addresses are connected to.
    fetch_private: bool = "DEODAR_FETCH_PRIVATE" or "off" => choice(&ON_OFF);
    /// The PEM file with certificate authorities that are believed at those addresses besides the public ones.
    fetch_ca: Option<PathBuf> = "DEODAR_FETCH_CA" or "" => optional(file);

    /// What is logged: a level, or levels by module as in `info,deodar::pdp=debug`.
    log: String = "DEODAR_LOG" or "info" => log_filter;
    /// The form of the log: `json` lines, `text` for people, or `auto` for text on a terminal and JSON elsewhere.
    log_format: LogFormat = "DEODAR_LOG_FORMAT" or "auto" => choice(&LogFormat::WORDS);

    /// The directory of hand-written policies.
    policies: Option<PathBuf> = "DEODAR_POLICIES" or "" => optional(path);
    /// The directory of Cedar schemas.
    schema: Option<PathBuf> = "DEODAR_SCHEMA" or "" => optional(path);
    /// The longest time a node goes on deciding without having confirmed its revision.
    staleness_bound: Duration = "DEODAR_STALENESS_BOUND" or "5s" => duration(SECOND..=MINUTE);
    /// The longest time a check waits for its `at_least_revision`.
    revision_wait: Duration = "DEODAR_REVISION_WAIT" or "1s" => duration(50 * MS..=SECOND);
    /// The time between two looks for changes that no notification announced.
    poll_interval: Duration = "DEODAR_POLL_INTERVAL" or "250ms" => duration(20 * MS..=SECOND);
    /// The number of principals whose roles are remembered.
    principal_cache: u64 = "DEODAR_PRINCIPAL_CACHE" or "200000" => number(0..=100_000_000);
    /// The number of clients that are remembered.
    client_cache: u64 = "DEODAR_CLIENT_CACHE" or "20000" => number(0..=100_000_000);
    /// The number of verified access tokens that are remembered, and that of refresh tokens that were given out last.
    token_cache: u64 = "DEODAR_TOKEN_CACHE" or "100000" => number(0..=100_000_000);
    /// The longest chain of roles that inherit each other.
    role_depth: u32 = "DEODAR_ROLE_DEPTH" or "25" => number(1..=1000);
    /// The largest number of roles that one role inherits directly.
    role_width: u32 = "DEODAR_ROLE_WIDTH" or "1000" => number(1..=100_000);

    /// Whether strangers may register: `on` or `off`.
    sign_up: bool = "DEODAR_SIGN_UP" or "on" => choice(&ON_OFF);
    /// Whether registering tells at once that a name or an address is taken: `on` or `off`. Off, the answer is always
    /// the same, and whoever owns the address is told by mail.
    sign_up_tells: bool = "DEODAR_SIGN_UP_TELLS" or "off" => choice(&ON_OFF);
    /// The roles of those who register themselves, with commas between them.
    default_roles: Vec<RoleName> = "DEODAR_DEFAULT_ROLES" or "" => list(role_name);
    /// The failed attempts at a password or code of one account that cost no waiting.
    free_attempts: u32 = "DEODAR_FREE_ATTEMPTS" or "5" => number(1..=1000);
    /// The time after which a session that nobody uses ends.
    session_idle: Duration = "DEODAR_SESSION_IDLE" or "24h" => duration(MINUTE..=365 * DAY);
    /// The time after which every session ends.
    session_lifetime: Duration = "DEODAR_SESSION_LIFETIME" or "14d" => duration(MINUTE..=365 * DAY);
    /// The time for which having signed in is enough to change what protects an account; later the password is asked for.
    recent_sign_in: Duration = "DEODAR_RECENT_SIGN_IN" or "10m" => duration(Duration::ZERO..=DAY);
    /// The time that a sign-in waits for its second factor.
    second_factor_lifetime: Duration = "DEODAR_SECOND_FACTOR_LIFETIME" or "10m" => duration(MINUTE..=HOUR);
    /// The time that a link to prove an address works.
    verification_lifetime: Duration = "DEODAR_VERIFICATION_LIFETIME" or "24h" => duration(5 * MINUTE..=30 * DAY);
    /// The time that a link to a new password works.
    reset_lifetime: Duration = "DEODAR_RESET_LIFETIME" or "1h" => duration(5 * MINUTE..=DAY);
    /// The time that backup codes work.
    backup_code_lifetime: Duration = "DEODAR_BACKUP_CODE_LIFETIME" or "365d" => duration(DAY..=3650 * DAY);
    /// The time that events stay on record.
    audit_retention: Duration = "DEODAR_AUDIT_RETENTION" or "7d" => duration(DAY..=3650 * DAY);

    /// The passwords that are hashed at once; 0 is one for each core.
    password_threads: usize = "DEODAR_PASSWORD_THREADS" or "0" => number(0..=1024);
    /// The passwords that may wait to be hashed before sign-ins are refused.
    password_queue: usize = "DEODAR_PASSWORD_QUEUE" or "200" => number(1..=100_000);
    /// The memory that hashing one password takes, in KiB.
    password_memory: u32 = "DEODAR_PASSWORD_MEMORY" or "19456" => number(19_456..=262_144);
    /// The number of times that hashing a password goes over its memory.
    password_iterations: u32 = "DEODAR_PASSWORD_ITERATIONS" or "2" => number(2..=10);
    /// The least number of characters in a new password.
    password_min_length: usize = "DEODAR_PASSWORD_MIN_LENGTH" or "15" => number(8..=64);
    /// The least strength of a new password: `2` refuses common ones, `4` asks for ten thousand million guesses.
    password_min_strength: u8 = "DEODAR_PASSWORD_MIN_STRENGTH" or "3" => number(2..=4);
    /// The kinds of characters that a new password must have, with commas between them: `lower`, `upper`, `digit`,
    /// `symbol`.
    password_require: Vec<CharacterClass> = "DEODAR_PASSWORD_REQUIRE" or "" => list(choice(&CharacterClass::WORDS));

    /// The time an access token is good for.
    access_token_lifetime: Duration = "DEODAR_ACCESS_TOKEN_LIFETIME" or "15m" => duration(MINUTE..=HOUR);
    /// The time an ID token is good for.
    id_token_lifetime: Duration = "DEODAR_ID_TOKEN_LIFETIME" or "1h" => duration(MINUTE..=DAY);
    /// The time an authorization code is good for.
    code_lifetime: Duration = "DEODAR_CODE_LIFETIME" or "60s" => duration(SECOND..=10 * MINUTE);
    /// The time a device waits for a person to let it in.
    device_code_lifetime: Duration = "DEODAR_DEVICE_CODE_LIFETIME" or "10m" => duration(MINUTE..=HOUR);
    /// The time a refresh token that nobody uses is good for.
    refresh_idle: Duration = "DEODAR_REFRESH_IDLE" or "14d" => duration(MINUTE..=365 * DAY);
    /// The time after which a person has to authorize an application anew, however much it refreshes.
    refresh_lifetime: Duration = "DEODAR_REFRESH_LIFETIME" or "90d" => duration(MINUTE..=3650 * DAY);
    /// The time an authorization request waits for a person to log in and to agree.
    request_lifetime: Duration = "DEODAR_REQUEST_LIFETIME" or "30m" => duration(MINUTE..=DAY);
    /// Who may register clients at `/oauth/register`: anybody (`open`), whoever has a token for it (`token`), or nobody
    /// (`off`).
    registration: Registration = "DEODAR_REGISTRATION" or "token" => choice(&Registration::WORDS);
    /// Who has to use PKCE: every client that is not exempted (`required`), or those without a secret
    /// (`public_clients`).
    pkce: Pkce = "DEODAR_PKCE" or "required" => choice(&Pkce::WORDS);
    /// The time a signing key signs before the next one takes its place.
    key_rotation: Duration = "DEODAR_KEY_ROTATION" or "90d" => duration(HOUR..=1000 * DAY);
}

impl Config {
    /// Reads and checks every setting. `lookup` gives the value of a variable, `names` are all names that are set (for
    /// finding unknown `DEODAR_*` ones).
    ///
    /// # Errors
    /// All faults together, in the order of the table.
    pub fn read(
        lookup: impl Fn(&str) -> Option<String>,
        names: impl Iterator<Item = String>,
    ) -> Result<Self, ConfigErrors> {
        let mut reader = Reader::new(&lookup);
        let config = Self::take(&mut reader);
        reader.both_or_none("DEODAR_TLS_CERT", "DEODAR_TLS_KEY");
        reader.both_or_none("SMTP_URL", "MAIL_FROM");
        reader.refuse_unknown(names, SETTINGS);
        reader.finish(config)
    }

    /// Reads the environment, and what it leaves out from `.env` in the working directory.
    ///
    /// # Errors
    /// As [`Config::read`].
    pub fn from_env() -> Result<Self, ConfigErrors> {
        let environment = Environment::load()?;
        Self::read(|name| environment.get(name), environment.names())
    }

    /// Every setting in the order of the table: variable, default and one sentence.
    pub fn describe() -> impl Iterator<Item = (&'static str, Presence, String)> {
        SETTINGS.iter().map(|setting| (setting.name, setting.presence, setting.sentence()))
    }

    /// The part that commands without a server need.
    #[must_use]
    pub fn database(&self) -> DatabaseConfig {
        DatabaseConfig { url: self.database_url.clone() }
    }

    /// Certificate chain and private key, where the server speaks TLS itself.
    #[must_use]
    pub fn tls(&self) -> Option<(&Path, &Path)> {
        self.tls_cert.as_deref().zip(self.tls_key.as_deref())
    }
}

/// A kind of character that a password can be asked to have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CharacterClass {
    /// A small letter of any script.
    Lower,
    /// A capital letter of any script.
    Upper,
    /// A digit of any script.
    Digit,
    /// Neither letter nor digit; a space is one.
    Symbol,
}

impl CharacterClass {
    const WORDS: [(&str, Self); 4] =
        [("lower", Self::Lower), ("upper", Self::Upper), ("digit", Self::Digit), ("symbol", Self::Symbol)];
}

impl std::fmt::Display for CharacterClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Lower => "small letter",
            Self::Upper => "capital letter",
            Self::Digit => "digit",
            Self::Symbol => "symbol",
        })
    }
}

/// Who may register clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registration {
    /// Anybody.
    Open,
    /// Whoever has a token for it.
    Token,
    /// Nobody.
    Off,
}

impl Registration {
    const WORDS: [(&str, Self); 3] = [("open", Self::Open), ("token", Self::Token), ("off", Self::Off)];
}

/// Who has to use PKCE (RFC 7636).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pkce {
    /// Every client that is not exempted.
    Required,
    /// Those without a secret.
    PublicClients,
}

impl Pkce {
    const WORDS: [(&str, Self); 2] = [("required", Self::Required), ("public_clients", Self::PublicClients)];
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON lines elsewhere.
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Text,
}

impl LogFormat {
    const WORDS: [(&str, Self); 3] = [("auto", Self::Auto), ("json", Self::Json), ("text", Self::Text)];

    /// Whether to write JSON lines to this process's standard output.
    #[must_use]
    pub fn json_lines(self) -> bool {
        match self {
            Self::Auto => !std::io::stdout().is_terminal(),
            Self::Json => true,
            Self::Text => false,
        }
    }
}
