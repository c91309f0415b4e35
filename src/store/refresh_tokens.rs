//! Refresh tokens. Each is used once and followed by the next; one that is used again ends them all.
//!
//! Why `= ANY (ARRAY[…])` for what is equal to one value: only an index answers that. Until PostgreSQL has counted the rows
//! of a fresh database, which takes a minute, it takes its tables for small and would read them whole each time.
//!
//! Why `unnest((SELECT $1))`, for each of them: a plan that does not see how many there are serves any number, and is made
//! once. Seeing few, PostgreSQL takes a plan of their own for cheaper and makes one each time, which costs more than all else.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sqlx::types::Json;
use time::OffsetDateTime;

use super::{Error, Pool, authorizations, batch::Batch};
use crate::model::{Authorization, RequestedClaims};

/// The refresh tokens that the database keeps. Applications come back for fresh ones all at once, so they are asked for
/// together.
pub struct RefreshTokens {
    found: Batch<Hash, Option<Presented>>,
    rotated: Batch<Rotation, bool>,
}

/// SHA-256 of a token.
pub type Hash = [u8; 32];

/// A refresh token that somebody presents.
#[derive(Clone)]
pub struct Presented {
    /// What it follows from.
    pub authorization: Arc<Authorization>,
    /// When it was issued.
    pub issued_at: OffsetDateTime,
    /// When it expires unless it is used.
    pub expires_at: OffsetDateTime,
    /// Whether it was used before.
    pub used: bool,
    /// Whether the authorization has ended.
    pub ended: bool,
}

/// A token that is used, and what takes its place.
pub struct Rotation {
    /// Which.
    pub old: Hash,
    /// Its successor; nobody has seen it yet.
    pub new: Hash,
    /// What was bound to no key is bound to this thumbprint from now on.
    pub jkt: Option<String>,
    /// When.
    pub at: OffsetDateTime,
    /// When the successor expires, which is not after its authorization does.
    pub expires_at: OffsetDateTime,
}

impl RefreshTokens {
    /// Those in this database.
    pub fn new(pool: Pool) -> Self {
        Self {
            found: Batch::new(pool.clone(), |pool, hashes| Box::pin(find(pool, hashes))),
            rotated: Batch::new(pool, |pool, rotations| Box::pin(rotate(pool, rotations))),
        }
    }

    /// One by its hash, in whatever state it is.
    pub async fn find(&self, hash: Hash) -> Result<Option<Presented>, Error> {
        self.found.ask(hash).await
    }

    /// Uses a token and puts its successor in its place; false when it was used before, has expired, or is ended.
    pub async fn rotate(&self, rotation: Rotation) -> Result<bool, Error> {
        self.rotated.ask(rotation).await
    }
}

async fn find(pool: &Pool, hashes: &[Hash]) -> Result<Vec<Option<Presented>>, Error> {
    let rows = sqlx::query!(
        r#"SELECT a.id, client_id, generation, user_id, session_id, scope, resources, auth_time, amr, dpop_jkt, a.created_at,
                  a.expires_at, claims AS "claims: Json<RequestedClaims>", t.created_at AS issued_at,
                  t.expires_at AS token_expires_at, t.used_at IS NOT NULL AS "used!", a.ended_at IS NOT NULL AS "ended!",
                  t.hash AS "hash: Hash"
           FROM unnest((SELECT $1::bytea[])) AS asked (hash)
             JOIN refresh_tokens t ON t.hash = ANY (ARRAY[asked.hash])
             JOIN authorizations a ON a.id = ANY (ARRAY[t.authorization_id])"#,
        hashes as _
    );
    let mut found = HashMap::with_capacity(hashes.len());
    for row in rows.fetch_all(pool).await? {
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
            dpop_jkt: row.dpop_jkt,
            created_at: row.created_at,
            expires_at: row.expires_at,
        })?;
        let presented = Presented {
            authorization: Arc::new(authorization),
            issued_at: row.issued_at,
            expires_at: row.token_expires_at,
            used: row.used,
            ended: row.ended,
        };
        found.insert(row.hash, presented);
    }
    Ok(hashes.iter().map(|hash| found.get(hash).cloned()).collect())
}

async fn rotate(pool: &Pool, rotations: &[Rotation]) -> Result<Vec<bool>, Error> {
    // Nodes that lock the same rows do so in the same order, and none waits for another for ever.
    let mut sorted: Vec<&Rotation> = rotations.iter().collect();
    sorted.sort_unstable_by_key(|rotation| rotation.old);
    let column =
        |hash: fn(&Rotation) -> &Hash| sorted.iter().map(|rotation| hash(rotation).as_slice()).collect::<Vec<_>>();
    let times =
        |time: fn(&Rotation) -> OffsetDateTime| sorted.iter().map(|rotation| time(rotation)).collect::<Vec<_>>();
    let jkts: Vec<Option<&str>> = sorted.iter().map(|rotation| rotation.jkt.as_deref()).collect();
    let made = sqlx::query_scalar!(
        r#"WITH spent AS (
             UPDATE refresh_tokens t SET used_at = asked.at
             FROM unnest((SELECT $1::bytea[]), (SELECT $2::bytea[]), (SELECT $3::text[]),
                         (SELECT $4::timestamptz[]), (SELECT $5::timestamptz[])) AS asked (old, new, jkt, at, expires_at)
             WHERE t.hash = ANY (ARRAY[asked.old]) AND t.used_at IS NULL AND t.expires_at > asked.at
               AND asked.at < (SELECT a.expires_at
                               FROM authorizations a JOIN clients c ON c.id = ANY (ARRAY[a.client_id])
                               WHERE a.id = t.authorization_id AND a.ended_at IS NULL
                                 AND c.active AND c.generation = a.generation)
             RETURNING t.authorization_id, asked.new, asked.jkt, asked.at, asked.expires_at
           ), bound AS (
             UPDATE authorizations a SET dpop_jkt = spent.jkt FROM spent
             WHERE a.id = ANY (ARRAY[spent.authorization_id]) AND a.dpop_jkt IS NULL AND spent.jkt IS NOT NULL
           )
           INSERT INTO refresh_tokens (hash, authorization_id, created_at, expires_at)
           SELECT new, authorization_id, at, expires_at FROM spent RETURNING hash AS "hash: Hash""#,
        &column(|rotation| &rotation.old) as _,
        &column(|rotation| &rotation.new) as _,
        &jkts as _,
        &times(|rotation| rotation.at),
        &times(|rotation| rotation.expires_at)
    );
    // Of several that use the same token one is answered, which its own successor tells.
    let made: HashSet<Hash> = made.fetch_all(pool).await?.into_iter().collect();
    Ok(rotations.iter().map(|rotation| made.contains(&rotation.new)).collect())
}
