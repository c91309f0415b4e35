//! Why a decision came out as it did, in the words of those who made the policies.

use std::collections::BTreeMap;

use cedar_policy::PolicyId;
use serde::Serialize;

use super::{
    evaluate::{Question, Verdict},
    generate::{GRANT_PREFIX, GrantSource},
    handwritten,
    slice::{Candidate, Candidates},
    snapshot::{Holder, RoleIx, Snapshot},
};
use crate::model::{Effect, GrantId, ResourceScope, RoleName};

/// One policy that decided.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Reason {
    /// `grant:<uuid>`, or `policies/<file>.cedar#<id>`.
    pub policy: String,
    /// `permit` or `forbid`.
    #[schema(value_type = String)]
    pub effect: Effect,
    /// For a grant: the role it is granted to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub role: Option<RoleName>,
    /// For a grant: from a role the principal was assigned to the role of the grant.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub path: Option<Vec<RoleName>>,
    /// For a hand-written policy: its annotations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub annotations: Option<BTreeMap<String, String>>,
}

/// One thing that would turn a deny into an allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Nearest {
    /// A permit applies, but its condition does not hold.
    Condition {
        /// Its id.
        policy: String,
        /// The role it is granted to; absent for a hand-written policy.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        role: Option<RoleName>,
        /// What would have to hold; absent for a hand-written policy.
        #[serde(skip_serializing_if = "Option::is_none")]
        condition: Option<String>,
    },
    /// A role that may do it; the principal does not have it.
    Assign {
        /// The role.
        #[schema(value_type = String)]
        role: RoleName,
        /// The grant by which it may.
        policy: String,
    },
    /// A grant that is missing.
    Grant {
        /// A role the principal has; absent when it has none.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>)]
        role: Option<RoleName>,
        /// The action that was asked for.
        action: String,
        /// The resource that was asked about.
        #[schema(value_type = Object)]
        resource: ResourceScope,
    },
}

/// At most so many suggestions of each kind.
const MOST: usize = 3;

impl<'a> Candidates<'a> {
    /// The candidate that a policy id names.
    pub fn grant(&self, id: &PolicyId) -> Option<Candidate<'a>> {
        let id: GrantId = AsRef::<str>::as_ref(id).strip_prefix(GRANT_PREFIX)?.parse().ok()?;
        self.wide.iter().chain(&self.single).copied().find(|c| c.id() == id)
    }

    /// How many policies Cedar is shown.
    pub fn len(&self) -> usize {
        self.handwritten.len() + self.wide.len() + self.single.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Snapshot {
    /// The policies that decided, each with where it comes from, in the order of their ids.
    pub fn reasons(&self, candidates: &Candidates<'_>, holder: &Holder, verdict: &Verdict) -> Vec<Reason> {
        let mut reasons: Vec<Reason> =
            verdict.reasons.iter().filter_map(|id| self.reason(candidates, holder, id)).collect();
        reasons.sort_by(|a, b| a.policy.cmp(&b.policy));
        reasons
    }

    fn reason(&self, candidates: &Candidates<'_>, holder: &Holder, id: &PolicyId) -> Option<Reason> {
        if let Some(candidate) = candidates.grant(id) {
            let role = Some(self.role(candidate.role)?.name.clone());
            let path = Some(self.path(&holder.assigned, candidate.role));
            let effect = candidate.source(self)?.effect;
            return Some(Reason { policy: handwritten::text(id), effect, role, path, annotations: None });
        }
        let policy = self.bundle.policies.get(id)?;
        let annotations = policy.annotations().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let effect = handwritten::effect(policy);
        Some(Reason { policy: handwritten::text(id), effect, role: None, path: None, annotations: Some(annotations) })
    }

    /// What would have to be granted. Meant for a deny without a forbid. `thorough` also looks through the roles
    /// that the principal does not have.
    pub fn nearest(&self, candidates: &Candidates<'_>, q: &Question<'_>, thorough: bool) -> Vec<Nearest> {
        let mut found = Vec::new();
        let grants = candidates.wide.iter().chain(&candidates.single).filter_map(|c| c.source(self));
        for source in grants.filter(|s| s.effect == Effect::Permit).take(MOST) {
            found.push(Nearest::Condition {
                policy: format!("{GRANT_PREFIX}{}", source.id),
                role: source.role.parse().ok(),
                condition: source.condition.map(str::to_owned),
            });
        }
        let written = candidates.handwritten.iter().map(|n| self.bundle.policies.at(*n));
        for policy in written.filter(|p| handwritten::effect(p) == Effect::Permit).take(MOST) {
            found.push(Nearest::Condition { policy: handwritten::text(policy.id()), role: None, condition: None });
        }
        if thorough {
            let roles = self.roles_that_may(q).take(MOST);
            found.extend(roles.map(|(role, id)| Nearest::Assign { role, policy: format!("{GRANT_PREFIX}{id}") }));
        }
        let scope = ResourceScope { ty: q.resource.reference.ty.clone(), id: Some(q.resource.reference.id.clone()) };
        let action = self.bundle.vocabulary.at(q.action).name.clone();
        let roles = q.holder.assigned.iter().filter_map(|ix| Some(Some(self.role(*ix)?.name.clone())));
        let roles: Vec<Option<RoleName>> =
            if q.holder.assigned.is_empty() { vec![None] } else { roles.take(MOST).collect() };
        found.extend(roles.into_iter().map(|role| Nearest::Grant {
            role,
            action: action.clone(),
            resource: scope.clone(),
        }));
        found
    }

    /// Roles outside of the principal's own with an unconditional permit for the request.
    fn roles_that_may<'a>(&'a self, q: &'a Question<'a>) -> impl Iterator<Item = (RoleName, GrantId)> + 'a {
        let others = self.roles().filter(|(ix, _)| q.holder.roles.binary_search(ix).is_err());
        let probes = self.probes(q.action, q.resource);
        others.filter_map(move |(_, role)| {
            let mut matching = probes.iter().flat_map(|probe| role.grants.matching(*probe));
            let grant = matching.find(|g| g.effect() == Effect::Permit && g.condition().is_none())?;
            Some((role.name.clone(), grant.id()))
        })
    }

    /// Every grant that a role has, own and inherited, with the way to it.
    pub fn effective<'a>(&'a self, role: RoleIx) -> impl Iterator<Item = (Vec<RoleName>, GrantSource<'a>)> + 'a {
        self.closure(&[role]).into_iter().filter_map(move |ix| Some((ix, self.role(ix)?))).flat_map(
            move |(ix, other)| {
                let path = self.path(&[role], ix);
                self.grants_of(other).map(move |source| (path.clone(), source))
            },
        )
    }
}
