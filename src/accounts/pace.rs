//! How guessing is slowed down, and nobody is locked out.
//!
//! Why so: an attacker who knows a name can always make that account's counter rise. So waiting grows to minutes and
//! never further, browsers that once logged in have a counter of their own (N-173, V-068), and a right password
//! resets it. Names that do not exist are counted exactly as those that do.

use time::{Duration, OffsetDateTime};

use super::{Accounts, Error};
use crate::{
    model::{Email, Origin, UserId, Username},
    store::{
        self,
        throttle::{Attempt, Login, Pace, Turn},
    },
};

/// What the subjects of passwords begin with.
const PASSWORD: &str = "password:";

/// The pace of each kind of attempt.
#[derive(Clone, Copy, Debug)]
pub struct Paces {
    /// Passwords of one account.
    pub password: Pace,
    /// Codes of one account, and codes of devices that it types.
    pub code: Pace,
    /// Failures from one address.
    pub address: Pace,
    /// Mails to one address.
    pub mail: Pace,
}

impl Paces {
    /// With so many attempts for nothing.
    pub fn new(free: u32) -> Self {
        let free = i32::try_from(free).unwrap_or(i32::MAX);
        let pace = |free, first, most| Pace { free, first, most, forgotten_after: Duration::DAY };
        Self {
            password: pace(free, Duration::seconds(2), Duration::minutes(15)),
            code: pace(free, Duration::seconds(30), Duration::HOUR),
            address: Pace {
                forgotten_after: Duration::minutes(15),
                ..pace(free.saturating_mul(20), Duration::SECOND, Duration::MINUTE)
            },
            mail: pace(3, Duration::minutes(5), Duration::HOUR),
        }
    }
}

/// Whose attempts are counted together.
pub(super) enum Subject<'a> {
    /// Passwords of an account.
    Password(UserId),
    /// Passwords of an account by a browser that once logged in to it.
    Device(UserId, &'a [u8; 32]),
    /// Passwords of a name that nobody has.
    Nobody(&'a [u8; 32]),
    /// Codes of an account.
    Code(UserId),
    /// Codes of devices, by the person who types them.
    UserCode(UserId),
    /// Anything from an address.
    Address(&'a Origin),
    /// Mails to an address, by a hash of it.
    Mail(&'a [u8; 32]),
}

impl std::fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Password(user) => write!(f, "{PASSWORD}{user}"),
            Self::Device(user, device) => write!(f, "{PASSWORD}{user}{}", suffix(device)),
            Self::Nobody(name) => write!(f, "{PASSWORD}{:032x}", short(name)),
            Self::Code(user) => write!(f, "code:{user}"),
            Self::UserCode(user) => write!(f, "device:{user}"),
            Self::Address(origin) => write!(f, "address:{}", Origin::bucket(origin.address)),
            Self::Mail(address) => write!(f, "mail:{:032x}", short(address)),
        }
    }
}

/// Enough of a hash to tell it from others.
fn short(hash: &[u8; 32]) -> u128 {
    u128::from_be_bytes(std::array::from_fn(|n| hash[n]))
}

/// What follows in the subject of a person for a browser that is known.
fn suffix(device: &[u8; 32]) -> String {
    format!(":{:032x}", short(device))
}

impl Accounts {
    /// Finds whom somebody wants to log in as, by a login name or an address, and counts the attempt unless they have to
    /// wait, or too much failed from where they are.
    pub(super) async fn attempt_sign_in(&self, login: &str, origin: &Origin) -> Result<Attempt, Error> {
        let name = self.sealer.keyed_hash("login-name", login.to_lowercase().as_bytes())?;
        let (nobody, email) = (Subject::Nobody(&name).to_string(), login.parse::<Email>().ok());
        let username = if email.is_none() { login.parse::<Username>().ok() } else { None };
        let device = origin.device.as_ref().map(|device| (device, suffix(device)));
        let login = Login {
            username: username.as_ref(),
            email: email.as_ref(),
            prefix: PASSWORD,
            device: device.as_ref().map(|(device, suffix)| (*device, suffix.as_str())),
            nobody: &nobody,
        };
        let (paces, address) = (&self.settings.paces, Subject::Address(origin).to_string());
        let gate = Some((address.as_str(), paces.address));
        store::within(async {
            let mut conn = self.pool.acquire().await?;
            // Many may have come before while this one waited, and then the database need not be asked at all.
            self.passwords.ensure_room()?;
            Ok(store::throttle::take_login(&mut conn, &login, paces.password, gate, self.clock.now()).await?)
        })
        .await
    }

    /// Counts an attempt, or says when it may be made.
    pub(super) async fn attempt(&self, subject: &Subject<'_>) -> Result<(), Error> {
        self.count(subject, None).await
    }

    /// The same, unless too much failed from where it comes from.
    pub(super) async fn attempt_from(&self, origin: &Origin, subject: &Subject<'_>) -> Result<(), Error> {
        self.count(subject, Some(origin)).await
    }

    async fn count(&self, subject: &Subject<'_>, origin: Option<&Origin>) -> Result<(), Error> {
        let paces = &self.settings.paces;
        let pace = match subject {
            Subject::Password(_) | Subject::Device(..) | Subject::Nobody(_) => paces.password,
            Subject::Code(_) | Subject::UserCode(_) => paces.code,
            Subject::Address(_) => paces.address,
            Subject::Mail(_) => paces.mail,
        };
        let (subject, now) = (subject.to_string(), self.clock.now());
        let address = origin.map(|origin| Subject::Address(origin).to_string());
        let gate = address.as_deref().map(|address| (address, paces.address));
        let take = async {
            let mut conn = self.pool.acquire().await?;
            Ok::<_, Error>(store::throttle::take(&mut conn, &subject, pace, gate, now).await?)
        };
        match store::within(take).await? {
            Turn::Now => Ok(()),
            Turn::At(until) => Err(self.throttled(until)),
        }
    }

    fn throttled(&self, until: OffsetDateTime) -> Error {
        let wait = (until - self.clock.now()).whole_milliseconds().max(0);
        Error::Throttled { wait: u64::try_from(wait / 1000 + 1).unwrap_or(1) }
    }

    /// Succeeds unless too much failed from this address lately.
    pub(super) async fn ensure_calm(&self, origin: &Origin) -> Result<(), Error> {
        let subject = Subject::Address(origin).to_string();
        let pace = self.settings.paces.address;
        let blocked = store::throttle::blocked_until(&self.pool, &subject, pace, self.clock.now());
        let until: Option<OffsetDateTime> = store::within(blocked).await?;
        until.map_or(Ok(()), |until| Err(self.throttled(until)))
    }

    /// Counts a failure against the address that it came from.
    pub(super) async fn failed_from(&self, origin: &Origin) -> Result<(), Error> {
        match self.attempt(&Subject::Address(origin)).await {
            Ok(()) | Err(Error::Throttled { .. }) => Ok(()),
            Err(error) => Err(error),
        }
    }
}
