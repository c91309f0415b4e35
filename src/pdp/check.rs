//! Answering.

use std::sync::{Arc, Weak};

use time::OffsetDateTime;

use super::{AccessRequest, Error, Pdp, Session, Subject, principals::Standing};
use crate::{
    model::{EntityRef, Fields, Principal, PrincipalKind, Revision},
    policy::{
        self, ActionIx, Context, FlatEntity, Holder, Mistyped, Nearest, PolicyError, Question, Reason, Resource,
        SESSION, Snapshot, attributes, list,
    },
};

/// The answer to one request.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// Whether it is allowed.
    pub allow: bool,
    /// Which policies decided; only when asked to explain.
    pub reasons: Vec<Reason>,
    /// Policies that failed.
    pub errors: Vec<PolicyError>,
    /// For a deny without a forbid: what would have to be granted.
    pub nearest: Option<Vec<Nearest>>,
    /// A deny that a login with a second factor would turn into an allow.
    pub step_up: bool,
}

/// Answers to several requests, all as of one revision. A request that cannot be answered has its own error.
pub struct BatchAnswer {
    /// In the order of the requests.
    pub answers: Vec<Result<Answer, Error>>,
    /// As of when.
    pub revision: Revision,
}

/// Attempts to find a revision that fits every principal of a batch.
const ATTEMPTS: usize = 8;

impl Pdp {
    /// Answers one request.
    pub async fn check(
        &self,
        request: &AccessRequest,
        at_least: Option<Revision>,
        explain: bool,
    ) -> Result<(Answer, Revision), Error> {
        let mut batch = self.check_all(std::slice::from_ref(request), at_least, explain).await?;
        let answer = batch.answers.pop().ok_or(Error::BrokenOff)??;
        Ok((answer, batch.revision))
    }

    /// Answers several requests as of one revision.
    pub async fn check_all(
        &self,
        requests: &[AccessRequest],
        at_least: Option<Revision>,
        explain: bool,
    ) -> Result<BatchAnswer, Error> {
        self.ensure(at_least).await?;
        for _ in 0..ATTEMPTS {
            let snapshot = self.snapshot();
            let mut newest = snapshot.revision;
            let mut answers = Vec::with_capacity(requests.len());
            for request in requests {
                let holder = self.held(&snapshot, &request.principal.entity, &mut newest).await?;
                let target = self.held(&snapshot, &request.resource.entity, &mut newest).await?;
                answers.push(decide(&snapshot, request, holder, target.as_deref(), explain));
            }
            if newest == snapshot.revision {
                return Ok(BatchAnswer { answers, revision: snapshot.revision });
            }
            Box::pin(self.refresh()).await?;
        }
        Err(Error::RevisionUnavailable(self.snapshot().revision))
    }

    /// An entity with everything it holds, if it is a principal of the server's own.
    async fn held(
        &self,
        snapshot: &Snapshot,
        entity: &EntityRef,
        newest: &mut Revision,
    ) -> Result<Option<Arc<Holder>>, Error> {
        let Known::Principal(principal) = known(entity) else { return Ok(None) };
        let standing = self.standing(&principal).await?;
        *newest = standing.as_of().max(*newest);
        Ok(standing.holder(snapshot, &principal, self.clock.now()))
    }

    /// What is known of a principal; from the database when it is not at hand.
    pub async fn standing(&self, principal: &Principal) -> Result<Arc<Standing>, Error> {
        match self.principals.get(principal) {
            Some(known) => Ok(known),
            // On the heap, as every path where nothing has to be read: whatever asks about a principal would else be moved
            // about with kilobytes that it nearly never needs.
            None => Box::pin(self.principals.read(&self.pool, principal)).await,
        }
    }
}

/// What an answer about one principal rests on besides its standing: the snapshot, and that no assignment has ended.
/// Whatever is asked again on the same basis while the standing is current, without anything that a caller says of other
/// entities, is answered alike.
pub struct Basis {
    /// Its memory is kept from being used again for as long as it is referred to.
    snapshot: Weak<Snapshot>,
    until: Option<OffsetDateTime>,
}

impl Pdp {
    /// What answers about a principal rest on at this moment; `None` when this node is about to learn something newer.
    pub fn basis(&self, standing: &Standing) -> Option<Basis> {
        let snapshot = self.snapshot();
        let known = standing.as_of() <= snapshot.revision && self.principals.is_current(standing);
        known.then(|| Basis { snapshot: Arc::downgrade(&snapshot), until: standing.until(self.clock.now()) })
    }

    /// Whether answers still rest on this.
    pub fn rests_on(&self, basis: &Basis, standing: &Standing) -> bool {
        std::ptr::eq(Arc::as_ptr(&self.live.load()), basis.snapshot.as_ptr())
            && basis.until.is_none_or(|until| self.clock.now() < until)
            && self.principals.is_current(standing)
    }

    /// Whether nothing of the principal has changed since, as far as this node knows.
    pub fn is_current(&self, standing: &Standing) -> bool {
        self.principals.is_current(standing)
    }
}

/// Whose word counts for an entity.
pub(super) enum Known {
    /// The server's: it keeps this principal.
    Principal(Principal),
    /// The server's, and it knows that there is no such principal.
    Nobody,
    /// The caller's: the type is an application's own.
    Foreign,
}

/// Tells whose entity it is.
pub(super) fn known(entity: &EntityRef) -> Known {
    match PrincipalKind::parse(&entity.ty) {
        Some(kind) => Principal::parse(kind, &entity.id).map_or(Known::Nobody, Known::Principal),
        None => Known::Foreign,
    }
}

/// Resolves the names of a request, or says which is wrong.
fn names(snapshot: &Snapshot, request: &AccessRequest) -> Result<ActionIx, Error> {
    let vocabulary = &snapshot.bundle.vocabulary;
    let unknown = |field| move |unknown| Error::Unknown { field, unknown };
    let ix = vocabulary.action(&request.action).map_err(unknown("action"))?;
    let action = vocabulary.at(ix);
    let checks = [
        ("principal.type", &request.principal.entity.ty, &action.principals, "done by"),
        ("resource.type", &request.resource.entity.ty, &action.resources, "done to"),
    ];
    for (field, ty, allowed, relation) in checks {
        vocabulary.entity_type(ty).map_err(unknown(field))?;
        if !allowed.contains(ty) {
            let message = format!("`{}` is never {relation} `{ty}`, but {relation} {}", action.name, list(allowed));
            return Err(Error::NotApplicable { field, message });
        }
    }
    if request.context.iter().any(|(name, _)| name == SESSION) {
        return Err(Mistyped::new("context.session", "the server fills this from `token`; leave it out").into());
    }
    Ok(ix)
}

/// Decides as of a snapshot. `holder` and `target` are the principal and the resource where these are principals of
/// the server's own that exist and may act.
pub fn decide(
    snapshot: &Snapshot,
    request: &AccessRequest,
    holder: Option<Arc<Holder>>,
    target: Option<&Holder>,
    explain: bool,
) -> Result<Answer, Error> {
    let action = names(snapshot, request)?;
    let resource = resource(snapshot, request, target)?;
    let (vocabulary, ty) = (&snapshot.bundle.vocabulary, &snapshot.bundle.vocabulary.at(action).context);
    let told = attributes(vocabulary, ty, &request.context, "context")?;
    let holder = match known(&request.principal.entity) {
        Known::Foreign => Some(Arc::new(foreign(snapshot, &request.principal)?)),
        Known::Principal(_) | Known::Nobody => {
            refuse_facts("principal", &request.principal.attributes, &request.principal.parents)?;
            holder
        }
    };
    let Some(holder) = holder else { return Ok(Answer { nearest: Some(Vec::new()), ..Answer::default() }) };
    let q = Question { holder: &holder, action, resource: &resource };
    let candidates = snapshot.candidates(&q);
    let session = request.session.as_ref();
    let (told, session) = if snapshot.read_context(&candidates) { (told, session) } else { (Vec::new(), None) };
    let context = |with: Option<&Session>| -> Result<Context, Mistyped> {
        let session = with.map(|with| policy::session(vocabulary, ty, &with.to_json())).transpose()?.flatten();
        Ok(policy::context(told.iter().cloned().chain(session.map(|session| (SESSION, session)))))
    };
    let verdict = snapshot.judge(&candidates, &q, context(session)?);
    let missing = !verdict.allow && !verdict.forbidden;
    let step_up = match session.filter(|session| !verdict.allow && !session.mfa) {
        Some(session) => snapshot.judge(&candidates, &q, context(Some(&session.stepped_up()))?).allow,
        None => false,
    };
    Ok(Answer {
        allow: verdict.allow,
        reasons: if explain { snapshot.reasons(&candidates, &holder, &verdict) } else { Vec::new() },
        nearest: missing.then(|| snapshot.nearest(&candidates, &q, explain)),
        errors: verdict.errors,
        step_up,
    })
}

/// A principal of a type that an application's schema declares: it is what the caller says.
fn foreign(snapshot: &Snapshot, subject: &Subject) -> Result<Holder, Error> {
    let (entity, roles) = described(snapshot, "principal", &subject.entity, &subject.attributes, &subject.parents)?;
    Ok(snapshot.foreign_holder(entity, &roles))
}

fn resource(snapshot: &Snapshot, request: &AccessRequest, target: Option<&Holder>) -> Result<Resource, Error> {
    let input = &request.resource;
    let (roles, entity) = match (known(&input.entity), target) {
        (Known::Principal(_), Some(holder)) => (holder.roles.clone(), Some(holder.entity.clone())),
        (Known::Principal(_) | Known::Nobody, _) => (Vec::new(), None),
        (Known::Foreign, _) if input.entity.ty == "Role" => {
            (snapshot.role_ix(&input.entity.id).map_or(Vec::new(), |ix| snapshot.closure(&[ix])), None)
        }
        (Known::Foreign, _) => {
            let (entity, roles) = described(snapshot, "resource", &input.entity, &input.attributes, &input.parents)?;
            // A resource may be inside a role, and then it is inside what the role inherits.
            let inherited = snapshot.closure(&roles).into_iter().filter_map(|ix| snapshot.role(ix));
            let inherited = inherited.map(|role| EntityRef::new("Role", role.name.as_str()));
            let ancestors = input.parents.iter().cloned().chain(inherited).collect();
            return Ok(Resource { reference: input.entity.clone(), ancestors, entity });
        }
    };
    refuse_facts("resource", &input.attributes, &input.parents)?;
    within_roles(snapshot, &input.entity, &roles, entity)
}

/// A `User`, `Client` or `Role`, of which the server knows everything itself; with the entity, if that is at hand.
fn within_roles(
    snapshot: &Snapshot,
    reference: &EntityRef,
    roles: &[u32],
    entity: Option<FlatEntity>,
) -> Result<Resource, Error> {
    let uid = |entity: &EntityRef| {
        snapshot.bundle.vocabulary.uid(entity).map_err(|unknown| Error::Unknown { field: "resource.type", unknown })
    };
    let ancestors: Vec<EntityRef> = roles
        .iter()
        .filter_map(|ix| Some(EntityRef::new("Role", snapshot.role(*ix)?.name.as_str())))
        .filter(|role| role != reference)
        .collect();
    let entity = match entity {
        Some(known) => known,
        None => FlatEntity::bare(uid(reference)?, ancestors.iter().map(uid).collect::<Result<Vec<_>, _>>()?),
    };
    Ok(Resource { reference: reference.clone(), ancestors, entity })
}

/// An entity with the attributes and ancestors that came with a request; and the roles among the ancestors, which
/// bring what they inherit.
fn described(
    snapshot: &Snapshot,
    at: &str,
    entity: &EntityRef,
    facts: &Fields,
    parents: &[EntityRef],
) -> Result<(FlatEntity, Vec<u32>), Error> {
    let vocabulary = &snapshot.bundle.vocabulary;
    if entity.ty == "Role" {
        refuse_facts(at, facts, parents)?;
    }
    let ty = vocabulary.entity_type(&entity.ty).map_err(|unknown| Mistyped::new(at, unknown.to_string()))?;
    let facts = attributes(vocabulary, &ty.attributes, facts, "attributes").map_err(|fault| fault.within(at))?;
    let (mut ancestors, mut roles) = (Vec::with_capacity(parents.len()), Vec::new());
    for (n, parent) in parents.iter().enumerate() {
        let wrong = |message: String| Mistyped::new(&format!("{at}.parents[{n}]"), message);
        let uid = vocabulary.uid(parent).map_err(|unknown| wrong(unknown.to_string()))?;
        if !ty.inside.contains(&parent.ty) {
            let message = format!("`{}` is never inside `{}`, but inside {}", entity.ty, parent.ty, list(&ty.inside));
            return Err(wrong(message).into());
        }
        if parent.ty == "Role" {
            roles.extend(snapshot.role_ix(&parent.id));
        } else if parent == entity {
            return Err(wrong("nothing is inside itself".to_owned()).into());
        }
        ancestors.push(uid);
    }
    ancestors.extend(snapshot.role_uids(&snapshot.closure(&roles)));
    let uid = vocabulary.uid(entity).map_err(|unknown| Mistyped::new(at, unknown.to_string()))?;
    Ok((FlatEntity::new(uid, facts, ancestors), roles))
}

/// Nobody tells the server about its own entities.
fn refuse_facts(at: &str, facts: &Fields, parents: &[EntityRef]) -> Result<(), Mistyped> {
    if facts.is_empty() && parents.is_empty() {
        return Ok(());
    }
    Err(Mistyped::new(at, "`User`, `Client` and `Role` take no attributes and no parents: the server knows them"))
}
