//! What goes on record.

use serde::Serialize;
use serde_json::{Map, Value};

use super::{EntityRef, Origin, Principal};

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was done.
    Success,
    /// It was tried and did not work: a wrong password, a used code.
    Failure,
    /// The policies said no.
    Denied,
}

/// One thing that happened: who did what to whom, and how it ended. Never holds a secret.
#[derive(Clone, Debug)]
pub struct Event<'a> {
    /// Who; nobody when it is not known.
    pub actor: Option<Principal>,
    /// What: `sign_in`, `Deodar::assignRole`.
    pub action: &'a str,
    /// To what.
    pub target: Option<EntityRef>,
    /// How it ended.
    pub outcome: Outcome,
    /// From where.
    pub origin: &'a Origin,
    /// What else there is to know.
    pub details: Map<String, Value>,
}

impl Outcome {
    /// As the database and the API name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Denied => "denied",
        }
    }
}

impl<'a> Event<'a> {
    /// Something that was done.
    pub fn new(action: &'a str, origin: &'a Origin) -> Self {
        Self { actor: None, action, target: None, outcome: Outcome::Success, origin, details: Map::new() }
    }

    /// By whom.
    pub fn by(self, actor: Principal) -> Self {
        Self { actor: Some(actor), ..self }
    }

    /// To whom or what.
    pub fn on(self, target: EntityRef) -> Self {
        Self { target: Some(target), ..self }
    }

    /// How it ended.
    pub fn ended(self, outcome: Outcome) -> Self {
        Self { outcome, ..self }
    }

    /// One more fact.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }
}
