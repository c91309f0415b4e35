//! What can be asked.

use crate::model::{ClientId, EntityRef, Fields, Json, ScopeSet};

/// May this principal do this to that?
#[derive(Clone, Debug)]
pub struct AccessRequest {
    /// Who.
    pub principal: Subject,
    /// What: `read`, `Docs::read`.
    pub action: String,
    /// On what.
    pub resource: ResourceInput,
    /// Under which circumstances; never `session`.
    pub context: Fields,
    /// The session of the access token that was presented, which becomes `context.session`.
    pub session: Option<Session>,
}

/// Who asks. Attributes and parents are for types of an application's own schema; those of `User`, `Client` and
/// `Role` are the server's.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The entity.
    pub entity: EntityRef,
    /// Its attributes.
    pub attributes: Fields,
    /// Everything it is inside of.
    pub parents: Vec<EntityRef>,
}

/// What is asked about.
#[derive(Clone, Debug)]
pub struct ResourceInput {
    /// The entity.
    pub entity: EntityRef,
    /// Its attributes.
    pub attributes: Fields,
    /// Everything it is inside of.
    pub parents: Vec<EntityRef>,
}

/// How strongly the user behind a token was authenticated.
#[derive(Clone, Debug)]
pub struct Session {
    /// Whether a second factor was used.
    pub mfa: bool,
    /// Authentication context class.
    pub acr: String,
    /// Authentication methods (RFC 8176).
    pub amr: Vec<String>,
    /// Seconds since 1970.
    pub auth_time: i64,
    /// To which client the token was issued.
    pub client: ClientId,
    /// What for.
    pub scopes: ScopeSet,
}

impl Subject {
    /// A principal without anything from outside.
    pub fn plain(entity: EntityRef) -> Self {
        Self { entity, attributes: Fields::new(), parents: Vec::new() }
    }
}

impl ResourceInput {
    /// A resource without anything from outside.
    pub fn plain(entity: EntityRef) -> Self {
        Self { entity, attributes: Fields::new(), parents: Vec::new() }
    }
}

impl Session {
    /// The same session after a stronger login.
    pub fn stepped_up(&self) -> Self {
        let mut amr = self.amr.clone();
        amr.extend(["otp", "mfa"].map(str::to_owned));
        Self { mfa: true, acr: Self::ACR_MFA.to_owned(), amr, ..self.clone() }
    }

    /// `acr` of a login with a second factor.
    pub const ACR_MFA: &'static str = "urn:deodar:acr:mfa";
    /// `acr` of a login with a password.
    pub const ACR_PASSWORD: &'static str = "urn:deodar:acr:password";

    /// As the value of `context.session`.
    pub fn to_json(&self) -> Json {
        let text = |t: &str| Json::String(t.to_owned());
        let client = vec![("type".to_owned(), text("Client")), ("id".to_owned(), text(self.client.as_str()))];
        Json::Object(vec![
            ("mfa".to_owned(), Json::Bool(self.mfa)),
            ("acr".to_owned(), text(&self.acr)),
            ("amr".to_owned(), Json::Array(self.amr.iter().map(|m| text(m)).collect())),
            ("auth_time".to_owned(), Json::Long(self.auth_time)),
            ("client".to_owned(), Json::Object(client)),
            ("scopes".to_owned(), Json::Array(self.scopes.iter().map(text).collect())),
        ])
    }
}
