//! Registered clients, kept in memory.
//!
//! Why no invalidation of its own: every write to a client is a change of its principal, and the decision point then
//! reads that principal anew. A client is good for as long as the principal's standing is current that was known when
//! the client was read.

use std::sync::Arc;

use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use super::{client_keys::PublishedKeys, permit::Granted};
use crate::{
    crypto::{CryptoError, ForeignKeys, InvalidJwt, Opaque},
    fetch::Fetcher,
    model::{AuthMethod, Client, ClientId, ClientMetadata, Clock, MetadataFault, Principal},
    pdp::{self, Pdp, Standing},
    store,
};

/// See the module.
pub struct Clients {
    pool: store::Pool,
    pdp: Arc<Pdp>,
    fetcher: Fetcher,
    published: PublishedKeys,
    kept: moka::sync::Cache<ClientId, Entry>,
}

/// A client with what it proves itself by.
pub struct Registered {
    /// The client.
    pub client: Client,
    secret: Option<store::clients::SecretHash>,
    registration: Option<store::clients::SecretHash>,
    /// Its public keys, when it registered them by value.
    keys: Option<ForeignKeys>,
    /// As of when.
    pub(super) as_of: Arc<Standing>,
    /// What the policies let it have for itself.
    pub(super) granted: Granted,
}

#[derive(Clone)]
struct Entry {
    as_of: Arc<Standing>,
    /// Read once, however many ask at the same time.
    registered: Arc<OnceCell<Option<Arc<Registered>>>>,
}

impl Clients {
    /// Keeps at most `most` clients.
    pub fn new(pool: store::Pool, pdp: Arc<Pdp>, fetcher: Fetcher, clock: Clock, most: u64) -> Self {
        let published = PublishedKeys::new(fetcher.clone(), clock);
        Self { pool, pdp, fetcher, published, kept: moka::sync::Cache::new(most) }
    }

    /// A client that may act at this moment.
    ///
    /// # Errors
    /// The database failed, or this node cannot tell whether it is up to date.
    pub async fn find(&self, id: &ClientId) -> Result<Option<Arc<Registered>>, pdp::Error> {
        self.pdp.ensure(None).await?;
        if let Some(entry) = self.kept.get(id)
            && let Some(registered) = entry.registered.get()
            && self.pdp.is_current(&entry.as_of)
        {
            return Ok(registered.clone());
        }
        Box::pin(self.read(id)).await
    }

    async fn read(&self, id: &ClientId) -> Result<Option<Arc<Registered>>, pdp::Error> {
        let as_of = self.pdp.standing(&Principal::Client(id.clone())).await?;
        let fresh = || Entry { as_of: Arc::clone(&as_of), registered: Arc::default() };
        let outdated = |entry: &Entry| !Arc::ptr_eq(&entry.as_of, &as_of);
        let entry = self.kept.entry_by_ref(id).or_insert_with_if(fresh, outdated).into_value();
        let registered = entry.registered.get_or_try_init(|| async {
            let known = store::within(store::clients::find_known(&self.pool, id)).await?;
            let known = known.filter(|known| known.client.active);
            Ok::<_, pdp::Error>(known.map(|known| Arc::new(Registered::new(known, Arc::clone(&as_of)))))
        });
        Ok(registered.await?.clone())
    }

    /// What a token says that a client signed; times and audiences are the caller's business.
    ///
    /// # Errors
    /// No key of the client's fits, or none can be had.
    pub async fn verify<T: DeserializeOwned>(&self, client: &Registered, token: &str) -> Result<T, InvalidJwt> {
        match (&client.keys, &client.client.metadata.jwks_uri) {
            (Some(keys), _) => keys.verify(token),
            (None, Some(uri)) => self.published.verify(uri, token).await,
            (None, None) => Err(InvalidJwt),
        }
    }

    /// Looks whether the client's sector knows its redirect URIs (OpenID Connect Registration §5). Asks another server:
    /// comes before a write is opened.
    ///
    /// # Errors
    /// What is wrong. It does not say which of all that can be, so that nobody can look into other networks by it.
    pub async fn check_sector(&self, metadata: &ClientMetadata) -> Result<(), MetadataFault> {
        let Some(uri) = &metadata.sector_identifier_uri else { return Ok(()) };
        let listed: Option<Vec<String>> =
            self.fetcher.get(uri).await.ok().and_then(|body| serde_json::from_slice(&body).ok());
        if listed.is_some_and(|listed| metadata.redirect_uris.iter().all(|uri| listed.contains(uri))) {
            return Ok(());
        }
        let message = "it cannot be fetched, or is no JSON array with every one of `redirect_uris` in it".to_owned();
        Err(MetadataFault { field: "sector_identifier_uri".to_owned(), code: "invalid_client_metadata", message })
    }
}

impl Registered {
    fn new(known: store::clients::Known, as_of: Arc<Standing>) -> Self {
        let store::clients::Known { client, secret, registration } = known;
        let keys = client.metadata.jwks.as_ref().and_then(|jwks| ForeignKeys::read(jwks).ok());
        Self { client, secret, registration, keys, as_of, granted: Granted::default() }
    }

    /// Whether this is the client's secret.
    pub fn has_secret(&self, presented: &str) -> bool {
        Opaque::matches(presented, self.secret.as_ref())
    }

    /// Whether this is the token that manages the client's registration.
    pub fn has_registration_token(&self, presented: &str) -> bool {
        Opaque::matches(presented, self.registration.as_ref())
    }
}

/// Metadata that are complete and make sense, for every way of registering a client.
///
/// # Errors
/// Everything that is wrong.
pub fn checked(metadata: ClientMetadata) -> Result<ClientMetadata, Vec<MetadataFault>> {
    let metadata = metadata.completed();
    let mut faults = metadata.faults();
    if faults.is_empty()
        && let Some(Err(error)) = metadata.jwks.as_ref().map(ForeignKeys::read)
    {
        let message = error.to_string();
        faults.push(MetadataFault { field: "jwks".to_owned(), code: "invalid_client_metadata", message });
    }
    if faults.is_empty() { Ok(metadata) } else { Err(faults) }
}

/// A fresh secret, for a method that needs one.
pub fn fresh_secret(method: AuthMethod) -> Result<Option<Opaque>, CryptoError> {
    method.has_secret().then(|| Opaque::new(Opaque::CLIENT_SECRET)).transpose()
}
