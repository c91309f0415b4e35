//! The record of what happened.

use serde_json::Value;
use sqlx::{PgExecutor, PgPool};
use time::{Date, Duration, OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};
use uuid::Uuid;

use super::Error;
use crate::model::{Event, Outcome};

/// An event as it lies on record.
pub struct EventRow {
    /// Time-ordered.
    pub id: Uuid,
    /// When.
    pub at: OffsetDateTime,
    /// `User` or `Client`.
    pub actor_type: Option<String>,
    /// Who.
    pub actor_id: Option<String>,
    /// What.
    pub action: String,
    /// To what kind of thing.
    pub target_type: Option<String>,
    /// To which.
    pub target_id: Option<String>,
    /// `success`, `failure` or `denied`.
    pub outcome: String,
    /// From where.
    pub address: Option<String>,
    /// Finds the log line.
    pub request_id: Option<String>,
    /// By which application.
    pub client_id: Option<String>,
    /// What else there is to know.
    pub details: Value,
}

/// Which events.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// By whom: an id.
    pub actor: Option<String>,
    /// What.
    pub action: Option<String>,
    /// To which: an id.
    pub target: Option<String>,
    /// By or to whom: an id.
    pub concerning: Option<String>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// From when on.
    pub since: Option<OffsetDateTime>,
    /// Up to when, exclusively.
    pub until: Option<OffsetDateTime>,
}

/// Puts an event on record, in the transaction of what it records.
pub async fn insert(db: impl PgExecutor<'_>, at: OffsetDateTime, event: &Event<'_>) -> Result<(), Error> {
    let actor = event.actor.as_ref();
    let target = event.target.as_ref();
    sqlx::query!(
        "INSERT INTO audit (id, at, actor_type, actor_id, action, target_type, target_id, outcome, address, request_id,
                            client_id, details)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        Uuid::now_v7(),
        at,
        actor.map(|a| a.kind().as_str()),
        actor.map(|a| a.id()),
        event.action,
        target.map(|t| t.ty.as_str()),
        target.map(|t| t.id.as_str()),
        event.outcome.as_str(),
        event.origin.address.to_string(),
        event.origin.request_id,
        event.origin.client.as_ref().map(|c| c.as_str()),
        Value::Object(event.details.clone()),
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A page of events, newest first, before an event. What is older than `oldest` counts as forgotten, though its day may
/// still lie on the disk.
pub async fn list(
    db: impl PgExecutor<'_>,
    filter: &Filter,
    oldest: OffsetDateTime,
    before: Option<(OffsetDateTime, Uuid)>,
    limit: i64,
) -> Result<Vec<EventRow>, Error> {
    let (before_at, before_id) = before.unzip();
    let rows = sqlx::query_as!(
        EventRow,
        "SELECT id, at, actor_type, actor_id, action, target_type, target_id, outcome, address, request_id, client_id,
                details
         FROM audit
         WHERE ($1::text IS NULL OR actor_id = $1) AND ($2::text IS NULL OR action = $2)
           AND ($3::text IS NULL OR target_id = $3) AND ($4::text IS NULL OR actor_id = $4 OR target_id = $4)
           AND ($5::text IS NULL OR outcome = $5) AND ($6::timestamptz IS NULL OR at >= $6)
           AND at >= $11 AND ($7::timestamptz IS NULL OR at < $7) AND ($8::timestamptz IS NULL OR (at, id) < ($8, $9))
         ORDER BY at DESC, id DESC LIMIT $10",
        filter.actor,
        filter.action,
        filter.target,
        filter.concerning,
        filter.outcome.map(Outcome::as_str),
        filter.since,
        filter.until,
        before_at,
        before_id,
        limit,
        oldest
    );
    Ok(rows.fetch_all(db).await?)
}

const DAY: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day]");
/// For how many days ahead partitions are made.
const AHEAD: i64 = 7;

/// Makes the partitions of the days to come, and drops those whose last event is older than `keep`. `ahead` is how far
/// tests have moved the time.
///
/// What is old is judged by the clock of the database: one node whose clock jumps forgets nothing.
pub async fn maintain(pool: &PgPool, ahead: Duration, keep: Duration) -> Result<(), Error> {
    let mut tx = pool.begin().await?;
    // One node at a time; the others need not wait for it.
    let turn = sqlx::query_scalar!(r#"SELECT pg_try_advisory_xact_lock(7303012) AS "turn!""#);
    if !turn.fetch_one(&mut *tx).await? {
        return Ok(());
    }
    let now = sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(&mut *tx).await? + ahead;
    let partitions = sqlx::query_scalar!(
        r#"SELECT c.relname::text AS "name!" FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
           WHERE i.inhparent = 'audit'::regclass AND c.relname LIKE 'audit\_2%'"#
    );
    let partitions = partitions.fetch_all(&mut *tx).await?;
    let oldest = now - keep;
    for name in &partitions {
        let day = name.strip_prefix("audit_").and_then(|day| Date::parse(day, DAY).ok());
        // A partition ends with its day: it goes when that end is older than what is kept.
        if day.and_then(Date::next_day).is_some_and(|end| end.midnight().assume_utc() <= oldest) {
            sqlx::query(sqlx::AssertSqlSafe(format!("DROP TABLE \"{name}\""))).execute(&mut *tx).await?;
        }
    }
    sqlx::query!("DELETE FROM audit_rest WHERE at < $1", oldest).execute(&mut *tx).await?;
    for n in 0..=AHEAD {
        let (from, to) = ((now + Duration::days(n)).date(), (now + Duration::days(n + 1)).date());
        let name = format!("audit_{}", from.format(DAY).map_err(|e| Error::Unreadable(format!("a date ({e})")))?);
        let taken = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT FROM audit_rest WHERE at >= $1 AND at < $2) AS "taken!""#,
            from.midnight().assume_utc(),
            to.midnight().assume_utc()
        );
        if partitions.contains(&name) || taken.fetch_one(&mut *tx).await? {
            continue;
        }
        let create = format!(
            "CREATE TABLE \"{name}\" PARTITION OF audit FOR VALUES FROM ('{from} 00:00+00') TO ('{to} 00:00+00')"
        );
        sqlx::query(sqlx::AssertSqlSafe(create)).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    Ok(())
}
