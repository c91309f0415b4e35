//! Secrets made once and kept in `secrets.json` of the data directory, readable by its owner only.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use crate::crypto::{CryptoError, Opaque, random};

/// What `deodar dev` makes up.
#[derive(Serialize, Deserialize)]
pub struct Secrets {
    /// `DEODAR_MASTER_KEY`.
    pub master_key: String,
    /// Of the administrator.
    pub admin_password: String,
    /// Of the demo people.
    pub user_password: String,
    /// Of the administering client.
    pub admin_client: String,
    /// Of the demo client.
    pub demo_client: String,
}

/// The secrets cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum SecretsError {
    /// The file.
    #[error("cannot read or write the secrets in the data directory")]
    Io(#[from] io::Error),
    /// Its content.
    #[error("`secrets.json` in the data directory is damaged; `--fresh` starts over")]
    Damaged(#[from] serde_json::Error),
    /// Randomness.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

impl Secrets {
    /// Reads them, or makes them.
    pub fn load(dir: &Path) -> Result<Self, SecretsError> {
        let path = dir.join("secrets.json");
        if path.exists() {
            return Ok(serde_json::from_slice(&fs::read(path)?)?);
        }
        let opaque = |prefix| Opaque::new(prefix).map(|secret| secret.expose().to_owned());
        let made = Self {
            master_key: STANDARD.encode(random::<32>()?),
            admin_password: opaque("")?,
            user_password: opaque("")?,
            admin_client: opaque(Opaque::CLIENT_SECRET)?,
            demo_client: opaque(Opaque::CLIENT_SECRET)?,
        };
        write_private(&path, &serde_json::to_vec_pretty(&made)?)?;
        Ok(made)
    }
}

/// Writes a file that only its owner reads, whole or not at all.
pub fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(new, path)
}
