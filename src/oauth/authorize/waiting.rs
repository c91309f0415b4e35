//! Authorization requests that wait in the database: pushed by a client (RFC 9126), or until a person has signed in and
//! agreed. Either kind goes on by `request_uri`, so there is one way to go on.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::{
    app::App,
    crypto::{Opaque, digest},
    model::{Client, ClientId, ScopeSet, SessionId, SessionRecord},
    oauth::Parameters,
    store::{self, authorization_requests as requests},
    web::{ApiError, browser::ReturnTo},
};

/// What every `request_uri` of ours begins with (RFC 9126 §2.2).
const URN: &str = "urn:ietf:params:oauth:request_uri:";
/// Most bytes of a request that waits.
const LONGEST: usize = 16 * 1024;
/// How far the clocks of nodes may be apart.
const SKEW: Duration = Duration::seconds(5);

/// A request that waits.
pub struct Waiting {
    /// SHA-256 of its handle.
    pub hash: [u8; 32],
    /// What makes it go on.
    pub handle: String,
    /// What was asked.
    pub parameters: Parameters,
    /// Its client sent it directly (RFC 9126).
    pub pushed: bool,
    /// Somebody has come with it.
    pub taken: bool,
    /// At which generation of the client it came.
    pub generation: i32,
    since: OffsetDateTime,
    /// When whoever came with it had proven who they are, in microseconds since 1970.
    seen: Option<i64>,
    answered_in: Option<SessionId>,
    agreed: Option<ScopeSet>,
}

/// What a person answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    /// Nothing yet, or in another session.
    None,
    /// They agree to this.
    Agreed(&'a ScopeSet),
    /// They do not.
    Declined,
}

/// As the database keeps it.
#[derive(Serialize, Deserialize)]
struct Kept {
    encoded: String,
    seen: Option<i64>,
    /// Not said by nodes of the release before, which took every request that waited for a pushed one.
    pushed: Option<bool>,
}

impl Waiting {
    /// The one that parameters point to, if they do.
    ///
    /// # Errors
    /// It waits no longer, or is another client's.
    pub async fn find(app: &App, parameters: &Parameters) -> Result<Option<Self>, ApiError> {
        match parameters.get("request_uri").and_then(|uri| uri.strip_prefix(URN)) {
            Some(handle) => {
                let found = Self::by_handle(app, handle).await?;
                let found = found.filter(|found| found.parameters.get("client_id") == parameters.get("client_id"));
                found.ok_or_else(over).map(Some)
            }
            None => Ok(None),
        }
    }

    /// One by its handle.
    pub async fn by_handle(app: &App, handle: &str) -> Result<Option<Self>, ApiError> {
        let hash = digest(handle.as_bytes());
        let Some(row) = store::within(requests::find(&app.pool, &hash, app.clock.now())).await? else {
            return Ok(None);
        };
        let kept: Kept = serde_json::from_value(row.parameters).map_err(|error| ApiError::Internal(Box::new(error)))?;
        Ok(Some(Self {
            hash,
            handle: handle.to_owned(),
            parameters: Parameters::read(kept.encoded.as_bytes())?,
            pushed: kept.pushed.unwrap_or(true),
            taken: !handle.starts_with(Opaque::PUSHED),
            generation: row.generation,
            since: row.created_at,
            seen: kept.seen,
            answered_in: row.answered_in,
            agreed: row.agreed,
        }))
    }

    /// Whether the person has proven who they are since the request began to wait. Judged by the session that came with
    /// it and not by the time, since clocks of nodes differ. A request that came without one says nothing of what there
    /// is in the browser that goes on with it: its cookies may have been held back, or it is another browser.
    pub fn has_new_login(&self, session: &SessionRecord) -> bool {
        self.taken
            && match self.seen {
                Some(seen) => seen != moment(session),
                None => session.auth_time > self.since - SKEW,
            }
    }

    /// What the person of this session answered.
    pub fn answer_in(&self, session: &SessionRecord) -> Answer<'_> {
        match (&self.agreed, self.answered_in == Some(session.id)) {
            (_, false) => Answer::None,
            (Some(scope), true) => Answer::Agreed(scope),
            (None, true) => Answer::Declined,
        }
    }

    /// Where it goes on.
    pub fn next(&self) -> ReturnTo {
        next(&self.handle, &self.parameters)
    }
}

/// Lets a request wait for a person, in place of `before`.
///
/// # Errors
/// It is too long, or somebody else came with `before`.
pub async fn hold(
    app: &App,
    client: &Client,
    parameters: &Parameters,
    session: Option<&SessionRecord>,
    before: Option<&Waiting>,
) -> Result<ReturnTo, ApiError> {
    let handle = Opaque::new(Opaque::WAITING)?;
    if let Some(before) = before
        && !store::within(requests::consume(&app.pool, &before.hash)).await?
    {
        return Err(over());
    }
    let lifetime = app.config.request_lifetime.try_into().unwrap_or(Duration::MINUTE);
    let pushed = before.is_some_and(|before| before.pushed);
    let kept = Kept { encoded: parameters.encoded(), seen: session.map(moment), pushed: Some(pushed) };
    let generation = before.map_or(client.generation, |before| before.generation);
    keep(app, &handle, (&client.id, generation), kept, lifetime).await?;
    Ok(next(handle.expose(), parameters))
}

/// Takes in what a client pushed. Answers its `request_uri`.
pub async fn push(app: &App, client: &Client, parameters: &Parameters, lifetime: Duration) -> Result<String, ApiError> {
    let handle = Opaque::new(Opaque::PUSHED)?;
    let kept = Kept { encoded: parameters.encoded(), seen: None, pushed: Some(true) };
    keep(app, &handle, (&client.id, client.generation), kept, lifetime).await?;
    Ok(format!("{URN}{}", handle.expose()))
}

async fn keep(
    app: &App,
    handle: &Opaque,
    (client, generation): (&ClientId, i32),
    kept: Kept,
    lifetime: Duration,
) -> Result<(), ApiError> {
    if kept.encoded.len() > LONGEST {
        let message = format!("the request is too long: send at most {LONGEST} bytes");
        return Err(ApiError::BadRequest { code: "invalid_request", message });
    }
    let kept = serde_json::to_value(kept).map_err(|error| ApiError::Internal(Box::new(error)))?;
    let now = app.clock.now();
    store::within(requests::insert(&app.pool, &handle.hash(), client, generation, &kept, now, now + lifetime)).await?;
    Ok(())
}

/// The redirect URI is there for the forms on the way alone: see [`ReturnTo::leads_to`].
fn next(handle: &str, parameters: &Parameters) -> ReturnTo {
    let copied = ["client_id", "redirect_uri"].into_iter().filter_map(|name| Some((name, parameters.get(name)?)));
    let pairs = copied.chain([("request_uri", handle)]).map(|(name, value)| match name {
        "request_uri" => (name.to_owned(), format!("{URN}{value}")),
        _ => (name.to_owned(), value.to_owned()),
    });
    let query = Parameters::from(pairs.collect::<Vec<_>>()).encoded();
    ReturnTo::parse(&format!("/oauth/authorize?{query}")).unwrap_or_else(ReturnTo::account)
}

fn moment(session: &SessionRecord) -> i64 {
    i64::try_from(session.auth_time.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

/// What a person is told who comes too late, or twice.
pub fn over() -> ApiError {
    let message = "this request was answered already, or waited too long: go back to the application and begin again";
    ApiError::BadRequest { code: "request_over", message: message.to_owned() }
}
