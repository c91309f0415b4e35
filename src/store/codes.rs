//! Authorization codes. A code is worth one attempt, whoever makes it.

use sqlx::{PgExecutor, types::Json};
use time::OffsetDateTime;

use super::{Error, authorizations};
use crate::model::{AuthorizationId, ClientId, CodeGrant, RequestedClaims, UserId};

/// An attempt to redeem a code.
pub struct Attempt<'a> {
    /// SHA-256 of the code.
    pub hash: [u8; 32],
    /// Who presents it.
    pub client: &'a ClientId,
    /// Where it says that the code was sent.
    pub redirect_uri: &'a str,
    /// What its verifier hashes to (RFC 7636 §4.6).
    pub challenge: Option<&'a str>,
    /// Thumbprint of the key it proved to have.
    pub jkt: Option<&'a str>,
    /// SHA-256 of the refresh token that is given out if the scope has `offline_access`.
    pub refresh: [u8; 32],
    /// Now.
    pub now: OffsetDateTime,
    /// When what follows from it ends.
    pub ends: Ends,
}

/// When what follows from an authorization ends.
#[derive(Clone, Copy, Debug)]
pub struct Ends {
    /// An access token.
    pub access: OffsetDateTime,
    /// A refresh token that nobody uses.
    pub idle: OffsetDateTime,
    /// The last refresh token.
    pub refresh: OffsetDateTime,
}

/// What came of an attempt. The code is spent in any case.
pub enum Redeemed {
    /// It was good; what follows from it is in the database.
    Fresh(Box<CodeGrant>),
    /// It was redeemed before: somebody else has it too.
    Replayed(AuthorizationId),
    /// It was another client's, sent elsewhere, too late, without the right verifier, or from before the client was
    /// switched off.
    Refused,
    /// There is no such code.
    Unknown,
}

/// Adds a code that is good until `expires_at`.
pub async fn insert(
    db: impl PgExecutor<'_>,
    hash: &[u8; 32],
    code: &CodeGrant,
    expires_at: OffsetDateTime,
) -> Result<(), Error> {
    let CodeGrant { authorization, redirect_uri, nonce, challenge } = code;
    let login = &authorization.login;
    sqlx::query!(
        "INSERT INTO authorization_codes (hash, authorization_id, client_id, user_id, session_id, redirect_uri, scope,
           resources, nonce, code_challenge, claims, dpop_jkt, auth_time, amr, created_at, expires_at, generation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)",
        hash.as_slice(),
        authorization.id.0,
        authorization.client.as_str(),
        login.user.0,
        login.session.0,
        redirect_uri,
        authorization.scope.to_string(),
        &authorization.resources,
        nonce.as_deref(),
        challenge.as_deref(),
        Json(&authorization.claims) as _,
        authorization.jkt.as_deref(),
        login.auth_time,
        &login.amr,
        authorization.created_at,
        expires_at,
        authorization.generation,
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Redeems a code: in one statement it is spent, judged, and turned into an authorization with its refresh token.
pub async fn redeem(db: impl PgExecutor<'_>, attempt: &Attempt<'_>) -> Result<Redeemed, Error> {
    let row = sqlx::query!(
        r#"WITH spent AS (
             UPDATE authorization_codes SET redeemed_at = $2 WHERE hash = $1 AND redeemed_at IS NULL RETURNING *
           ), good AS (
             SELECT *, 'offline_access' = ANY (string_to_array(scope, ' ')) AS offline FROM spent
             WHERE client_id = $3 AND redirect_uri = $4 AND code_challenge IS NOT DISTINCT FROM $5
               AND (dpop_jkt IS NULL OR dpop_jkt = $6) AND expires_at > $2
               AND EXISTS (SELECT FROM clients c
                           WHERE c.id = spent.client_id AND c.active AND c.generation = spent.generation)
           ), made AS (
             INSERT INTO authorizations (id, client_id, user_id, session_id, scope, resources, auth_time, amr, dpop_jkt,
                                         created_at, expires_at, claims, generation)
             SELECT authorization_id, client_id, user_id, session_id, scope, resources, auth_time, amr, $6,
                    $2, CASE WHEN offline THEN $7::timestamptz ELSE $8::timestamptz END, claims, generation
             FROM good
           ), led AS (
             INSERT INTO session_clients (session_id, client_id) SELECT session_id, client_id FROM good
             ON CONFLICT DO NOTHING
           ), refresh AS (
             INSERT INTO refresh_tokens (hash, authorization_id, created_at, expires_at)
             SELECT $9, authorization_id, $2, $10 FROM good WHERE offline
           )
           SELECT authorization_id AS id, client_id, user_id, session_id, scope, resources, auth_time, amr, dpop_jkt,
                  created_at, expires_at, redirect_uri, nonce, code_challenge, generation,
                  claims AS "claims: Json<RequestedClaims>",
                  EXISTS (SELECT FROM spent) AS "spent!", EXISTS (SELECT FROM good) AS "good!"
           FROM authorization_codes WHERE hash = $1"#,
        attempt.hash.as_slice(),
        attempt.now,
        attempt.client.as_str(),
        attempt.redirect_uri,
        attempt.challenge,
        attempt.jkt,
        attempt.ends.refresh,
        attempt.ends.access,
        attempt.refresh.as_slice(),
        attempt.ends.idle,
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(Redeemed::Unknown) };
    if !row.spent {
        return Ok(Redeemed::Replayed(AuthorizationId(row.id)));
    }
    if !row.good {
        return Ok(Redeemed::Refused);
    }
    let authorization = authorizations::read(authorizations::Row {
        id: row.id,
        client_id: row.client_id,
        generation: row.generation,
        user_id: row.user_id,
        session_id: row.session_id,
        scope: row.scope,
        resources: row.resources,
        auth_time: row.auth_time,
        amr: row.amr,
        claims: row.claims,
        dpop_jkt: attempt.jkt.map(str::to_owned),
        created_at: row.created_at,
        expires_at: row.expires_at,
    })?;
    Ok(Redeemed::Fresh(Box::new(CodeGrant {
        authorization,
        redirect_uri: row.redirect_uri,
        nonce: row.nonce,
        challenge: row.code_challenge,
    })))
}

/// Takes back codes of a person for a client that nobody has redeemed yet.
pub async fn delete_open(db: impl PgExecutor<'_>, user: UserId, client: &ClientId) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM authorization_codes WHERE user_id = $1 AND client_id = $2 AND redeemed_at IS NULL",
        user.0,
        client.as_str()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets codes long after they expired: until then a replay still ends what followed.
pub async fn prune(db: impl PgExecutor<'_>, before: OffsetDateTime) -> Result<u64, Error> {
    let done = sqlx::query!("DELETE FROM authorization_codes WHERE expires_at <= $1", before);
    Ok(done.execute(db).await?.rows_affected())
}
