//! Changes of constraints. A constraint is known by its name; one that vanished and one that came are the same if
//! nothing but the name differs. Must not know columns or indexes.

use pursight_schemas::{Change, ChangeKind, Constraint, ConstraintKind};

use super::change;
use super::path::{join, written};

/// Changes of a list of constraints.
pub fn diff(before: &[Constraint], after: &[Constraint], changes: &mut Vec<Change>) {
    let mut old = sorted(before);
    let mut new = sorted(after);
    let mut pairs = Vec::new();
    take(&mut old, &mut new, |a, b| a.name == b.name, &mut pairs);
    take(&mut old, &mut new, |a, b| a.kind == b.kind && a.kind == ConstraintKind::PrimaryKey, &mut pairs);
    take(&mut old, &mut new, only_renamed, &mut pairs);
    for (before, after) in pairs.into_iter().filter(|(before, after)| before != after) {
        replaced(before, after, changes);
    }
    for constraint in old {
        changes.push(one(dropped(constraint.kind), Some(constraint), None));
    }
    for constraint in new {
        changes.push(one(added(constraint.kind), None, Some(constraint)));
    }
}

fn sorted(list: &[Constraint]) -> Vec<&Constraint> {
    let mut sorted: Vec<&Constraint> = list.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name));
    sorted
}

type Pair<'a> = (&'a Constraint, &'a Constraint);

fn take<'a>(
    old: &mut Vec<&'a Constraint>,
    new: &mut Vec<&'a Constraint>,
    same: impl Fn(&Constraint, &Constraint) -> bool,
    pairs: &mut Vec<Pair<'a>>,
) {
    old.retain(|before| {
        let Some(at) = new.iter().position(|after| same(before, after)) else { return true };
        pairs.push((before, new.remove(at)));
        false
    });
}

fn only_renamed(a: &Constraint, b: &Constraint) -> bool {
    let parts = |c: &Constraint| (c.kind, c.columns.clone(), c.references.clone(), c.definition.clone());
    parts(a) == parts(b)
}

/// A pair whose kind has a word for it is one change; of other kinds the old goes and the new comes.
fn replaced(before: &Constraint, after: &Constraint, changes: &mut Vec<Change>) {
    match (before.kind == after.kind).then(|| changed(before.kind)).flatten() {
        Some(kind) => changes.push(one(kind, Some(before), Some(after))),
        None => {
            changes.push(one(dropped(before.kind), Some(before), None));
            changes.push(one(added(after.kind), None, Some(after)));
        }
    }
}

fn one(kind: ChangeKind, before: Option<&Constraint>, after: Option<&Constraint>) -> Change {
    let name = before.or(after).map_or("", |constraint| constraint.name.as_str());
    change(kind, join(&["constraints", name]), before.map(written), after.map(written))
}

fn changed(kind: ConstraintKind) -> Option<ChangeKind> {
    match kind {
        ConstraintKind::PrimaryKey => Some(ChangeKind::PrimaryKeyChanged),
        ConstraintKind::ForeignKey => Some(ChangeKind::ForeignKeyChanged),
        ConstraintKind::Check => Some(ChangeKind::CheckChanged),
        ConstraintKind::Exclusion => Some(ChangeKind::ExclusionChanged),
        ConstraintKind::Unique | ConstraintKind::Unknown => None,
    }
}

fn added(kind: ConstraintKind) -> ChangeKind {
    match kind {
        ConstraintKind::PrimaryKey => ChangeKind::PrimaryKeyChanged,
        ConstraintKind::Unique => ChangeKind::UniqueAdded,
        ConstraintKind::ForeignKey => ChangeKind::ForeignKeyAdded,
        ConstraintKind::Exclusion => ChangeKind::ExclusionAdded,
        ConstraintKind::Check | ConstraintKind::Unknown => ChangeKind::CheckAdded,
    }
}

fn dropped(kind: ConstraintKind) -> ChangeKind {
    match kind {
        ConstraintKind::PrimaryKey => ChangeKind::PrimaryKeyChanged,
        ConstraintKind::Unique => ChangeKind::UniqueDropped,
        ConstraintKind::ForeignKey => ChangeKind::ForeignKeyDropped,
        ConstraintKind::Exclusion => ChangeKind::ExclusionDropped,
        ConstraintKind::Check | ConstraintKind::Unknown => ChangeKind::CheckDropped,
    }
}
