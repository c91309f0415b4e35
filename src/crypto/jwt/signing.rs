//! Keys that sign.

use std::io::Write;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Serialize;

use crate::{
    crypto::{CryptoError, digest},
    model::{Algorithm, Secret},
};

/// Bytes of the claims of a token that is not unusually long.
const USUAL: usize = 512;

/// A key that signs. Parsed once.
pub struct SigningKey {
    kid: String,
    pair: Pair,
}

enum Pair {
    Es256(EcdsaKeyPair),
    Rs256(RsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

impl SigningKey {
    /// A fresh key, with its private part as PKCS #8. One for RS256 takes a good part of a second: not for async
    /// workers.
    pub fn generate(algorithm: Algorithm) -> Result<(Self, Secret<Vec<u8>>), CryptoError> {
        let failed = |_| CryptoError("making a signing key");
        let (pair, private) = match algorithm {
            Algorithm::Es256 => {
                let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
                let private = pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec();
                (Pair::Es256(pair), private)
            }
            Algorithm::Rs256 => {
                let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(failed)?;
                let private: Pkcs8V1Der<'_> = pair.as_der().map_err(failed)?;
                let private = private.as_ref().to_vec();
                (Pair::Rs256(pair), private)
            }
            Algorithm::EdDsa => {
                let pair = Ed25519KeyPair::generate().map_err(failed)?;
                let private = pair.to_pkcs8().map_err(failed)?.as_ref().to_vec();
                (Pair::EdDsa(pair), private)
            }
        };
        let kid = URL_SAFE_NO_PAD.encode(&digest(pair.public())[..12]);
        Ok((Self { kid, pair }, Secret::new(private)))
    }

    /// Reads a key back.
    pub fn from_pkcs8(kid: String, algorithm: Algorithm, private: &[u8]) -> Result<Self, CryptoError> {
        let pair = match algorithm {
            Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private).map(Pair::Es256),
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(private).map(Pair::Rs256),
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(private).map(Pair::EdDsa),
        };
        Ok(Self { kid, pair: pair.map_err(|_| CryptoError("reading a signing key"))? })
    }

    /// Its id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public part, for [`PublicKey::new`](super::PublicKey::new).
    pub fn public(&self) -> &[u8] {
        self.pair.public()
    }

    /// Signs claims into a token of the type `typ`, a plain word.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, CryptoError> {
        let (alg, kid) = (self.pair.algorithm().as_str(), &self.kid);
        // Each part is written where the one before was.
        let mut part = Vec::with_capacity(USUAL);
        write!(part, r#"{{"alg":"{alg}","kid":"{kid}","typ":"{typ}"}}"#)
            .map_err(|_| CryptoError("writing a header"))?;
        let mut token = String::with_capacity(USUAL * 2);
        URL_SAFE_NO_PAD.encode_string(&part, &mut token);
        token.push('.');
        part.clear();
        serde_json::to_writer(&mut part, claims).map_err(|_| CryptoError("writing claims"))?;
        URL_SAFE_NO_PAD.encode_string(&part, &mut token);
        part.clear();
        self.pair.sign(token.as_bytes(), &mut part)?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(&part, &mut token);
        Ok(token)
    }
}

impl Pair {
    fn algorithm(&self) -> Algorithm {
        match self {
            Self::Es256(_) => Algorithm::Es256,
            Self::Rs256(_) => Algorithm::Rs256,
            Self::EdDsa(_) => Algorithm::EdDsa,
        }
    }

    fn public(&self) -> &[u8] {
        match self {
            Self::Es256(pair) => pair.public_key().as_ref(),
            Self::Rs256(pair) => pair.public_key().as_ref(),
            Self::EdDsa(pair) => pair.public_key().as_ref(),
        }
    }

    /// Appends the signature.
    fn sign(&self, message: &[u8], to: &mut Vec<u8>) -> Result<(), CryptoError> {
        let failed = |_| CryptoError("signing");
        match self {
            Self::Es256(pair) => {
                to.extend_from_slice(pair.sign(&SystemRandom::new(), message).map_err(failed)?.as_ref());
            }
            Self::EdDsa(pair) => to.extend_from_slice(pair.sign(message).as_ref()),
            Self::Rs256(pair) => {
                let from = to.len();
                to.resize(from + pair.public_modulus_len(), 0);
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut to[from..]).map_err(failed)?;
            }
        }
        Ok(())
    }
}
