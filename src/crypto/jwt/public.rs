//! Keys that verify what we signed.

use aws_lc_rs::rsa;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{DecodingKey, Validation};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::InvalidJwt;
use crate::{crypto::CryptoError, model::Algorithm};

/// A key that verifies, by its own algorithm and no other.
pub struct PublicKey {
    jwk: Value,
    decoding: DecodingKey,
    validation: Validation,
}

impl PublicKey {
    /// From what the database keeps: an uncompressed point (SEC 1 §2.3.3), an `RSAPublicKey` (RFC 8017 §A.1.1), or
    /// the 32 bytes of Ed25519.
    pub fn new(kid: &str, algorithm: Algorithm, public: &[u8]) -> Result<Self, CryptoError> {
        let unreadable = CryptoError("reading a public key");
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (decoding, members) = match (algorithm, public) {
            (Algorithm::Es256, [4, point @ ..]) if point.len() == 64 => {
                let (x, y) = (encode(&point[..32]), encode(&point[32..]));
                let members = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y });
                (DecodingKey::from_ec_components(&x, &y), members)
            }
            (Algorithm::Rs256, der) => {
                let key = rsa::PublicKey::from_der(der).map_err(|_| CryptoError("reading a public key"))?;
                let n = encode(key.modulus().big_endian_without_leading_zero());
                let e = encode(key.exponent().big_endian_without_leading_zero());
                let members = json!({ "kty": "RSA", "n": n, "e": e });
                (DecodingKey::from_rsa_components(&n, &e), members)
            }
            (Algorithm::EdDsa, bytes) if bytes.len() == 32 => {
                let x = encode(bytes);
                let members = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
                (DecodingKey::from_ed_components(&x), members)
            }
            (Algorithm::Es256 | Algorithm::EdDsa, _) => return Err(unreadable),
        };
        let mut jwk = members;
        for (name, value) in [("kid", kid), ("use", "sig"), ("alg", algorithm.as_str())] {
            jwk[name] = value.into();
        }
        let decoding = decoding.map_err(|_| unreadable)?;
        Ok(Self { jwk, decoding, validation: signature_only(library(algorithm)) })
    }

    /// As a JWK (RFC 7517), public members only.
    pub fn jwk(&self) -> &Value {
        &self.jwk
    }

    /// Verifies the signature and reads the claims. Times and audiences are the caller's business, who has the clock.
    pub fn verify<T: DeserializeOwned>(&self, token: &str) -> Result<T, InvalidJwt> {
        jsonwebtoken::decode(token, &self.decoding, &self.validation).map(|data| data.claims).map_err(|_| InvalidJwt)
    }
}

fn library(algorithm: Algorithm) -> jsonwebtoken::Algorithm {
    match algorithm {
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
    }
}

/// A validation of the signature and of nothing else.
pub(super) fn signature_only(algorithm: jsonwebtoken::Algorithm) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    validation
}
