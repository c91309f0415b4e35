//! Administrators by the hand of whoever runs the server: the first one made, and one who is locked out let back in.
//!
//! Works on the database directly, without a running server. Why a link and no password: what is printed on a terminal
//! stays in its history. The link works once, for an hour, and a newer one replaces it.

use time::{Duration, OffsetDateTime};

use super::Error;
use crate::{
    crypto::Opaque,
    model::{Email, Event, Origin, Principal, RoleName, Secret, UserId, Username},
    store::{
        self,
        mail_tokens::Purpose,
        revision::Change,
        users::{NewUser, Stored},
    },
};

/// A link to a new password, shown once.
pub struct RecoveryLink {
    /// On the page that sets it.
    pub url: Secret<String>,
    /// Until when it works.
    pub expires_at: OffsetDateTime,
}

/// How long such a link works.
const LIFETIME: Duration = Duration::HOUR;

/// Makes a person who holds the role `admin` and has no password yet.
///
/// # Errors
/// [`Error::UsernameTaken`], [`Error::EmailTaken`].
pub async fn create(
    pool: &store::Pool,
    issuer: &str,
    username: &Username,
    email: &Email,
    now: OffsetDateTime,
) -> Result<RecoveryLink, Error> {
    let id = UserId::new();
    let principal = Principal::User(id);
    let user = NewUser {
        id,
        username,
        email: Some(email),
        email_verified: false,
        display_name: None,
        password_hash: None,
        at: now,
    };
    let mut tx = begin(pool).await?;
    if store::users::insert(&mut *tx, &user).await? != Stored::Done {
        return Err(match store::users::taken(&mut *tx, username, Some(email)).await? {
            Stored::EmailTaken => Error::EmailTaken,
            Stored::UsernameTaken | Stored::Done => Error::UsernameTaken,
        });
    }
    store::assignments::put(&mut *tx, &principal, &RoleName::admin(), None).await?;
    let link = put_link(&mut tx, issuer, id, now).await?;
    let origin = Origin::local();
    let event = Event::new("administrator_created", &origin).on(principal.entity());
    store::audit::insert(&mut *tx, now, &event).await?;
    store::revision::advance(&mut tx, &[Change::Principal(principal)]).await?;
    tx.commit().await?;
    Ok(link)
}

/// Makes a link that lets an administrator back in. Whoever follows it sets a new password; the second factor is gone
/// then, nothing has to be waited for, and an account that was switched off is on again.
///
/// # Errors
/// [`Error::Unknown`]; [`Error::Conflict`] for somebody who is no administrator: those are helped by one.
pub async fn recover(
    pool: &store::Pool,
    issuer: &str,
    username: &Username,
    now: OffsetDateTime,
) -> Result<RecoveryLink, Error> {
    let mut tx = begin(pool).await?;
    let id = store::users::find_id(&mut *tx, username).await?.ok_or(Error::Unknown)?;
    let principal = Principal::User(id);
    if !is_administrator(&mut tx, &principal, now).await? {
        return Err(Error::Conflict("this user is no administrator: ask one to help, or have a link sent by mail"));
    }
    let link = put_link(&mut tx, issuer, id, now).await?;
    let origin = Origin::local();
    let event = Event::new("recovery_link_created", &origin).on(principal.entity());
    store::audit::insert(&mut *tx, now, &event).await?;
    tx.commit().await?;
    Ok(link)
}

/// Opens a transaction of the only writer.
async fn begin(pool: &store::Pool) -> Result<store::Tx<'static>, Error> {
    // Before the first event: a partition cannot be made for a day that already has some. Forgetting is the server's.
    store::audit::maintain(pool, Duration::ZERO, Duration::weeks(1000)).await?;
    let mut tx = pool.begin().await?;
    store::revision::lock(&mut tx).await?;
    Ok(tx)
}

async fn put_link(
    conn: &mut store::Conn,
    issuer: &str,
    user: UserId,
    now: OffsetDateTime,
) -> Result<RecoveryLink, Error> {
    let (token, expires_at) = (Opaque::new(Opaque::RESET)?, now + LIFETIME);
    // Without an address: whoever reads the terminal has proven none.
    store::mail_tokens::put(conn, Purpose::Recover, user, None, &token.hash(), expires_at).await?;
    Ok(RecoveryLink { url: Secret::new(super::post::link(issuer, "/reset-password", token.expose())), expires_at })
}

/// Whether somebody holds the role `admin`, directly or by inheritance.
async fn is_administrator(conn: &mut store::Conn, principal: &Principal, now: OffsetDateTime) -> Result<bool, Error> {
    let held = store::assignments::standing(&mut *conn, principal).await?.assignments;
    let graph: std::collections::HashMap<RoleName, Vec<RoleName>> =
        store::roles::list_graph(conn).await?.into_iter().collect();
    let valid = held.into_iter().filter(|held| held.expires_at.is_none_or(|end| now < end));
    let mut open: Vec<RoleName> = valid.map(|held| held.role).collect();
    let mut seen = std::collections::HashSet::new();
    while let Some(role) = open.pop() {
        if role == RoleName::admin() {
            return Ok(true);
        }
        if seen.insert(role.clone()) {
            open.extend(graph.get(&role).into_iter().flatten().cloned());
        }
    }
    Ok(false)
}
