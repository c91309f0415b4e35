//! Keys of others: what clients sign with.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse, ThumbprintHash},
};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{InvalidJwt, public::signature_only, unverified_header};

/// The public keys of a client (RFC 7517 §5).
pub struct ForeignKeys(Vec<ForeignKey>);

pub(super) struct ForeignKey {
    kid: Option<String>,
    /// What it may have signed with.
    pub algorithms: Vec<Algorithm>,
    pub decoding: DecodingKey,
    /// RFC 7638, by SHA-256.
    pub thumbprint: String,
}

/// None of the keys can be used.
#[derive(Debug, thiserror::Error)]
#[error("there is no key for signatures in it: RSA of at least 2048 bits, P-256, P-384 or Ed25519")]
pub struct NoUsableKey;

/// RFC 8725 §3.5, in bytes.
const SHORTEST_RSA: usize = 256;

impl ForeignKeys {
    /// Reads a key set. Keys of other kinds are passed over, as RFC 7517 §5 asks.
    pub fn read(jwks: &Value) -> Result<Self, NoUsableKey> {
        let keys = jwks.get("keys").and_then(Value::as_array).ok_or(NoUsableKey)?;
        let usable: Vec<ForeignKey> = keys.iter().filter_map(ForeignKey::read).collect();
        if usable.is_empty() { Err(NoUsableKey) } else { Ok(Self(usable)) }
    }

    /// Verifies a signature and reads the claims; times and audiences are the caller's business.
    pub fn verify<T: DeserializeOwned>(&self, token: &str) -> Result<T, InvalidJwt> {
        let header = unverified_header(token)?;
        let alg: Algorithm = header.alg.parse().map_err(|_| InvalidJwt)?;
        let fits = |key: &&ForeignKey| {
            let named = header.kid.is_none() || key.kid.is_none() || key.kid == header.kid;
            named && key.algorithms.contains(&alg)
        };
        let verify = |key: &ForeignKey| jsonwebtoken::decode(token, &key.decoding, &signature_only(alg)).ok();
        self.0.iter().filter(fits).find_map(verify).map(|data| data.claims).ok_or(InvalidJwt)
    }
}

impl ForeignKey {
    pub fn read(jwk: &Value) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(jwk.clone()).ok()?;
        if jwk.common.public_key_use.as_ref().is_some_and(|purpose| *purpose != PublicKeyUse::Signature) {
            return None;
        }
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(rsa) => {
                let modulus = URL_SAFE_NO_PAD.decode(&rsa.n).ok()?;
                let bytes = modulus.iter().skip_while(|byte| **byte == 0).count();
                (bytes >= SHORTEST_RSA).then(|| vec![Algorithm::RS256, Algorithm::PS256])?
            }
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P256 => vec![Algorithm::ES256],
            AlgorithmParameters::EllipticCurve(ec) if ec.curve == EllipticCurve::P384 => vec![Algorithm::ES384],
            AlgorithmParameters::OctetKeyPair(okp) if okp.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
            _ => return None,
        };
        if let Some(own) = jwk.common.key_algorithm {
            algorithms.retain(|algorithm| own.to_string() == format!("{algorithm:?}"));
        }
        let decoding = DecodingKey::from_jwk(&jwk).ok()?;
        let thumbprint = jwk.thumbprint(ThumbprintHash::SHA256).ok()?;
        (!algorithms.is_empty()).then_some(Self { kid: jwk.common.key_id, algorithms, decoding, thumbprint })
    }
}
