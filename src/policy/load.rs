//! A snapshot from everything the database holds.

use std::sync::Arc;

use super::{
    bundle::Bundle,
    generate::GrantSource,
    grants::GrantRow,
    snapshot::{Delta, RoleIx, Snapshot},
};
use crate::model::{Revision, RoleName};

/// Takes grants as they stream by and packs each role's when the next role begins, so that loading a million
/// needs little more memory than keeping them.
pub struct Loader {
    snapshot: Snapshot,
    current: Option<RoleIx>,
    rows: Vec<GrantRow>,
}

impl Loader {
    /// Starts with the roles.
    pub fn new(
        revision: Revision,
        bundle: Arc<Bundle>,
        roles: Vec<(RoleName, Vec<RoleName>)>,
    ) -> Result<Self, cedar_policy::ParseErrors> {
        let delta = Delta { roles, ..Delta::default() };
        let snapshot = Snapshot::new(revision, bundle)?.apply(revision, delta);
        Ok(Self { snapshot, current: None, rows: Vec::new() })
    }

    /// Takes one grant. Those of one role come after each other.
    pub fn push(&mut self, grant: GrantSource<'_>) {
        let role = self.snapshot.role_ix(grant.role);
        if role != self.current {
            self.pack();
            self.current = role;
        }
        let symbols = Arc::make_mut(&mut self.snapshot.symbols);
        if let (Some(action), Some(ty)) = (symbols.intern(grant.action), symbols.intern(grant.ty)) {
            let (resource_id, condition) = (grant.resource_id.map(Into::into), grant.condition.map(Into::into));
            self.rows.push(GrantRow { id: grant.id, effect: grant.effect, action, ty, resource_id, condition });
        }
    }

    /// The snapshot.
    pub fn finish(mut self) -> Snapshot {
        self.pack();
        self.snapshot
    }

    fn pack(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        if let Some(role) = self.current {
            self.snapshot.replace_grants(role, rows, &[]);
        }
    }
}
