//! Secrets of our own making: 256 random bits, known to the database by their hash only.

use std::cell::RefCell;

use aws_lc_rs::{constant_time, digest as sha, rand};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::CryptoError;
use crate::model::Secret;

/// An opaque secret: a prefix that says what it is, and 256 random bits.
///
/// A plain SHA-256 keeps it: nothing of this entropy can be guessed, so a slow hash would only slow us.
pub struct Opaque(Secret<String>);

impl Opaque {
    /// The prefix of client secrets.
    pub const CLIENT_SECRET: &'static str = "dcs_";
    /// The prefix of browser sessions.
    pub const SESSION: &'static str = "ds_";
    /// The prefix of what a browser keeps to be recognised again.
    pub const DEVICE: &'static str = "dd_";
    /// The prefix of logins that wait for a second factor.
    pub const CHALLENGE: &'static str = "dmc_";
    /// The prefix of links that prove an address.
    pub const EMAIL: &'static str = "dev_";
    /// The prefix of links to a new password.
    pub const RESET: &'static str = "dpr_";

    /// The prefix of authorization codes.
    pub const CODE: &'static str = "dac_";
    /// The prefix of refresh tokens.
    pub const REFRESH: &'static str = "drt_";
    /// The prefix of authorization requests that a client pushed.
    pub const PUSHED: &'static str = "dpar_";
    /// The prefix of authorization requests that wait for a person.
    pub const WAITING: &'static str = "dar_";
    /// The prefix of what devices ask for tokens with.
    pub const DEVICE_CODE: &'static str = "ddc_";
    /// The prefix of initial access tokens (RFC 7591 §1.2).
    pub const INITIAL_ACCESS: &'static str = "dia_";
    /// The prefix of registration access tokens (RFC 7592).
    pub const REGISTRATION: &'static str = "drat_";

    /// A fresh secret.
    pub fn new(prefix: &str) -> Result<Self, CryptoError> {
        Ok(Self(Secret::new(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(random::<32>()?)))))
    }

    /// The text, for the one who is told it.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// What the database keeps.
    pub fn hash(&self) -> [u8; 32] {
        digest(self.expose().as_bytes())
    }

    /// Whether a presented text hashes to what was kept. Takes the same time whatever the answer, also without
    /// anything kept.
    pub fn matches(presented: &str, kept: Option<&[u8; 32]>) -> bool {
        let hash = digest(presented.as_bytes());
        let same = constant_time::verify_slices_are_equal(&hash, kept.unwrap_or(&[0; 32])).is_ok();
        same && kept.is_some()
    }
}

/// SHA-256.
pub fn digest(data: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(sha::digest(&sha::SHA256, data).as_ref());
    out
}

/// SHA-512.
pub fn digest512(data: &[u8]) -> [u8; 64] {
    let mut out = [0; 64];
    out.copy_from_slice(sha::digest(&sha::SHA512, data).as_ref());
    out
}

/// Random bytes. Drawn ahead for each thread, since a few cost as much as many; what was given out is not kept.
pub fn random<const N: usize>() -> Result<[u8; N], CryptoError> {
    const { assert!(N <= AHEAD) };
    RANDOM.with_borrow_mut(|Random { ahead, left }| {
        if *left < N {
            *left = 0;
            rand::fill(ahead).map_err(|_| CryptoError("the system gave no random bytes"))?;
            *left = AHEAD;
        }
        let mut bytes = [0; N];
        let taken = &mut ahead[*left - N..*left];
        bytes.copy_from_slice(taken);
        taken.fill(0);
        *left -= N;
        Ok(bytes)
    })
}

/// How many random bytes are drawn at once.
const AHEAD: usize = 512;

struct Random {
    ahead: [u8; AHEAD],
    left: usize,
}

thread_local! {
    static RANDOM: RefCell<Random> = const { RefCell::new(Random { ahead: [0; AHEAD], left: 0 }) };
}
