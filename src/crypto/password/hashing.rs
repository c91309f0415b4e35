//! Hashing and verifying: Argon2id (RFC 9106) at OWASP's parameters or above, on a bounded pool.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

use super::{Password, kept::Kept, pool::Pool};
use crate::{
    crypto::{CryptoError, random},
    model::Secret,
};

/// The length of a salt in bytes (N-150).
pub(super) const SALT: usize = 16;
/// The length of what Argon2id makes, in bytes.
pub(super) const TAG: usize = 32;

/// How much passwords may cost.
#[derive(Clone, Copy, Debug)]
pub struct PoolSettings {
    /// How many passwords are hashed at once; 0 is one for each core.
    pub threads: usize,
    /// How many more may wait.
    pub queue: usize,
    /// The memory of one hash, in KiB.
    pub memory_kib: u32,
    /// How often a hash goes over its memory.
    pub iterations: u32,
}

/// Hashes and verifies passwords. Cheap to clone; no clone blocks the runtime.
///
/// Each thread keeps the memory of one hash, as the pages of fresh memory cost a third of the whole.
#[derive(Clone)]
pub struct Passwords {
    pool: Pool<Vec<Block>>,
    argon2: Argon2<'static>,
    decoy: Secret<String>,
}

/// What a password was not hashed or verified for.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// The queue is full: answer 503 and `Retry-After`.
    #[error("too many passwords are being checked right now; try again in a few seconds")]
    Busy,
    /// No input causes this.
    #[error(transparent)]
    Failed(#[from] CryptoError),
}

/// Whether a password is the kept one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verified {
    /// It is.
    Matches {
        /// The kept hash is weaker than a new one, which should replace it now that the password is at hand.
        outdated: bool,
    },
    /// It is not, or there is none.
    Differs,
}

impl Passwords {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the system refuses a thread, or Argon2 the parameters.
    pub fn new(settings: PoolSettings) -> Result<Self, CryptoError> {
        let PoolSettings { threads, queue, memory_kib, iterations } = settings;
        let params = Params::new(memory_kib, iterations, 1, Some(TAG));
        let params = params.map_err(|_| CryptoError("reading the parameters of Argon2"))?;
        let blocks = params.block_count();
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores() } else { threads };
        let decoy = Secret::new(phc(&params, &random::<SALT>()?, &random::<TAG>()?));
        Ok(Self {
            pool: Pool::new(threads, queue, move || vec![Block::new(); blocks])?,
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            decoy,
        })
    }

    /// The hash to keep, as a PHC string with a salt of its own.
    ///
    /// # Errors
    /// `Busy` when the queue is full.
    pub async fn hash(&self, password: &Password) -> Result<Secret<String>, PasswordError> {
        let (argon2, password, salt) = (self.argon2.clone(), password.clone(), random::<SALT>()?);
        let tag = self.pool.run(move |memory| {
            let mut tag = [0; TAG];
            let hashed = argon2.hash_password_into_with_memory(password.text().as_bytes(), &salt, &mut tag, memory);
            hashed.map(|()| tag).map_err(|_| CryptoError("hashing with Argon2"))
        });
        Ok(Secret::new(phc(self.argon2.params(), &salt, &tag.await??)))
    }

    /// Compares a password with the kept hash. Without one it works as long, and the answer is `Differs` (N-152).
    ///
    /// # Errors
    /// `Busy` when the queue is full; `Failed` also when what is kept is not a hash.
    pub async fn verify(&self, password: &Password, kept: Option<&Secret<String>>) -> Result<Verified, PasswordError> {
        let hash = Kept::parse(kept.unwrap_or(&self.decoy).expose());
        let hash = hash.map_err(|_| CryptoError("reading a kept password hash"))?;
        let outdated = hash.is_outdated(self.argon2.params());
        let password = password.clone();
        let matches = self.pool.run(move |memory| hash.matches(&password, memory)).await??;
        Ok(if matches && kept.is_some() { Verified::Matches { outdated } } else { Verified::Differs })
    }
}

/// The PHC string of what Argon2id made.
fn phc(params: &Params, salt: &[u8; SALT], tag: &[u8; TAG]) -> String {
    let (m, t) = (params.m_cost(), params.t_cost());
    format!("$argon2id$v=19$m={m},t={t},p=1${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(tag))
}
