//! Tokens that bring their key along: proofs of possession (RFC 9449 §4).
//!
//! Only here may a key come with a token, since here it is what the token is about: nobody is believed for having it.

use jsonwebtoken::Algorithm;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};
use serde_json::Value;

use super::{InvalidJwt, foreign::ForeignKey, header_json, public::signature_only};

/// What a proof says, and of which key.
pub struct Proven<T> {
    /// What it says.
    pub claims: T,
    /// Thumbprint of the key that signed it (RFC 7638).
    pub thumbprint: String,
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: String,
    jwk: Value,
    crit: Option<IgnoredAny>,
    jku: Option<IgnoredAny>,
    x5u: Option<IgnoredAny>,
    x5c: Option<IgnoredAny>,
}

/// Members of a JWK that are nobody else's business (RFC 7518 §6).
const PRIVATE: [&str; 8] = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];

/// Verifies that a token of the type `typ` was signed by the public key in its header. Times and ids are the caller's
/// business.
pub fn verify_proof<T: DeserializeOwned>(token: &str, typ: &str) -> Result<Proven<T>, InvalidJwt> {
    let header: Header = serde_json::from_slice(&header_json(token)?).map_err(|_| InvalidJwt)?;
    let foreign = [&header.crit, &header.jku, &header.x5u, &header.x5c].iter().any(|member| member.is_some());
    let public = PRIVATE.iter().all(|member| header.jwk.get(member).is_none());
    if header.typ != typ || foreign || !public {
        return Err(InvalidJwt);
    }
    let key = ForeignKey::read(&header.jwk).ok_or(InvalidJwt)?;
    let alg: Algorithm = header.alg.parse().map_err(|_| InvalidJwt)?;
    if !key.algorithms.contains(&alg) {
        return Err(InvalidJwt);
    }
    let decoded = jsonwebtoken::decode(token, &key.decoding, &signature_only(alg)).map_err(|_| InvalidJwt)?;
    Ok(Proven { claims: decoded.claims, thumbprint: key.thumbprint })
}

#[cfg(test)]
mod tests {
    use crate::crypto::jwt::foreign::ForeignKey;

    /// RFC 7638 §3.1.
    #[test]
    fn the_thumbprint_is_the_one_of_the_standard() {
        let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n\
                 3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgd\
                 AZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur\
                 -kEgU8awapJzKnqDKgw";
        let jwk = serde_json::json!({ "kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29" });
        assert_eq!(ForeignKey::read(&jwk).unwrap().thumbprint, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    }
}
