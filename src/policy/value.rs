//! JSON values read as the schema says: the type decides what a value means, never its spelling.
//!
//! `__entity` and `__extn`, which Cedar's own JSON form gives a meaning, are ordinary attribute names here.

use cedar_policy::EntityUid;

use super::{
    core::{RecordType, Type, Value},
    vocabulary::{Vocabulary, nearest, parse_entity},
};
use crate::model::{EntityRef, Json};

/// What the server itself puts into the circumstances of a request.
pub const SESSION: &str = "session";

/// A value does not fit the schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{path}`: {message}")]
pub struct Mistyped {
    /// Where: `resource.attributes.owner`.
    pub path: String,
    /// What is wrong and what would be right.
    pub message: String,
}

impl Mistyped {
    /// A fault at a place.
    pub fn new(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into() }
    }

    /// The same fault, seen from further out. Paths are put together only when there is something to report.
    pub fn within(mut self, outer: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{outer}{dot}{}", self.path);
        self
    }
}

/// Reads the attributes of an entity or a context that is called `at`. A missing attribute is no fault here: a policy
/// that needs it reports an error, and an erroring policy never allows.
pub fn attributes<'a>(
    vocabulary: &Vocabulary,
    ty: &RecordType,
    fields: &'a [(String, Json)],
    at: &str,
) -> Result<Vec<(&'a str, Value)>, Mistyped> {
    record(vocabulary, ty, fields).map_err(|fault| fault.within(at))
}

/// The session in the context of a request; `None` where the schema has no place for one.
pub fn session(vocabulary: &Vocabulary, ty: &RecordType, session: &Json) -> Result<Option<Value>, Mistyped> {
    let read = |expected| value(vocabulary, expected, session).map_err(|fault| fault.within(SESSION).within("context"));
    ty.0.get(SESSION).map(read).transpose()
}

fn record<'a>(
    vocabulary: &Vocabulary,
    ty: &RecordType,
    fields: &'a [(String, Json)],
) -> Result<Vec<(&'a str, Value)>, Mistyped> {
    let read = fields.iter().map(|(name, json)| {
        let Some(expected) = ty.0.get(name) else {
            let hint = match nearest(name, ty.0.keys()) {
                Some(nearest) => format!("; did you mean `{nearest}`?"),
                None => String::new(),
            };
            return Err(Mistyped::new(name, format!("the schema declares no such attribute here{hint}")));
        };
        Ok((name.as_str(), value(vocabulary, expected, json).map_err(|fault| fault.within(name))?))
    });
    read.collect()
}

fn value(vocabulary: &Vocabulary, ty: &Type, json: &Json) -> Result<Value, Mistyped> {
    let wrong = |expected: &str| Mistyped::new("", format!("expected {expected}, found {}", json.kind()));
    match (ty, json) {
        (Type::Bool, Json::Bool(b)) => Ok(Value::bool(*b)),
        (Type::Bool, _) => Err(wrong("a boolean")),
        (Type::Long, Json::Long(n)) => Ok(Value::long(*n)),
        (Type::Long, _) => Err(wrong("a 64-bit integer")),
        (Type::String, Json::String(s)) => Ok(Value::string(s)),
        (Type::String, _) => Err(wrong("a string")),
        (Type::Entity(expected), _) => entity(vocabulary, expected, json).map(Value::entity),
        (Type::Set(element), Json::Array(items)) => {
            let items = items
                .iter()
                .enumerate()
                .map(|(n, item)| value(vocabulary, element, item).map_err(|fault| fault.within(&format!("[{n}]"))));
            Ok(Value::set(items.collect::<Result<_, _>>()?))
        }
        (Type::Set(_), _) => Err(wrong("an array")),
        (Type::Record(inner), Json::Object(fields)) => Ok(Value::record(record(vocabulary, inner, fields)?)),
        (Type::Record(_), _) => Err(wrong("an object")),
        (Type::Extension(name), Json::String(text)) => Value::extension(name, text)
            .map_err(|error| Mistyped::new("", error.to_string()))?
            .ok_or_else(|| Mistyped::new("", format!("values of type `{name}` cannot be sent"))),
        (Type::Extension(name), _) => Err(wrong(&format!("a string that is a Cedar `{name}`"))),
        (Type::Never, _) => Err(Mistyped::new("", "no value has this type")),
    }
}

fn entity(vocabulary: &Vocabulary, expected: &str, json: &Json) -> Result<EntityUid, Mistyped> {
    let entity = entity_ref(json, "")?;
    if entity.ty != expected {
        return Err(Mistyped::new("", format!("expected an entity of type `{expected}`, found `{}`", entity.ty)));
    }
    vocabulary.uid(&entity).map_err(|unknown| Mistyped::new("", unknown.to_string()))
}

/// Reads `{"type":…,"id":…}` or Cedar text.
pub fn entity_ref(json: &Json, path: &str) -> Result<EntityRef, Mistyped> {
    let form = "write `{\"type\":\"User\",\"id\":\"…\"}` or the Cedar text `User::\"…\"`";
    match json {
        Json::String(text) => parse_entity(text).ok_or_else(|| Mistyped::new(path, format!("not an entity: {form}"))),
        Json::Object(fields) => match fields.as_slice() {
            [(a, Json::String(ty)), (b, Json::String(id))] if a == "type" && b == "id" => Ok(EntityRef::new(ty, id)),
            [(b, Json::String(id)), (a, Json::String(ty))] if a == "type" && b == "id" => Ok(EntityRef::new(ty, id)),
            _ => Err(Mistyped::new(path, format!("not an entity: {form}"))),
        },
        other => Err(Mistyped::new(path, format!("expected an entity, found {}: {form}", other.kind()))),
    }
}
