//! A check as it comes in, and what becomes of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    app::App,
    model::{EntityRef, Fields, Json, Revision, ScopeSet, json_fields},
    pdp::{AccessRequest, Answer, ResourceInput, Session, Subject},
    policy::{Mistyped, Nearest, Reason, entity_ref},
    web::{ApiError, Caller, is_live},
};

/// May this principal do this to that?
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckRequest {
    /// Who: `{"type":"User","id":"…"}`, or the Cedar text `User::"…"`. With `token` left out.
    #[schema(value_type = Option<EntityBody>)]
    principal: Option<Json>,
    /// An action id of the schema: `read`, `Docs::read`.
    action: String,
    /// On what: as `principal`, with `attributes` and `parents`.
    #[schema(value_type = EntityBody)]
    resource: Json,
    /// Under which circumstances, as the schema declares for the action.
    #[serde(default, deserialize_with = "json_fields")]
    #[schema(value_type = Object)]
    context: Fields,
    /// An access token, instead of `principal`.
    token: Option<String>,
    /// Answer with what holds at this revision or later.
    #[schema(value_type = Option<i64>)]
    pub at_least_revision: Option<Revision>,
    /// Say which policies decided.
    #[serde(default)]
    pub explain: bool,
}

/// An entity with what the caller knows of it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Entity)]
#[expect(dead_code, reason = "describes the form in the OpenAPI document; `described` reads it")]
pub struct EntityBody {
    /// Entity type.
    #[serde(rename = "type")]
    ty: String,
    /// Entity id.
    id: String,
    /// Values of the attributes that the schema declares. Not for `User`, `Client` and `Role`.
    #[schema(value_type = Option<Object>)]
    attributes: Option<Fields>,
    /// Every entity that this one is inside of. Not for `User`, `Client` and `Role`.
    #[schema(value_type = Option<Vec<Object>>)]
    parents: Option<Vec<Json>>,
}

/// The answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckResponse {
    /// `allow` or `deny`.
    pub decision: &'static str,
    /// As of when.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<i64>)]
    pub revision: Option<Revision>,
    /// The policies that decided; only with `explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasons: Option<Vec<Reason>>,
    /// The policies that failed; only with `explain`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub errors: Option<Vec<CheckError>>,
    /// For a deny without a forbid: what would have to be granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nearest: Option<Vec<Nearest>>,
    /// For a deny that a stronger login would turn into an allow (RFC 9470).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_up: Option<StepUp>,
    /// In a batch: why this item could not be answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ItemError>,
}

/// A policy that failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct CheckError {
    /// Its id.
    policy: String,
    /// Why.
    message: String,
}

/// The login that would do.
#[derive(Debug, Serialize, ToSchema)]
pub struct StepUp {
    /// For the parameter of the same name at the authorization endpoint.
    acr_values: &'static str,
}

/// Why an item of a batch could not be answered.
#[derive(Debug, Serialize, ToSchema)]
pub struct ItemError {
    /// Machine-readable.
    code: String,
    /// What is wrong and what to write instead.
    message: String,
}

impl CheckRequest {
    /// Reads the meaning; the caller must be allowed to ask.
    pub async fn read(&self, app: &App, caller: &Caller) -> Result<AccessRequest, ApiError> {
        let (principal, session) = match (&self.principal, &self.token) {
            (Some(_), Some(_)) | (None, None) => {
                let message = "give either `principal` or `token`".to_owned();
                return Err(ApiError::BadRequest { code: "invalid_body", message });
            }
            (Some(json), None) => {
                let (entity, attributes, parents) = described(json, "principal")?;
                (Subject { entity, attributes, parents }, None)
            }
            (None, Some(token)) => by_token(app, caller, token).await?,
        };
        if self.token.is_none() {
            may_ask(caller, &principal.entity)?;
        }
        let (entity, attributes, parents) = described(&self.resource, "resource")?;
        let resource = ResourceInput { entity, attributes, parents };
        // Asking about oneself by one's own token is asking with one's own session.
        let own = caller.principal().entity() == principal.entity;
        let session = session.or_else(|| caller.token().session.clone().filter(|_| own));
        Ok(AccessRequest { principal, action: self.action.clone(), resource, context: self.context.clone(), session })
    }
}

/// Anybody may ask about themselves; about others, a client with the scope for it.
fn may_ask(caller: &Caller, about: &EntityRef) -> Result<(), ApiError> {
    let own = caller.principal().entity() == *about;
    if own || caller.token().scopes.contains(ScopeSet::CHECK) {
        Ok(())
    } else {
        Err(ApiError::InsufficientScope(ScopeSet::CHECK))
    }
}

/// A token that the caller was shown and asks about. It need not prove to have the key of a bound one (RFC 9449): whoever
/// presented the token to it did that, or did not, and it alone has seen the proof and the request it was for.
async fn by_token(app: &App, caller: &Caller, token: &str) -> Result<(Subject, Option<Session>), ApiError> {
    let verified = app.tokens.verify(token).map_err(|_| ApiError::BadRequest {
        code: "invalid_token",
        message: "`token` is not a valid access token of this server".to_owned(),
    })?;
    let mut entity = verified.principal.entity();
    may_ask(caller, &entity)?;
    if !is_live(app, &verified).await? {
        // Nobody has this id: whoever stands for nothing any more may do nothing.
        entity.id.clear();
    }
    Ok((Subject::plain(entity), verified.session.clone()))
}

fn described(json: &Json, at: &str) -> Result<(EntityRef, Fields, Vec<EntityRef>), ApiError> {
    let mistyped = |fault: Mistyped| ApiError::BadRequest { code: "mistyped", message: fault.to_string() };
    let Json::Object(members) = json else {
        return Ok((entity_ref(json, at).map_err(mistyped)?, Fields::new(), Vec::new()));
    };
    let (mut identity, mut attributes, mut parents) = (Fields::new(), Fields::new(), Vec::new());
    for (name, value) in members {
        match (name.as_str(), value) {
            ("type" | "id", _) => identity.push((name.clone(), value.clone())),
            ("attributes", Json::Object(fields)) => attributes.clone_from(fields),
            ("parents", Json::Array(items)) => {
                let read = items.iter().enumerate().map(|(n, item)| entity_ref(item, &format!("{at}.parents[{n}]")));
                parents = read.collect::<Result<_, _>>().map_err(mistyped)?;
            }
            ("attributes" | "parents", other) => {
                let expected = if name == "parents" { "an array" } else { "an object" };
                let message = format!("expected {expected}, found {}", other.kind());
                return Err(mistyped(Mistyped::new(&format!("{at}.{name}"), message)));
            }
            _ => {
                let message = "an entity has `type`, `id`, `attributes` and `parents`";
                return Err(mistyped(Mistyped::new(&format!("{at}.{name}"), message)));
            }
        }
    }
    Ok((entity_ref(&Json::Object(identity), at).map_err(mistyped)?, attributes, parents))
}

impl CheckResponse {
    /// The answer to one check.
    pub fn new(answer: Answer, revision: Option<Revision>, explain: bool) -> Self {
        let errors = answer.errors.into_iter().map(|e| CheckError { policy: e.policy, message: e.message });
        Self {
            decision: if answer.allow { "allow" } else { "deny" },
            revision,
            reasons: explain.then_some(answer.reasons),
            errors: explain.then(|| errors.collect()),
            nearest: answer.nearest,
            step_up: answer.step_up.then_some(StepUp { acr_values: Session::ACR_MFA }),
            error: None,
        }
    }

    /// The answer to an item of a batch that could not be answered: a deny that says why.
    pub fn failed(error: &ApiError) -> Self {
        let (_, code, _) = error.parts();
        let (code, message) = match error {
            ApiError::Unprocessable(faults) => match faults.first() {
                Some(fault) => (fault.code.clone(), fault.message.clone()),
                None => (code.to_owned(), error.to_string()),
            },
            other => (code.to_owned(), other.to_string()),
        };
        Self { error: Some(ItemError { code, message }), ..Self::new(Answer::default(), None, false) }
    }
}
