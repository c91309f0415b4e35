//! Signing keys: sealed in the database, parsed once.

use std::collections::HashMap;

use crate::{
    crypto::{CryptoError, PublicKey, SealBroken, Sealer, SigningKey},
    store::{self, keys::KeyRow},
};

const PURPOSE: &str = "signing-key";

/// The keys there are. The newest signs, all verify.
pub struct Keys {
    signer: SigningKey,
    public: HashMap<String, PublicKey>,
    jwks: String,
}

/// The keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A key is damaged, or the system gave no random bytes.
    #[error(transparent)]
    Crypto(#[from] CryptoError),
    /// The master key is another one.
    #[error(transparent)]
    Seal(#[from] SealBroken),
}

impl Keys {
    /// Reads the keys; makes the first one where there is none.
    pub async fn load(pool: &store::Pool, sealer: &Sealer) -> Result<Self, KeysError> {
        let mut rows = store::keys::list(pool).await?;
        if rows.is_empty() {
            let (key, private) = SigningKey::generate()?;
            let first = KeyRow {
                kid: key.kid().to_owned(),
                private_sealed: sealer.seal(PURPOSE, private.expose())?,
                public_key: key.public_point().to_vec(),
            };
            let mut tx = pool.begin().await.map_err(store::Error::from)?;
            store::revision::lock(&mut tx).await?;
            store::keys::insert_first(&mut tx, &first).await?;
            tx.commit().await.map_err(store::Error::from)?;
            rows = store::keys::list(pool).await?;
        }
        Self::read(rows, sealer)
    }

    fn read(rows: Vec<KeyRow>, sealer: &Sealer) -> Result<Self, KeysError> {
        let newest = rows.last().ok_or(CryptoError("there is no signing key"))?;
        let private = sealer.open(PURPOSE, &newest.private_sealed)?;
        let signer = SigningKey::from_pkcs8(newest.kid.clone(), &private)?;
        let public = rows.into_iter().map(|row| PublicKey::new(row.kid, row.public_key));
        let public = public.collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<serde_json::Value> = public.iter().map(PublicKey::jwk).collect();
        let jwks = serde_json::json!({ "keys": keys }).to_string();
        Ok(Self { signer, jwks, public: public.into_iter().map(|key| (key.kid().to_owned(), key)).collect() })
    }

    /// The key that signs.
    pub fn signer(&self) -> &SigningKey {
        &self.signer
    }

    /// A key by its id.
    pub fn find(&self, kid: &str) -> Option<&PublicKey> {
        self.public.get(kid)
    }

    /// The JWK Set (RFC 7517 §5), as text.
    pub fn jwks(&self) -> &str {
        &self.jwks
    }
}
