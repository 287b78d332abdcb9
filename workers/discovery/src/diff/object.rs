//! Changes of the object itself: name, identity, owner, comment, definition, partitioning, dependencies.
//! Must not know columns, constraints or indexes.

use std::collections::BTreeMap;

use pursight_schemas::{Change, ChangeKind, ObjectRef, Partitioning, Severity};

use super::path::{join, qualified, written};
use super::{change, severity};
use crate::content::{Content, needed_key, plain_text};

/// `reshaped`: the output columns changed too.
pub fn diff(before: &Content, after: &Content, reshaped: bool, changes: &mut Vec<Change>) {
    let names = |content: &Content| qualified(&content.schema, &content.name);
    if (&before.schema, &before.name) != (&after.schema, &after.name) {
        changes.push(change(ChangeKind::ObjectRenamed, "name".into(), Some(names(before)), Some(names(after))));
    }
    if let (Some(old), Some(new)) = (&before.native_id, &after.native_id)
        && old != new
    {
        let (old, new) = (Some(old.clone()), Some(new.clone()));
        changes.push(change(ChangeKind::ObjectRecreated, "native_id".into(), old, new));
    }
    optional(ChangeKind::OwnerChanged, "owner", &before.owner, &after.owner, changes);
    optional(ChangeKind::CommentChanged, "comment", &before.comment, &after.comment, changes);
    let text = |content: &Content| content.definition.as_deref().map(plain_text);
    let mut definition = Vec::new();
    optional(ChangeKind::DefinitionChanged, "definition", &text(before), &text(after), &mut definition);
    for mut found in definition {
        found.severity = if reshaped { Severity::Major } else { severity(found.kind) };
        changes.push(found);
    }
    let cut = |content: &Content| content.partitions.as_ref().map(how_cut);
    optional(ChangeKind::PartitioningChanged, "partitions", &cut(before), &cut(after), changes);
    dependencies(&before.depends_on, &after.depends_on, changes);
}

fn optional(kind: ChangeKind, path: &str, before: &Option<String>, after: &Option<String>, changes: &mut Vec<Change>) {
    if before != after {
        changes.push(change(kind, path.to_owned(), before.clone(), after.clone()));
    }
}

/// Strategy and key; how many partitions there are is no change of the table.
fn how_cut(partitions: &Partitioning) -> String {
    written(&serde_json::json!({"strategy": partitions.strategy, "key": partitions.key}))
}

fn dependencies(before: &[ObjectRef], after: &[ObjectRef], changes: &mut Vec<Change>) {
    let keyed = |list: &[ObjectRef]| -> BTreeMap<String, String> { list.iter().map(named).collect() };
    let (before, after) = (keyed(before), keyed(after));
    for (path, value) in before.iter().filter(|(path, _)| !after.contains_key(*path)) {
        changes.push(change(ChangeKind::DependencyChanged, path.clone(), Some(value.clone()), None));
    }
    for (path, value) in after.iter().filter(|(path, _)| !before.contains_key(*path)) {
        changes.push(change(ChangeKind::DependencyChanged, path.clone(), None, Some(value.clone())));
    }
}

/// Path and value of a dependency: without ids, which may differ where the content does not.
fn named(needed: &ObjectRef) -> (String, String) {
    let (kind, catalog, schema, name) = needed_key(needed);
    let value = serde_json::json!({"catalog": catalog, "schema": schema, "name": name, "kind": kind.symbol()});
    (join(&["depends_on", kind.symbol(), catalog, schema, name]), value.to_string())
}
