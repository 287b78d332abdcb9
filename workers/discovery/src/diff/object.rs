//! Changes of the object itself: name, identity, owner, comment, definition, partitioning, dependencies.
//! Must not know columns, constraints or indexes.

use std::collections::BTreeSet;

use pursight_schemas::{Change, ChangeKind, ObjectRef, Partitioning, Severity};

use super::path::{qualified, written};
use super::{change, severity};
use crate::content::{Content, needed_key, plain_text};

/// `reshaped`: the output columns changed too.
pub fn diff(before: &Content, after: &Content, reshaped: bool, changes: &mut Vec<Change>) {
    let names = |content: &Content| qualified(&content.schema, &content.name);
    if (&before.schema, &before.name) != (&after.schema, &after.name) {
        let path = if before.name == after.name { "schema" } else { "name" };
        changes.push(change(ChangeKind::ObjectRenamed, path.into(), Some(names(before)), Some(names(after))));
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
    let listed = |list: &[ObjectRef]| {
        let named: BTreeSet<String> = list.iter().map(named).collect();
        (!named.is_empty()).then(|| format!("[{}]", named.into_iter().collect::<Vec<_>>().join(",")))
    };
    optional(ChangeKind::DependencyChanged, "depends_on", &listed(before), &listed(after), changes);
}

/// A dependency without ids, which may differ where the content does not.
fn named(needed: &ObjectRef) -> String {
    let (kind, catalog, schema, name) = needed_key(needed);
    serde_json::json!({"kind": kind.symbol(), "catalog": catalog, "schema": schema, "name": name}).to_string()
}
