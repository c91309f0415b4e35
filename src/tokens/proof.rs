//! Proofs of possession (RFC 9449 §4.3): whoever asks for a bound token, or presents one, shows that they have its key.
//!
//! What a proof is for is compared with the issuer's URLs, never with what the request says of itself: a proof for
//! another server is none for this one, whatever `Host` it is sent with.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use time::{Duration, OffsetDateTime};
use url::Url;

use super::{SKEW, Tokens};
use crate::crypto;

/// `typ` of proofs (RFC 9449 §4.2).
const TYPE: &str = "dpop+jwt";
/// The longest `jti`.
const LONGEST_ID: usize = 255;

/// The request that a proof is for.
#[derive(Clone, Copy, Debug)]
pub struct Proved<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its path below the issuer.
    pub path: &'a str,
    /// The access token that it presents.
    pub token: Option<&'a str>,
}

/// A proof that holds, as long as nobody has presented it before.
#[derive(Debug)]
pub struct Proof {
    /// Thumbprint of the key.
    pub jkt: String,
    /// What must not have been presented before.
    pub id: [u8; 32],
    /// Until when that has to be remembered.
    pub expires_at: OffsetDateTime,
}

/// The proof does not hold, and why.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidProof(pub &'static str);

#[derive(Deserialize)]
struct Claims {
    jti: String,
    htm: String,
    htu: String,
    iat: i64,
    ath: Option<String>,
}

impl Tokens {
    /// What proofs may be signed with.
    pub const PROOF_ALGORITHMS: [&'static str; 5] = ["ES256", "EdDSA", "RS256", "PS256", "ES384"];

    /// Believes a proof, or says why not.
    pub fn verify_proof(&self, proof: &str, request: Proved<'_>) -> Result<Proof, InvalidProof> {
        let fault = |text| Err(InvalidProof(text));
        let Ok(crypto::Proven { claims, thumbprint }) = crypto::verify_proof::<Claims>(proof, TYPE) else {
            return fault("the proof is no JWT of the type `dpop+jwt` that the public key in its header signed");
        };
        let expected = normal(&format!("{}{}", self.settings.issuer, request.path));
        if !(1..=LONGEST_ID).contains(&claims.jti.len()) {
            return fault("`jti` of the proof has 1 to 255 characters");
        }
        if claims.htm != request.method {
            return fault("`htm` of the proof is another method");
        }
        if normal(&claims.htu).is_none_or(|url| Some(url) != expected) {
            return fault("`htu` of the proof is another URL than the one of this endpoint below the issuer");
        }
        let now = self.clock.now();
        if claims.iat.abs_diff(now.unix_timestamp()) > SKEW.unsigned_abs() {
            return fault("`iat` of the proof is more than a minute away from the time here");
        }
        let hash = |token: &str| URL_SAFE_NO_PAD.encode(crypto::digest(token.as_bytes()));
        if request.token.is_some_and(|token| claims.ath != Some(hash(token))) {
            return fault("`ath` of the proof is not the hash of this access token");
        }
        // Length-delimited by the NUL, which no thumbprint has.
        let id = crypto::digest(format!("dpop\0{thumbprint}\0{}", claims.jti).as_bytes());
        // From the farthest time that it may be of until the farthest at which it is believed, and what nodes may differ.
        Ok(Proof { jkt: thumbprint, id, expires_at: now + Duration::seconds(3 * SKEW) })
    }
}

/// A URL without query and fragment, in the one spelling that all its spellings have (RFC 3986 §6.2.2, §6.2.3).
fn normal(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok()?;
    url.set_query(None);
    url.set_fragment(None);
    let mut spelt = String::new();
    let mut rest = url.as_str();
    while let Some(at) = rest.find('%') {
        spelt.push_str(&rest[..at]);
        let digits = rest.get(at + 1..at + 3)?;
        let byte = u8::from_str_radix(digits, 16).ok()?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            spelt.push(char::from(byte));
        } else {
            spelt.push('%');
            spelt.push_str(&digits.to_ascii_uppercase());
        }
        rest = &rest[at + 3..];
    }
    Some(spelt + rest)
}

#[cfg(test)]
mod tests {
    use super::normal;

    #[test]
    fn spellings_of_one_url_are_the_same_and_no_others() {
        let one = normal("https://id.test/oauth/token");
        for same in [
            "HTTPS://ID.test:443/oauth/token",
            "https://id.test/oauth/./token?x=1#y",
            "https://id.test/oauth/%74oken",
            "https://id.test/a/../oauth/token",
        ] {
            assert_eq!(normal(same), one, "{same}");
        }
        for other in [
            "http://id.test/oauth/token",
            "https://id.test:8443/oauth/token",
            "https://evil.test/oauth/token",
            "https://me@id.test/oauth/token",
            "https://id.test/oauth/token/",
            "https://id.test/OAuth/token",
            "https://id.test/oauth%2Ftoken",
            "https://id.test/oauth/token%",
            "https://id.test/oauth/token%2",
            "/oauth/token",
            "",
        ] {
            assert_ne!(normal(other), one, "{other}");
        }
        assert_eq!(normal("https://id.test/%c3%a9"), normal("https://id.test/é"));
    }
}
