//! Hand-written policies, found by scope.
//!
//! Dropping a policy whose scope cannot match changes neither decision nor reasons nor errors (proved for Cedar
//! in its Lean model): a scope test cannot error, and a policy is the conjunction of its scope and its
//! conditions. So the scope is tested here, and only what passes is evaluated.

use std::collections::HashMap;

use cedar_policy::{
    ActionConstraint, Effect as CedarEffect, EntityUid, Policy, PolicyId, PolicySet, PrincipalConstraint,
    ResourceConstraint,
};

use super::{
    core::{self, FlatEntity},
    vocabulary::{ActionIx, Vocabulary},
};
use crate::model::Effect;

/// The hand-written policies of a bundle.
#[derive(Debug)]
pub struct Handwritten {
    policies: Vec<Entry>,
    by_action: Vec<Vec<usize>>,
    by_id: HashMap<String, usize>,
}

#[derive(Debug)]
struct Entry {
    policy: Policy,
    principal: PrincipalConstraint,
    resource: ResourceConstraint,
    reads_context: bool,
}

impl Handwritten {
    /// Sorts checked policies into a bucket for each action that their scope admits.
    pub fn new(set: PolicySet, vocabulary: &Vocabulary) -> Self {
        let mut policies: Vec<Entry> = set
            .policies()
            .map(|policy| Entry {
                principal: policy.principal_constraint(),
                resource: policy.resource_constraint(),
                reads_context: core::reads_context(policy),
                policy: policy.clone(),
            })
            .collect();
        policies.sort_by(|a, b| a.policy.id().cmp(b.policy.id()));
        let admitted = |policy: &Policy, groups: &[ActionIx], uid: &EntityUid| match policy.action_constraint() {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(other) => other == *uid,
            ActionConstraint::In(listed) => groups.iter().any(|g| listed.contains(&vocabulary.at(*g).uid)),
        };
        let by_action = vocabulary.actions().iter().map(|action| {
            let wanted = policies.iter().enumerate().filter(|(_, e)| admitted(&e.policy, &action.groups, &action.uid));
            wanted.map(|(n, _)| n).collect()
        });
        let by_action = by_action.collect();
        let by_id = policies.iter().enumerate().map(|(n, e)| (text(e.policy.id()), n)).collect();
        Self { policies, by_action, by_id }
    }

    /// The places of the policies whose scope matches, in ascending order.
    pub fn matching(
        &self,
        principal: &FlatEntity,
        action: ActionIx,
        resource: &FlatEntity,
    ) -> impl Iterator<Item = usize> {
        self.by_action[action.0].iter().copied().filter(|n| {
            let entry = &self.policies[*n];
            let principal_fits = match &entry.principal {
                PrincipalConstraint::Any => true,
                PrincipalConstraint::Eq(uid) => principal.is(uid),
                PrincipalConstraint::In(uid) => principal.is_in(uid),
                PrincipalConstraint::Is(ty) => principal.is_of(ty),
                PrincipalConstraint::IsIn(ty, uid) => principal.is_of(ty) && principal.is_in(uid),
            };
            principal_fits
                && match &entry.resource {
                    ResourceConstraint::Any => true,
                    ResourceConstraint::Eq(uid) => resource.is(uid),
                    ResourceConstraint::In(uid) => resource.is_in(uid),
                    ResourceConstraint::Is(ty) => resource.is_of(ty),
                    ResourceConstraint::IsIn(ty, uid) => resource.is_of(ty) && resource.is_in(uid),
                }
        })
    }

    /// The policy at a place.
    pub fn at(&self, place: usize) -> &Policy {
        &self.policies[place].policy
    }

    /// Whether the policy at a place looks at the context.
    pub fn reads_context(&self, place: usize) -> bool {
        self.policies[place].reads_context
    }

    /// Every policy.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.policies.iter().map(|e| &e.policy)
    }

    /// The policy with this id.
    pub fn get(&self, id: &PolicyId) -> Option<&Policy> {
        self.by_id.get(AsRef::<str>::as_ref(id)).map(|n| self.at(*n))
    }
}

/// An id as it was written. `Display` escapes it, so that `don't` would be another one.
pub fn text(id: &PolicyId) -> String {
    AsRef::<str>::as_ref(id).to_owned()
}

/// Cedar's effect in our words.
pub fn effect(policy: &Policy) -> Effect {
    match policy.effect() {
        CedarEffect::Permit => Effect::Permit,
        CedarEffect::Forbid => Effect::Forbid,
    }
}
