//! Takes out of a diff what is only the consequence of another change: the printed echo of a rename or of a column's
//! new type, constraints and indexes that went with their columns, dependencies that follow from a definition.
//! Owns the judgement, as `infra/decisions/0002-echoes-of-a-rename.md` gives it; must not know runs or the log. What is
//! taken out is observed all the same, so that the read model equals the catalog.

mod renames;
pub mod tokens;

pub use renames::{Renamed, Renames, Seen};

use std::collections::BTreeSet;

use pursight_schemas::{Change, ChangeKind, Constraint, Index, ObjectKind, Partitioning};

use crate::content::Content;
use crate::diff::{column_renames, path};
use tokens::{Pairs, Token, lex, same_under, without_casts};

/// The changes that are news, in the order of `changes`.
pub fn reported(changes: Vec<Change>, before: &Content, after: &Content, renames: &Renames) -> Vec<Change> {
    let own = column_renames(&changes);
    let judge = Judge {
        before,
        after,
        seen: renames.seen_by(after, &own),
        dropped: names_of(&changes, ChangeKind::ColumnDropped),
        retyped: changes.iter().any(|change| is_type(change.kind)),
        restructured: changes.iter().any(|change| is_structure(change.kind)),
    };
    let pairs = judge.reprinted_uniques(&changes);
    changes.into_iter().filter(|change| !pairs.contains(&change.path) && !judge.explains(change)).collect()
}

/// Whether a later rename of the same run could still explain some of these changes.
pub fn may_be_echo(changes: &[Change]) -> bool {
    use ChangeKind as K;
    changes.iter().any(|change| {
        matches!(
            change.kind,
            K::ForeignKeyChanged | K::CheckChanged | K::DefinitionChanged | K::DefaultChanged | K::GeneratedChanged
        )
    })
}

fn is_type(kind: ChangeKind) -> bool {
    matches!(kind, ChangeKind::ColumnTypeWidened | ChangeKind::ColumnTypeNarrowed | ChangeKind::ColumnTypeChanged)
}

/// Changes that bring their own dependencies.
fn is_structure(kind: ChangeKind) -> bool {
    use ChangeKind as K;
    !matches!(kind, K::DependencyChanged | K::OwnerChanged | K::CommentChanged | K::ObjectRenamed | K::ObjectRecreated)
}

fn names_of(changes: &[Change], kind: ChangeKind) -> BTreeSet<String> {
    let found = changes.iter().filter(|change| change.kind == kind);
    found.filter_map(|change| path::part(&change.path, "columns", None)).map(str::to_owned).collect()
}

struct Judge<'a> {
    before: &'a Content,
    after: &'a Content,
    seen: Seen<'a>,
    dropped: BTreeSet<String>,
    retyped: bool,
    restructured: bool,
}

impl Judge<'_> {
    /// Whether another change of the run explains this one.
    fn explains(&self, change: &Change) -> bool {
        use ChangeKind as K;
        match change.kind {
            K::ObjectRenamed => self.follows(),
            K::DependencyChanged => self.derived() || self.needed_renamed(),
            K::CheckChanged | K::ForeignKeyChanged | K::ExclusionChanged | K::PrimaryKeyChanged => {
                self.constraint_follows(change)
            }
            K::UniqueDropped | K::CheckDropped | K::ForeignKeyDropped | K::ExclusionDropped => {
                self.constraint_follows(change)
            }
            K::IndexChanged | K::IndexDropped => self.index_follows(change),
            K::DefinitionChanged if is_enumeration(self.after) => false,
            K::DefaultChanged | K::GeneratedChanged | K::DefinitionChanged => self.both(change, |a, b| self.text(a, b)),
            K::ColumnTypeWidened | K::ColumnTypeNarrowed | K::ColumnTypeChanged => {
                self.both(change, |a, b| same_under(&lex(a), &lex(b), self.seen.renames.types()))
            }
            K::PartitioningChanged => self.both(change, |a, b| self.partitioning(a, b)),
            _ => false,
        }
    }

    fn both(&self, change: &Change, same: impl Fn(&str, &str) -> bool) -> bool {
        matches!((&change.before, &change.after), (Some(before), Some(after)) if same(before, after))
    }

    /// Two texts of SQL say the same after the run's renames and new types.
    fn text(&self, before: &str, after: &str) -> bool {
        self.tokens(&lex(before), &lex(after))
    }

    fn tokens(&self, before: &[Token], after: &[Token]) -> bool {
        same_under(before, after, &self.seen)
            || (self.retyped && same_under(&without_casts(before), &without_casts(after), &self.seen))
    }

    /// A trigger is called after its table, a routine after its arguments' types.
    fn follows(&self) -> bool {
        let (before, after) = (self.before, self.after);
        let renames = self.seen.renames;
        match after.kind {
            ObjectKind::Trigger => splits(&before.name).any(|(old_table, old_own)| {
                splits(&after.name).any(|(table, own)| {
                    let old = (before.schema.clone(), old_table.to_owned());
                    own == old_own && renames.relation(&old, &(after.schema.clone(), table.to_owned()))
                })
            }),
            ObjectKind::Routine => {
                before.schema == after.schema && same_under(&lex(&before.name), &lex(&after.name), renames.types())
            }
            _ => false,
        }
    }

    /// What a definition needs follows from it; what a table inherits from is news of its own.
    fn derived(&self) -> bool {
        let defined = !matches!(self.after.kind, ObjectKind::Table | ObjectKind::ForeignTable);
        defined && self.restructured
    }

    /// Everything needed is what was needed, under another name.
    fn needed_renamed(&self) -> bool {
        type Needed = (ObjectKind, String, String);
        let list = |content: &Content| -> BTreeSet<Needed> {
            content.depends_on.iter().map(|n| (n.kind, n.schema.clone(), n.name.clone())).collect()
        };
        let (before, after) = (list(self.before), list(self.after));
        let gone: Vec<_> = before.difference(&after).collect();
        let came: Vec<_> = after.difference(&before).collect();
        let part = |a: &str, b: &str| a == b || self.seen.renamed(a, b) || same_under(&lex(a), &lex(b), &self.seen);
        let same = |old: &Needed, new: &Needed| old.0 == new.0 && part(&old.1, &new.1) && part(&old.2, &new.2);
        gone.iter().all(|old| came.iter().any(|new| same(old, new)))
            && came.iter().all(|new| gone.iter().any(|old| same(old, new)))
    }

    fn constraint_follows(&self, change: &Change) -> bool {
        let read = |text: &Option<String>| text.as_deref().and_then(path::read::<Constraint>);
        match (read(&change.before), read(&change.after)) {
            (Some(before), Some(after)) => self.same_constraint(&before, &after),
            (Some(before), None) => self.went_with_columns(&before.columns),
            _ => false,
        }
    }

    fn same_constraint(&self, before: &Constraint, after: &Constraint) -> bool {
        let target = match (&before.references, &after.references) {
            (None, None) => true,
            (Some(old), Some(new)) => {
                self.seen.renames.target(&old.object) == new.object && self.columns(&old.columns, &new.columns)
            }
            _ => false,
        };
        let definition = match (&before.definition, &after.definition) {
            (None, None) => true,
            (Some(old), Some(new)) => self.text(old, new),
            _ => false,
        };
        let same_one = (&before.name, before.kind) == (&after.name, after.kind);
        same_one && target && definition && self.columns(&before.columns, &after.columns)
    }

    fn columns(&self, before: &[String], after: &[String]) -> bool {
        let same = |(old, new): (&String, &String)| old == new || self.seen.renamed(old, new) || self.text(old, new);
        before.len() == after.len() && before.iter().zip(after).all(same)
    }

    /// Every column of it was dropped in the same run.
    fn went_with_columns(&self, columns: &[String]) -> bool {
        !columns.is_empty() && columns.iter().all(|column| self.dropped.contains(column))
    }

    fn index_follows(&self, change: &Change) -> bool {
        let read = |text: &Option<String>| text.as_deref().and_then(path::read::<Index>);
        match (read(&change.before), read(&change.after)) {
            (Some(before), Some(after)) => {
                let same_one =
                    (&before.name, before.unique, &before.method) == (&after.name, after.unique, &after.method);
                same_one
                    && self.columns(&before.columns, &after.columns)
                    && self.text(&before.definition, &after.definition)
            }
            (Some(before), None) => self.went_with_columns(&before.columns),
            _ => false,
        }
    }

    fn partitioning(&self, before: &str, after: &str) -> bool {
        let read = |text: &str| path::read::<Partitioning>(text).unwrap_or_default();
        let (before, after) = (read(before), read(after));
        before.strategy == after.strategy && self.text(&before.key, &after.key)
    }

    /// Paths of unique constraints that are printed differently: a drop and an addition that say the same.
    fn reprinted_uniques(&self, changes: &[Change]) -> BTreeSet<String> {
        let at = |kind: ChangeKind, path: &str| changes.iter().find(|c| c.kind == kind && c.path == path);
        let read = |text: &Option<String>| text.as_deref().and_then(path::read::<Constraint>);
        let dropped = changes.iter().filter(|change| change.kind == ChangeKind::UniqueDropped);
        let same = |gone: &&Change| {
            let came = at(ChangeKind::UniqueAdded, &gone.path).and_then(|came| read(&came.after));
            matches!((read(&gone.before), came), (Some(old), Some(new)) if self.same_constraint(&old, &new))
        };
        dropped.filter(same).map(|change| change.path.clone()).collect()
    }
}

/// An enumeration names nothing but its labels: what changed there is news.
pub fn is_enumeration(content: &Content) -> bool {
    content.kind == ObjectKind::Type && content.definition.as_deref().is_some_and(|text| text.starts_with("ENUM ("))
}

/// Every way to read `table.trigger` where both may hold dots.
fn splits(name: &str) -> impl Iterator<Item = (&str, &str)> {
    name.match_indices('.').map(|(at, _)| (&name[..at], &name[at + 1..]))
}

#[cfg(test)]
mod tests;
