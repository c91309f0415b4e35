//! Secrets at rest: AES-256-GCM under the master key, bound to what they are for; and keyed hashes under keys derived
//! from it.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, Nonce, RandomizedNonceKey},
    hkdf, hmac,
};

use super::CryptoError;
use crate::model::Secret;

/// Seals and opens. While the master key is being rotated there are several; the first seals, all open.
pub struct Sealer(Vec<Secret<[u8; 32]>>);

/// Sealed bytes do not open: they were sealed under another key, for another purpose, or were changed.
#[derive(Debug, thiserror::Error)]
#[error("a sealed secret does not open: is `DEODAR_MASTER_KEY` the one that it was sealed with?")]
pub struct SealBroken;

const NONCE: usize = 12;

impl Sealer {
    /// Takes the master keys, current one first.
    pub fn new(keys: impl IntoIterator<Item = Secret<[u8; 32]>>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Nonce, ciphertext and tag. `purpose` must be given again to open.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let failed = |_| CryptoError("sealing");
        let key = self.0.first().ok_or(CryptoError("there is no master key"))?;
        let key = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).map_err(failed)?;
        let mut sealed = plain.to_vec();
        let nonce = key.seal_in_place_append_tag(Aad::from(purpose), &mut sealed).map_err(failed)?;
        Ok([nonce.as_ref().as_slice(), &sealed].concat())
    }

    /// What was sealed.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, SealBroken> {
        let (nonce, body) = sealed.split_at_checked(NONCE).ok_or(SealBroken)?;
        let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| SealBroken)?;
        let open = |key: &Secret<[u8; 32]>| {
            let key = RandomizedNonceKey::new(&AES_256_GCM, key.expose()).ok()?;
            let mut body = body.to_vec();
            let nonce = Nonce::assume_unique_for_key(nonce);
            let plain = key.open_in_place(nonce, Aad::from(purpose), &mut body).ok()?;
            Some(plain.to_vec())
        };
        self.0.iter().find_map(open).ok_or(SealBroken)
    }

    /// A hash of a short secret that is useless without the current master key: HMAC-SHA-256 under a key of its own for
    /// each purpose (HKDF, RFC 5869).
    pub fn keyed_hash(&self, purpose: &str, data: &[u8]) -> Result<[u8; 32], CryptoError> {
        keyed_hash(self.0.first().ok_or(CryptoError("there is no master key"))?, purpose, data)
    }

    /// The same under every listed master key, current one first: what may have been kept before a rotation.
    pub fn keyed_hashes(&self, purpose: &str, data: &[u8]) -> Result<Vec<[u8; 32]>, CryptoError> {
        self.0.iter().map(|key| keyed_hash(key, purpose, data)).collect()
    }
}

fn keyed_hash(master: &Secret<[u8; 32]>, purpose: &str, data: &[u8]) -> Result<[u8; 32], CryptoError> {
    let failed = |_| CryptoError("deriving a key");
    let derived = hkdf::Salt::new(hkdf::HKDF_SHA256, b"deodar keyed hash").extract(master.expose());
    let key = hmac::Key::from(derived.expand(&[purpose.as_bytes()], hmac::HMAC_SHA256).map_err(failed)?);
    hmac::sign(&key, data).as_ref().try_into().map_err(|_| CryptoError("hashing with a key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opens_with_any_listed_key_and_for_its_purpose_only() {
        let (old, new) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let sealed = Sealer::new([old.clone()]).seal("key", b"plain").unwrap();
        assert_eq!(Sealer::new([new.clone(), old]).open("key", &sealed).unwrap(), b"plain");
        assert!(Sealer::new([new]).open("key", &sealed).is_err());
        assert!(Sealer::new([Secret::new([1; 32])]).open("other", &sealed).is_err());
    }

    #[test]
    fn a_keyed_hash_depends_on_key_purpose_and_data() {
        let (old, new) = (Secret::new([1; 32]), Secret::new([2; 32]));
        let hash = Sealer::new([old.clone()]).keyed_hash("code", b"1").unwrap();
        let both = Sealer::new([new.clone(), old]);
        assert_eq!(both.keyed_hashes("code", b"1").unwrap(), [both.keyed_hash("code", b"1").unwrap(), hash]);
        for other in [both.keyed_hash("code", b"1"), both.keyed_hash("cod", b"e1")] {
            assert_ne!(other.unwrap(), hash);
        }
        let old = Sealer::new([Secret::new([1; 32])]);
        assert_ne!(old.keyed_hash("cod", b"e1").unwrap(), hash);
        assert_ne!(old.keyed_hash("code", b"2").unwrap(), hash);
        assert!(Sealer::new([]).keyed_hash("code", b"1").is_err());
    }
}
