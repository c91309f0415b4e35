//! The policies that Cedar sees for one request, found by the index and put into small policy sets.
//!
//! Two sets: the *base* (hand-written policies and grants on whole types), which a principal's requests share
//! and which is therefore kept, and the grants on single resources, made on demand. Deciding over two disjoint
//! sets and joining the answers is exact: Cedar's decision is "no forbid satisfied, and some permit satisfied".

use std::sync::Arc;

use cedar_policy::PolicySet;

use super::{
    core::FlatEntity,
    evaluate::Question,
    generate::{self, GrantSource, NoPolicy},
    grants::{GrantRef, Probe, Symbol},
    snapshot::{RoleIx, Snapshot},
    vocabulary::ActionIx,
};

/// A grant that a request has to be judged by, with the role it belongs to.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    /// The role it is granted to.
    pub role: RoleIx,
    grant: GrantRef<'a>,
}

/// Everything whose scope matches a request.
pub struct Candidates<'a> {
    pub(super) handwritten: Vec<usize>,
    pub(super) wide: Vec<Candidate<'a>>,
    pub(super) single: Vec<Candidate<'a>>,
}

impl<'a> Candidate<'a> {
    /// What its policy is generated from.
    pub fn source(self, snapshot: &'a Snapshot) -> Option<GrantSource<'a>> {
        Some(self.grant.source(snapshot.role(self.role)?.name.as_str(), &snapshot.symbols))
    }

    /// Its id.
    pub fn id(self) -> crate::model::GrantId {
        self.grant.id()
    }
}

/// Remembers the base sets of recent checks by what is in them. Grants are immutable and a bundle has its own
/// cache, so an entry can never be wrong, only unused.
#[derive(Debug)]
pub struct SliceCache(moka::sync::Cache<Box<[u128]>, Arc<PolicySet>>);

impl Default for SliceCache {
    fn default() -> Self {
        Self(moka::sync::Cache::builder().max_capacity(4096).build())
    }
}

impl Snapshot {
    /// Looks up every policy whose scope matches.
    pub fn candidates<'a>(&'a self, q: &Question<'a>) -> Candidates<'a> {
        let handwritten = self.bundle.policies.matching(&q.holder.entity, q.action, &q.resource.entity).collect();
        let mut found = Candidates { handwritten, wide: Vec::new(), single: Vec::new() };
        let probes = self.probes(q.action, q.resource);
        for role in &q.holder.roles {
            let Some(grants) = self.role(*role).map(|r| &*r.grants).filter(|g| !g.is_empty()) else { continue };
            for probe in &probes {
                for grant in grants.matching(*probe) {
                    let list = if grant.resource_id().is_none() { &mut found.wide } else { &mut found.single };
                    list.push(Candidate { role: *role, grant });
                }
            }
        }
        found
    }

    /// Whether any of them can look at the context: if not, they say the same whatever the context is.
    pub fn read_context(&self, candidates: &Candidates<'_>) -> bool {
        let mut grants = candidates.wide.iter().chain(&candidates.single);
        candidates.handwritten.iter().any(|place| self.bundle.policies.reads_context(*place))
            || grants.any(|candidate| candidate.grant.condition().is_some_and(|text| text.contains("context")))
    }

    /// The action and its groups, as far as any grant names them.
    fn action_symbols(&self, action: ActionIx) -> Vec<Symbol> {
        let vocabulary = &self.bundle.vocabulary;
        vocabulary.at(action).groups.iter().filter_map(|g| self.symbols.get(&vocabulary.at(*g).name)).collect()
    }

    /// What to look for: each action on the type, on the resource, and on everything around it.
    pub(super) fn probes<'a>(&self, action: ActionIx, resource: &'a Resource) -> Vec<Probe<'a>> {
        let named = std::iter::once(&resource.reference).chain(&resource.ancestors);
        let mut scopes: Vec<(&String, Option<&str>)> = named.map(|e| (&e.ty, Some(e.id.as_str()))).collect();
        scopes.push((&resource.reference.ty, None));
        // Whoever names a parent twice means it once.
        scopes.sort_unstable();
        scopes.dedup();
        let known = scopes.into_iter().filter_map(|(ty, id)| Some((self.symbols.get(ty)?, id)));
        let actions = self.action_symbols(action);
        known.flat_map(|(ty, id)| actions.iter().map(move |action| self.symbols.probe(*action, ty, id))).collect()
    }

    /// The base set: from the cache, or made and kept.
    pub(super) fn base(&self, candidates: &Candidates<'_>) -> Result<Arc<PolicySet>, NoPolicy> {
        let places = candidates.handwritten.iter().map(|n| *n as u128);
        // A place is far below any UUID v7, so the two kinds of number cannot be taken for each other.
        let key: Box<[u128]> = places.chain(candidates.wide.iter().map(|c| c.id().0.as_u128())).collect();
        if let Some(known) = self.bundle.slices.0.get(&key) {
            return Ok(known);
        }
        let mut set = PolicySet::new();
        for place in &candidates.handwritten {
            // INVARIANT: ids were found distinct when the bundle was compiled.
            let _ = set.add(self.bundle.policies.at(*place).clone());
        }
        self.add_grants(&mut set, &candidates.wide)?;
        let set = Arc::new(set);
        self.bundle.slices.0.insert(key, Arc::clone(&set));
        Ok(set)
    }

    /// The grants on this very resource or on something around it.
    pub(super) fn singles(&self, candidates: &Candidates<'_>) -> Result<PolicySet, NoPolicy> {
        let mut set = PolicySet::new();
        self.add_grants(&mut set, &candidates.single)?;
        Ok(set)
    }

    fn add_grants(&self, set: &mut PolicySet, candidates: &[Candidate<'_>]) -> Result<(), NoPolicy> {
        for candidate in candidates {
            if let Some(source) = candidate.source(self) {
                let failed =
                    |error: cedar_policy::PolicySetError| NoPolicy { id: source.id, reason: error.to_string() };
                set.add(generate::policy(source)?).map_err(failed)?;
            }
        }
        Ok(())
    }
}

/// The resource of a request.
#[derive(Clone, Debug)]
pub struct Resource {
    /// By name, for the index.
    pub reference: crate::model::EntityRef,
    /// Everything it is inside of.
    pub ancestors: Vec<crate::model::EntityRef>,
    /// As Cedar sees it.
    pub entity: FlatEntity,
}
