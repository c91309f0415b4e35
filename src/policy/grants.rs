//! The grants of one role, packed: about 45 bytes and the text of the resource id for each.
//!
//! Why per role: a change of one role replaces one of these and shares all others, and a check looks into the
//! dozen roles that the principal has. Inside, rows lie in hash order with a directory of buckets in front, so
//! a look-up that finds nothing, which is the usual one, costs about one cache miss.

use std::{
    collections::{HashMap, HashSet},
    hash::BuildHasher,
    sync::Arc,
};

use super::generate::GrantSource;
use crate::model::{Effect, GrantId};

/// Actions and entity types by small numbers, shared by all roles. Grows by replacement.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    names: Vec<Arc<str>>,
    by_name: HashMap<Arc<str>, Symbol>,
    state: std::hash::RandomState,
}

/// The number of a name in [`Symbols`].
pub type Symbol = u16;

impl Symbols {
    /// The number of a name that some grant uses.
    pub fn get(&self, name: &str) -> Option<Symbol> {
        self.by_name.get(name).copied()
    }

    /// The number of a name, new or not; `None` when 65 535 names are taken.
    pub fn intern(&mut self, name: &str) -> Option<Symbol> {
        if let Some(known) = self.get(name) {
            return Some(known);
        }
        let symbol = Symbol::try_from(self.names.len()).ok().filter(|s| *s != Symbol::MAX)?;
        let name: Arc<str> = name.into();
        self.names.push(Arc::clone(&name));
        self.by_name.insert(name, symbol);
        Some(symbol)
    }

    fn name(&self, symbol: Symbol) -> &str {
        &self.names[usize::from(symbol)]
    }

    /// What a check looks for: one action on one scope.
    pub fn probe<'a>(&self, action: Symbol, ty: Symbol, id: Option<&'a str>) -> Probe<'a> {
        Probe { hash: self.state.hash_one((action, ty, id)), action, ty, id }
    }
}

/// A look-up key with its hash, computed once for all roles.
#[derive(Clone, Copy, Debug)]
pub struct Probe<'a> {
    hash: u64,
    action: Symbol,
    ty: Symbol,
    id: Option<&'a str>,
}

/// A grant on its way into [`RoleGrants`].
#[derive(Clone, Debug)]
pub struct GrantRow {
    /// Its id.
    pub id: GrantId,
    /// Permit or forbid.
    pub effect: Effect,
    /// Action.
    pub action: Symbol,
    /// Entity type.
    pub ty: Symbol,
    /// Entity id.
    pub resource_id: Option<Box<str>>,
    /// Cedar expression.
    pub condition: Option<Box<str>>,
}

#[derive(Clone, Copy, Debug)]
struct Row {
    id: GrantId,
    resource: u32,
    condition: u32,
    resource_len: u16,
    condition_len: u16,
    action: Symbol,
    ty: Symbol,
    effect: Effect,
}

const ABSENT: u16 = u16::MAX;

/// The grants of one role.
#[derive(Debug, Default)]
pub struct RoleGrants {
    /// `buckets[b]..buckets[b + 1]` are the rows whose hash falls into bucket `b`.
    buckets: Box<[u32]>,
    /// The low half of each row's hash.
    tags: Box<[u32]>,
    rows: Box<[Row]>,
    text: Box<str>,
    forbids: bool,
}

/// A row with its text.
#[derive(Clone, Copy)]
pub struct GrantRef<'a> {
    grants: &'a RoleGrants,
    row: &'a Row,
}

impl RoleGrants {
    /// Packs rows. The hash lays them out, so the order in which they come does not matter.
    pub fn new(symbols: &Symbols, rows: impl IntoIterator<Item = GrantRow>) -> Self {
        let hashed = |row: GrantRow| (symbols.probe(row.action, row.ty, row.resource_id.as_deref()).hash, row);
        let mut sorted: Vec<(u64, GrantRow)> = rows.into_iter().map(hashed).collect();
        sorted.sort_unstable_by_key(|(hash, row)| (*hash, row.id));
        let mut text = String::with_capacity(sorted.iter().map(|(_, r)| text_len(r)).sum());
        let mut put = |part: &Option<Box<str>>| match part {
            // INVARIANT: the lengths are bounded where a grant is accepted (`generate::MAX_ENTITY_ID`, `MAX_CONDITION`).
            Some(part) => {
                let at = text.len() as u32;
                text.push_str(part);
                (at, part.len() as u16)
            }
            None => (0, ABSENT),
        };
        let pack = |(_, row): &(u64, GrantRow)| {
            let (resource, resource_len) = put(&row.resource_id);
            let (condition, condition_len) = put(&row.condition);
            let GrantRow { id, effect, action, ty, .. } = *row;
            Row { id, resource, condition, resource_len, condition_len, action, ty, effect }
        };
        let rows: Box<[Row]> = sorted.iter().map(pack).collect();
        let mut buckets = vec![0u32; rows.len() + 1];
        for (hash, _) in &sorted {
            buckets[bucket(*hash, rows.len()) + 1] += 1;
        }
        for n in 1..buckets.len() {
            buckets[n] += buckets[n - 1];
        }
        let tags = sorted.iter().map(|(hash, _)| *hash as u32).collect();
        let forbids = rows.iter().any(|row| row.effect == Effect::Forbid);
        Self { buckets: buckets.into(), tags, rows, text: text.into(), forbids }
    }

    /// The same grants with some added and some removed.
    pub fn with(&self, symbols: &Symbols, added: Vec<GrantRow>, removed: &[GrantId]) -> Self {
        let replaced: HashSet<GrantId> = removed.iter().copied().chain(added.iter().map(|row| row.id)).collect();
        let kept = self.iter().filter(|g| !replaced.contains(&g.id()));
        let kept: Vec<GrantRow> = kept.map(|g| g.to_row()).collect();
        Self::new(symbols, kept.into_iter().chain(added))
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether some of them take away.
    pub fn forbids(&self) -> bool {
        self.forbids
    }

    /// Every grant.
    pub fn iter(&self) -> impl Iterator<Item = GrantRef<'_>> {
        self.rows.iter().map(|row| GrantRef { grants: self, row })
    }

    /// The grants whose scope is exactly the probe's.
    pub fn matching<'a>(&'a self, probe: Probe<'a>) -> impl Iterator<Item = GrantRef<'a>> {
        let range = if self.rows.is_empty() {
            0..0
        } else {
            let b = bucket(probe.hash, self.rows.len());
            self.buckets[b] as usize..self.buckets[b + 1] as usize
        };
        range.filter(move |n| self.tags[*n] == probe.hash as u32).filter_map(move |n| {
            let grant = GrantRef { grants: self, row: &self.rows[n] };
            let same = grant.row.action == probe.action && grant.row.ty == probe.ty && grant.resource_id() == probe.id;
            same.then_some(grant)
        })
    }
}

impl<'a> GrantRef<'a> {
    /// Its id.
    pub fn id(self) -> GrantId {
        self.row.id
    }

    /// Permit or forbid.
    pub fn effect(self) -> Effect {
        self.row.effect
    }

    /// Entity id of the scope.
    pub fn resource_id(self) -> Option<&'a str> {
        self.text(self.row.resource, self.row.resource_len)
    }

    /// Cedar expression.
    pub fn condition(self) -> Option<&'a str> {
        self.text(self.row.condition, self.row.condition_len)
    }

    /// What its policy is generated from.
    pub fn source(self, role: &'a str, symbols: &'a Symbols) -> GrantSource<'a> {
        GrantSource {
            id: self.id(),
            role,
            effect: self.effect(),
            action: symbols.name(self.row.action),
            ty: symbols.name(self.row.ty),
            resource_id: self.resource_id(),
            condition: self.condition(),
        }
    }

    fn to_row(self) -> GrantRow {
        let Row { id, effect, action, ty, .. } = *self.row;
        let (resource_id, condition) = (self.resource_id().map(Into::into), self.condition().map(Into::into));
        GrantRow { id, effect, action, ty, resource_id, condition }
    }

    fn text(self, at: u32, len: u16) -> Option<&'a str> {
        (len != ABSENT).then(|| &self.grants.text[at as usize..at as usize + usize::from(len)])
    }
}

/// Maps a hash to one of `n` buckets by its high half, keeping the order.
fn bucket(hash: u64, n: usize) -> usize {
    ((u128::from(hash) * n as u128) >> 64) as usize
}

fn text_len(row: &GrantRow) -> usize {
    row.resource_id.as_ref().map_or(0, |t| t.len()) + row.condition.as_ref().map_or(0, |t| t.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(symbols: &mut Symbols, id: Option<&str>) -> GrantRow {
        GrantRow {
            id: GrantId::new(),
            effect: Effect::Permit,
            action: symbols.intern("read").unwrap(),
            ty: symbols.intern("Document").unwrap(),
            resource_id: id.map(Into::into),
            condition: None,
        }
    }

    #[test]
    fn every_grant_is_found_by_its_own_scope_only() {
        let mut symbols = Symbols::default();
        let ids: Vec<String> = (0..500).map(|n| format!("d{}", n % 250)).collect();
        let rows: Vec<GrantRow> = ids.iter().map(|id| row(&mut symbols, Some(id))).collect();
        let wide = row(&mut symbols, None);
        let grants = RoleGrants::new(&symbols, rows.iter().cloned().chain([wide.clone()]));
        for r in &rows {
            let probe = symbols.probe(r.action, r.ty, r.resource_id.as_deref());
            let found: Vec<GrantId> = grants.matching(probe).map(GrantRef::id).collect();
            assert_eq!(found.len(), 2);
            assert!(found.contains(&r.id));
        }
        let found: Vec<GrantId> = grants.matching(symbols.probe(0, 1, None)).map(GrantRef::id).collect();
        assert_eq!(found, [wide.id]);
        assert_eq!(grants.matching(symbols.probe(0, 1, Some("nowhere"))).count(), 0);
        let fewer = grants.with(&symbols, vec![], &[rows[0].id]);
        assert_eq!(fewer.len(), 500);
        assert_eq!(RoleGrants::default().matching(symbols.probe(0, 1, None)).count(), 0);
    }
}
