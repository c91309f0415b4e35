//! Use cases about people: each has one home here, whether a page, the API or a grant asks for it.
//!
//! Promises. Guesses are counted before they are evaluated, on one counter for each account, whatever the path
//! (V-027, V-028). What may be used once is used up by one statement in the transaction that it leads to. Whatever
//! happened is put on record in that same transaction. Nothing here tells a stranger whether an account exists.

pub mod administrators;
mod applications;
mod devices;
mod email;
mod mfa;
mod pace;
mod password;
mod post;
mod profile;
mod recovery;
mod register;
mod second_factor;
mod sessions;
mod sign_in;
mod standing;

use std::sync::Arc;

use time::Duration;
use tokio_util::task::TaskTracker;

pub use self::{
    devices::DeviceCodes,
    mfa::{Enrolment, MfaState, NewBackupCodes},
    pace::Paces,
    password::Proof,
    register::{Registered, Registration},
    sessions::NewSession,
    sign_in::SignIn,
    standing::{NewAccount, NewPassword},
};
use crate::{
    crypto::{CryptoError, ForeignHash, PasswordError, PasswordFault, PasswordPolicy, Passwords, SealBroken, Sealer},
    farewell::Farewells,
    model::{Clock, RoleName},
    pdp::{self, Pdp},
    post::{Post, PostError},
    store,
};

/// See the module.
pub struct Accounts {
    pool: store::Pool,
    pdp: Arc<Pdp>,
    clock: Clock,
    sealer: Arc<Sealer>,
    passwords: Passwords,
    post: Arc<Post>,
    farewells: Arc<Farewells>,
    settings: Settings,
    tasks: TaskTracker,
}

/// How long things last and what is allowed.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The base URL of links.
    pub issuer: String,
    /// What a password has to be.
    pub password_policy: PasswordPolicy,
    /// Whether strangers may register.
    pub sign_up: bool,
    /// Whether registering tells at once what is taken.
    pub sign_up_tells: bool,
    /// Roles of those who registered themselves.
    pub default_roles: Vec<RoleName>,
    /// How long sessions last.
    pub sessions: store::sessions::Limits,
    /// How long a proof of identity is recent enough to change what protects the account.
    pub recent: Duration,
    /// How long a login waits for its second factor.
    pub challenge: Duration,
    /// How long a link to prove an address works.
    pub verification: Duration,
    /// How long a link to a new password works.
    pub reset: Duration,
    /// How long backup codes work.
    pub backup_codes: Duration,
    /// The longest time an access token can be good for.
    pub access_token: Duration,
    /// How attempts are slowed down.
    pub paces: Paces,
}

/// What a use case can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name, the password or the code is wrong. Does not say which.
    #[error("that is not right, or there were too many attempts: wait a moment and try again")]
    Wrong,
    /// Too many attempts.
    #[error("too many attempts: wait a moment")]
    Throttled {
        /// In how many seconds the next one is looked at.
        wait: u64,
    },
    /// Too many passwords at once.
    #[error("too many people are logging in at this moment")]
    Busy {
        /// When to come back.
        wait: std::time::Duration,
    },
    /// The policies say no.
    #[error("the policies do not allow you to log in here")]
    Refused,
    /// The policies want a second factor, and there is none yet.
    #[error("a second factor is needed here: set one up in your account first")]
    MfaNeeded,
    /// The password is not good enough.
    #[error("the password is not good enough")]
    Weak(Vec<PasswordFault>),
    /// A link or a challenge that was used, replaced, has expired or never was.
    #[error("this link does not work any more: ask for a new one")]
    Spent,
    /// Strangers may not register.
    #[error("registration is closed here")]
    SignUpOff,
    /// Somebody has that name.
    #[error("this username is taken")]
    UsernameTaken,
    /// Somebody has proven that address.
    #[error("this address belongs to another account")]
    EmailTaken,
    /// The person has to prove once more who they are.
    #[error("prove once more who you are: send the current password")]
    NotRecent,
    /// The person has to prove once more who they are, with the second factor too.
    #[error("log in once more with your second factor first")]
    NotRecentWithMfa,
    /// There is no such person.
    #[error("there is no such user")]
    Unknown,
    /// There is no such thing of this person's.
    #[error("there is no {0}")]
    Missing(&'static str),
    /// A second factor is in the way, or is missing.
    #[error("{0}")]
    Conflict(&'static str),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The decision point.
    #[error(transparent)]
    Pdp(#[from] pdp::Error),
    /// A cryptographic operation.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// A sealed secret does not open.
    #[error(transparent)]
    Seal(#[from] SealBroken),
    /// A mail cannot be put into the outbox.
    #[error(transparent)]
    Post(#[from] PostError),
    /// A hash from elsewhere is of no use.
    #[error(transparent)]
    Foreign(#[from] ForeignHash),
}

impl From<store::DriverError> for Error {
    fn from(error: store::DriverError) -> Self {
        Self::Store(error.into())
    }
}

impl From<PasswordError> for Error {
    fn from(error: PasswordError) -> Self {
        match error {
            PasswordError::Busy { wait } => Self::Busy { wait },
            PasswordError::Failed(error) => Self::Crypto(error),
        }
    }
}

impl Accounts {
    /// Takes what it works with.
    #[expect(clippy::too_many_arguments, reason = "called once, where the app is put together")]
    pub fn new(
        pool: store::Pool,
        pdp: Arc<Pdp>,
        clock: Clock,
        sealer: Arc<Sealer>,
        passwords: Passwords,
        post: Arc<Post>,
        farewells: Arc<Farewells>,
        settings: Settings,
        tasks: TaskTracker,
    ) -> Self {
        Self { pool, pdp, clock, sealer, passwords, post, farewells, settings, tasks }
    }

    /// Does what is due from time to time: forgets what expired, warns of what is about to.
    pub async fn maintain(&self) -> Result<(), Error> {
        let now = self.clock.now();
        store::sessions::prune(&self.pool, now, now - Duration::days(180)).await?;
        store::mail_tokens::prune(&self.pool, now).await?;
        store::throttle::prune(&self.pool, now - Duration::days(2)).await?;
        store::revocations::prune(&self.pool, now).await?;
        self.pdp.prune_revoked();
        self.warn_of_expiring_codes(now).await?;
        Ok(store::second_factors::prune(&self.pool, now).await.map(drop)?)
    }
}
