//! New bundles: what they would break, and the one that a fresh database starts with.

use std::sync::Arc;

use super::{Error, compile, off_runtime};
use crate::{
    model::{Grant, GrantId},
    policy::{Bundle, Files, GrantFault, GrantSource, faults},
    store::{self, Conn, revision::Change},
};

/// Stored grants that a schema no longer makes sense of, for one and the same reason.
pub struct BrokenGrants {
    /// Some of them.
    pub ids: Vec<GrantId>,
    /// How many there are in all.
    pub count: i64,
    /// Why.
    pub fault: GrantFault,
}

/// How many broken grants are named one by one.
const NAMED: i64 = 20;

/// The existing grants that the bundle would break, by shape.
pub async fn broken_grants(conn: &mut Conn, bundle: &Arc<Bundle>) -> Result<Vec<BrokenGrants>, Error> {
    let mut shapes = store::grants::list_shapes(&mut *conn).await?;
    for (name, ty) in bundle.vocabulary.entity_types() {
        if ty.ids.is_some() {
            shapes.extend(store::grants::list_of_type(&mut *conn, name).await?.into_iter().map(|grant| (grant, 1)));
        }
    }
    let bundle = Arc::clone(bundle);
    let check = move || {
        let faulty = shapes.into_iter().filter_map(|(grant, count)| {
            let fault = faults(&bundle.vocabulary, source(&grant)).into_iter().next()?;
            Some((grant, count, fault))
        });
        faulty.collect::<Vec<_>>()
    };
    let mut broken = Vec::new();
    for (grant, count, fault) in off_runtime(check).await? {
        let ids = match count {
            1 => vec![grant.id],
            _ => store::grants::list_ids_of_shape(&mut *conn, &grant.grant, NAMED).await?,
        };
        broken.push(BrokenGrants { ids, count, fault });
    }
    Ok(broken)
}

/// What a stored grant's policy is generated from.
pub fn source(stored: &Grant) -> GrantSource<'_> {
    let grant = &stored.grant;
    GrantSource {
        id: stored.id,
        role: grant.role.as_str(),
        effect: grant.effect,
        action: &grant.action,
        ty: &grant.resource.ty,
        resource_id: grant.resource.id.as_deref(),
        condition: grant.condition.as_deref(),
    }
}

/// The digest that tells whether the same files were ever stored.
pub fn digest(files: &Files) -> [u8; 32] {
    // A JSON map with sorted keys is unambiguous where joined text would not be.
    crate::crypto::digest(serde_json::to_string(files).unwrap_or_default().as_bytes())
}

/// What became of files offered at start.
pub enum Adopted {
    /// They are active now, as this version.
    Activated(i32),
    /// They were stored before; whatever is active stays active.
    Known(i32),
    /// They would break grants, so whatever is active stays active.
    Refused(Vec<BrokenGrants>),
}

/// Takes files that a server was started with: what the database has never seen becomes a new version and the active
/// one; what it has seen changes nothing, so that a restart does not undo a roll-back.
pub async fn adopt(pool: &store::Pool, files: Files) -> Result<Adopted, Error> {
    take(pool, files, false).await
}

/// Takes files that are being edited: they become active even if they were stored before.
pub async fn adopt_edited(pool: &store::Pool, files: Files) -> Result<Adopted, Error> {
    take(pool, files, true).await
}

async fn take(pool: &store::Pool, files: Files, even_known: bool) -> Result<Adopted, Error> {
    let bundle = compile(0, files.clone()).await??;
    let mut tx = pool.begin().await.map_err(store::Error::from)?;
    store::revision::lock(&mut tx).await?;
    let (_, active) = store::revision::get(&mut *tx).await?;
    let (number, new) = store::bundles::insert(&mut tx, &files, digest(&files)).await?;
    if active == Some(number) || (!new && !even_known && active.is_some()) {
        return Ok(Adopted::Known(number));
    }
    let broken = broken_grants(&mut tx, &bundle).await?;
    if !broken.is_empty() {
        return Ok(Adopted::Refused(broken));
    }
    store::bundles::activate(&mut *tx, number).await?;
    store::revision::advance(&mut tx, &[Change::Bundle]).await?;
    tx.commit().await.map_err(store::Error::from)?;
    Ok(Adopted::Activated(number))
}
