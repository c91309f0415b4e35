//! Whether somebody holds what is about to be handed out: nobody grants what they do not hold.
//!
//! The answer goes into `context.held` of the admin API's own checks; what follows from it is said in
//! `policies/admin.cedar`. Two ways to hold: by having it all oneself, or by a grant that names exactly this
//! role (as the `bind` verb of Kubernetes names the roles that may be handed out).

use super::{
    generate::GrantSource,
    grants::{GrantRef, RoleGrants},
    snapshot::{Holder, RoleIx, Snapshot},
};
use crate::model::Effect;

impl Snapshot {
    /// Whether the holder has the role, directly or by inheritance, and with it all that the role leads to.
    pub fn holds_role(&self, holder: &Holder, role: RoleIx) -> bool {
        holder.roles.binary_search(&role).is_ok()
    }

    /// Whether the role keeps anything from its holders: losing it would free them.
    pub fn keeps_back(&self, role: RoleIx) -> bool {
        let roles = self.closure(&[role]);
        roles.iter().filter_map(|ix| self.role(*ix)).any(|role| role.grants.forbids())
    }

    /// Whether the holder was granted the action on exactly this role, without condition.
    pub fn delegated(&self, holder: &Holder, action: &str, role: &str) -> bool {
        let (Some(action), Some(ty)) = (self.symbols.get(action), self.symbols.get("Role")) else { return false };
        let probe = self.symbols.probe(action, ty, Some(role));
        let mut named = self.grants_held(holder).flat_map(|grants| grants.matching(probe));
        named.any(|g| g.effect() == Effect::Permit && g.condition().is_none())
    }

    /// Whether the holder's own grants give at least what this grant gives. A forbid among them that could narrow
    /// it counts as not holding it.
    pub fn holds_grant(&self, holder: &Holder, grant: GrantSource<'_>) -> bool {
        let Ok(action) = self.bundle.vocabulary.action(grant.action) else { return false };
        let groups = &self.bundle.vocabulary.at(action).groups;
        let groups: Vec<_> =
            groups.iter().filter_map(|g| self.symbols.get(&self.bundle.vocabulary.at(*g).name)).collect();
        let Some(ty) = self.symbols.get(grant.ty) else { return false };
        if self.grants_held(holder).any(RoleGrants::forbids) {
            return false;
        }
        let covers = |g: GrantRef<'_>| {
            g.effect() == Effect::Permit && (g.condition().is_none() || g.condition() == grant.condition)
        };
        // A grant on a type reaches only that type; one on a resource reaches other types inside it as well.
        let wide = grant.resource_id.is_none() || !self.bundle.vocabulary.holds_others(grant.ty);
        let exact = groups.iter().map(|action| self.symbols.probe(*action, ty, grant.resource_id));
        let type_level = groups.iter().filter(|_| wide).map(|action| self.symbols.probe(*action, ty, None));
        let probes: Vec<_> = exact.chain(type_level).collect();
        self.grants_held(holder).any(|grants| probes.iter().any(|p| grants.matching(*p).any(covers)))
    }

    fn grants_held<'a>(&'a self, holder: &'a Holder) -> impl Iterator<Item = &'a RoleGrants> {
        holder.roles.iter().filter_map(|ix| self.role(*ix)).map(|role| &*role.grants)
    }
}
