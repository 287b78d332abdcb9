//! Changes of columns: which column of one version is which of the other, and how it differs.
//! In the same physical object the attribute number is the identity; elsewhere the name is, and a rename can only be
//! suspected. Must not know constraints or indexes.

use std::collections::BTreeMap;

use pursight_schemas::{Certainty, Change, ChangeKind, Column, Severity};

use super::path::{join, written};
use super::types;
use super::{change, severity};
use crate::content::Content;

/// Columns of two versions, paired.
#[derive(Debug, Default)]
pub struct Pairs<'a> {
    same: Vec<(&'a Column, &'a Column, Certainty)>,
    dropped: Vec<&'a Column>,
    added: Vec<&'a Column>,
}

impl Pairs<'_> {
    /// Names and types are what they were.
    pub fn same_shape(&self) -> bool {
        let kept = |(before, after, _): &(&Column, &Column, Certainty)| {
            before.name == after.name && before.data_type == after.data_type
        };
        self.dropped.is_empty() && self.added.is_empty() && self.same.iter().all(kept)
    }
}

/// Pairs the columns of two versions.
pub fn pair<'a>(before: &'a Content, after: &'a Content) -> Pairs<'a> {
    let mut pairs = Pairs::default();
    let mut old: Vec<&Column> = before.columns.iter().collect();
    let mut new: Vec<&Column> = after.columns.iter().collect();
    old.sort_by(|a, b| (&a.name, a.ordinal).cmp(&(&b.name, b.ordinal)));
    new.sort_by(|a, b| (&a.name, a.ordinal).cmp(&(&b.name, b.ordinal)));
    let numbered =
        before.native_id.is_some() && before.native_id == after.native_id && distinct(&old) && distinct(&new);
    if numbered {
        take(&mut old, &mut new, |a, b| a.ordinal == b.ordinal, Certainty::Certain, &mut pairs.same);
    } else {
        take(&mut old, &mut new, |a, b| a.name == b.name, Certainty::Certain, &mut pairs.same);
        take(&mut old, &mut new, alike, Certainty::Suspected, &mut pairs.same);
    }
    pairs.dropped = old;
    pairs.added = new;
    pairs
}

/// Attribute numbers tell columns apart only where each has its own.
fn distinct(columns: &[&Column]) -> bool {
    let numbers: std::collections::BTreeSet<i32> = columns.iter().map(|column| column.ordinal).collect();
    numbers.len() == columns.len()
}

fn alike(a: &Column, b: &Column) -> bool {
    (a.ordinal, &a.data_type, a.nullable, &a.default) == (b.ordinal, &b.data_type, b.nullable, &b.default)
}

fn take<'a>(
    old: &mut Vec<&'a Column>,
    new: &mut Vec<&'a Column>,
    same: impl Fn(&Column, &Column) -> bool,
    certainty: Certainty,
    found: &mut Vec<(&'a Column, &'a Column, Certainty)>,
) {
    old.retain(|before| {
        let Some(at) = new.iter().position(|after| same(before, after)) else { return true };
        found.push((before, new.remove(at), certainty));
        false
    });
}

/// Changes of paired columns.
pub fn diff(pairs: &Pairs<'_>, changes: &mut Vec<Change>) {
    for column in &pairs.dropped {
        changes.push(change(ChangeKind::ColumnDropped, join(&["columns", &column.name]), Some(written(column)), None));
    }
    for column in &pairs.added {
        let mut added = change(ChangeKind::ColumnAdded, join(&["columns", &column.name]), None, Some(written(column)));
        if required(column) {
            added.severity = Severity::Major;
        }
        changes.push(added);
    }
    for (before, after, certainty) in &pairs.same {
        if before.name != after.name {
            let (old, new) = (Some(before.name.clone()), Some(after.name.clone()));
            let renamed = change(ChangeKind::ColumnRenamed, join(&["columns", &after.name, "name"]), old, new);
            changes.push(Change { certainty: *certainty, ..renamed });
        }
        properties(before, after, changes);
    }
}

/// Writers that do not name it break.
fn required(column: &Column) -> bool {
    !column.nullable && column.default.is_none() && column.generated.is_none() && column.identity.is_none()
}

fn properties(before: &Column, after: &Column, changes: &mut Vec<Change>) {
    let path = |property: &str| join(&["columns", &after.name, property]);
    if before.data_type != after.data_type {
        let kind = types::kind_of_change(&before.data_type, &after.data_type);
        let (old, new) = (before.data_type.clone(), after.data_type.clone());
        changes.push(change(kind, path("type"), Some(old), Some(new)));
    }
    if before.nullable != after.nullable {
        let kind = if after.nullable { ChangeKind::NullabilityLoosened } else { ChangeKind::NullabilityTightened };
        let (old, new) = (before.nullable.to_string(), after.nullable.to_string());
        changes.push(change(kind, path("nullable"), Some(old), Some(new)));
    }
    let optional: BTreeMap<&str, (ChangeKind, &Option<String>, &Option<String>)> = BTreeMap::from([
        ("default", (ChangeKind::DefaultChanged, &before.default, &after.default)),
        ("generated", (ChangeKind::GeneratedChanged, &before.generated, &after.generated)),
        ("identity", (ChangeKind::IdentityChanged, &before.identity, &after.identity)),
        ("collation", (ChangeKind::CollationChanged, &before.collation, &after.collation)),
        ("comment", (ChangeKind::CommentChanged, &before.comment, &after.comment)),
    ]);
    for (property, (kind, old, new)) in optional {
        if old != new {
            let found = change(kind, path(property), old.clone(), new.clone());
            changes.push(Change { severity: severity(kind), ..found });
        }
    }
}
