//! The words a schema allows: actions, entity types, attributes; and the nearest one to a wrong one.

use std::{collections::HashMap, str::FromStr};

use cedar_policy::{EntityTypeName, EntityUid, Schema, entities_errors::EntitiesError};

use super::core::{self, FlatEntity, RecordType};
use crate::model::EntityRef;

/// An action of the schema, by its place in [`Vocabulary::actions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ActionIx(pub usize);

/// What there is to know of an action.
#[derive(Debug)]
pub struct Action {
    /// `read`, or with a namespace `Docs::read`.
    pub name: String,
    /// `Docs::Action::"read"`.
    pub uid: EntityUid,
    /// The action entity. Without it in the store `action in …` is silently false.
    pub entity: FlatEntity,
    /// The action itself and every group it is in.
    pub groups: Vec<ActionIx>,
    /// Entity types that may do it. Empty for a pure group.
    pub principals: Vec<String>,
    /// Entity types that it may be done to. Empty for a pure group.
    pub resources: Vec<String>,
    /// What may come along.
    pub context: RecordType,
}

/// What there is to know of an entity type.
#[derive(Debug)]
pub struct EntityType {
    /// The parsed name.
    pub name: EntityTypeName,
    /// Its attributes.
    pub attributes: RecordType,
    /// The only ids there are, for an `enum` type.
    pub ids: Option<Vec<String>>,
    /// Types that an entity of this type may be inside of.
    pub inside: Vec<String>,
}

/// A schema, opened up for look-ups.
#[derive(Debug)]
pub struct Vocabulary {
    /// The schema itself, for validation.
    pub schema: Schema,
    actions: Vec<Action>,
    by_name: HashMap<String, ActionIx>,
    types: HashMap<String, EntityType>,
}

/// A name that the schema does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the schema has no {what} `{name}`{}", .nearest.as_ref().map(|n| format!("; did you mean `{n}`?")).unwrap_or_default())]
pub struct Unknown {
    /// `action` or `entity type`.
    pub what: &'static str,
    /// What was written.
    pub name: String,
    /// What was probably meant.
    pub nearest: Option<String>,
}

impl Vocabulary {
    /// Opens a schema up.
    pub fn new(schema: Schema) -> Result<Self, EntitiesError> {
        let uids: Vec<EntityUid> = schema.actions().cloned().collect();
        let entities = schema.action_entities()?;
        let by_name: HashMap<String, ActionIx> =
            uids.iter().enumerate().map(|(n, uid)| (action_name(uid), ActionIx(n))).collect();
        let actions = uids.iter().enumerate().map(|(n, uid)| {
            let ancestors: Vec<EntityUid> = entities.ancestors(uid).into_iter().flatten().cloned().collect();
            let groups = ancestors.iter().filter_map(|group| by_name.get(&action_name(group)).copied());
            Action {
                name: action_name(uid),
                groups: std::iter::once(ActionIx(n)).chain(groups).collect(),
                principals: names(schema.principals_for_action(uid)),
                resources: names(schema.resources_for_action(uid)),
                context: core::context_type(&schema, uid),
                entity: FlatEntity::bare(uid.clone(), ancestors),
                uid: uid.clone(),
            }
        });
        let actions = actions.collect();
        let types = core::entity_shapes(&schema).into_iter().map(|shape| {
            let inside = names(schema.ancestors(&shape.name));
            let ty = EntityType { name: shape.name, attributes: shape.attributes, ids: shape.ids, inside };
            (ty.name.to_string(), ty)
        });
        let types = types.collect();
        Ok(Self { schema, actions, by_name, types })
    }

    /// Finds an action by name (`read`, `Docs::read`) or by Cedar text (`Docs::Action::"read"`).
    pub fn action(&self, name: &str) -> Result<ActionIx, Unknown> {
        if let Some(found) = self.by_name.get(name) {
            return Ok(*found);
        }
        if name.ends_with('"')
            && let Ok(uid) = EntityUid::from_str(name)
            && let Some(found) = self.by_name.get(&action_name(&uid))
            && self.actions[found.0].uid == uid
        {
            return Ok(*found);
        }
        Err(Unknown { what: "action", name: name.to_owned(), nearest: nearest(name, self.by_name.keys()) })
    }

    /// The action at a place that this vocabulary gave out.
    pub fn at(&self, ix: ActionIx) -> &Action {
        &self.actions[ix.0]
    }

    /// Every action, groups too.
    pub fn actions(&self) -> &[Action] {
        &self.actions
    }

    /// Finds an entity type by its full name.
    pub fn entity_type(&self, name: &str) -> Result<&EntityType, Unknown> {
        self.types.get(name).ok_or_else(|| Unknown {
            what: "entity type",
            name: name.to_owned(),
            nearest: nearest(name, self.types.keys()),
        })
    }

    /// Every entity type with its name.
    pub fn entity_types(&self) -> impl Iterator<Item = (&str, &EntityType)> {
        self.types.iter().map(|(name, ty)| (name.as_str(), ty))
    }

    /// Whether an entity of some other type may be inside one of `ty`.
    pub fn holds_others(&self, ty: &str) -> bool {
        self.types.iter().any(|(name, other)| name != ty && other.inside.iter().any(|t| t == ty))
    }

    /// A reference of a declared type as Cedar's uid.
    pub fn uid(&self, entity: &EntityRef) -> Result<EntityUid, Unknown> {
        let ty = self.entity_type(&entity.ty)?;
        Ok(EntityUid::from_type_name_and_id(ty.name.clone(), cedar_policy::EntityId::new(&entity.id)))
    }
}

/// Reads Cedar text (`User::"…"`) into a reference; `None` when it is not that.
pub fn parse_entity(text: &str) -> Option<EntityRef> {
    let uid = EntityUid::from_str(text).ok()?;
    Some(EntityRef::new(uid.type_name().to_string(), AsRef::<str>::as_ref(uid.id())))
}

/// `Docs::Action::"read"` → `Docs::read`.
pub fn action_name(uid: &EntityUid) -> String {
    let id: &str = uid.id().as_ref();
    match uid.type_name().namespace() {
        namespace if namespace.is_empty() => id.to_owned(),
        namespace => format!("{namespace}::{id}"),
    }
}

fn names<'a>(types: Option<impl Iterator<Item = &'a EntityTypeName>>) -> Vec<String> {
    let mut names: Vec<String> = types.into_iter().flatten().map(ToString::to_string).collect();
    names.sort();
    names.dedup();
    names
}

/// The most similar of the known names, if it is similar at all.
pub fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> Option<String> {
    let lower: String = name.chars().take(100).collect::<String>().to_lowercase();
    // A forgotten namespace is a smaller mistake than a wrong word.
    let score = |candidate: &str| {
        let word = candidate.rsplit("::").next().unwrap_or(candidate);
        strsim::jaro_winkler(&lower, candidate).max(0.95 * strsim::jaro_winkler(&lower, word))
    };
    let scored = known.map(|candidate| (score(&candidate.to_lowercase()), candidate));
    let best = scored.max_by(|(a, x), (b, y)| a.total_cmp(b).then_with(|| y.cmp(x)))?;
    (best.0 > 0.5).then(|| best.1.clone())
}
