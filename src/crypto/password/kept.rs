//! Kept hashes: our own Argon2id, and those that a system before us made.

use argon2::{Algorithm, Argon2, Block, Params, PasswordHash, Version};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use pbkdf2::Pbkdf2;

use super::Password;
use crate::{crypto::CryptoError, model::Secret};

/// A password hash of another system that is not taken over. Never shows the hash.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the password hash {0}; write `$argon2id$`, `$argon2i$` or `$argon2d$` with m up to 262144, t up to 10 and p up to \
     16, or bcrypt as `$2a$`, `$2b$` or `$2y$` with a cost from 4 to 14, or `$pbkdf2-sha256$` or `$pbkdf2-sha512$` with \
     i from 1000 to 2000000, or `$scrypt$` with ln up to 17, r up to 16, p up to 10 and 2^ln·r·p up to 4194304; all but \
     bcrypt in PHC form with a salt of 8 to 48 bytes and a hash of 16 to 64 bytes"
)]
pub struct ForeignHash(&'static str);

const UNKNOWN: ForeignHash = ForeignHash("has no form that is known here");
const INCOMPLETE: ForeignHash = ForeignHash("lacks a part, or has one that is not readable");
const OUT_OF_BOUNDS: ForeignHash = ForeignHash("has parameters out of bounds");

/// Checks the password hash of another system before it is stored: it must be readable, and verifying it must take no
/// more than about a second and 256 MiB.
///
/// # Errors
/// What is wrong with it, and everything that is accepted.
pub fn import_password_hash(text: &Secret<String>) -> Result<Secret<String>, ForeignHash> {
    Kept::parse(text.expose())?;
    Ok(text.clone())
}

/// A kept hash, read. Its cost is bounded, so that a worker comes back.
pub(super) enum Kept {
    Bcrypt(String),
    Phc { function: Function, salt: Vec<u8>, tag: Vec<u8> },
}

pub(super) enum Function {
    Argon2(Argon2<'static>, Algorithm, Version),
    Pbkdf2(Pbkdf2),
    Scrypt(scrypt::Params),
}

impl Kept {
    /// Reads a hash.
    pub(super) fn parse(text: &str) -> Result<Self, ForeignHash> {
        if text.starts_with("$2") {
            return bcrypt(text);
        }
        let hash = PasswordHash::new(text).map_err(|_| UNKNOWN)?;
        let function = Function::parse(&hash)?;
        match (hash.salt, hash.hash) {
            (Some(salt), Some(tag)) if tag.len() >= 16 => {
                Ok(Self::Phc { function, salt: salt.to_vec(), tag: tag.as_bytes().to_vec() })
            }
            (Some(_), Some(_)) => Err(OUT_OF_BOUNDS),
            _ => Err(INCOMPLETE),
        }
    }

    /// Whether `password` is the one that was hashed. Works as long whatever the answer; works in `memory` where that
    /// is enough.
    pub(super) fn matches(&self, password: &Password, memory: &mut [Block]) -> Result<bool, CryptoError> {
        let password = password.text().as_bytes();
        match self {
            Self::Bcrypt(text) => {
                let same = bcrypt::verify(password, text).map_err(|_| CryptoError("verifying with bcrypt"))?;
                // bcrypt sees 72 bytes. Beyond them it cannot tell the right password from a mistyped one, which would
                // then be kept in its place (N-148).
                Ok(same && password.len() <= 72)
            }
            Self::Phc { function, salt, tag } => {
                let mut computed = vec![0; tag.len()];
                function.derive(password, salt, &mut computed, memory)?;
                Ok(verify_slices_are_equal(&computed, tag).is_ok())
            }
        }
    }

    /// Whether hashing again with `now` would keep the password better (N-150).
    pub(super) fn is_outdated(&self, now: &Params) -> bool {
        match self {
            Self::Phc { function: Function::Argon2(argon2, Algorithm::Argon2id, Version::V0x13), salt, tag } => {
                let then = argon2.params();
                let cheaper = then.m_cost() < now.m_cost() || then.t_cost() < now.t_cost();
                cheaper || salt.len() < super::hashing::SALT || tag.len() < super::hashing::TAG
            }
            Self::Phc { .. } | Self::Bcrypt(_) => true,
        }
    }
}

impl Function {
    fn parse(hash: &PasswordHash) -> Result<Self, ForeignHash> {
        match hash.algorithm.as_str() {
            "argon2id" => Self::argon2(hash, Algorithm::Argon2id),
            "argon2i" => Self::argon2(hash, Algorithm::Argon2i),
            "argon2d" => Self::argon2(hash, Algorithm::Argon2d),
            "pbkdf2-sha256" => Self::pbkdf2(hash, pbkdf2::Algorithm::Pbkdf2Sha256),
            "pbkdf2-sha512" => Self::pbkdf2(hash, pbkdf2::Algorithm::Pbkdf2Sha512),
            "scrypt" => Self::scrypt(hash),
            _ => Err(UNKNOWN),
        }
    }

    fn argon2(hash: &PasswordHash, algorithm: Algorithm) -> Result<Self, ForeignHash> {
        let version = match hash.version {
            // The reference implementation left the version out while there was only one.
            None | Some(0x10) => Version::V0x10,
            Some(0x13) => Version::V0x13,
            Some(_) => return Err(UNKNOWN),
        };
        let [m, t, p] = numbers(hash, ["m", "t", "p"])?;
        let bounded = (1..=262_144).contains(&m) && (1..=10).contains(&t) && (1..=16).contains(&p);
        let params = Params::new(m, t, p, hash.hash.map(|tag| tag.len())).ok().filter(|_| bounded);
        Ok(Self::Argon2(Argon2::new(algorithm, version, params.ok_or(OUT_OF_BOUNDS)?), algorithm, version))
    }

    fn pbkdf2(hash: &PasswordHash, algorithm: pbkdf2::Algorithm) -> Result<Self, ForeignHash> {
        // `l` repeats the length of the hash; some write it.
        let [rounds] = if hash.params.get("l").is_some() {
            numbers(hash, ["i", "l"]).map(|[rounds, _]| [rounds])?
        } else {
            numbers(hash, ["i"])?
        };
        let params = pbkdf2::Params::new(rounds).ok().filter(|_| rounds <= 2_000_000);
        Ok(Self::Pbkdf2(Pbkdf2::new(algorithm, params.ok_or(OUT_OF_BOUNDS)?)))
    }

    fn scrypt(hash: &PasswordHash) -> Result<Self, ForeignHash> {
        let [ln, r, p] = numbers(hash, ["ln", "r", "p"])?;
        let bounded = (1..=17).contains(&ln) && (1..=16).contains(&r) && (1..=10).contains(&p);
        if !bounded || (r * p) << ln > 4_194_304 {
            return Err(OUT_OF_BOUNDS);
        }
        let ln = u8::try_from(ln).map_err(|_| OUT_OF_BOUNDS)?;
        scrypt::Params::new(ln, r, p).map(Self::Scrypt).map_err(|_| OUT_OF_BOUNDS)
    }

    fn derive(&self, password: &[u8], salt: &[u8], out: &mut [u8], memory: &mut [Block]) -> Result<(), CryptoError> {
        match self {
            Self::Argon2(argon2, ..) if argon2.params().block_count() <= memory.len() => argon2
                .hash_password_into_with_memory(password, salt, out, memory)
                .map_err(|_| CryptoError("hashing with Argon2")),
            Self::Argon2(argon2, ..) => {
                argon2.hash_password_into(password, salt, out).map_err(|_| CryptoError("hashing with Argon2"))
            }
            Self::Pbkdf2(pbkdf2) => {
                pbkdf2.hash_password_into(password, salt, out);
                Ok(())
            }
            Self::Scrypt(params) => {
                scrypt::scrypt(password, salt, params, out).map_err(|_| CryptoError("hashing with scrypt"))
            }
        }
    }
}

fn bcrypt(text: &str) -> Result<Kept, ForeignHash> {
    if !["$2a$", "$2b$", "$2y$"].iter().any(|version| text.starts_with(version)) {
        return Err(UNKNOWN);
    }
    let parts: bcrypt::HashParts = text.parse().map_err(|_| INCOMPLETE)?;
    if (4..=14).contains(&parts.get_cost()) { Ok(Kept::Bcrypt(text.to_owned())) } else { Err(OUT_OF_BOUNDS) }
}

/// The parameters of these names; no others may be there, as what they mean is not known.
fn numbers<const N: usize>(hash: &PasswordHash, names: [&str; N]) -> Result<[u32; N], ForeignHash> {
    if hash.params.iter().count() != N {
        return Err(INCOMPLETE);
    }
    let mut values = [0; N];
    for (value, name) in values.iter_mut().zip(names) {
        *value = hash.params.get_decimal(name).ok_or(INCOMPLETE)?;
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SALT: &str = "MDEyMzQ1Njc4OWFiY2RlZg";
    const TAG: &str = "3U4UOU/3Q0Os4ifHGe1gk8pGlR8a69XlE6hyfvNd2/A";

    fn import(text: &str) -> Result<(), ForeignHash> {
        import_password_hash(&Secret::new(text.to_owned())).map(|kept| assert_eq!(kept.expose(), text))
    }

    #[test]
    fn costs_up_to_the_bounds_are_accepted_and_none_beyond() {
        for (fits, exceeds) in [
            ("argon2id$v=19$m=262144,t=10,p=16", "argon2id$v=19$m=262145,t=1,p=1"),
            ("argon2i$v=16$m=8,t=1,p=1", "argon2i$v=19$m=4294967295,t=1,p=1"),
            ("argon2d$m=65536,t=3,p=4", "argon2d$m=65536,t=11,p=4"),
            ("argon2id$v=19$m=256,t=1,p=16", "argon2id$v=19$m=256,t=1,p=17"),
            ("argon2id$v=19$m=128,t=1,p=16", "argon2id$v=19$m=127,t=1,p=16"),
            ("pbkdf2-sha256$i=2000000", "pbkdf2-sha256$i=2000001"),
            ("pbkdf2-sha512$i=1000,l=32", "pbkdf2-sha512$i=999"),
            ("scrypt$ln=17,r=16,p=2", "scrypt$ln=17,r=16,p=3"),
            ("scrypt$ln=14,r=8,p=5", "scrypt$ln=18,r=1,p=1"),
            ("scrypt$ln=1,r=16,p=10", "scrypt$ln=1,r=4294967295,p=4294967295"),
        ] {
            assert_eq!(import(&format!("${fits}${SALT}${TAG}")), Ok(()), "{fits}");
            assert_eq!(import(&format!("${exceeds}${SALT}${TAG}")), Err(OUT_OF_BOUNDS), "{exceeds}");
        }
        let bcrypt = |cost: &str| import(&format!("$2b${cost}$0123456789abcdefghijkurrUKzklYmRu1z4sfskxK48hzYWXPxWK"));
        assert_eq!([bcrypt("04"), bcrypt("14")], [Ok(()), Ok(())]);
        assert_eq!([bcrypt("03"), bcrypt("15"), bcrypt("99")], [OUT_OF_BOUNDS, OUT_OF_BOUNDS, OUT_OF_BOUNDS].map(Err));
    }

    #[test]
    fn what_is_not_understood_wholly_is_refused() {
        for text in [
            "".to_owned(),
            "mauve otter dry".to_owned(),
            "5f4dcc3b5aa765d61d8327deb882cf99".to_owned(),
            format!("$1${SALT}${TAG}"),
            format!("$6$rounds=5000${SALT}${TAG}"),
            format!("$argon2x$v=19$m=65536,t=2,p=1${SALT}${TAG}"),
            format!("$argon2id$v=18$m=65536,t=2,p=1${SALT}${TAG}"),
            format!("$argon2id$v=19$m=65536,t=2,p=1,keyid=Zm9v${SALT}${TAG}"),
            format!("$argon2id$v=19$m=65536,t=2${SALT}${TAG}"),
            format!("$argon2id$v=19$m=65536,t=2,p=1${SALT}"),
            format!("$argon2id$v=19$m=65536,t=2,p=1$c2FsdA${TAG}"),
            format!("$argon2id$v=19$m=65536,t=2,p=1${SALT}$3U4UOU/3Q0Os4ifHGe0"),
            format!("$pbkdf2-sha256${SALT}${TAG}"),
            format!("$pbkdf2-sha1$i=29000${SALT}${TAG}"),
            format!("$scrypt$ln=12,r=8${SALT}${TAG}"),
            "$2x$06$0123456789abcdefghijkurrUKzklYmRu1z4sfskxK48hzYWXPxWK".to_owned(),
            "$2b$06$0123456789abcdefghijku".to_owned(),
            "$2b$xx$0123456789abcdefghijkurrUKzklYmRu1z4sfskxK48hzYWXPxWK".to_owned(),
            "$2".to_owned(),
            "$2é$06$".to_owned(),
        ] {
            let refusal = import(&text).expect_err(&text).to_string();
            assert!(refusal.contains("write `$argon2id$`") && refusal.contains("bcrypt"), "{refusal}");
            assert!(!refusal.contains(SALT) && !refusal.contains("0123456789"), "a hash is not shown: {refusal}");
        }
    }
}
