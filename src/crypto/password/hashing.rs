//! Hashing and verifying: Argon2id (RFC 9106) at OWASP's parameters or above, on a bounded pool.

use std::{fmt, time::Duration};

use argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

use super::{Password, PasswordFault, PasswordPolicy, kept::Kept, memory, pool::Pool};
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
    /// For how long.
    pub patience: Duration,
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
    /// The queue is full or too slow: answer 503 and `Retry-After`.
    #[error("too many passwords are being checked right now; try again in a few seconds")]
    Busy {
        /// When there may be room; at least a second.
        wait: Duration,
    },
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
        let PoolSettings { threads, queue, patience, memory_kib, iterations } = settings;
        let params = Params::new(memory_kib, iterations, 1, Some(TAG));
        let params = params.map_err(|_| CryptoError("reading the parameters of Argon2"))?;
        let blocks = params.block_count();
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if threads == 0 { cores() } else { threads };
        let decoy = Secret::new(phc(&params, &random::<SALT>()?, &random::<TAG>()?));
        Ok(Self {
            pool: Pool::new(threads, queue, patience, move || memory::blocks(blocks))?,
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            decoy,
        })
    }

    /// The hash to keep, as a PHC string with a salt of its own.
    ///
    /// # Errors
    /// `Busy` when the queue is full or too slow.
    pub async fn hash(&self, password: &Password) -> Result<Secret<String>, PasswordError> {
        let (argon2, password, salt) = (self.argon2.clone(), password.clone(), random::<SALT>()?);
        let tag = self.pool.run(move |memory| {
            let mut tag = [0; TAG];
            let hashed = argon2.hash_password_into_with_memory(password.text().as_bytes(), &salt, &mut tag, memory);
            hashed.map(|()| tag).map_err(|_| CryptoError("hashing with Argon2"))
        });
        Ok(Secret::new(phc(self.argon2.params(), &salt, &tag.await??)))
    }

    /// Succeeds unless the queue is full or too slow: for whoever has other work to do before, which would be in vain.
    ///
    /// # Errors
    /// `Busy` when it is.
    pub fn ensure_room(&self) -> Result<(), PasswordError> {
        self.pool.ensure_room()
    }

    /// Compares a password with the kept hash. Without one it works as long, and the answer is `Differs` (N-152).
    ///
    /// # Errors
    /// `Busy` when the queue is full or too slow; `Failed` also when what is kept is not a hash.
    pub async fn verify(&self, password: &Password, kept: Option<&Secret<String>>) -> Result<Verified, PasswordError> {
        let hash = Kept::parse(kept.unwrap_or(&self.decoy).expose());
        let hash = hash.map_err(|_| CryptoError("reading a kept password hash"))?;
        let outdated = hash.is_outdated(self.argon2.params());
        let password = password.clone();
        let matches = self.pool.run(move |memory| hash.matches(&password, memory)).await??;
        Ok(if matches && kept.is_some() { Verified::Matches { outdated } } else { Verified::Differs })
    }

    /// [`PasswordPolicy::judge`], here because it takes milliseconds.
    ///
    /// # Errors
    /// `Busy` when the queue is full or too slow.
    pub async fn judge(
        &self,
        policy: &PasswordPolicy,
        password: &Password,
        context: &[&str],
    ) -> Result<Result<(), Vec<PasswordFault>>, PasswordError> {
        let (policy, password) = (policy.clone(), password.clone());
        let context: Vec<String> = context.iter().map(|&text| text.to_owned()).collect();
        let judge = move |_: &mut _| {
            let context: Vec<&str> = context.iter().map(String::as_str).collect();
            policy.judge(&password, &context)
        };
        self.pool.run(judge).await
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Passwords").field("argon2", &self.argon2).finish_non_exhaustive()
    }
}

/// The PHC string of what Argon2id made.
fn phc(params: &Params, salt: &[u8; SALT], tag: &[u8; TAG]) -> String {
    let (m, t) = (params.m_cost(), params.t_cost());
    format!("$argon2id$v=19$m={m},t={t},p=1${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(iterations: u32) -> Passwords {
        let patience = Duration::from_secs(600);
        Passwords::new(PoolSettings { threads: 1, queue: 8, patience, memory_kib: 19_456, iterations }).unwrap()
    }

    fn password(text: &str) -> Password {
        Password::parse(&Secret::new(text.to_owned())).unwrap()
    }

    fn kept(text: &str) -> Secret<String> {
        Secret::new(text.to_owned())
    }

    const CURRENT: Verified = Verified::Matches { outdated: false };
    const OUTDATED: Verified = Verified::Matches { outdated: true };

    /// N-150.
    #[tokio::test]
    async fn a_hash_is_argon2id_at_owasp_parameters_with_a_salt_of_its_own() {
        let (pool, password) = (passwords(2), password("mauve otter dry"));
        let (one, other) = (pool.hash(&password).await.unwrap(), pool.hash(&password).await.unwrap());
        let parts: Vec<&str> = one.expose().split('$').collect();
        assert_eq!(parts[1..4], ["argon2id", "v=19", "m=19456,t=2,p=1"]);
        assert_eq!([parts[4].len(), parts[5].len()], [22, 43], "16 and 32 bytes in base64");
        assert_ne!(other.expose().split('$').nth(4), Some(parts[4]));
        assert_eq!(pool.verify(&password, Some(&one)).await.unwrap(), CURRENT);
        assert_eq!(pool.verify(&password, Some(&other)).await.unwrap(), CURRENT);
    }

    /// N-148.
    #[tokio::test]
    async fn only_the_exact_password_matches() {
        let pool = passwords(2);
        let long = "x".repeat(127);
        let kept = pool.hash(&password(&format!("{long}a"))).await.unwrap();
        assert_eq!(pool.verify(&password(&format!("{long}a")), Some(&kept)).await.unwrap(), CURRENT);
        for wrong in [format!("{long}b"), format!("{long}A"), long.clone(), String::new()] {
            assert_eq!(pool.verify(&password(&wrong), Some(&kept)).await.unwrap(), Verified::Differs);
        }
    }

    /// N-149.
    #[tokio::test]
    async fn a_password_set_in_one_form_is_verified_in_the_other() {
        let pool = passwords(2);
        let kept = pool.hash(&password("cr\u{e8}me br\u{fb}l\u{e9}e")).await.unwrap();
        let decomposed = password("cre\u{300}me bru\u{302}le\u{301}e");
        assert_eq!(pool.verify(&decomposed, Some(&kept)).await.unwrap(), CURRENT);
    }

    /// N-152: the decoy goes the same way as any other hash.
    #[tokio::test]
    async fn nobody_has_no_password() {
        let pool = passwords(2);
        assert_eq!(pool.verify(&password("mauve otter dry"), None).await.unwrap(), Verified::Differs);
        let own = pool.hash(&password("mauve otter dry")).await.unwrap();
        let parameters = |hash: &Secret<String>| hash.expose().rsplitn(3, '$').nth(2).map(str::to_owned);
        assert_eq!(parameters(&pool.decoy), parameters(&own));
        assert_eq!(pool.decoy.expose().len(), own.expose().len());
    }

    /// N-150: to be hashed again at the next sign-in.
    #[tokio::test]
    async fn a_hash_is_outdated_once_more_is_asked_for() {
        let (less, more, password) = (passwords(2), passwords(3), password("mauve otter dry"));
        let kept = less.hash(&password).await.unwrap();
        assert_eq!(more.verify(&password, Some(&kept)).await.unwrap(), OUTDATED);
        let kept = more.hash(&password).await.unwrap();
        assert_eq!(more.verify(&password, Some(&kept)).await.unwrap(), CURRENT);
        assert_eq!(less.verify(&password, Some(&kept)).await.unwrap(), CURRENT);
    }

    #[tokio::test]
    async fn hashes_of_other_systems_are_verified_and_outdated() {
        let ours = "Tr0mbone glacier \u{fc}";
        let (pool, wrong) = (passwords(2), password("tr0mbone glacier \u{fc}"));
        for (text, hash) in [
            (ours, "$2b$06$0123456789abcdefghijkurrUKzklYmRu1z4sfskxK48hzYWXPxWK"),
            (ours, "$2y$06$0123456789abcdefghijkurrUKzklYmRu1z4sfskxK48hzYWXPxWK"),
            (ours, "$pbkdf2-sha256$i=29000$MDEyMzQ1Njc4OWFiY2RlZg$3U4UOU/3Q0Os4ifHGe1gk8pGlR8a69XlE6hyfvNd2/A"),
            (
                ours,
                "$pbkdf2-sha512$i=25000,l=64$MDEyMzQ1Njc4OWFiY2RlZg$s9Malweo/BILLfDx2aDvNdYgQJqulGZSo+duCUREkytX+V1uE43CKZ\
                 WqLfHynhTMNOjXWrvKCTn3Jt/U0UpHVA",
            ),
            (ours, "$scrypt$ln=12,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$So42/p3Qz20lUDIzAJRCUtW4LMrXFFR27a95a8kEYPM"),
            // Of the reference implementation: more memory than ours, several lanes, and the version before 1.3.
            ("password", "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc"),
            (
                "password",
                "$argon2d$v=19$m=65536,t=2,p=1$YzI5dFpYTmhiSFFBQUFBQUFBQUFBQQ$Jxy74cswY2mq9y+u+iJcJy8EqOp4t/C7DWDzGwGB3IM",
            ),
            ("password", "$argon2i$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b+dWRWJTmaaJObG"),
            ("password", "$argon2i$m=65536,t=2,p=1$c29tZXNhbHQ$9sTbSlTio3Biev89thdrlKKiCaYsjjYVJxGAL3swxpQ"),
        ] {
            let hash = crate::crypto::import_password_hash(&kept(hash)).unwrap();
            assert_eq!(pool.verify(&password(text), Some(&hash)).await.unwrap(), OUTDATED, "{}", hash.expose());
            assert_eq!(pool.verify(&wrong, Some(&hash)).await.unwrap(), Verified::Differs, "{}", hash.expose());
        }
    }

    /// N-148: bcrypt sees the first 72 bytes only.
    #[tokio::test]
    async fn bcrypt_does_not_let_a_longer_password_in() {
        let pool = passwords(2);
        // Of 71 `x` and a `y`.
        let kept = kept("$2a$04$0123456789abcdefghijku5dA1RdI64fgOg0c8iGlKiYSXxx.tQMS");
        let exact = format!("{}y", "x".repeat(71));
        assert_eq!(pool.verify(&password(&exact), Some(&kept)).await.unwrap(), OUTDATED);
        assert_eq!(pool.verify(&password(&format!("{exact}z")), Some(&kept)).await.unwrap(), Verified::Differs);
    }

    #[tokio::test]
    async fn what_is_kept_and_no_hash_is_an_error() {
        let answer = passwords(2).verify(&password("mauve otter dry"), Some(&kept("mauve otter dry"))).await;
        assert!(matches!(answer, Err(PasswordError::Failed(_))));
    }

    #[tokio::test]
    async fn judging_happens_on_the_pool_too() {
        let policy = PasswordPolicy { min_length: 15, min_strength: 3, require: Vec::new() };
        let judged = passwords(2).judge(&policy, &password("vkqtw Marmota zjpmx"), &["marmota@my-company.com"]).await;
        assert_eq!(judged.unwrap().unwrap_err(), [PasswordFault::ContainsContext { word: "marmota".to_owned() }]);
    }
}
