//! Signing keys: sealed in the database, parsed once, replaced without a restart.
//!
//! A key is published before it signs, so that every client that keeps our key set for its [`MAX_AGE`] knows the
//! key when it meets it, and verifies for [`KEPT`] after its successor began to sign, which is longer than anything
//! it signed is good for. All of this follows from the times in its row; no node has to do anything at the moment.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};
use time::{Duration, OffsetDateTime};

use super::Document;
use crate::{
    crypto::{self, CryptoError, InvalidJwt, PublicKey, SealBroken, Sealer, SigningKey},
    model::{Algorithm, Clock, UserId},
    pdp,
    store::{self, Conn, keys::KeyRow, revision::Change},
};

const PURPOSE: &str = "signing-key";
const USER_PURPOSE: &str = "token-user";
/// How long clients may keep the key set.
pub const MAX_AGE: Duration = Duration::minutes(5);
/// How long a key is known before it signs: longer than [`MAX_AGE`] by what nodes and clocks may be apart.
const LEAD: Duration = Duration::minutes(6);
/// How long a key verifies after it signed last. No token of ours lives longer.
const KEPT: Duration = Duration::days(1);

/// See the module.
pub struct Keys {
    pool: store::Pool,
    sealer: Arc<Sealer>,
    clock: Clock,
    /// How long a key signs.
    rotation: Duration,
    ring: ArcSwap<Ring>,
}

/// What this node signs and verifies with.
struct Ring {
    /// Oldest first.
    signers: Vec<(Algorithm, OffsetDateTime, SigningKey)>,
    public: HashMap<String, (Option<OffsetDateTime>, PublicKey)>,
    set: Arc<Document>,
}

/// Why keys are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    /// It is time. The old ones sign until everybody knows the new ones.
    Planned,
    /// Somebody else has them. What they signed is dead at once.
    Compromised,
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
    /// A task of our own broke off.
    #[error(transparent)]
    BrokenOff(#[from] pdp::Error),
}

impl Keys {
    /// Reads the keys, and makes those that there have to be.
    pub async fn load(
        pool: store::Pool,
        sealer: Arc<Sealer>,
        clock: Clock,
        rotation: Duration,
    ) -> Result<Self, KeysError> {
        let ring = ArcSwap::from_pointee(Ring::read(Vec::new(), &sealer, clock.now())?);
        let keys = Self { pool, sealer, clock, rotation, ring };
        keys.tend().await?;
        Ok(keys)
    }

    /// Makes keys where it is time, forgets those whose time is over, and reads what there is.
    pub async fn tend(&self) -> Result<(), KeysError> {
        let now = self.clock.now();
        let rows = store::keys::list(&self.pool, now).await?;
        let newest = |algorithm| rows.iter().filter(|row| row.algorithm == algorithm).map(|row| row.signs_from).max();
        let is_due = |algorithm: &Algorithm| newest(*algorithm).is_none_or(|from| from + self.rotation <= now);
        let due: Vec<Algorithm> = Algorithm::ALL.into_iter().filter(is_due).collect();
        if !due.is_empty() {
            let mut fresh = self.fresh(&due).await?;
            // Nobody can know a key of an algorithm that never had one, so the first need not wait.
            fresh.iter_mut().filter(|row| newest(row.algorithm).is_none()).for_each(|row| row.signs_from = now);
            let mut tx = self.pool.begin().await.map_err(store::Error::from)?;
            store::revision::lock(&mut tx).await?;
            let mut made = false;
            for row in &fresh {
                made |= store::keys::insert(&mut tx, row, Some(now - self.rotation), KEPT).await?;
            }
            store::keys::prune(&mut *tx, now).await?;
            if made && !rows.is_empty() {
                store::revision::advance(&mut tx, &[Change::Keys]).await?;
            }
            tx.commit().await.map_err(store::Error::from)?;
        }
        self.reload().await
    }

    /// Reads what there is.
    pub async fn reload(&self) -> Result<(), KeysError> {
        let now = self.clock.now();
        let rows = store::keys::list(&self.pool, now).await?;
        self.ring.store(Arc::new(Ring::read(rows, &self.sealer, now)?));
        Ok(())
    }

    /// Fresh keys, made off the runtime and known to nobody yet.
    pub async fn fresh(&self, algorithms: &[Algorithm]) -> Result<Vec<KeyRow>, KeysError> {
        let algorithms = algorithms.to_vec();
        let make = move || algorithms.into_iter().map(|a| Ok((a, SigningKey::generate(a)?))).collect();
        let made: Result<Vec<_>, CryptoError> = pdp::off_runtime(make).await?;
        let now = self.clock.now();
        let row = |(algorithm, (key, private)): (Algorithm, (SigningKey, crate::model::Secret<Vec<u8>>))| {
            Ok(KeyRow {
                kid: key.kid().to_owned(),
                algorithm,
                private_sealed: self.sealer.seal(PURPOSE, private.expose())?,
                public_key: key.public().to_vec(),
                created_at: now,
                signs_from: now + LEAD,
                verifies_until: None,
            })
        };
        made?.into_iter().map(row).collect()
    }

    /// Replaces the keys inside a write, whose caller notes [`Change::Keys`] and calls [`Keys::reload`] after it.
    pub async fn replace(&self, conn: &mut Conn, fresh: &[KeyRow], why: Rotation) -> Result<(), store::Error> {
        let now = self.clock.now();
        for row in fresh {
            let signs_from = if why == Rotation::Compromised { now } else { row.signs_from };
            store::keys::insert(conn, &KeyRow { signs_from, ..row.clone() }, None, KEPT).await?;
        }
        if why == Rotation::Compromised {
            let kids: Vec<String> = fresh.iter().map(|row| row.kid.clone()).collect();
            store::keys::delete_others(&mut *conn, &kids).await?;
        }
        store::keys::prune(conn, now).await.map(drop)
    }

    /// Signs claims into a token of the type `typ`, a plain word.
    pub fn sign(&self, algorithm: Algorithm, typ: &str, claims: &impl Serialize) -> Result<String, CryptoError> {
        let (ring, now) = (self.ring.load(), self.clock.now());
        let usable = |(a, from, _): &&(Algorithm, OffsetDateTime, _)| *a == algorithm && *from <= now;
        let signer = ring.signers.iter().rev().find(usable);
        // Clocks of nodes differ: a first key may be from a little ahead.
        let signer = signer.or_else(|| ring.signers.iter().find(|(a, ..)| *a == algorithm));
        let (_, _, key) = signer.ok_or(CryptoError("there is no signing key"))?;
        key.sign(typ, claims)
    }

    /// Believes a token of the type `typ` that one of our keys signed. Times and audiences are the caller's business.
    pub fn verify<T: DeserializeOwned>(&self, token: &str, typ: &str) -> Result<T, InvalidJwt> {
        let header = crypto::unverified_header(token)?;
        let kid = header.kid.filter(|_| header.typ.as_deref() == Some(typ)).ok_or(InvalidJwt)?;
        let ring = self.ring.load();
        match ring.public.get(&kid) {
            Some((until, key)) if until.is_none_or(|until| self.clock.now() < until) => key.verify(token),
            Some(_) | None => Err(InvalidJwt),
        }
    }

    /// A person's id that nobody else can read.
    pub(super) fn seal_user(&self, user: UserId) -> Result<String, CryptoError> {
        Ok(URL_SAFE_NO_PAD.encode(self.sealer.seal(USER_PURPOSE, user.0.as_bytes())?))
    }

    /// What was sealed.
    pub(super) fn open_user(&self, sealed: &str) -> Option<UserId> {
        let bytes = self.sealer.open(USER_PURPOSE, &URL_SAFE_NO_PAD.decode(sealed).ok()?).ok()?;
        Some(UserId(uuid::Uuid::from_slice(&bytes).ok()?))
    }

    /// The database that they are in.
    pub(super) fn pool(&self) -> &store::Pool {
        &self.pool
    }

    /// The public keys.
    pub fn set(&self) -> Arc<Document> {
        Arc::clone(&self.ring.load().set)
    }
}

impl Ring {
    fn read(rows: Vec<KeyRow>, sealer: &Sealer, now: OffsetDateTime) -> Result<Self, KeysError> {
        let (mut signers, mut public, mut jwks) = (Vec::new(), HashMap::new(), Vec::new());
        for row in rows {
            let key = PublicKey::new(&row.kid, row.algorithm, &row.public_key)?;
            jwks.push(key.jwk().clone());
            public.insert(row.kid.clone(), (row.verifies_until, key));
            // A key whose successor signs already is left unopened.
            if row.verifies_until.is_none_or(|until| now < until - KEPT) {
                let private = sealer.open(PURPOSE, &row.private_sealed)?;
                let signer = SigningKey::from_pkcs8(row.kid, row.algorithm, &private)?;
                signers.push((row.algorithm, row.signs_from, signer));
            }
        }
        let set = Arc::new(Document::new(&serde_json::json!({ "keys": jwks })));
        Ok(Self { signers, public, set })
    }
}
