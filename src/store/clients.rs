//! OAuth clients.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::{Error, unreadable};
use crate::model::{AuthMethod, Client, ClientId, GrantType};

struct ClientRow {
    id: String,
    name: String,
    redirect_uris: Vec<String>,
    grant_types: Vec<String>,
    scope: String,
    auth_method: String,
    active: bool,
    created_at: OffsetDateTime,
}

/// SHA-256 of a client secret of 256 random bits.
pub type SecretHash = [u8; 32];

/// Adds a client; false when the id is taken.
pub async fn insert(db: impl PgExecutor<'_>, client: &Client, secret: Option<SecretHash>) -> Result<bool, Error> {
    let insert = sqlx::query!(
        "INSERT INTO clients (id, name, secret_hash, redirect_uris, grant_types, scope, auth_method, active)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
        client.id.as_str(),
        client.name,
        secret.as_ref().map(|s| s.as_slice()),
        &client.redirect_uris,
        &words(&client.grant_types),
        client.scope.to_string(),
        client.auth_method.as_str(),
        client.active
    );
    Ok(insert.execute(db).await?.rows_affected() == 1)
}

/// Writes what may change of a client; false when there is no such client.
pub async fn update(db: impl PgExecutor<'_>, client: &Client) -> Result<bool, Error> {
    let update = sqlx::query!(
        "UPDATE clients SET name = $2, redirect_uris = $3, grant_types = $4, scope = $5, active = $6 WHERE id = $1",
        client.id.as_str(),
        client.name,
        &client.redirect_uris,
        &words(&client.grant_types),
        client.scope.to_string(),
        client.active
    );
    Ok(update.execute(db).await?.rows_affected() == 1)
}

/// Replaces the secret; false when the client is public or does not exist.
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
    let row = sqlx::query_as!(
        ClientRow,
        "SELECT id, name, redirect_uris, grant_types, scope, auth_method, active, created_at FROM clients WHERE id = $1",
        id.as_str()
    );
    row.fetch_optional(db).await?.map(read).transpose()
}

/// One client with the hash of its secret, to authenticate it.
pub async fn find_with_secret(
    db: impl PgExecutor<'_>,
    id: &ClientId,
) -> Result<Option<(Client, Option<SecretHash>)>, Error> {
    let row = sqlx::query!(
        "SELECT id, name, redirect_uris, grant_types, scope, auth_method, active, created_at, secret_hash
         FROM clients WHERE id = $1",
        id.as_str()
    );
    let Some(r) = row.fetch_optional(db).await? else { return Ok(None) };
    let secret = r.secret_hash.map(|hash| unreadable("a secret's hash", SecretHash::try_from(hash.as_slice())));
    let row = ClientRow {
        id: r.id,
        name: r.name,
        redirect_uris: r.redirect_uris,
        grant_types: r.grant_types,
        scope: r.scope,
        auth_method: r.auth_method,
        active: r.active,
        created_at: r.created_at,
    };
    Ok(Some((read(row)?, secret.transpose()?)))
}

/// A page of clients after an id.
pub async fn list(db: impl PgExecutor<'_>, after: &str, limit: i64) -> Result<Vec<Client>, Error> {
    let rows = sqlx::query_as!(
        ClientRow,
        "SELECT id, name, redirect_uris, grant_types, scope, auth_method, active, created_at
         FROM clients WHERE id > $1 ORDER BY id LIMIT $2",
        after,
        limit
    );
    rows.fetch_all(db).await?.into_iter().map(read).collect()
}

fn read(row: ClientRow) -> Result<Client, Error> {
    let grant_types = row.grant_types.into_iter().map(|word| unreadable("a grant type", parse(word)));
    Ok(Client {
        id: unreadable("a client id", row.id.parse::<ClientId>())?,
        name: row.name,
        redirect_uris: row.redirect_uris,
        grant_types: grant_types.collect::<Result<Vec<GrantType>, Error>>()?,
        scope: unreadable("a scope", row.scope.parse())?,
        auth_method: unreadable("an authentication method", parse::<AuthMethod>(row.auth_method))?,
        active: row.active,
        created_at: row.created_at,
    })
}

fn parse<T: serde::de::DeserializeOwned>(word: String) -> Result<T, serde_json::Error> {
    serde_json::from_value(serde_json::Value::String(word))
}

fn words(types: &[GrantType]) -> Vec<String> {
    types.iter().map(|t| t.as_str().to_owned()).collect()
}
