//! Passwords: Argon2id at OWASP's parameters (m = 19 456 KiB, t = 2, p = 1).

use argon2::{Argon2, PasswordHasher};

use super::CryptoError;
use crate::model::Secret;

/// The PHC string of a password. Takes about 15 ms and 19 MiB: not for async workers.
pub fn hash_password(password: &Secret<String>) -> Result<Secret<String>, CryptoError> {
    let hash = Argon2::default().hash_password(password.expose().as_bytes());
    hash.map(|hash| Secret::new(hash.to_string())).map_err(|_| CryptoError("hashing a password"))
}
