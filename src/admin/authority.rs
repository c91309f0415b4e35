//! Authority for writes, judged inside the write's own transaction.

use serde_json::Value;

use crate::{
    app::App,
    model::{Effect, EntityRef, Event, GrantId, NewGrant, Origin, Outcome, Principal, RoleName, ScopeSet, UserId},
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
    /// What goes on record besides: to whom, if that is another than the resource, and more.
    pub notes: Notes,
}

/// What goes on record of an act.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    target: Option<EntityRef>,
    details: Vec<(&'static str, Value)>,
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
    /// An act upon something.
    pub fn new(action: &'static str, resource: EntityRef, gives: Gives<'a>) -> Self {
        Self { action, resource, gives, notes: Notes::default() }
    }

    /// An act upon a role.
    pub fn on_role(action: &'static str, role: &RoleName, gives: Gives<'a>) -> Self {
        Self::new(action, EntityRef::new("Role", role.as_str()), gives)
    }

    /// An act upon a person, by which one could soon act as them.
    pub fn on_user(action: &'static str, user: UserId) -> Self {
        let principal = Principal::User(user);
        Self::new(action, principal.entity(), Gives::Principal(principal))
    }

    /// Puts on record whom it concerns, when that is not the resource.
    pub fn about(mut self, target: EntityRef) -> Self {
        self.notes.target = Some(target);
        self
    }

    /// Puts one more fact on record.
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.notes.details.push((name, value.into()));
        self
    }

    fn event<'e>(&self, caller: &Caller, origin: &'e Origin) -> Event<'e>
    where
        'a: 'e,
    {
        let target = self.notes.target.clone().unwrap_or_else(|| self.resource.clone());
        let event = Event::new(self.action, origin).by(caller.principal().clone()).on(target);
        self.notes.details.iter().fold(event, |event, (name, value)| event.with(name, value.clone()))
    }
}

/// Opens a write for a caller who is allowed every one of these acts.
///
/// First without the lock, so that the unauthorized wait for nobody and hold up nobody; then once more under it,
/// as of the very revision that the write follows. The first act goes on record in the same transaction, and a refused
/// one by itself.
pub async fn begin(app: &App, caller: &Caller, acts: &[Act<'_>]) -> Result<Write, ApiError> {
    for act in acts {
        let allowed = caller.require(app, act.action, act.resource.clone()).await;
        on_record(app, caller, act, allowed).await?;
    }
    let mut write = app.pdp.write().await?;
    for act in acts {
        let allowed = authorize(&mut write, caller, std::slice::from_ref(act)).await;
        on_record(app, caller, act, allowed).await?;
    }
    if let Some(act) = acts.first() {
        store::audit::insert(write.conn(), app.clock.now(), &act.event(caller, caller.origin())).await?;
    }
    Ok(write)
}

/// Puts a refusal on record.
async fn on_record(app: &App, caller: &Caller, act: &Act<'_>, allowed: Result<(), ApiError>) -> Result<(), ApiError> {
    if let Err(ApiError::Forbidden(_)) = allowed {
        let event = act.event(caller, caller.origin()).ended(Outcome::Denied);
        store::audit::insert(&app.pool, app.clock.now(), &event).await?;
    }
    allowed
}

/// Succeeds when the caller is allowed every one of these acts in an open write.
pub async fn authorize(write: &mut Write, caller: &Caller, acts: &[Act<'_>]) -> Result<(), ApiError> {
    let dead = || ApiError::Unauthorized { presented: true };
    let token = caller.token();
    if !write.client_stands(&token.client, token.generation).await? {
        return Err(dead());
    }
    let holder = write.holder(caller.principal()).await?.ok_or_else(dead)?;
    for act in acts {
        let held = match &act.gives {
            Gives::Principal(principal) => {
                // One that is switched off holds its roles again once it is switched on.
                let target = write.holder_on_or_off(principal).await?;
                let roles = target.roles.iter().all(|role| holder.roles.binary_search(role).is_ok());
                roles && has_scopes(caller, &scopes_of(write, principal).await?)
            }
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
    Ok(store::clients::find(write.conn(), id).await?.map_or_else(ScopeSet::default, |client| client.metadata.scope))
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
