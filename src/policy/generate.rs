//! A grant as a Cedar policy: `permit (principal in Role::"r", action in Action::"a", resource in T::"x") when {c};`
//!
//! Policies are built as syntax trees, so no name can ever change their structure. A grant is validated by its
//! *shape*: what the validator can see of it is the action, the resource type, whether there is an id, and the
//! condition, so a million grants of one shape are validated once.

use std::{
    collections::HashMap,
    str::FromStr,
    sync::{Arc, LazyLock, PoisonError, RwLock},
};

use cedar_policy::{
    Expression, Policy, PolicySet, ValidationMode, ValidationWarning, Validator,
    pst::{
        self, ActionConstraint, Clause, EntityOrSlot, EntityType, EntityUID, PrincipalConstraint, ResourceConstraint,
    },
};

use super::{
    bundle::{MAX_LEVEL, STACK, too_deep},
    diagnostic::message,
    vocabulary::{Unknown, Vocabulary},
};
use crate::model::{Effect, GrantId};

/// Longest condition, in bytes.
pub const MAX_CONDITION: usize = 4096;
/// Operators inside each other, of a condition as of a hand-written policy. Checks parse and evaluate on threads with
/// ordinary stacks.
pub const MAX_DEPTH: usize = 100;
/// What is said of [`climbs_from_context`].
pub(super) const NO_CLIMBING: &str =
    "an entity of the context has no ancestors here: compare it with `==`, or ask `in` of principal or resource";
/// Longest entity id, in bytes.
pub const MAX_ENTITY_ID: usize = 1024;
/// What the id of a generated policy starts with.
pub const GRANT_PREFIX: &str = "grant:";

/// What a policy is generated from; borrowed from wherever the grant lies.
#[derive(Clone, Copy, Debug)]
pub struct GrantSource<'a> {
    /// Names the policy.
    pub id: GrantId,
    /// Who.
    pub role: &'a str,
    /// Permit or forbid.
    pub effect: Effect,
    /// `read`, `Docs::read`.
    pub action: &'a str,
    /// Entity type of the scope.
    pub ty: &'a str,
    /// Entity id of the scope.
    pub resource_id: Option<&'a str>,
    /// Cedar expression.
    pub condition: Option<&'a str>,
}

/// A stored grant does not make a policy: its names or its condition do not parse.
#[derive(Debug, thiserror::Error)]
#[error("grant `{id}` makes no policy: {reason}")]
pub struct NoPolicy {
    /// Which.
    pub id: GrantId,
    /// Why.
    pub reason: String,
}

/// The policy of a grant.
pub fn policy(grant: GrantSource<'_>) -> Result<Policy, NoPolicy> {
    // Cedar's parser and converters recurse, and an unoptimized build takes tens of kilobytes for each level.
    let built = if grant.condition.is_some() { stacker::grow(STACK, || build(grant)) } else { build(grant) };
    built.map_err(|reason| NoPolicy { id: grant.id, reason })
}

fn build(grant: GrantSource<'_>) -> Result<Policy, String> {
    let text = |error: pst::PstConstructionError| error.to_string();
    let role = EntityUID { ty: name("Role")?, eid: grant.role.into() };
    let action = action_uid(grant.action)?;
    let ty = name(grant.ty)?;
    let resource = match grant.resource_id {
        None => ResourceConstraint::Is(ty),
        Some(id) => ResourceConstraint::In(EntityOrSlot::Entity(EntityUID { ty, eid: id.into() })),
    };
    let effect = match grant.effect {
        Effect::Permit => pst::Effect::Permit,
        Effect::Forbid => pst::Effect::Forbid,
    };
    let id = format!("{GRANT_PREFIX}{}", grant.id);
    let principal = PrincipalConstraint::In(EntityOrSlot::Entity(role));
    let mut template = pst::Template::new(id.as_str(), effect, principal, ActionConstraint::In(vec![action]), resource);
    if let Some(condition) = grant.condition {
        template.try_add_clause(Clause::When(Arc::new(expression(condition)?))).map_err(text)?;
    }
    let body = pst::StaticPolicy::try_from(template).map_err(|error| error.to_string())?;
    Policy::from_pst(pst::Policy::Static(body)).map_err(text)
}

/// Parses a condition: one Cedar expression, whole.
fn expression(condition: &str) -> Result<pst::Expr, String> {
    let parsed = Expression::from_str(condition).map_err(|error| message(&error))?;
    pst::Expr::try_from(parsed.as_ref().clone()).map_err(|error| error.to_string())
}

/// How many operators of an expression lie inside each other; a chain `a && b && c` counts as nested.
pub(super) fn depth(expr: &pst::Expr) -> usize {
    1 + expr.reduce(&|e| (!std::ptr::eq(e, expr)).then(|| depth(e)), &usize::max, 0)
}

/// Whether an entity of the context is asked for its ancestors. A request brings only those of principal and resource,
/// so the answer would silently be no.
pub(super) fn climbs_from_context(expr: &pst::Expr) -> bool {
    let context = |e: &pst::Expr| {
        e.reduce(&|e| matches!(e, pst::Expr::Var(pst::Var::Context)).then_some(true), &|a, b| a || b, false)
    };
    let climbs = |e: &pst::Expr| match e {
        pst::Expr::BinaryOp { op: pst::BinaryOp::In, left, .. } => context(left).then_some(true),
        pst::Expr::Is { expr, in_expr: Some(_), .. } => context(expr).then_some(true),
        _ => None,
    };
    expr.reduce(&climbs, &|a, b| a || b, false)
}

/// `Docs::read` → `Docs::Action::"read"`.
fn action_uid(action: &str) -> Result<EntityUID, String> {
    let (namespace, id) = action.rsplit_once("::").map_or((None, action), |(ns, id)| (Some(ns), id));
    let ty = namespace.map_or_else(|| name("Action"), |ns| name(&format!("{ns}::Action")))?;
    Ok(EntityUID { ty, eid: id.into() })
}

/// Names that were parsed before. Cedar's parser takes some 10 µs for one, and few are in use.
static NAMES: LazyLock<RwLock<HashMap<String, EntityType>>> = LazyLock::new(RwLock::default);
const MOST_NAMES: usize = 10_000;

fn name(qualified: &str) -> Result<EntityType, String> {
    if let Some(known) = NAMES.read().unwrap_or_else(PoisonError::into_inner).get(qualified) {
        return Ok(known.clone());
    }
    let mut parts: Vec<&str> = qualified.split("::").collect();
    let id = parts.pop().unwrap_or_default();
    let parsed = EntityType::from_name(pst::Name::qualified(parts, id).map_err(|error| error.to_string())?);
    let mut names = NAMES.write().unwrap_or_else(PoisonError::into_inner);
    if names.len() < MOST_NAMES {
        names.insert(qualified.to_owned(), parsed.clone());
    }
    Ok(parsed)
}

/// One thing that is wrong with a grant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantFault {
    /// `action`, `resource.type`, `resource.id` or `condition`.
    pub field: &'static str,
    /// Machine-readable.
    pub code: &'static str,
    /// For people: what is wrong and what to write instead.
    pub message: String,
}

/// Checks a grant against a schema, everything at once.
pub fn faults(vocabulary: &Vocabulary, grant: GrantSource<'_>) -> Vec<GrantFault> {
    match grant.condition {
        Some(_) => stacker::grow(STACK, || found(vocabulary, grant)),
        None => found(vocabulary, grant),
    }
}

fn found(vocabulary: &Vocabulary, grant: GrantSource<'_>) -> Vec<GrantFault> {
    let fault = |field, code, message: String| GrantFault { field, code, message };
    let mut found = Vec::new();
    // By name only: Cedar text is for requests, and a stored grant is looked up by the name.
    let named = vocabulary.action(grant.action).and_then(|ix| match &vocabulary.at(ix).name {
        name if name == grant.action => Ok(ix),
        name => Err(Unknown { what: "action", name: grant.action.to_owned(), nearest: Some(name.clone()) }),
    });
    let action = named.map_err(|unknown| fault("action", "unknown_action", unknown.to_string()));
    let ty = vocabulary.entity_type(grant.ty).map_err(|u| fault("resource.type", "unknown_type", u.to_string()));
    if let (Ok(ty), Some(id)) = (&ty, grant.resource_id) {
        match &ty.ids {
            Some(ids) if !ids.iter().any(|known| known == id) => {
                let message = format!("`{}` is an enumerated type; its ids are {}", grant.ty, list(ids));
                found.push(fault("resource.id", "unknown_id", message));
            }
            _ if id.len() > MAX_ENTITY_ID => {
                found.push(fault("resource.id", "too_long", format!("an id has at most {MAX_ENTITY_ID} bytes")));
            }
            _ => {}
        }
    }
    let condition = match grant.condition {
        Some(text) if text.len() > MAX_CONDITION => Err(format!("a condition has at most {MAX_CONDITION} bytes")),
        Some(text) if too_deep(text).is_some() => Err("the condition is nested too deep".to_owned()),
        Some(text) => expression(text).and_then(|expr| match depth(&expr) {
            0..=MAX_DEPTH if climbs_from_context(&expr) => Err(NO_CLIMBING.to_owned()),
            0..=MAX_DEPTH => Ok(()),
            deeper => {
                Err(format!("{deeper} operators inside each other; at most {MAX_DEPTH}: split it into several grants"))
            }
        }),
        None => Ok(()),
    };
    if let Err(message) = &condition {
        found.push(fault("condition", "invalid_condition", message.clone()));
    }
    match (action, ty) {
        (Ok(action), Ok(_)) if found.is_empty() => {
            let action = vocabulary.at(action);
            let reachable = applicable_types(vocabulary, action.uid.clone(), grant);
            if reachable.is_empty() {
                let message = format!(
                    "`{}` is never done to `{}`, nor to anything inside it; it applies to {}",
                    grant.action,
                    grant.ty,
                    list(&resource_types(vocabulary, &action.uid)),
                );
                found.push(fault("action", "action_not_applicable", message));
            } else {
                found.extend(
                    typecheck(vocabulary, grant).map(|message| fault("condition", "invalid_condition", message)),
                );
            }
        }
        (action, ty) => found.extend(action.err().into_iter().chain(ty.err())),
    }
    found
}

/// The resource types that the grant's action (or a member of the group) applies to and its scope reaches.
fn applicable_types(vocabulary: &Vocabulary, action: cedar_policy::EntityUid, grant: GrantSource<'_>) -> Vec<String> {
    let inside = |ty: &String| {
        grant.resource_id.is_some()
            && vocabulary.entity_type(ty).is_ok_and(|ty| ty.inside.iter().any(|outer| outer == grant.ty))
    };
    let types = resource_types(vocabulary, &action);
    types.into_iter().filter(|ty| ty == grant.ty || inside(ty)).collect()
}

fn resource_types(vocabulary: &Vocabulary, action: &cedar_policy::EntityUid) -> Vec<String> {
    let members = vocabulary.actions().iter().filter(|a| a.groups.iter().any(|g| vocabulary.at(*g).uid == *action));
    let mut types: Vec<String> = members.flat_map(|a| a.resources.iter().cloned()).collect();
    types.sort();
    types.dedup();
    types
}

fn typecheck(vocabulary: &Vocabulary, grant: GrantSource<'_>) -> Option<String> {
    let policy = match build(grant) {
        Ok(policy) => policy,
        Err(reason) => return Some(reason),
    };
    let set = match PolicySet::from_policies([policy]) {
        Ok(set) => set,
        Err(error) => return Some(error.to_string()),
    };
    let result = Validator::new(vocabulary.schema.clone()).validate_with_level(&set, ValidationMode::Strict, MAX_LEVEL);
    let errors = result.validation_errors().map(|error| message(error));
    // Other warnings are about characters that look alike; an id may hold any.
    let never = result.validation_warnings().filter(|w| matches!(w, ValidationWarning::ImpossiblePolicy(_)));
    let warnings = never.map(|warning| message(warning));
    errors.chain(warnings).next()
}

/// Names for a message.
pub fn list(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(10).map(|n| format!("`{n}`")).collect();
    if shown.is_empty() { "nothing".to_owned() } else { shown.join(", ") }
}
