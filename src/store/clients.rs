//! OAuth clients.

use sqlx::{PgExecutor, types::Json};
use time::OffsetDateTime;

use super::{Error, unreadable};
use crate::model::{Client, ClientId, ClientMetadata};

/// A client as its row has it.
pub(super) struct ClientRow {
    pub id: String,
    pub metadata: Json<ClientMetadata>,
    pub first_party: bool,
    pub self_registered: bool,
    pub active: bool,
    pub created_at: OffsetDateTime,
    pub generation: i32,
}

/// SHA-256 of a secret of 256 random bits.
pub type SecretHash = [u8; 32];

/// A client with what it proves itself by.
#[derive(Clone, Debug)]
pub struct Known {
    /// The client.
    pub client: Client,
    /// Of its secret; `None` for a method without one.
    pub secret: Option<SecretHash>,
    /// Of the token that manages its registration (RFC 7592); `None` for a client of an administrator.
    pub registration: Option<SecretHash>,
}

/// Adds a client; false when the id is taken.
pub async fn insert(db: impl PgExecutor<'_>, known: &Known) -> Result<bool, Error> {
    let Known { client, secret, registration } = known;
    let insert = sqlx::query!(
        "INSERT INTO clients (id, metadata, secret_hash, registration_hash, first_party, self_registered, active)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        client.id.as_str(),
        Json(&client.metadata) as _,
        secret.as_ref().map(|hash| hash.as_slice()),
        registration.as_ref().map(|hash| hash.as_slice()),
        client.first_party,
        client.self_registered,
        client.active
    );
    Ok(insert.execute(db).await?.rows_affected() == 1)
}

/// Writes what may change of a client, and its secret; false when there is no such client.
pub async fn update(db: impl PgExecutor<'_>, client: &Client, secret: Option<SecretHash>) -> Result<bool, Error> {
    let update = sqlx::query!(
        "UPDATE clients SET metadata = $2, secret_hash = $3, first_party = $4, active = $5, generation = $6
         WHERE id = $1",
        client.id.as_str(),
        Json(&client.metadata) as _,
        secret.as_ref().map(|hash| hash.as_slice()),
        client.first_party,
        client.active,
        client.generation
    );
    Ok(update.execute(db).await?.rows_affected() == 1)
}

/// Replaces the secret; false when the client has none or does not exist.
pub async fn rotate_secret(db: impl PgExecutor<'_>, id: &ClientId, secret: SecretHash) -> Result<bool, Error> {
    let update = sqlx::query!(
        "UPDATE clients SET secret_hash = $2 WHERE id = $1 AND secret_hash IS NOT NULL",
        id.as_str(),
        secret.as_slice()
    );
    Ok(update.execute(db).await?.rows_affected() == 1)
}

/// Removes a client; false when there is none.
pub async fn delete(db: impl PgExecutor<'_>, id: &ClientId) -> Result<bool, Error> {
    Ok(sqlx::query!("DELETE FROM clients WHERE id = $1", id.as_str()).execute(db).await?.rows_affected() == 1)
}

/// One client.
pub async fn find(db: impl PgExecutor<'_>, id: &ClientId) -> Result<Option<Client>, Error> {
    Ok(find_known(db, id).await?.map(|known| known.client))
}

/// One client with what it proves itself by.
pub async fn find_known(db: impl PgExecutor<'_>, id: &ClientId) -> Result<Option<Known>, Error> {
    let row = sqlx::query!(
        r#"SELECT id, metadata AS "metadata: Json<ClientMetadata>", first_party, self_registered, active, created_at,
                  generation, secret_hash, registration_hash FROM clients WHERE id = $1"#,
        id.as_str()
    );
    let Some(r) = row.fetch_optional(db).await? else { return Ok(None) };
    let hash = |kept: Option<Vec<u8>>| kept.map(|hash| unreadable("a secret's hash", hash.as_slice().try_into()));
    let (secret, registration) = (hash(r.secret_hash).transpose()?, hash(r.registration_hash).transpose()?);
    let row = ClientRow {
        id: r.id,
        metadata: r.metadata,
        first_party: r.first_party,
        self_registered: r.self_registered,
        active: r.active,
        created_at: r.created_at,
        generation: r.generation,
    };
    Ok(Some(Known { client: read(row)?, secret, registration }))
}

/// A page of clients after an id.
pub async fn list(db: impl PgExecutor<'_>, after: &str, limit: i64) -> Result<Vec<Client>, Error> {
    let rows = sqlx::query_as!(
        ClientRow,
        r#"SELECT id, metadata AS "metadata: Json<ClientMetadata>", first_party, self_registered, active, created_at,
                  generation
           FROM clients WHERE id > $1 ORDER BY id LIMIT $2"#,
        after,
        limit
    );
    rows.fetch_all(db).await?.into_iter().map(read).collect()
}

pub(super) fn read(row: ClientRow) -> Result<Client, Error> {
    Ok(Client {
        id: unreadable("a client id", row.id.parse())?,
        metadata: row.metadata.0,
        first_party: row.first_party,
        self_registered: row.self_registered,
        active: row.active,
        created_at: row.created_at,
        generation: row.generation,
    })
}
