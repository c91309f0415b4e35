//! Clients as bodies: the members of RFC 7591, and those that are an administrator's to decide.

use serde::Serialize;
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{
    crypto::Opaque,
    model::{Client, ClientId, ClientMetadata, GrantType, InvalidScope, Members, MetadataFault, ScopeSet},
    tokens,
    web::{ApiError, FieldFault},
};

/// A client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Client)]
pub struct ClientView {
    #[schema(value_type = String)]
    client_id: ClientId,
    /// Shown once, when it was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    client_secret: Option<String>,
    #[serde(flatten)]
    metadata: ClientMetadata,
    /// Of the same house as this server: nobody is asked for consent.
    first_party: bool,
    /// Nobody has looked at what it says of itself.
    self_registered: bool,
    active: bool,
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

/// A client to be registered, or what is to change of one. A member that is left out stays as it is; `null` takes it
/// away.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "describes bodies that are read member by member")]
pub struct ClientBody {
    #[schema(inline)]
    metadata: ClientMetadata,
    /// Of the same house as this server: nobody is asked for consent.
    first_party: Option<bool>,
    /// A client that is switched off gets no token, and its tokens are dead.
    active: Option<bool>,
}

/// What is an administrator's to decide.
#[derive(Debug, Default)]
pub struct Decided {
    /// See [`Client::first_party`].
    pub first_party: Option<bool>,
    /// See [`Client::active`].
    pub active: Option<bool>,
}

impl ClientView {
    /// With the secret, when it was just made.
    pub fn new(client: Client, secret: Option<Opaque>) -> Self {
        Self {
            client_id: client.id,
            client_secret: secret.map(|secret| secret.expose().to_owned()),
            metadata: client.metadata,
            first_party: client.first_party,
            self_registered: client.self_registered,
            active: client.active,
            created_at: client.created_at,
        }
    }
}

/// Takes out what is an administrator's to decide, and the scope that is asked for.
pub fn split(mut members: Members) -> Result<(Members, Decided, Option<ScopeSet>), ApiError> {
    let mut flag = |name: &str| match members.0.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(flag)),
        Some(_) => Err(invalid(format!("`{name}` is true or false"))),
    };
    let decided = Decided { first_party: flag("first_party")?, active: flag("active")? };
    let scope = match members.0.get("scope") {
        Some(Value::String(text)) => Some(
            text.parse().map_err(|error: InvalidScope| ApiError::field("scope", "invalid_scope", error.to_string()))?,
        ),
        _ => None,
    };
    Ok((members, decided, scope))
}

/// The metadata of a new client.
pub fn new_metadata(mut members: Members) -> Result<ClientMetadata, ApiError> {
    if members.0.get("client_name").is_none_or(Value::is_null) {
        return Err(invalid("missing field `client_name`".to_owned()));
    }
    members.0.entry("grant_types").or_insert_with(|| vec![GrantType::ClientCredentials.as_str()].into());
    checked(ClientMetadata::read(members))
}

/// The metadata of a client with some of them replaced.
pub fn changed_metadata(client: &Client, members: Members) -> Result<ClientMetadata, ApiError> {
    checked(client.metadata.with(members))
}

fn checked(metadata: Result<ClientMetadata, serde_json::Error>) -> Result<ClientMetadata, ApiError> {
    let metadata = metadata.map_err(|error| invalid(error.to_string()))?;
    tokens::checked(metadata).map_err(refused)
}

/// Metadata that are not acceptable.
pub fn refused(faults: impl IntoIterator<Item = MetadataFault>) -> ApiError {
    let fault = |fault: MetadataFault| FieldFault::new(fault.field, fault.code, fault.message);
    ApiError::Unprocessable(faults.into_iter().map(fault).collect())
}

fn invalid(what: String) -> ApiError {
    ApiError::BadRequest { code: "invalid_body", message: format!("the body is not acceptable: {what}") }
}
