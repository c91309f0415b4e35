//! The one file that names `cedar_policy_core`: what the public API has no words for.
//!
//! Four things: the types of attributes that a schema declares; whether a policy looks at the context; values that are
//! computed already, where the public constructors take expressions and evaluate them; and entity stores whose transitive
//! closure is already known. The public constructor computes the closure again, about 0.9 µs for each parent: a
//! principal with ten roles cost 10 µs a check, the store built here costs under 1 µs. Both crates are pinned with `=`,
//! because this one promises no stability.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, LazyLock},
};

use cedar_policy::{Context, Entities, EntityTypeName, EntityUid, Policy, Schema, entities_errors::EntitiesError};
use cedar_policy_core::{
    ast,
    entities::{Entities as CoreEntities, NoEntitiesSchema, TCComputation},
    evaluator::RestrictedEvaluator,
    extensions::Extensions,
    validator::{
        ValidatorEntityTypeKind,
        types::{Attributes, EntityKind, Type as CedarType},
    },
};

/// The type of an attribute (Cedar documentation, "Schema types").
#[derive(Clone, Debug, PartialEq)]
pub enum Type {
    /// `Bool`.
    Bool,
    /// `Long`.
    Long,
    /// `String`.
    String,
    /// A reference to an entity of this type.
    Entity(String),
    /// `Set<…>`.
    Set(Box<Type>),
    /// `{ … }`.
    Record(RecordType),
    /// `ipaddr`, `decimal`, `datetime` or `duration`.
    Extension(String),
    /// Nothing has this type.
    Never,
}

/// The attributes of an entity type or of a context.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RecordType(pub BTreeMap<String, Type>);

/// What a schema says of an entity type.
pub struct EntityShape {
    /// Its name.
    pub name: EntityTypeName,
    /// Its attributes.
    pub attributes: RecordType,
    /// The only ids there are, for an `enum` type.
    pub ids: Option<Vec<String>>,
}

/// Every entity type of a schema, actions left out.
pub fn entity_shapes(schema: &Schema) -> Vec<EntityShape> {
    let shapes = schema.as_ref().entity_types().map(|ty| EntityShape {
        name: EntityTypeName::from(ty.name().clone()),
        attributes: record(ty.attributes()),
        ids: match &ty.kind {
            ValidatorEntityTypeKind::Enum(ids) => {
                Some(ids.iter().map(|id| AsRef::<str>::as_ref(id).to_owned()).collect())
            }
            ValidatorEntityTypeKind::Standard(_) | ValidatorEntityTypeKind::External => None,
        },
    });
    shapes.collect()
}

/// The context type of an action; empty when it takes none.
pub fn context_type(schema: &Schema, action: &EntityUid) -> RecordType {
    match schema.as_ref().context_type(action.as_ref()) {
        Some(CedarType::Record { attrs, .. }) => record(attrs),
        _ => RecordType::default(),
    }
}

/// Whether a policy looks at the context of a request at all. One that does not is satisfied in every context or in none.
pub fn reads_context(policy: &Policy) -> bool {
    let policy: &ast::Policy = policy.as_ref();
    let is_context = |part: &ast::Expr| matches!(part.expr_kind(), ast::ExprKind::Var(ast::Var::Context));
    policy.condition().subexpressions().any(is_context)
}

fn record(attributes: &Attributes) -> RecordType {
    RecordType(attributes.iter().map(|(name, ty)| (name.to_string(), convert(&ty.attr_type))).collect())
}

fn convert(ty: &CedarType) -> Type {
    match ty {
        CedarType::Bool(_) => Type::Bool,
        CedarType::Long => Type::Long,
        CedarType::String => Type::String,
        CedarType::Entity(EntityKind::Entity(lub)) => {
            lub.get_single_entity().map_or(Type::Never, |ty| Type::Entity(ty.to_string()))
        }
        CedarType::Set { element_type: Some(element) } => Type::Set(Box::new(convert(element))),
        CedarType::Record { attrs, .. } => Type::Record(record(attrs)),
        CedarType::ExtensionType { name } => Type::Extension(name.to_string()),
        CedarType::Never | CedarType::Set { element_type: None } | CedarType::Entity(EntityKind::AnyEntity) => {
            Type::Never
        }
    }
}

/// A value of an attribute.
#[derive(Clone, Debug)]
pub struct Value(ast::Value);

/// The text of an extension value, such as that of an `ipaddr`, says nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadText(String);

impl Value {
    /// `Bool`.
    pub fn bool(value: bool) -> Self {
        Self(value.into())
    }

    /// `Long`.
    pub fn long(value: i64) -> Self {
        Self(value.into())
    }

    /// `String`.
    pub fn string(value: &str) -> Self {
        Self(value.into())
    }

    /// A reference to an entity.
    pub fn entity(uid: EntityUid) -> Self {
        Self(ast::EntityUID::from(uid).into())
    }

    /// `Set<…>`.
    pub fn set(elements: Vec<Self>) -> Self {
        Self(ast::Value::set(elements.into_iter().map(|element| element.0), None))
    }

    /// `{ … }`. No name may be there twice.
    pub fn record(fields: Vec<(&str, Self)>) -> Self {
        Self(ast::Value::record(fields.into_iter().map(|(name, value)| (name, value.0)), None))
    }

    /// A value of an extension type; `None` for a type that has no text.
    ///
    /// # Errors
    /// The text is not one of this type.
    pub fn extension(ty: &str, text: &str) -> Result<Option<Self>, BadText> {
        static FUNCTIONS: LazyLock<Vec<(&str, ast::Name)>> = LazyLock::new(|| {
            let functions =
                [("ipaddr", "ip"), ("decimal", "decimal"), ("datetime", "datetime"), ("duration", "duration")];
            functions.into_iter().filter_map(|(ty, function)| Some((ty, function.parse().ok()?))).collect()
        });
        let Some((_, function)) = FUNCTIONS.iter().find(|(name, _)| *name == ty) else { return Ok(None) };
        let call = ast::RestrictedExpr::call_extension_fn(function.clone(), [ast::RestrictedExpr::val(text)]);
        let value = RestrictedEvaluator::new(Extensions::all_available()).interpret(call.as_borrowed());
        value.map(|value| Some(Self(value))).map_err(|error| BadText(error.to_string()))
    }
}

/// The circumstances of a request. No name may be there twice.
pub fn context<'a>(fields: impl IntoIterator<Item = (&'a str, Value)>) -> Context {
    let fields = fields.into_iter().map(|(name, value)| (name.into(), value.0)).collect();
    ast::Context::Value(Arc::new(fields)).into()
}

/// An entity with all its ancestors, ready to be put into a store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FlatEntity(Arc<ast::Entity>);

impl FlatEntity {
    /// `ancestors` must be complete: the parents, their parents, and so on.
    pub fn new(uid: EntityUid, attributes: Vec<(&str, Value)>, ancestors: impl IntoIterator<Item = EntityUid>) -> Self {
        let attributes = attributes.into_iter().map(|(name, value)| (name.into(), value.0.into()));
        let ancestors = ancestors.into_iter().map(Into::into).collect();
        Self(Arc::new(ast::Entity::new_with_attr_partial_value(uid.into(), attributes, HashSet::new(), ancestors, [])))
    }

    /// An entity without attributes.
    pub fn bare(uid: EntityUid, ancestors: impl IntoIterator<Item = EntityUid>) -> Self {
        Self::new(uid, Vec::new(), ancestors)
    }

    /// Its uid.
    pub fn uid(&self) -> EntityUid {
        self.0.uid().clone().into()
    }

    /// Whether `self == other`.
    pub fn is(&self, other: &EntityUid) -> bool {
        self.0.uid() == other.as_ref()
    }

    /// Whether `self in other`, in Cedar's sense: equal, or a descendant.
    pub fn is_in(&self, other: &EntityUid) -> bool {
        self.is(other) || self.0.is_descendant_of(other.as_ref())
    }

    /// Whether `self is ty`.
    pub fn is_of(&self, ty: &EntityTypeName) -> bool {
        self.0.uid().entity_type() == ty.as_ref()
    }

    /// The entity in the public API's form, with its ancestors as parents.
    pub fn to_public(&self) -> cedar_policy::Entity {
        ast::Entity::clone(&self.0).into()
    }
}

/// The store for one request. An entity that appears twice (a user asking about herself) is kept once, the
/// first one: callers pass the principal first, whose facts are ours.
pub fn store<const N: usize>(entities: [&FlatEntity; N]) -> Result<Entities, EntitiesError> {
    let mut kept: Vec<Arc<ast::Entity>> = Vec::with_capacity(N);
    for entity in entities {
        if !kept.iter().any(|k| k.uid() == entity.0.uid()) {
            kept.push(Arc::clone(&entity.0));
        }
    }
    CoreEntities::new()
        .add_entities(
            kept,
            None::<&NoEntitiesSchema>,
            TCComputation::AssumeAlreadyComputed,
            Extensions::all_available(),
        )
        .map(Entities::from)
}

#[cfg(test)]
mod tests {
    use cedar_policy::RestrictedExpression as Public;

    use super::*;

    fn named<T>(fields: [(&str, T); 8]) -> Vec<(String, T)> {
        fields.map(|(name, value)| (name.to_owned(), value)).into()
    }

    #[test]
    fn a_value_is_what_the_public_api_would_evaluate() {
        let uid = || r#"User::"ab""#.parse().unwrap();
        let text = |ty, text| Value::extension(ty, text).unwrap().unwrap();
        let ours = context([
            ("b", Value::bool(true)),
            ("n", Value::long(i64::MIN)),
            ("s", Value::string("a\u{2028}*")),
            ("e", Value::entity(uid())),
            ("set", Value::set(vec![Value::long(2), Value::long(1), Value::long(2), Value::set(Vec::new())])),
            ("record", Value::record(vec![("x", Value::bool(false))])),
            ("ip", text("ipaddr", "10.0.0.0/8")),
            ("at", text("datetime", "2026-11-27")),
        ]);
        let public = cedar_policy::Context::from_pairs(named([
            ("b", Public::new_bool(true)),
            ("n", Public::new_long(i64::MIN)),
            ("s", Public::new_string("a\u{2028}*".to_owned())),
            ("e", Public::new_entity_uid(uid())),
            ("set", Public::new_set([2, 1, 2].map(Public::new_long).into_iter().chain([Public::new_set([])]))),
            ("record", Public::new_record([("x".to_owned(), Public::new_bool(false))]).unwrap()),
            ("ip", Public::new_ip("10.0.0.0/8")),
            ("at", Public::new_datetime("2026-11-27")),
        ]));
        assert_eq!(ours.as_ref(), public.unwrap().as_ref());
        assert!(Value::extension("ipaddr", "10.0.0").is_err());
        assert!(Value::extension("nothing", "x").unwrap().is_none());
    }
}
