//! From the configuration's table to what each part wants to know.

use std::time::Duration;

use super::StartError;
use crate::{
    accounts::{self, Paces},
    config::Config,
    crypto::{PasswordPolicy, PoolSettings},
    fetch::Fetcher,
    mail::{BadServer, Mailbox, Mailer, Relay},
    pdp, store, tokens,
};

/// The way out for mail. A mailbox serves where no server is configured.
pub(super) fn mailer(config: &Config, mailbox: Option<Mailbox>) -> Result<Mailer, BadServer> {
    match (&config.smtp_url, &config.mail_from, mailbox) {
        (Some(url), Some(from), _) => Ok(Mailer::Relay(Relay::new(url.expose(), from.clone())?)),
        (_, _, Some(mailbox)) => Ok(Mailer::Kept(mailbox)),
        _ => Ok(Mailer::None),
    }
}

/// The way to others.
pub(super) fn fetcher(config: &Config) -> Result<Fetcher, StartError> {
    let roots = config.fetch_ca.as_ref().map(std::fs::read).transpose();
    let roots = roots.map_err(StartError::CertificatesUnreadable)?;
    Ok(Fetcher::new(config.fetch_private, roots.as_deref())?)
}

/// How much passwords may cost.
pub(super) fn passwords(config: &Config) -> PoolSettings {
    PoolSettings {
        threads: config.password_threads,
        queue: config.password_queue,
        // So that a request that waits in vain is answered before its own time is over, and its attempt given back.
        patience: config.request_timeout / 2,
        memory_kib: config.password_memory,
        iterations: config.password_iterations,
    }
}

/// How fresh decisions are.
pub(super) fn pdp(config: &Config) -> pdp::Settings {
    pdp::Settings {
        staleness_bound: config.staleness_bound,
        revision_wait: config.revision_wait,
        poll_interval: config.poll_interval,
        principals: config.principal_cache,
    }
}

/// What holds for people.
pub(super) fn accounts(config: &Config, issuer: String) -> accounts::Settings {
    accounts::Settings {
        issuer,
        password_policy: PasswordPolicy {
            min_length: config.password_min_length,
            min_strength: config.password_min_strength,
            require: config.password_require.clone(),
        },
        sign_up: config.sign_up,
        sign_up_tells: config.sign_up_tells,
        default_roles: config.default_roles.clone(),
        sessions: store::sessions::Limits {
            idle: length(config.session_idle),
            absolute: length(config.session_lifetime),
        },
        recent: length(config.recent_sign_in),
        challenge: length(config.second_factor_lifetime),
        verification: length(config.verification_lifetime),
        reset: length(config.reset_lifetime),
        backup_codes: length(config.backup_code_lifetime),
        access_token: length(config.access_token_lifetime),
        paces: Paces::new(config.free_attempts),
    }
}

/// How tokens are made.
pub(super) fn tokens(config: &Config) -> tokens::Settings {
    tokens::Settings {
        issuer: config.issuer.as_str().to_owned(),
        access: length(config.access_token_lifetime),
        id: length(config.id_token_lifetime),
        remember: config.token_cache,
    }
}

fn length(d: Duration) -> time::Duration {
    time::Duration::seconds(i64::try_from(d.as_secs()).unwrap_or(i64::MAX))
}
