//! JSON Web Tokens (RFC 7519).
//!
//! Why an own signer: `jsonwebtoken` parses the private key for every signature, which costs as much as the
//! signature. Verification is `jsonwebtoken`'s. An algorithm belongs to a key and is never taken from a token.

mod foreign;
mod proof;
mod public;
mod signing;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, de::IgnoredAny};

pub use self::{
    foreign::{ForeignKeys, NoUsableKey},
    proof::{Proven, verify_proof},
    public::PublicKey,
    signing::SigningKey,
};

/// A token is not what it claims to be. Says no more to anybody outside.
#[derive(Debug, thiserror::Error)]
#[error("the token is not valid")]
pub struct InvalidJwt;

/// The header of a token (RFC 7515 §4.1), as far as it may say anything here.
#[derive(Debug, Deserialize)]
pub struct Header {
    /// Which key.
    pub kid: Option<String>,
    /// Which kind of token.
    pub typ: Option<String>,
    /// How it claims to be signed.
    pub alg: String,
    // Extensions that must be understood, and keys that come with the token: neither is.
    crit: Option<IgnoredAny>,
    jwk: Option<IgnoredAny>,
    jku: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
    x5c: Option<IgnoredAny>,
}

/// The longest token that is looked at, in bytes. One with the longest scope and all the resources that can be asked for
/// has 13.5 KB.
const MAX_TOKEN: usize = 16 * 1024;

/// Reads a header, to find the key. Refuses whatever could only be meant to mislead.
pub fn unverified_header(token: &str) -> Result<Header, InvalidJwt> {
    let json = header_json(token)?;
    let header: Header = serde_json::from_slice(&json).map_err(|_| InvalidJwt)?;
    let foreign = [&header.crit, &header.jwk, &header.jku, &header.x5u, &header.x5c];
    if foreign.iter().any(|member| member.is_some()) { Err(InvalidJwt) } else { Ok(header) }
}

fn header_json(token: &str) -> Result<Vec<u8>, InvalidJwt> {
    if token.len() > MAX_TOKEN || token.matches('.').count() != 2 {
        return Err(InvalidJwt);
    }
    let encoded = token.split('.').next().unwrap_or_default();
    URL_SAFE_NO_PAD.decode(encoded).map_err(|_| InvalidJwt)
}

/// Reads claims of a token that nobody has verified, to find out by whom it claims to be.
pub fn unverified_claims<T: serde::de::DeserializeOwned>(token: &str) -> Result<T, InvalidJwt> {
    header_json(token)?;
    let encoded = token.split('.').nth(1).unwrap_or_default();
    let json = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| InvalidJwt)?;
    serde_json::from_slice(&json).map_err(|_| InvalidJwt)
}
