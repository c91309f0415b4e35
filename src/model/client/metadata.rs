//! What a client says of itself, by the member names of RFC 7591 and its extensions.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, MapAccess, Visitor},
};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{ApplicationType, AuthMethod, GrantType, ResponseType, SubjectType, redirect_uri};
use crate::model::{Algorithm, ScopeSet};

/// Client metadata. Read whole, then [`completed`](Self::completed), then looked at by [`faults`](Self::faults).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ClientMetadata {
    /// For people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// Its home page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_uri: Option<String>,
    /// Its logo.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub logo_uri: Option<String>,
    /// Its terms of service.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tos_uri: Option<String>,
    /// What it does with data about people.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy_uri: Option<String>,
    /// Addresses of those responsible.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<String>,
    /// Where it runs; follows from the redirect URIs when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application_type: Option<ApplicationType>,
    /// Exact URIs that authorization answers may go to.
    pub redirect_uris: Vec<String>,
    /// Exact URIs that a logout may end at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub post_logout_redirect_uris: Vec<String>,
    /// How it may ask for tokens.
    pub grant_types: Vec<GrantType>,
    /// Follows from the grant types when left out.
    pub response_types: Vec<ResponseType>,
    /// Scopes it may ask for, separated by spaces.
    #[schema(value_type = String)]
    pub scope: ScopeSet,
    /// How it proves who it is; `client_secret_basic` when left out.
    pub token_endpoint_auth_method: AuthMethod,
    /// Its public keys (RFC 7517), for `private_key_jwt`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub jwks: Option<Value>,
    /// Where its public keys are, in place of `jwks`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwks_uri: Option<String>,
    /// How its ID tokens are signed; `RS256` when left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_token_signed_response_alg: Option<Algorithm>,
    /// Userinfo as a signed token, in place of plain JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub userinfo_signed_response_alg: Option<Algorithm>,
    /// How people are named to it; `public` when left out.
    pub subject_type: SubjectType,
    /// A document that lists the redirect URIs of every client of its sector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sector_identifier_uri: Option<String>,
    /// Seconds after which a person has to log in anew for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default_max_age: Option<u32>,
    /// Whether its ID tokens always say when the person logged in.
    pub require_auth_time: bool,
    /// False: this confidential client need not use PKCE.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub require_pkce: Option<bool>,
    /// Whether it pushes its authorization requests (RFC 9126 §6).
    pub require_pushed_authorization_requests: bool,
    /// Whether all its tokens are bound to a key of its own (RFC 9449 §5.2).
    pub dpop_bound_access_tokens: bool,
    /// Where to tell it that a session ended (OpenID Connect Back-Channel Logout §2.2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backchannel_logout_uri: Option<String>,
    /// Whether it has to be told which session.
    pub backchannel_logout_session_required: bool,
}

/// The members of a JSON object as somebody sent them, each name once.
#[derive(Clone, Debug, Default)]
pub struct Members(pub Map<String, Value>);

impl ClientMetadata {
    /// The name of every member.
    pub const MEMBERS: [&'static str; 26] = [
        "client_name",
        "client_uri",
        "logo_uri",
        "tos_uri",
        "policy_uri",
        "contacts",
        "application_type",
        "redirect_uris",
        "post_logout_redirect_uris",
        "grant_types",
        "response_types",
        "scope",
        "token_endpoint_auth_method",
        "jwks",
        "jwks_uri",
        "id_token_signed_response_alg",
        "userinfo_signed_response_alg",
        "subject_type",
        "sector_identifier_uri",
        "default_max_age",
        "require_auth_time",
        "require_pkce",
        "require_pushed_authorization_requests",
        "dpop_bound_access_tokens",
        "backchannel_logout_uri",
        "backchannel_logout_session_required",
    ];

    /// Reads members. Those of value `null` count as left out (RFC 7592 §2.2).
    ///
    /// # Errors
    /// A name that is unknown, or a value of another type.
    pub fn read(mut members: Members) -> Result<Self, serde_json::Error> {
        members.0.retain(|_, value| !value.is_null());
        serde_json::from_value(Value::Object(members.0))
    }

    /// These metadata with some members replaced; `null` takes one away.
    ///
    /// # Errors
    /// As [`ClientMetadata::read`].
    pub fn with(&self, changes: Members) -> Result<Self, serde_json::Error> {
        let Value::Object(mut own) = serde_json::to_value(self)? else { return Ok(self.clone()) };
        // What follows from something else follows anew.
        own.remove("response_types");
        if changes.0.contains_key("redirect_uris") {
            own.remove("application_type");
        }
        own.extend(changes.0);
        Self::read(Members(own))
    }

    /// The names of the members in which others differ.
    pub fn differs_in(&self, other: &Self) -> Vec<&'static str> {
        let members = |metadata: &Self| serde_json::to_value(metadata).unwrap_or_default();
        let (own, others) = (members(self), members(other));
        Self::MEMBERS.into_iter().filter(|name| own.get(name) != others.get(name)).collect()
    }

    /// Fills in what follows from the rest.
    #[must_use]
    pub fn completed(mut self) -> Self {
        if self.response_types.is_empty() && self.grant_types.contains(&GrantType::AuthorizationCode) {
            self.response_types = vec![ResponseType::Code];
        }
        let local = self.redirect_uris.iter().any(|uri| !uri.starts_with("https:"));
        let inferred = if local { ApplicationType::Native } else { ApplicationType::Web };
        self.application_type.get_or_insert(inferred);
        self.id_token_signed_response_alg.get_or_insert(Algorithm::Rs256);
        self.require_pkce.get_or_insert(true);
        self
    }

    /// Whether authorization answers may go to this URI: exactly what was registered (RFC 9700 §2.1); only the port
    /// of a loopback address is free, for a native client (RFC 8252 §7.3).
    pub fn has_redirect_uri(&self, uri: &str) -> bool {
        self.has(&self.redirect_uris, uri)
    }

    /// Whether a logout may end at this URI, as for [`has_redirect_uri`](Self::has_redirect_uri).
    pub fn has_post_logout_redirect_uri(&self, uri: &str) -> bool {
        self.has(&self.post_logout_redirect_uris, uri)
    }

    fn has(&self, registered: &[String], uri: &str) -> bool {
        let native = self.application_type == Some(ApplicationType::Native);
        registered.iter().any(|known| known == uri || (native && redirect_uri::same_but_port(known, uri)))
    }

    /// The host that stands for its sector: that of `sector_identifier_uri`, or the one of all redirect URIs.
    pub fn sector(&self) -> Option<String> {
        let host = |uri: &String| url::Url::parse(uri).ok()?.host_str().map(str::to_owned);
        if let Some(uri) = &self.sector_identifier_uri {
            return host(uri);
        }
        let mut hosts = self.redirect_uris.iter().map(host);
        let first = hosts.next()??;
        hosts.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    /// How its ID tokens are signed.
    pub fn id_token_alg(&self) -> Algorithm {
        self.id_token_signed_response_alg.unwrap_or(Algorithm::Rs256)
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Members, A::Error> {
        let mut members = Map::new();
        while let Some((name, value)) = entries.next_entry::<String, Value>()? {
            if members.insert(name.clone(), value).is_some() {
                return Err(A::Error::custom(format_args!("duplicate field `{}`", name.escape_debug())));
            }
        }
        Ok(Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_members_is_that_of_the_reader() {
        let error = ClientMetadata::read(Members(Map::from_iter([("?".to_owned(), Value::Bool(true))]))).unwrap_err();
        let named: Vec<String> = ClientMetadata::MEMBERS.iter().map(|name| format!("`{name}`")).collect();
        assert_eq!(error.to_string(), format!("unknown field `?`, expected one of {}", named.join(", ")));
    }

    #[test]
    fn a_member_twice_is_refused() {
        assert!(serde_json::from_str::<Members>(r#"{"a":1,"b":2}"#).is_ok());
        assert!(serde_json::from_str::<Members>(r#"{"a":1,"\u0061":2}"#).is_err());
        assert!(serde_json::from_str::<Members>("[]").is_err());
    }
}
