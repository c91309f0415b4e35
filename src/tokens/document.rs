//! Documents that clients fetch and keep.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::Value;

use crate::crypto;

/// A JSON document, written once and sent as it is.
pub struct Document {
    /// As JSON.
    pub json: Bytes,
    /// Changes with it (RFC 9110 §8.8.3); with its quotes.
    pub etag: Bytes,
}

impl Document {
    /// Writes it.
    pub fn new(content: &Value) -> Self {
        let json = content.to_string();
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&crypto::digest(json.as_bytes())[..12]));
        Self { json: json.into(), etag: etag.into() }
    }
}
