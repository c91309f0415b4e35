//! Devices that wait for a person to let them in. Both codes are here by their hashes only.

use sqlx::{PgExecutor, types::Json};
use time::OffsetDateTime;

use super::{Error, authorizations, codes::Ends, unreadable};
use crate::model::{Authorization, AuthorizationId, ClientId, Device, Login, RequestedClaims, UserId};

/// Seconds that are added when a device asks too early (RFC 8628 §3.5).
const SLOWER: i32 = 5;

/// A question of a device.
pub struct Attempt<'a> {
    /// SHA-256 of its code.
    pub hash: [u8; 32],
    /// Who asks.
    pub client: &'a ClientId,
    /// Thumbprint of the key it proved to have.
    pub jkt: Option<&'a str>,
    /// SHA-256 of the refresh token that is given out if the scope has `offline_access`.
    pub refresh: [u8; 32],
    /// Now.
    pub now: OffsetDateTime,
    /// When what follows from it ends.
    pub ends: Ends,
}

/// What came of a question.
pub enum Redeemed {
    /// A person let the device in; what follows is in the database.
    Fresh(Box<Authorization>),
    /// Nobody has answered yet.
    Pending,
    /// The same, and it was asked too early: from now on it has to wait longer.
    TooEarly,
    /// A person said no.
    Denied,
    /// Nobody answered in time.
    Expired,
    /// It was redeemed before: somebody else has the code too.
    Replayed(AuthorizationId),
    /// There is no such code of this client's, or it is from before the client was switched off.
    Unknown,
}

/// Lets a device wait until `expires_at`, asking every `wait` seconds; false when the user code is taken.
pub async fn insert(
    db: impl PgExecutor<'_>,
    hash: &[u8; 32],
    user_code: &[u8; 32],
    device: &Device,
    wait: i32,
    now: OffsetDateTime,
    expires_at: OffsetDateTime,
) -> Result<bool, Error> {
    let insert = sqlx::query!(
        "INSERT INTO device_codes (hash, user_code_hash, client_id, scope, resources, authorization_id, wait_seconds,
                                   created_at, expires_at, generation)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT ON CONSTRAINT device_codes_user_code_key DO NOTHING",
        hash.as_slice(),
        user_code.as_slice(),
        device.client.as_str(),
        device.scope.to_string(),
        &device.resources,
        device.authorization.0,
        wait,
        now,
        expires_at,
        device.generation,
    );
    Ok(insert.execute(db).await?.rows_affected() == 1)
}

/// A device that waits for an answer at `now`, by what its user code may hash to.
pub async fn find(
    db: impl PgExecutor<'_>,
    user_codes: &[[u8; 32]],
    now: OffsetDateTime,
) -> Result<Option<Device>, Error> {
    let hashes: Vec<&[u8]> = user_codes.iter().map(<[u8; 32]>::as_slice).collect();
    let row = sqlx::query!(
        "SELECT client_id, d.generation, scope, resources, authorization_id
         FROM device_codes d JOIN clients c ON c.id = d.client_id
         WHERE user_code_hash = ANY ($1) AND allowed IS NULL AND expires_at > $2
           AND c.active AND c.generation = d.generation",
        hashes.as_slice() as &[&[u8]],
        now
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(None) };
    Ok(Some(Device {
        client: unreadable("a client id", row.client_id.parse())?,
        generation: row.generation,
        scope: unreadable("a scope", row.scope.parse())?,
        resources: row.resources,
        authorization: AuthorizationId(row.authorization_id),
    }))
}

/// Notes a person's answer, once: how they are logged in who says yes. False when somebody answered before, or it waits
/// no more.
pub async fn answer(
    db: impl PgExecutor<'_>,
    device: &Device,
    yes: Option<&Login>,
    now: OffsetDateTime,
) -> Result<bool, Error> {
    let update = sqlx::query!(
        "UPDATE device_codes SET allowed = $2, user_id = $3, session_id = $4, auth_time = $5, amr = $6
         WHERE authorization_id = $1 AND allowed IS NULL AND expires_at > $7",
        device.authorization.0,
        yes.is_some(),
        yes.map(|login| login.user.0),
        yes.map(|login| login.session.0),
        yes.map(|login| login.auth_time),
        yes.map(|login| login.amr.as_slice()),
        now
    );
    Ok(update.execute(db).await?.rows_affected() == 1)
}

/// Answers a device's question: in one statement the time of it is noted, and a code that a person agreed to is spent
/// and turned into an authorization with its refresh token.
pub async fn redeem(db: impl PgExecutor<'_>, attempt: &Attempt<'_>) -> Result<Redeemed, Error> {
    let row = sqlx::query!(
        r#"WITH before AS (
             SELECT hash, coalesce(polled_at + make_interval(secs => wait_seconds) > $3, false) AS early
             FROM device_codes d JOIN clients c ON c.id = d.client_id
             WHERE hash = $1 AND client_id = $2 AND c.active AND c.generation = d.generation
             FOR UPDATE OF d
           ), polled AS (
             UPDATE device_codes d SET polled_at = $3,
               wait_seconds = d.wait_seconds + CASE WHEN before.early THEN $4::integer ELSE 0 END,
               redeemed_at = CASE WHEN d.allowed AND d.expires_at > $3 THEN $3 ELSE d.redeemed_at END
             FROM before WHERE d.hash = before.hash AND d.redeemed_at IS NULL
             RETURNING d.*, before.early
           ), good AS (
             SELECT *, 'offline_access' = ANY (string_to_array(scope, ' ')) AS offline,
                    CASE WHEN 'offline_access' = ANY (string_to_array(scope, ' ')) THEN $5::timestamptz
                         ELSE $6::timestamptz END AS ends_at
             FROM polled WHERE redeemed_at IS NOT NULL
           ), made AS (
             INSERT INTO authorizations (id, client_id, user_id, session_id, scope, resources, auth_time, amr, dpop_jkt,
                                         created_at, expires_at, generation)
             SELECT authorization_id, client_id, user_id, session_id, scope, resources, auth_time, amr, $7, $3, ends_at,
                    generation
             FROM good
           ), led AS (
             INSERT INTO session_clients (session_id, client_id) SELECT session_id, client_id FROM good
             ON CONFLICT DO NOTHING
           ), refresh AS (
             INSERT INTO refresh_tokens (hash, authorization_id, created_at, expires_at)
             SELECT $8, authorization_id, $3, $9 FROM good WHERE offline
           )
           SELECT c.authorization_id AS id, c.client_id, c.generation, c.scope, c.resources,
                  p.hash IS NOT NULL AS "polled!", coalesce(p.early, false) AS "early!",
                  p.allowed IS FALSE AS "denied!", coalesce(p.expires_at <= $3, false) AS "expired!",
                  g.user_id AS "user_id?", g.session_id AS "session_id?", g.auth_time AS "auth_time?", g.amr AS "amr?",
                  g.ends_at AS "ends_at?"
           FROM before JOIN device_codes c ON c.hash = before.hash
             LEFT JOIN polled p ON p.hash = c.hash LEFT JOIN good g ON g.hash = c.hash"#,
        attempt.hash.as_slice(),
        attempt.client.as_str(),
        attempt.now,
        SLOWER,
        attempt.ends.refresh,
        attempt.ends.access,
        attempt.jkt,
        attempt.refresh.as_slice(),
        attempt.ends.idle,
    );
    let Some(row) = row.fetch_optional(db).await? else { return Ok(Redeemed::Unknown) };
    let id = AuthorizationId(row.id);
    let (Some(user_id), Some(session_id), Some(auth_time), Some(amr), Some(expires_at)) =
        (row.user_id, row.session_id, row.auth_time, row.amr, row.ends_at)
    else {
        return Ok(match row {
            _ if !row.polled => Redeemed::Replayed(id),
            _ if row.denied => Redeemed::Denied,
            _ if row.expired => Redeemed::Expired,
            _ if row.early => Redeemed::TooEarly,
            _ => Redeemed::Pending,
        });
    };
    let authorization = authorizations::read(authorizations::Row {
        id: row.id,
        client_id: row.client_id,
        generation: row.generation,
        user_id,
        session_id,
        scope: row.scope,
        resources: row.resources,
        auth_time,
        amr,
        claims: Json(RequestedClaims::default()),
        dpop_jkt: attempt.jkt.map(str::to_owned),
        created_at: attempt.now,
        expires_at,
    })?;
    Ok(Redeemed::Fresh(Box::new(authorization)))
}

/// Takes back what a person let in for a client and nobody has redeemed yet.
pub async fn delete_open(db: impl PgExecutor<'_>, user: UserId, client: &ClientId) -> Result<(), Error> {
    sqlx::query!(
        "DELETE FROM device_codes WHERE user_id = $1 AND client_id = $2 AND redeemed_at IS NULL",
        user.0,
        client.as_str()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets those that expired long ago: until then a replay still ends what followed.
pub async fn prune(db: impl PgExecutor<'_>, before: OffsetDateTime) -> Result<u64, Error> {
    Ok(sqlx::query!("DELETE FROM device_codes WHERE expires_at <= $1", before).execute(db).await?.rows_affected())
}
