//! Who may be dropped. Absence is not deletion: only a complete listing under the same scope and visibility as the last
//! one proves that an object is gone, and too much at once is held until a person confirms it.
//! Owns `semantics.md` section 6; pure.

use std::collections::{BTreeMap, BTreeSet};

use pursight_connectors::postgres::catalog::glob;
use pursight_schemas::{ObjectKind, ScopeFilter};
use uuid::Uuid;

use crate::base::{Base, Known, State};
use crate::diff::path::qualified;

/// Missing at once from here on may be a mistake.
const MANY: usize = 10;
/// And if they are more than this share of what is known.
const SHARE_PERCENT: usize = 30;

/// What a run found out about the whole.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What was known.
    pub base: &'a Base,
    /// Positions of known objects that the listing lacks.
    pub missing: &'a [usize],
    /// Every page was read and nothing of the listing was cut off.
    pub complete: bool,
    /// The filter.
    pub scope: &'a ScopeFilter,
    /// Of filter and databases.
    pub scope_hash: &'a str,
    /// Of what the role may see.
    pub visibility_hash: &'a str,
    /// Databases that were listed.
    pub catalogs: &'a [String],
    /// Database and name of every schema that exists.
    pub schemas: &'a BTreeSet<(String, String)>,
    /// The run whose hold is confirmed.
    pub confirms: Option<Uuid>,
}

/// An object that is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drop {
    /// Its position among what was known.
    pub known: usize,
    /// The dropped schema or table that took it along.
    pub entailed_by: Vec<String>,
    /// A dropped table took it along: the table's drop says it.
    pub part_of_table: bool,
}

/// What becomes of everything that is missing.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verdict {
    /// Gone.
    pub dropped: Vec<Drop>,
    /// Missing, and not dropped before somebody confirms it.
    pub held: Vec<usize>,
    /// The filter is not that of the last complete run.
    pub scope_changed: bool,
    /// The role may see other things than in the last complete run.
    pub visibility_changed: bool,
}

/// A confirmation without anything to confirm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NothingHeld {
    /// The run whose hold is open, if any is.
    pub open: Option<Uuid>,
}

/// Whether a confirmation has a hold to confirm.
///
/// # Errors
/// When no hold of that run is open.
pub fn check_confirmation(base: &Base, confirms: Option<Uuid>) -> Result<(), NothingHeld> {
    match confirms {
        Some(run) if !base.held.values().any(|held| *held == run) => {
            Err(NothingHeld { open: base.held.values().next().copied() })
        }
        _ => Ok(()),
    }
}

/// Judges everything that is missing.
pub fn judge(question: &Question<'_>) -> Verdict {
    let Question { base, complete, .. } = *question;
    let last = base.last_complete.as_ref();
    let scope_changed = last.is_some_and(|last| last.scope_hash != question.scope_hash);
    let visibility_changed = last.is_some_and(|last| last.visibility_hash != question.visibility_hash);
    let mut verdict = Verdict { scope_changed, visibility_changed, ..Verdict::default() };
    if !complete {
        return verdict;
    }
    let in_scope = |at: &&usize| in_scope(question, &base.objects[**at]);
    let missing: Vec<usize> = question.missing.iter().filter(in_scope).copied().collect();
    let confirmed = |at: &usize| {
        let held_by = base.held.get(&base.objects[*at].object_id);
        !visibility_changed && question.confirms.is_some() && held_by == question.confirms.as_ref()
    };
    let (gone, rest): (Vec<usize>, Vec<usize>) = missing.into_iter().partition(confirmed);
    let proven = |at: &usize| {
        let object = &base.objects[*at];
        let seen = object.listed && object.state == State::Live && !base.held.contains_key(&object.object_id);
        last.is_some() && !scope_changed && !visibility_changed && seen
    };
    let too_many = too_many(question, &rest);
    let (proven, unproven): (Vec<usize>, Vec<usize>) = rest.into_iter().partition(|at| !too_many && proven(at));
    verdict.held = in_order(base, unproven);
    verdict.dropped = entailed(question, in_order(base, [gone, proven].concat()));
    verdict
}

/// Whether a listing of this run would hold the object if it were there.
pub fn in_scope(question: &Question<'_>, object: &Known) -> bool {
    question.catalogs.contains(&object.catalog) && glob::in_scope(question.scope, &object.schema, &object.name)
}

fn in_order(base: &Base, mut positions: Vec<usize>) -> Vec<usize> {
    let key = |at: &usize| {
        let object = &base.objects[*at];
        (object.catalog.clone(), object.schema.clone(), object.kind, object.name.clone(), object.object_id)
    };
    positions.sort_by_cached_key(key);
    positions
}

/// At least ten at once, and those more than 30 % of what is known or all that a schema had.
fn too_many(question: &Question<'_>, missing: &[usize]) -> bool {
    let live = |object: &&Known| object.state == State::Live;
    let known = question.base.objects.iter().filter(live).count();
    if missing.len() < MANY {
        return false;
    }
    missing.len() * 100 > known * SHARE_PERCENT || emptied(question, missing)
}

fn emptied(question: &Question<'_>, missing: &[usize]) -> bool {
    let mut left: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for object in question.base.objects.iter().filter(|object| object.state == State::Live) {
        *left.entry((&object.catalog, &object.schema)).or_default() += 1;
    }
    for object in missing.iter().map(|at| &question.base.objects[*at]).filter(|object| object.state == State::Live) {
        let count = left.entry((&object.catalog, &object.schema)).or_default();
        *count = count.saturating_sub(1);
        if *count == 0 {
            return true;
        }
    }
    false
}

/// What took each of them along: its schema where that is gone too, its table where it is a trigger.
fn entailed(question: &Question<'_>, dropped: Vec<usize>) -> Vec<Drop> {
    let objects = &question.base.objects;
    let tables: BTreeSet<(&str, &str, &str)> = dropped
        .iter()
        .map(|at| &objects[*at])
        .filter(|object| object.kind != ObjectKind::Trigger)
        .map(|object| (object.catalog.as_str(), object.schema.as_str(), object.name.as_str()))
        .collect();
    let table_of = |object: &Known| {
        let dots = object.name.match_indices('.').filter(|_| object.kind == ObjectKind::Trigger);
        let mut tables = dots
            .map(|(at, _)| &object.name[..at])
            .filter(|table| tables.contains(&(object.catalog.as_str(), object.schema.as_str(), *table)));
        tables.next().map(|table| qualified(&object.schema, table))
    };
    let one = |at: usize| {
        let object = &objects[at];
        let schema = (object.catalog.clone(), object.schema.clone());
        let table = table_of(object);
        let part_of_table = table.is_some();
        let schema = (!question.schemas.contains(&schema)).then(|| object.schema.clone());
        Drop { known: at, entailed_by: schema.into_iter().chain(table).collect(), part_of_table }
    };
    dropped.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests;
