//! How two contents of one object differ, as a list of changes; and the way back.
//! `diff` says everything, also what is only the printed echo of a rename; `crate::echo` takes that out of what is
//! reported. Owns kinds, severities, paths and their order; must not know where contents come from.

mod apply;
mod columns;
mod constraints;
mod indexes;
mod object;
pub mod path;
pub mod types;

pub use apply::apply;

use pursight_schemas::{Certainty, Change, ChangeKind, Severity};

use crate::content::Content;

/// Every difference, in order of path, then kind. `apply(&diff(a, b), a)` is `b`.
pub fn diff(before: &Content, after: &Content) -> Vec<Change> {
    let mut changes = Vec::new();
    let columns = columns::pair(before, after);
    object::diff(before, after, !columns.same_shape(), &mut changes);
    columns::diff(&columns, &mut changes);
    constraints::diff(&before.constraints, &after.constraints, &mut changes);
    indexes::diff(&before.indexes, &after.indexes, &mut changes);
    in_order(&mut changes);
    changes
}

/// Puts changes into the order of an event.
pub fn in_order(changes: &mut [Change]) {
    changes.sort_by(|a, b| (&a.path, a.kind.symbol()).cmp(&(&b.path, b.kind.symbol())));
}

/// A change that is certain, with the usual severity of its kind.
pub fn change(kind: ChangeKind, path: String, before: Option<String>, after: Option<String>) -> Change {
    Change { kind, severity: severity(kind), path, before, after, certainty: Certainty::Certain }
}

/// How much a kind of change matters where nothing makes it worse.
pub fn severity(kind: ChangeKind) -> Severity {
    use ChangeKind as K;
    match kind {
        K::DefaultChanged | K::CommentChanged | K::IndexAdded | K::IndexDropped | K::IndexChanged => Severity::Patch,
        K::PartitioningChanged | K::DependencyChanged => Severity::Patch,
        K::ObjectAdded | K::ColumnAdded | K::ColumnTypeWidened | K::GeneratedChanged | K::IdentityChanged => {
            Severity::Minor
        }
        K::UniqueAdded | K::ForeignKeyAdded | K::ForeignKeyDropped | K::ForeignKeyChanged => Severity::Minor,
        K::CheckAdded | K::CheckDropped | K::CheckChanged => Severity::Minor,
        K::ExclusionAdded | K::ExclusionDropped | K::ExclusionChanged | K::DefinitionChanged => Severity::Minor,
        K::ObjectDropped | K::ObjectRenamed | K::ObjectRecreated | K::ColumnDropped | K::ColumnRenamed => {
            Severity::Major
        }
        K::ColumnTypeNarrowed | K::ColumnTypeChanged | K::NullabilityLoosened | K::NullabilityTightened => {
            Severity::Major
        }
        K::CollationChanged | K::PrimaryKeyChanged | K::UniqueDropped => Severity::Major,
        K::OwnerChanged => Severity::Security,
        K::Unknown => Severity::Unknown,
    }
}

/// Old names of columns and their new ones, as some changes say.
pub fn column_renames(changes: &[Change]) -> Vec<(String, String)> {
    let renames = changes.iter().filter(|change| change.kind == ChangeKind::ColumnRenamed);
    renames.filter_map(|change| Some((change.before.clone()?, change.after.clone()?))).collect()
}

#[cfg(test)]
mod tests;
