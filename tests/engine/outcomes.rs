//! What is decided in a world: by [`Snapshot`], and by Cedar's public API over every policy and entity.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use cedar_policy::{
    Authorizer, Context, Decision, Entities, Entity, EntityUid, Policy, PolicyId, PolicySet, Request,
    RestrictedExpression,
};
use deodar::policy::{Question, Resource, Snapshot, Verdict};

use crate::{
    world::{Ask, IDS, World, role_uid, uid},
    written,
};

/// A decision, as both sides are compared: allow, policies that decided, policies that failed.
pub type Outcome = (bool, BTreeSet<String>, BTreeSet<(String, String)>);

impl World {
    /// Every policy there is.
    pub fn policies(&self) -> PolicySet {
        let grants = self.grants.iter().enumerate();
        let generated = grants.map(|(n, spec)| deodar::policy::policy(spec.own_source(n)).expect("a policy"));
        let written = written::valid(&self.written).into_iter().enumerate().map(|(n, text)| {
            Policy::parse(Some(PolicyId::new(format!("policies/generated.cedar#{}", written::policy_name(n)))), text)
                .expect("a policy")
        });
        PolicySet::from_policies(generated.chain(written)).expect("distinct ids")
    }

    /// Every entity there is, each with its direct parents only. Cedar computes the rest.
    pub fn entities(&self, ask: &Ask) -> Entities {
        let mut parents: HashMap<EntityUid, HashSet<EntityUid>> = HashMap::new();
        for (n, row) in self.inherits.iter().enumerate() {
            parents.insert(role_uid(n as u8), row.iter().copied().map(role_uid).collect());
        }
        for ty in ["Folder", "Hr::Page"] {
            for (n, row) in self.folders.iter().enumerate() {
                parents.insert(uid(ty, IDS[n]), row.iter().map(|p| uid(ty, IDS[usize::from(*p)])).collect());
            }
        }
        if ask.resource_ty() == "Document" {
            let row = ask.parents.iter().map(|p| uid("Folder", IDS[usize::from(*p)]));
            parents.insert(ask.resource_uid(), row.collect());
        }
        // The request brings its resource, even one that nothing else is known of.
        parents.entry(ask.resource_uid()).or_default();
        parents.insert(ask.principal_uid(), ask.assigned.iter().copied().map(role_uid).collect());
        let mut attributes = HashMap::from([(ask.resource_uid(), ask.attributes())]);
        if ask.employee {
            attributes.insert(ask.principal_uid(), vec![("level".into(), RestrictedExpression::new_long(4))]);
        }
        let entity = |(uid, parents): (EntityUid, HashSet<EntityUid>)| {
            let own = attributes.remove(&uid).unwrap_or_default();
            Entity::new(uid, own.into_iter().collect(), parents).expect("an entity")
        };
        let mut all: Vec<Entity> = parents.into_iter().map(entity).collect();
        let actions = written::schema().action_entities().expect("action entities");
        all.extend(actions.iter().cloned());
        Entities::from_entities(all, None).expect("entities")
    }

    /// What Cedar says over everything, with our one stricter rule: a forbid that fails is a deny.
    pub fn stock(&self, policies: &PolicySet, ask: &Ask) -> Outcome {
        let request = Request::new(ask.principal_uid(), ask.action_uid(), ask.resource_uid(), ask.context(), None);
        stock(&request.expect("a request"), policies, &self.entities(ask))
    }
}

/// An id as it was written; `Display` escapes it.
pub fn raw(id: &PolicyId) -> String {
    AsRef::<str>::as_ref(id).to_owned()
}

pub fn stock(request: &Request, policies: &PolicySet, entities: &Entities) -> Outcome {
    let response = Authorizer::new().is_authorized(request, policies, entities);
    let mut reasons: BTreeSet<String> = response.diagnostics().reason().map(raw).collect();
    let mut allow = response.decision() == Decision::Allow;
    let mut errors = BTreeSet::new();
    for error in response.diagnostics().errors() {
        let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
        errors.insert((raw(error.policy_id()), error.inner().to_string()));
        let failed = policies.policy(error.policy_id()).expect("a policy of the set");
        if allow && failed.effect() == cedar_policy::Effect::Forbid {
            allow = false;
            reasons.clear();
        }
    }
    (allow, reasons, errors)
}

/// What the snapshot says.
pub fn ours(snapshot: &Snapshot, resource: &Resource, ask: &Ask) -> Outcome {
    let (holder, action) = (ask.holder(snapshot), snapshot.bundle.vocabulary.action(ask.action_name()));
    let q = Question { holder: &holder, action: action.expect("a known action"), resource };
    let candidates = snapshot.candidates(&q);
    // As the decision point does it, which has nothing to say to those who do not listen.
    let context = if snapshot.read_context(&candidates) { ask.context() } else { Context::empty() };
    outcome(snapshot.judge(&candidates, &q, context))
}

pub fn outcome(verdict: Verdict) -> Outcome {
    let reasons: BTreeSet<String> = verdict.reasons.iter().map(raw).collect();
    assert_eq!(reasons.len(), verdict.reasons.len(), "a reason twice");
    (verdict.allow, reasons, verdict.errors.into_iter().map(|e| (e.policy, e.message)).collect())
}

/// How often each kind of answer came up.
#[derive(Debug, Default)]
pub struct Tally(BTreeMap<&'static str, usize>);

impl Tally {
    pub fn note(&mut self, (allow, reasons, errors): &Outcome) {
        *self.0.entry(if *allow { "allow" } else { "deny" }).or_default() += 1;
        *self.0.entry("forbidden").or_default() += usize::from(!allow && !reasons.is_empty());
        *self.0.entry("failed forbid").or_default() += usize::from(!allow && reasons.is_empty() && !errors.is_empty());
        *self.0.entry("several reasons").or_default() += usize::from(reasons.len() > 1);
        *self.0.entry("allow with errors").or_default() += usize::from(*allow && !errors.is_empty());
        *self.0.entry("by hand").or_default() += usize::from(reasons.iter().any(|r| r.starts_with("policies/")));
    }

    /// A generator that never gets to one of them proves nothing about it.
    pub fn all_at_least(&self, least: usize) {
        assert!(self.0.values().all(|n| *n >= least), "{self:?}");
    }
}
