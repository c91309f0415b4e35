//! People.

use sqlx::{PgConnection, PgExecutor};
use time::OffsetDateTime;

use super::{Error, unreadable};
use crate::model::{Email, Secret, UserId, Username};

/// A person, without what proves them.
#[derive(Clone, Debug)]
pub struct UserRow {
    /// Identifier.
    pub id: UserId,
    /// Login name.
    pub username: String,
    /// Address, proven or not.
    pub email: Option<String>,
    /// Whether the address is proven.
    pub email_verified: bool,
    /// What to call them.
    pub display_name: Option<String>,
    /// BCP 47.
    pub locale: Option<String>,
    /// IANA time zone.
    pub zoneinfo: Option<String>,
    /// False: everything of theirs stops.
    pub active: bool,
    /// Whether a second factor is in use.
    pub mfa: bool,
    /// Since when.
    pub created_at: OffsetDateTime,
    /// Last change of the profile.
    pub updated_at: OffsetDateTime,
}

/// What a login is compared with.
pub struct Credentials {
    /// Who.
    pub id: UserId,
    /// What their password is compared with; none for somebody who has none.
    pub password_hash: Option<Secret<String>>,
    /// Whether they may log in at all.
    pub active: bool,
    /// Whether a second factor is in use.
    pub mfa: bool,
    /// Since when the password is what it is.
    pub password_changed_at: OffsetDateTime,
}

impl Credentials {
    /// Whether a login that was judged by these would be judged alike by the others.
    pub fn are_as_good_as(&self, others: &Self) -> bool {
        self.active && (self.mfa, self.password_changed_at) == (others.mfa, others.password_changed_at)
    }
}

/// A person to be added.
pub struct NewUser<'a> {
    /// Identifier.
    pub id: UserId,
    /// Login name.
    pub username: &'a Username,
    /// Address.
    pub email: Option<&'a Email>,
    /// Whether the address counts as proven.
    pub email_verified: bool,
    /// What to call them.
    pub display_name: Option<&'a str>,
    /// PHC string; none for somebody who cannot log in with a password yet.
    pub password_hash: Option<&'a Secret<String>>,
    /// Now.
    pub at: OffsetDateTime,
}

/// What becomes of a new or changed person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// It is done.
    Done,
    /// Somebody has that name.
    UsernameTaken,
    /// Somebody has proven that address.
    EmailTaken,
}

/// Adds a person.
pub async fn insert(db: impl PgExecutor<'_>, user: &NewUser<'_>) -> Result<Stored, Error> {
    let insert = sqlx::query!(
        "INSERT INTO users (id, username, username_key, email, email_key, email_verified, display_name, password_hash,
                            password_changed_at, created_at, updated_at)
         SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9
         WHERE NOT EXISTS (SELECT FROM users WHERE email_key = $5 AND email_verified)
         ON CONFLICT DO NOTHING",
        user.id.0,
        user.username.as_str(),
        user.username.key(),
        user.email.map(Email::as_str),
        user.email.map(Email::key),
        user.email_verified,
        user.display_name,
        user.password_hash.map(|hash| hash.expose().as_str()),
        user.at,
    );
    // In a savepoint's stead: a conflict is no error here, and what was in the way is asked afterwards.
    Ok(if insert.execute(db).await?.rows_affected() == 1 { Stored::Done } else { Stored::UsernameTaken })
}

/// Which of the two is taken. For telling apart what [`insert`] ran into.
pub async fn taken(db: impl PgExecutor<'_>, username: &Username, email: Option<&Email>) -> Result<Stored, Error> {
    let row = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM users WHERE username_key = $1) AS "username!",
                  EXISTS (SELECT FROM users WHERE email_key = $2 AND email_verified) AS "email!""#,
        username.key(),
        email.map(Email::key)
    );
    let row = row.fetch_one(db).await?;
    Ok(match (row.username, row.email) {
        (true, _) => Stored::UsernameTaken,
        (false, true) => Stored::EmailTaken,
        (false, false) => Stored::Done,
    })
}

/// The id of a person by name.
pub async fn find_id(db: impl PgExecutor<'_>, username: &Username) -> Result<Option<UserId>, Error> {
    let id = sqlx::query_scalar!("SELECT id FROM users WHERE username_key = $1", username.key());
    Ok(id.fetch_optional(db).await?.map(UserId))
}

/// One person.
pub async fn find(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<UserRow>, Error> {
    let row = sqlx::query_as!(
        UserRow,
        r#"SELECT id, username, email, email_verified, display_name, locale, zoneinfo, active, mfa,
             created_at, updated_at
           FROM users WHERE id = $1"#,
        id.0
    );
    Ok(row.fetch_optional(db).await?)
}

/// A page of people whose name or address begins with `search`, by id after `after`.
pub async fn list(
    db: impl PgExecutor<'_>,
    search: &str,
    active: Option<bool>,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<UserRow>, Error> {
    let rows = sqlx::query_as!(
        UserRow,
        r#"SELECT id, username, email, email_verified, display_name, locale, zoneinfo, active, mfa,
             created_at, updated_at
           FROM users
           WHERE ($1 = '' OR starts_with(username_key, $1) OR starts_with(email_key, $1)
                  OR strpos(lower(coalesce(display_name, '')), $1) > 0)
             AND ($2::bool IS NULL OR active = $2) AND ($3::uuid IS NULL OR id > $3)
           ORDER BY id LIMIT $4"#,
        search,
        active,
        after.map(|id| id.0),
        limit
    );
    Ok(rows.fetch_all(db).await?)
}

/// What a password that is asked for again is compared with.
pub async fn credentials(db: impl PgExecutor<'_>, id: UserId) -> Result<Option<Credentials>, Error> {
    let row = sqlx::query!("SELECT password_hash, active, password_changed_at, mfa FROM users WHERE id = $1", id.0);
    Ok(row.fetch_optional(db).await?.map(|r| Credentials {
        id,
        password_hash: r.password_hash.map(Secret::new),
        active: r.active,
        mfa: r.mfa,
        password_changed_at: r.password_changed_at,
    }))
}

/// Keeps a person as they are until the transaction ends, from other logins too. Whatever is read afterwards is up to
/// date.
pub async fn lock(db: impl PgExecutor<'_>, id: UserId) -> Result<(), Error> {
    sqlx::query!("SELECT id FROM users WHERE id = $1 FOR UPDATE", id.0).fetch_optional(db).await?;
    Ok(())
}

/// Those who may follow a link to a new password sent to this address: whoever has proven it, else the few newest who
/// claim it.
pub async fn list_reachable(db: impl PgExecutor<'_>, email: &Email) -> Result<Vec<(UserId, String)>, Error> {
    let rows = sqlx::query!(
        r#"SELECT id, email AS "email!", email_verified FROM users WHERE email_key = $1 AND active
           ORDER BY email_verified DESC, created_at DESC LIMIT 3"#,
        email.key()
    );
    let rows = rows.fetch_all(db).await?;
    let proven = rows.iter().any(|row| row.email_verified);
    Ok(rows.into_iter().filter(|row| row.email_verified || !proven).map(|r| (UserId(r.id), r.email)).collect())
}

/// Switches a person on or off; false when that changes nothing.
pub async fn set_active(db: impl PgExecutor<'_>, id: UserId, active: bool) -> Result<bool, Error> {
    let update = sqlx::query!("UPDATE users SET active = $2 WHERE id = $1 AND active <> $2", id.0, active);
    Ok(update.execute(db).await?.rows_affected() == 1)
}

/// Replaces the password.
pub async fn set_password(
    db: impl PgExecutor<'_>,
    id: UserId,
    hash: &Secret<String>,
    at: OffsetDateTime,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE users SET password_hash = $2, password_changed_at = $3 WHERE id = $1",
        id.0,
        hash.expose(),
        at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Replaces a hash by a better one of the same password, unless it was changed meanwhile.
pub async fn upgrade_hash(
    db: impl PgExecutor<'_>,
    id: UserId,
    old: &Secret<String>,
    new: &Secret<String>,
) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE users SET password_hash = $3 WHERE id = $1 AND password_hash = $2",
        id.0,
        old.expose(),
        new.expose()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What of a profile is to change; an inner `None` takes a value away.
#[derive(Clone, Debug, Default)]
pub struct ProfileChange {
    /// What to call them.
    pub display_name: Option<Option<String>>,
    /// BCP 47.
    pub locale: Option<Option<String>>,
    /// IANA time zone.
    pub zoneinfo: Option<Option<String>>,
}

impl ProfileChange {
    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.display_name.is_none() && self.locale.is_none() && self.zoneinfo.is_none()
    }
}

/// Changes a profile.
pub async fn update_profile(
    db: impl PgExecutor<'_>,
    id: UserId,
    change: &ProfileChange,
    at: OffsetDateTime,
) -> Result<(), Error> {
    let (name, locale, zone) = (&change.display_name, &change.locale, &change.zoneinfo);
    sqlx::query!(
        "UPDATE users SET display_name = CASE WHEN $2 THEN $3 ELSE display_name END,
           locale = CASE WHEN $4 THEN $5 ELSE locale END, zoneinfo = CASE WHEN $6 THEN $7 ELSE zoneinfo END,
           updated_at = $8 WHERE id = $1",
        id.0,
        name.is_some(),
        name.clone().flatten(),
        locale.is_some(),
        locale.clone().flatten(),
        zone.is_some(),
        zone.clone().flatten(),
        at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Renames a person; false when the name is taken.
pub async fn set_username(conn: &mut PgConnection, id: UserId, name: &Username) -> Result<bool, Error> {
    let update = sqlx::query!(
        "UPDATE users SET username = $2, username_key = $3
         WHERE id = $1 AND NOT EXISTS (SELECT FROM users WHERE username_key = $3 AND id <> $1)",
        id.0,
        name.as_str(),
        name.key()
    );
    Ok(update.execute(conn).await?.rows_affected() == 1)
}

/// Gives a person an address that is proven, and takes unproven claims to it from everybody else; false when somebody
/// else has proven it.
pub async fn prove_email(
    conn: &mut PgConnection,
    id: UserId,
    email: &Email,
    at: OffsetDateTime,
) -> Result<bool, Error> {
    // One after the other: each takes the claims of the others away.
    sqlx::query!("SELECT pg_advisory_xact_lock(hashtextextended($1, 7303013))", email.key())
        .fetch_one(&mut *conn)
        .await?;
    sqlx::query!(
        "UPDATE users SET email = NULL, email_key = NULL WHERE email_key = $2 AND NOT email_verified AND id <> $1",
        id.0,
        email.key()
    )
    .execute(&mut *conn)
    .await?;
    let update = sqlx::query!(
        "UPDATE users SET email = $2, email_key = $3, email_verified = true, updated_at = $4
         WHERE id = $1 AND NOT EXISTS (SELECT FROM users WHERE email_key = $3 AND email_verified AND id <> $1)",
        id.0,
        email.as_str(),
        email.key(),
        at
    );
    match update.execute(conn).await {
        Ok(done) => Ok(done.rows_affected() == 1),
        // Two who prove one address at the same instant: the index lets one through.
        Err(sqlx::Error::Database(db)) if db.constraint() == Some("users_email_key") => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Gives a person an address that nobody has proven.
pub async fn claim_email(db: impl PgExecutor<'_>, id: UserId, email: &Email, at: OffsetDateTime) -> Result<(), Error> {
    sqlx::query!(
        "UPDATE users SET email = $2, email_key = $3, email_verified = false, updated_at = $4 WHERE id = $1",
        id.0,
        email.as_str(),
        email.key(),
        at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether somebody has proven this address.
pub async fn is_proven(db: impl PgExecutor<'_>, email: &Email) -> Result<bool, Error> {
    let found = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM users WHERE email_key = $1 AND email_verified) AS "found!""#,
        email.key()
    );
    Ok(found.fetch_one(db).await?)
}

/// Removes a person with everything that belongs to them; false when there is none.
pub async fn delete(db: impl PgExecutor<'_>, id: UserId) -> Result<bool, Error> {
    Ok(sqlx::query!("DELETE FROM users WHERE id = $1", id.0).execute(db).await?.rows_affected() == 1)
}

/// Reads a stored address.
pub fn email(text: &str) -> Result<Email, Error> {
    unreadable("an address", text.parse())
}
