//! What people agreed to.

use sqlx::PgExecutor;
use time::OffsetDateTime;

use super::{Error, unreadable};
use crate::model::{ClientId, ScopeSet, UserId};

/// An application that a person uses.
pub struct Consent {
    /// Which.
    pub client: ClientId,
    /// What people call it.
    pub client_name: String,
    /// Its home page.
    pub client_uri: Option<String>,
    /// What the person agreed to.
    pub scope: ScopeSet,
    /// When first.
    pub created_at: OffsetDateTime,
    /// When last.
    pub updated_at: OffsetDateTime,
}

/// What a person agreed to for a client; `None` when they never did.
pub async fn find(db: impl PgExecutor<'_>, user: UserId, client: &ClientId) -> Result<Option<ScopeSet>, Error> {
    let scope = sqlx::query_scalar!(
        "SELECT scope FROM consents WHERE user_id = $1 AND client_id = $2",
        user.0,
        client.as_str()
    );
    scope.fetch_optional(db).await?.map(|scope| unreadable("a scope", scope.parse())).transpose()
}

/// Remembers that a person agreed, in addition to what they agreed to before.
pub async fn put(
    db: impl PgExecutor<'_>,
    user: UserId,
    client: &ClientId,
    scope: &ScopeSet,
    now: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "INSERT INTO consents (user_id, client_id, scope, created_at, updated_at) VALUES ($1, $2, $3, $4, $4)
         ON CONFLICT (user_id, client_id) DO UPDATE SET updated_at = $4, scope = (
           SELECT coalesce(string_agg(DISTINCT word, ' ' ORDER BY word), '')
           FROM unnest(string_to_array(consents.scope, ' ') || string_to_array(excluded.scope, ' ')) AS word)",
        user.0,
        client.as_str(),
        scope.to_string(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Everything a person agreed to, last first.
pub async fn list(db: impl PgExecutor<'_>, user: UserId) -> Result<Vec<Consent>, Error> {
    let rows = sqlx::query!(
        r#"SELECT client_id, coalesce(c.metadata ->> 'client_name', c.id) AS "client_name!",
                  c.metadata ->> 'client_uri' AS client_uri, s.scope, s.created_at, s.updated_at
           FROM consents s JOIN clients c ON c.id = s.client_id WHERE s.user_id = $1
           ORDER BY s.updated_at DESC, client_id LIMIT 1000"#,
        user.0
    );
    let rows = rows.fetch_all(db).await?.into_iter().map(|row| {
        Ok(Consent {
            client: unreadable("a client id", row.client_id.parse())?,
            client_name: row.client_name,
            client_uri: row.client_uri,
            scope: unreadable("a scope", row.scope.parse())?,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
    });
    rows.collect()
}

/// Takes an agreement back; false when there was none.
pub async fn delete(db: impl PgExecutor<'_>, user: UserId, client: &ClientId) -> Result<bool, Error> {
    let done = sqlx::query!("DELETE FROM consents WHERE user_id = $1 AND client_id = $2", user.0, client.as_str());
    Ok(done.execute(db).await?.rows_affected() == 1)
}
