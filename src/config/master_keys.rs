//! The keys that seal what the database must not show.

use std::collections::HashSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use crate::model::Secret;

const LENGTH: usize = 32;
const WRITE: &str = "write 32 random bytes, as `openssl rand -base64 32` prints";

/// One or more keys of 32 bytes: the first one encrypts, all of them decrypt. So a key is replaced by writing the new
/// one in front of it.
#[derive(Clone, Debug)]
pub struct MasterKeys {
    // INVARIANT: never empty.
    keys: Vec<Secret<[u8; LENGTH]>>,
}

impl MasterKeys {
    /// Reads keys in base64, the usual or the URL-safe alphabet, padded or not, with commas between them.
    ///
    /// # Errors
    /// Which key is wrong and why; never what it is.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut seen = HashSet::new();
        let mut keys = Vec::new();
        for (position, text) in text.split(',').enumerate() {
            let key = key(text.trim()).map_err(|why| format!("key {} {why}; {WRITE}", position + 1))?;
            if !seen.insert(key) {
                return Err(format!("key {} stands there twice; write it once", position + 1));
            }
            keys.push(Secret::new(key));
        }
        Ok(Self { keys })
    }

    /// The key to encrypt with.
    #[must_use]
    pub fn current(&self) -> &Secret<[u8; LENGTH]> {
        &self.keys[0]
    }

    /// Every key to try for decryption, the current one first.
    pub fn iter(&self) -> impl Iterator<Item = &Secret<[u8; LENGTH]>> {
        self.keys.iter()
    }
}

fn key(text: &str) -> Result<[u8; LENGTH], String> {
    if text.is_empty() {
        return Err("is empty".to_owned());
    }
    let usual = text.trim_end_matches('=').replace('-', "+").replace('_', "/");
    let bytes = STANDARD_NO_PAD.decode(usual).map_err(|_| "is not base64".to_owned())?;
    let key = <[u8; LENGTH]>::try_from(bytes.as_slice())
        .map_err(|_| format!("has {} bytes instead of {LENGTH}", bytes.len()))?;
    match weakness(&key) {
        Some(why) => Err(format!("is weak: {why}")),
        None => Ok(key),
    }
}

/// Signs that a person and not a random source made the key. Each is so rare in 32 random bytes (less than one in
/// 10^13) that no good key is refused.
fn weakness(key: &[u8; LENGTH]) -> Option<&'static str> {
    let step = |pair: &[u8]| pair[1].wrapping_sub(pair[0]);
    let (front, back) = key.split_at(LENGTH / 2);
    if key.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ') {
        Some("it is text, not random bytes")
    } else if key.iter().collect::<HashSet<_>>().len() < 16 {
        Some("too few different bytes")
    } else if front == back {
        Some("its second half repeats the first")
    } else if key.windows(2).all(|pair| step(pair) == step(&key[..2])) {
        Some("its bytes are in sequence")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    use super::*;

    /// Bytes without a pattern, the same on each run.
    fn good(seed: u8) -> [u8; LENGTH] {
        std::array::from_fn(|i| (u8::try_from(i).unwrap().wrapping_add(seed)).wrapping_mul(167) ^ 0x5b)
    }

    #[test]
    fn the_first_key_encrypts_and_all_decrypt() {
        let text = format!("{}, {}", URL_SAFE_NO_PAD.encode(good(1)), STANDARD.encode(good(40)));
        let keys = MasterKeys::parse(&text).unwrap();
        assert_eq!(keys.current().expose(), &good(1));
        assert_eq!(keys.iter().map(|key| *key.expose()).collect::<Vec<_>>(), [good(1), good(40)]);
        assert!(!format!("{keys:?}").contains(char::is_numeric));
    }

    #[test]
    fn weak_and_misshapen_keys_are_refused_without_being_shown() {
        let sequence: [u8; LENGTH] = std::array::from_fn(|i| u8::try_from(i).unwrap() + 200);
        let mut halves = good(7);
        halves.copy_within(..LENGTH / 2, LENGTH / 2);
        for (bytes, told) in [
            (vec![0; 32], "too few"),
            ([1, 2, 3, 4].repeat(8), "too few"),
            (b"correct horse battery staple xyz".to_vec(), "it is text"),
            (halves.to_vec(), "repeats"),
            (sequence.to_vec(), "in sequence"),
            (good(1)[..31].to_vec(), "has 31 bytes"),
        ] {
            let text = STANDARD.encode(bytes);
            let message = MasterKeys::parse(&format!("{},{text}", STANDARD.encode(good(1)))).unwrap_err();
            assert!(message.starts_with("key 2 ") && message.contains(told), "{message}");
            assert!(message.contains("openssl rand") && !message.contains(&text), "{message}");
        }
        let twice = format!("{0},{0}", STANDARD.encode(good(1)));
        assert_eq!(MasterKeys::parse(&twice).unwrap_err(), "key 2 stands there twice; write it once");
        assert!(MasterKeys::parse("§").unwrap_err().starts_with("key 1 is not base64"));
        assert!(MasterKeys::parse(&format!("{},", STANDARD.encode(good(1)))).unwrap_err().contains("key 2 is empty"));
    }
}
