//! How people are named to clients.

use sqlx::PgExecutor;

use super::Error;
use crate::model::{Client, UserId};

/// How a person is named to a client (OpenID Connect Core §8): by their id, or by a name that only clients of its sector
/// know, which is made up at the first time.
pub async fn name(db: impl PgExecutor<'_>, client: &Client, user: UserId) -> Result<String, Error> {
    let Some(sector) = client.sector() else { return Ok(user.to_string()) };
    let subject = sqlx::query_scalar!(
        r#"WITH known AS (
             SELECT subject FROM pairwise_subjects WHERE sector = $1 AND user_id = $2
           ), made AS (
             INSERT INTO pairwise_subjects (sector, user_id, subject)
             -- 244 random bits.
             SELECT $1, $2, translate(encode(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()), 'base64'),
                                      '+/=', '-_')
             WHERE NOT EXISTS (SELECT FROM known)
             -- Somebody else was faster: theirs counts.
             ON CONFLICT (sector, user_id) DO UPDATE SET subject = pairwise_subjects.subject
             RETURNING subject
           )
           SELECT subject AS "subject!" FROM known UNION ALL SELECT subject FROM made"#,
        sector,
        user.0
    );
    Ok(subject.fetch_one(db).await?)
}
