//! The one file that names `cedar_policy_core`: what the public API has no words for.
//!
//! Two things: the types of attributes that a schema declares, and entity stores whose transitive closure is
//! already known. The public constructor computes the closure again, about 0.9 µs for each parent: a principal
//! with ten roles cost 10 µs a check, the store built here costs under 1 µs. Both crates are pinned with `=`,
//! because this one promises no stability.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{Arc, LazyLock},
};

use cedar_policy::{Entities, EntityTypeName, EntityUid, RestrictedExpression, Schema, entities_errors::EntitiesError};
use cedar_policy_core::{
    ast,
    entities::{Entities as CoreEntities, NoEntitiesSchema, TCComputation},
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

/// A value of an extension type from its text. The public constructors parse the name of the function each time,
/// which takes ten times as long as the rest.
pub fn extension_value(ty: &str, text: &str) -> Option<RestrictedExpression> {
    static FUNCTIONS: LazyLock<Vec<(&str, ast::Name)>> = LazyLock::new(|| {
        let functions = [("ipaddr", "ip"), ("decimal", "decimal"), ("datetime", "datetime"), ("duration", "duration")];
        functions.into_iter().filter_map(|(ty, function)| Some((ty, function.parse().ok()?))).collect()
    });
    let (_, function) = FUNCTIONS.iter().find(|(name, _)| *name == ty)?;
    let text = ast::RestrictedExpr::val(text);
    Some(ast::RestrictedExpr::call_extension_fn(function.clone(), [text]).into())
}

/// An entity with all its ancestors, ready to be put into a store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct FlatEntity(Arc<ast::Entity>);

/// An attribute value could not be computed, such as the text of an `ipaddr` that is no address.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadAttribute(String);

impl FlatEntity {
    /// `ancestors` must be complete: the parents, their parents, and so on.
    pub fn new(
        uid: EntityUid,
        attributes: Vec<(String, RestrictedExpression)>,
        ancestors: impl IntoIterator<Item = EntityUid>,
    ) -> Result<Self, BadAttribute> {
        let ancestors: HashSet<ast::EntityUID> = ancestors.into_iter().map(Into::into).collect();
        if attributes.is_empty() {
            return Ok(Self::plain(uid, ancestors));
        }
        let attributes = attributes.into_iter().map(|(name, value)| (name.into(), value.as_ref().clone()));
        ast::Entity::new(uid.into(), attributes, HashSet::new(), ancestors, [], Extensions::all_available())
            .map(|entity| Self(Arc::new(entity)))
            .map_err(|error| BadAttribute(error.to_string()))
    }

    /// An entity without attributes.
    pub fn bare(uid: EntityUid, ancestors: impl IntoIterator<Item = EntityUid>) -> Self {
        Self::plain(uid, ancestors.into_iter().map(Into::into).collect())
    }

    fn plain(uid: EntityUid, ancestors: HashSet<ast::EntityUID>) -> Self {
        Self(Arc::new(ast::Entity::new_with_attr_partial_value(uid.into(), [], HashSet::new(), ancestors, [])))
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
