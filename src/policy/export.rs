//! The whole live set as stock Cedar: text that any Cedar engine decides the same way.

use cedar_policy::{Entities, Entity, Policy, pst};

use super::{
    generate, handwritten,
    snapshot::{Holder, Snapshot},
};

/// Three files.
pub struct Exported {
    /// `policies.cedar`: hand-written policies and one policy for each grant, each with its id as `@id`.
    pub policies: String,
    /// `schema.cedarschema`.
    pub schema: String,
    /// `entities.json`: principals, roles and actions.
    pub entities: String,
}

/// The live set could not be written down.
#[derive(Debug, thiserror::Error)]
#[error("the live set cannot be exported: {0}")]
pub struct ExportError(String);

/// Writes a snapshot and the principals given down.
pub fn export(snapshot: &Snapshot, principals: &[Holder]) -> Result<Exported, ExportError> {
    let failed = |error: &dyn std::fmt::Display| ExportError(error.to_string());
    let mut policies = String::new();
    for policy in snapshot.bundle.policies.iter() {
        policies.push_str(&text(&renamed(policy).map_err(|e| failed(&e))?)?);
    }
    for (_, role) in snapshot.roles() {
        for source in snapshot.grants_of(role) {
            let policy = generate::policy(source).map_err(|e| failed(&e))?;
            policies.push_str(&text(&renamed(&policy).map_err(|e| failed(&e))?)?);
        }
    }
    let mut entities: Vec<Entity> = principals.iter().map(|holder| holder.entity.to_public()).collect();
    for (ix, _) in snapshot.roles() {
        let uid = snapshot.role_uids(&[ix]).into_iter().next();
        let ancestors: Vec<_> = snapshot.closure(&[ix]).into_iter().filter(|other| *other != ix).collect();
        entities.extend(uid.map(|uid| Entity::new_no_attrs(uid, snapshot.role_uids(&ancestors).into_iter().collect())));
    }
    let store = Entities::from_entities(entities, Some(&snapshot.bundle.vocabulary.schema)).map_err(|e| failed(&e))?;
    let mut json = Vec::new();
    store.write_to_json(&mut json).map_err(|e| failed(&e))?;
    let entities = String::from_utf8(json).map_err(|e| failed(&e))?;
    Ok(Exported { policies, schema: snapshot.bundle.schema_text.clone(), entities })
}

/// The policy with its full id as its `@id`, so that ids of different files do not meet.
fn renamed(policy: &Policy) -> Result<Policy, pst::PstConstructionError> {
    let pst::Policy::Static(body) = policy.to_pst()? else { return Ok(policy.clone()) };
    let mut annotations = body.body().annotations.clone();
    annotations.insert("id".to_owned(), handwritten::text(policy.id()).into());
    let template = body.body().clone().with_annotations(annotations);
    let body = pst::StaticPolicy::try_from(template)?;
    Policy::from_pst(pst::Policy::Static(body))
}

fn text(policy: &Policy) -> Result<String, ExportError> {
    let text = policy.to_cedar().ok_or_else(|| ExportError(format!("policy `{}` has no text", policy.id())))?;
    Ok(format!("{text}\n\n"))
}
