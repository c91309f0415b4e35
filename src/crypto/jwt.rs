//! JSON Web Tokens (RFC 7519) signed with ES256.
//!
//! Why an own signer: `jsonwebtoken` parses the private key for every signature, which costs as much as the
//! signature. Verification is `jsonwebtoken`'s.

use aws_lc_rs::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{CryptoError, digest};
use crate::model::Secret;

/// A key that signs.
pub struct SigningKey {
    kid: String,
    pair: EcdsaKeyPair,
}

/// A key that verifies.
pub struct PublicKey {
    kid: String,
    point: Vec<u8>,
    decoding: DecodingKey,
}

/// A token is not what it claims to be. Says no more to anybody outside.
#[derive(Debug, thiserror::Error)]
#[error("the token is not valid")]
pub struct InvalidJwt;

/// The header of a token (RFC 7515 §4.1), as far as it may say anything here.
#[derive(Debug, Deserialize)]
pub struct Header {
    /// Which key.
    pub kid: String,
    /// Which kind of token.
    pub typ: String,
    alg: String,
    // Extensions that must be understood, and keys that come with the token: neither is.
    crit: Option<serde::de::IgnoredAny>,
    jwk: Option<serde::de::IgnoredAny>,
    jku: Option<serde::de::IgnoredAny>,
    x5u: Option<serde::de::IgnoredAny>,
    x5c: Option<serde::de::IgnoredAny>,
}

/// The longest token that is looked at, in bytes.
const MAX_TOKEN: usize = 8 * 1024;

impl SigningKey {
    /// A fresh key, with its private part as PKCS #8.
    pub fn generate() -> Result<(Self, Secret<Vec<u8>>), CryptoError> {
        let failed = |_| CryptoError("making a signing key");
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(failed)?;
        let private = pair.to_pkcs8v1().map_err(failed)?.as_ref().to_vec();
        let kid = URL_SAFE_NO_PAD.encode(&digest(pair.public_key().as_ref())[..12]);
        Ok((Self { kid, pair }, Secret::new(private)))
    }

    /// Reads a key back.
    pub fn from_pkcs8(kid: String, private: &[u8]) -> Result<Self, CryptoError> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, private);
        Ok(Self { kid, pair: pair.map_err(|_| CryptoError("reading a signing key"))? })
    }

    /// Its id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Its public point, uncompressed.
    pub fn public_point(&self) -> &[u8] {
        self.pair.public_key().as_ref()
    }

    /// Signs claims into a token of the type `typ`.
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, CryptoError> {
        let header = serde_json::json!({ "alg": "ES256", "kid": self.kid, "typ": typ });
        let claims = serde_json::to_vec(claims).map_err(|_| CryptoError("writing claims"))?;
        let mut token = URL_SAFE_NO_PAD.encode(header.to_string());
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(claims, &mut token);
        let signature = self.pair.sign(&SystemRandom::new(), token.as_bytes()).map_err(|_| CryptoError("signing"))?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }
}

impl PublicKey {
    /// From the uncompressed point that the database keeps.
    pub fn new(kid: String, point: Vec<u8>) -> Result<Self, CryptoError> {
        let (x, y) = coordinates(&point).ok_or(CryptoError("reading a public key"))?;
        let decoding = DecodingKey::from_ec_components(&x, &y).map_err(|_| CryptoError("reading a public key"))?;
        Ok(Self { kid, point, decoding })
    }

    /// Its id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// As a JWK (RFC 7517), public members only.
    pub fn jwk(&self) -> serde_json::Value {
        let (x, y) = coordinates(&self.point).unwrap_or_default();
        serde_json::json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": self.kid, "use": "sig", "alg": "ES256" })
    }

    /// Verifies the signature and reads the claims. Times and audiences are the caller's business, who has the clock.
    pub fn verify<T: DeserializeOwned>(&self, token: &str) -> Result<T, InvalidJwt> {
        let mut validation = Validation::new(Algorithm::ES256);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        jsonwebtoken::decode(token, &self.decoding, &validation).map(|data| data.claims).map_err(|_| InvalidJwt)
    }
}

/// Reads a header, to find the key. Refuses whatever could only be meant to mislead.
pub fn unverified_header(token: &str) -> Result<Header, InvalidJwt> {
    if token.len() > MAX_TOKEN || token.matches('.').count() != 2 {
        return Err(InvalidJwt);
    }
    let encoded = token.split('.').next().unwrap_or_default();
    let json = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| InvalidJwt)?;
    let header: Header = serde_json::from_slice(&json).map_err(|_| InvalidJwt)?;
    let foreign = [&header.crit, &header.jwk, &header.jku, &header.x5u, &header.x5c];
    if header.alg != "ES256" || foreign.iter().any(|member| member.is_some()) {
        return Err(InvalidJwt);
    }
    Ok(header)
}

/// SEC 1 §2.3.3: `04 || x || y`.
fn coordinates(point: &[u8]) -> Option<(String, String)> {
    match point {
        [4, rest @ ..] if rest.len() == 64 => {
            Some((URL_SAFE_NO_PAD.encode(&rest[..32]), URL_SAFE_NO_PAD.encode(&rest[32..])))
        }
        _ => None,
    }
}
