//! Authority for writes, judged inside the write's own transaction.

use crate::{
    app::App,
    model::{Effect, EntityRef, GrantId, NewGrant, Principal, RoleName, ScopeSet},
    pdp::{AccessRequest, Write},
    policy::{GrantSource, Holder, Snapshot},
    store,
    web::{ApiError, Caller, refusal},
};

/// One call that a caller has to be allowed.
pub struct Act<'a> {
    /// The Cedar action.
    pub action: &'static str,
    /// The resource.
    pub resource: EntityRef,
    /// What it hands out or takes away.
    pub gives: Gives<'a>,
}

/// What a call hands out or takes away; it becomes `context.held`.
pub enum Gives<'a> {
    /// Nothing.
    Nothing,
    /// All that these roles have.
    Roles(&'a [RoleName]),
    /// This role, taken away. Whoever loses a forbid gains by it.
    Loss(&'a RoleName),
    /// What this grant gives, or, taking a forbid away, what it kept back.
    Grant(&'a NewGrant),
    /// The means to act as this principal.
    Principal(Principal),
    /// The means to use these scopes.
    Scopes(&'a ScopeSet),
}

impl<'a> Act<'a> {
    /// An act upon a role.
    pub fn on_role(action: &'static str, role: &RoleName, gives: Gives<'a>) -> Self {
        Self { action, resource: EntityRef::new("Role", role.as_str()), gives }
    }
}

/// Opens a write for a caller who is allowed every one of these acts.
///
/// First without the lock, so that the unauthorized wait for nobody and hold up nobody; then once more under it,
/// as of the very revision that the write follows.
pub async fn begin(app: &App, caller: &Caller, acts: &[Act<'_>]) -> Result<Write, ApiError> {
    for act in acts {
        caller.require(app, act.action, act.resource.clone()).await?;
    }
    let mut write = app.pdp.write().await?;
    authorize(&mut write, caller, acts).await?;
    Ok(write)
}

/// Succeeds when the caller is allowed every one of these acts in an open write.
pub async fn authorize(write: &mut Write, caller: &Caller, acts: &[Act<'_>]) -> Result<(), ApiError> {
    let holder = write.holder(caller.principal()).await?.ok_or(ApiError::Unauthorized { presented: true })?;
    for act in acts {
        let held = match &act.gives {
            Gives::Principal(principal) => match write.holder(principal).await? {
                Some(target) => {
                    let roles = target.roles.iter().all(|role| holder.roles.binary_search(role).is_ok());
                    roles && has_scopes(caller, &scopes_of(write, principal).await?)
                }
                // A principal that is switched off holds its roles again once it is switched on.
                None => false,
            },
            Gives::Scopes(scopes) => has_scopes(caller, scopes),
            gives => held(write.base(), &holder, act.action, gives),
        };
        let request: AccessRequest = caller.request(act.action, act.resource.clone(), held);
        if !write.check(&request).await?.allow {
            return Err(refusal(&request));
        }
    }
    Ok(())
}

/// Whether the caller has those of the scopes that mean something to this server.
fn has_scopes(caller: &Caller, scopes: &ScopeSet) -> bool {
    let own = &caller.token().scopes;
    [ScopeSet::ADMIN, ScopeSet::CHECK].iter().all(|scope| !scopes.contains(scope) || own.contains(scope))
}

/// What whoever acts as this principal may ask for.
async fn scopes_of(write: &mut Write, principal: &Principal) -> Result<ScopeSet, ApiError> {
    let Principal::Client(id) = principal else { return Ok(ScopeSet::default()) };
    Ok(store::clients::find(write.conn(), id).await?.map_or_else(ScopeSet::default, |client| client.scope))
}

fn held(snapshot: &Snapshot, holder: &Holder, action: &str, gives: &Gives<'_>) -> bool {
    match gives {
        Gives::Roles(roles) => roles.iter().all(|role| {
            snapshot.role_ix(role.as_str()).is_none_or(|ix| snapshot.holds_role(holder, ix))
                || snapshot.delegated(holder, action, role.as_str())
        }),
        Gives::Loss(role) => {
            let frees = snapshot.role_ix(role.as_str()).is_some_and(|ix| snapshot.keeps_back(ix));
            let own = !frees && held(snapshot, holder, action, &Gives::Roles(std::slice::from_ref(*role)));
            own || snapshot.delegated(holder, action, role.as_str())
        }
        Gives::Grant(grant) => {
            let source = GrantSource {
                id: GrantId::new(),
                role: grant.role.as_str(),
                effect: Effect::Permit,
                action: &grant.action,
                ty: &grant.resource.ty,
                resource_id: grant.resource.id.as_deref(),
                condition: grant.condition.as_deref(),
            };
            snapshot.holds_grant(holder, source)
        }
        Gives::Nothing => true,
        Gives::Principal(_) | Gives::Scopes(_) => false,
    }
}
