//! A decision: candidates from the index, judged by Cedar's own authorizer.

use std::sync::LazyLock;

use cedar_policy::{Authorizer, Context, Decision, Entities, PolicyId, PolicySet, Request, Response};

use super::{
    core::{self, FlatEntity},
    generate::GRANT_PREFIX,
    handwritten,
    slice::{Candidates, Resource},
    snapshot::{Holder, Snapshot},
    vocabulary::ActionIx,
};
use crate::model::Effect;

static AUTHORIZER: LazyLock<Authorizer> = LazyLock::new(Authorizer::new);

/// What is asked, with all names resolved.
pub struct Question<'a> {
    /// Who, with all roles.
    pub holder: &'a Holder,
    /// What.
    pub action: ActionIx,
    /// On what.
    pub resource: &'a Resource,
}

/// A policy failed while it was evaluated.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PolicyError {
    /// Which; empty when no policy is to blame.
    pub policy: String,
    /// Why.
    pub message: String,
}

/// What Cedar said.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// Whether the request is allowed.
    pub allow: bool,
    /// Which policies decided: satisfied forbids, or else satisfied permits.
    pub reasons: Vec<PolicyId>,
    /// Whether some forbid was satisfied or failed. A deny without is only a missing permit.
    pub forbidden: bool,
    /// Policies that failed.
    pub errors: Vec<PolicyError>,
}

impl Snapshot {
    /// Decides over what was looked up for a question. Anything that goes wrong is a deny that says so.
    pub fn judge(&self, candidates: &Candidates<'_>, q: &Question<'_>, context: Context) -> Verdict {
        match self.responses(candidates, q, context) {
            Ok(responses) => self.join(candidates, responses),
            Err(error) => Verdict { forbidden: true, errors: vec![error], ..Verdict::default() },
        }
    }

    fn responses(
        &self,
        candidates: &Candidates<'_>,
        q: &Question<'_>,
        context: Context,
    ) -> Result<Vec<Response>, PolicyError> {
        let action = self.bundle.vocabulary.at(q.action);
        let nobody = |message: String| PolicyError { policy: String::new(), message };
        let entities = core::store([&q.holder.entity, &action.entity, &q.resource.entity])
            .map_err(|error| nobody(error.to_string()))?;
        let request = request(&q.holder.entity, action.uid.clone(), &q.resource.entity, context)
            .map_err(|error| nobody(error.to_string()))?;
        let no_policy = |error: super::generate::NoPolicy| PolicyError {
            policy: format!("{GRANT_PREFIX}{}", error.id),
            message: error.reason,
        };
        let base = self.base(candidates).map_err(no_policy)?;
        let mut responses = vec![answer(&request, &base, &entities)];
        if !candidates.single.is_empty() {
            let singles = self.singles(candidates).map_err(no_policy)?;
            responses.push(answer(&request, &singles, &entities));
        }
        Ok(responses)
    }

    fn join(&self, candidates: &Candidates<'_>, responses: Vec<Response>) -> Verdict {
        let mut verdict = Verdict::default();
        let mut permits = Vec::new();
        for response in responses {
            let diagnostics = response.diagnostics();
            let list = if response.decision() == Decision::Allow { &mut permits } else { &mut verdict.reasons };
            list.extend(diagnostics.reason().cloned());
            for error in diagnostics.errors() {
                let cedar_policy::AuthorizationError::PolicyEvaluationError(error) = error;
                if self.effect_of(candidates, error.policy_id()) == Effect::Forbid {
                    verdict.forbidden = true;
                }
                let policy = handwritten::text(error.policy_id());
                verdict.errors.push(PolicyError { policy, message: error.inner().to_string() });
            }
        }
        if !verdict.reasons.is_empty() {
            verdict.forbidden = true;
        } else if !verdict.forbidden {
            verdict.allow = !permits.is_empty();
            verdict.reasons = permits;
        }
        verdict
    }

    /// The effect of a candidate; one that cannot be found counts as a forbid.
    fn effect_of(&self, candidates: &Candidates<'_>, id: &PolicyId) -> Effect {
        if let Some(policy) = self.bundle.policies.get(id) {
            return handwritten::effect(policy);
        }
        let found = candidates.grant(id).and_then(|candidate| candidate.source(self));
        found.map_or(Effect::Forbid, |source| source.effect)
    }
}

/// One call of the stock authorizer.
pub fn answer(request: &Request, policies: &PolicySet, entities: &Entities) -> Response {
    AUTHORIZER.is_authorized(request, policies, entities)
}

fn request(
    principal: &FlatEntity,
    action: cedar_policy::EntityUid,
    resource: &FlatEntity,
    context: Context,
) -> Result<Request, cedar_policy::RequestValidationError> {
    Request::new(principal.uid(), action, resource.uid(), context, None)
}
