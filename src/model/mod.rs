//! The words of the domain, as types that cannot be wrong. No I/O, no async.

mod algorithm;
mod authorization;
mod claims;
mod client;
mod clock;
mod device;
mod entity;
mod event;
mod grant;
mod id;
mod json;
mod login;
mod origin;
mod person;
mod principal;
mod revision;
mod role;
mod role_graph;
mod scopes;
mod secret;
mod session;

pub use algorithm::Algorithm;
pub use authorization::{Authorization, CodeGrant};
pub use claims::{Claim, RequestedClaims};
pub use client::{
    ApplicationType, AuthMethod, Client, ClientMetadata, GrantType, Members, MetadataFault, ResponseType, SubjectType,
};
pub use clock::Clock;
pub use device::Device;
pub use entity::EntityRef;
pub use event::{Event, Outcome};
pub use grant::{Effect, Grant, NewGrant, ResourceScope};
pub use id::{AuthorizationId, ClientId, GrantId, InvalidId, SessionId, UserId};
pub use json::{Fields, Json, fields as json_fields};
pub use login::Login;
pub use origin::Origin;
pub use person::{Email, InvalidEmail, InvalidLine, InvalidUsername, Line, Username};
pub use principal::{Assignment, Principal, PrincipalKind};
pub use revision::Revision;
pub use role::{InvalidRoleName, RoleName};
pub use role_graph::{BadGraph, check_roles};
pub use scopes::{InvalidScope, ScopeSet};
pub use secret::Secret;
pub use session::{SessionRecord, amr};
