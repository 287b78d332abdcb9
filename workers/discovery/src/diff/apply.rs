//! The way back: applies changes to the content that they were found against.
//! Owns nothing else. What goes is taken out before anything comes in, so that names may be exchanged.

use std::collections::BTreeMap;

use pursight_schemas::{Change, ChangeKind, Column, Constraint, Index, ObjectRef, Partitioning};

use super::column_renames;
use super::path::{part, read, unqualified};
use crate::content::Content;

/// The content after `changes`, or `None` where they do not fit it.
pub fn apply(changes: &[Change], before: &Content) -> Option<Content> {
    let mut content = before.clone();
    for change in changes {
        take_out(change, &mut content)?;
    }
    let renames: BTreeMap<String, String> = column_renames(changes).into_iter().collect();
    for column in &mut content.columns {
        if let Some(name) = renames.get(&column.name) {
            column.name.clone_from(name);
        }
    }
    for change in changes {
        put_in(change, &mut content)?;
    }
    Some(content)
}

fn take_out(change: &Change, content: &mut Content) -> Option<()> {
    let Some(before) = &change.before else { return Some(()) };
    match change.path.split('/').next()? {
        "columns" if change.kind == ChangeKind::ColumnDropped => {
            let gone = part(&change.path, "columns", None)?;
            remove(&mut content.columns, |column| column.name == gone)
        }
        "constraints" => {
            let gone: Constraint = read(before)?;
            remove(&mut content.constraints, |constraint| constraint.name == gone.name)
        }
        "indexes" => {
            let gone: Index = read(before)?;
            remove(&mut content.indexes, |index| index.name == gone.name)
        }
        _ => Some(()),
    }
}

fn remove<T>(list: &mut Vec<T>, matches: impl Fn(&T) -> bool) -> Option<()> {
    let at = list.iter().position(matches)?;
    list.remove(at);
    Some(())
}

fn put_in(change: &Change, content: &mut Content) -> Option<()> {
    match (change.path.as_str(), change.path.split('/').next()?) {
        ("name" | "schema", _) => (content.schema, content.name) = unqualified(change.after.as_deref()?)?,
        ("native_id", _) => content.native_id.clone_from(&change.after),
        ("owner", _) => content.owner.clone_from(&change.after),
        ("comment", _) => content.comment.clone_from(&change.after),
        ("definition", _) => content.definition.clone_from(&change.after),
        ("partitions", _) => content.partitions = optional::<Partitioning>(change)?,
        ("depends_on", _) => content.depends_on = optional::<Vec<ObjectRef>>(change)?.unwrap_or_default(),
        (_, "constraints") => content.constraints.extend(optional::<Constraint>(change)?),
        (_, "indexes") => content.indexes.extend(optional::<Index>(change)?),
        (_, "columns") => match change.kind {
            ChangeKind::ColumnAdded => content.columns.extend(optional::<Column>(change)?),
            ChangeKind::ColumnDropped | ChangeKind::ColumnRenamed => {}
            _ => property(change, content)?,
        },
        _ => return None,
    }
    Some(())
}

/// The part after the change; the outer `None` is a text that is none.
fn optional<T: serde::de::DeserializeOwned>(change: &Change) -> Option<Option<T>> {
    match change.after.as_deref() {
        None => Some(None),
        Some(text) => read(text).map(Some),
    }
}

/// The column's own name may hold slashes: the property is what the kind of the change says.
fn property(change: &Change, content: &mut Content) -> Option<()> {
    use ChangeKind as K;
    let property = match change.kind {
        K::ColumnTypeWidened | K::ColumnTypeNarrowed | K::ColumnTypeChanged => "type",
        K::NullabilityLoosened | K::NullabilityTightened => "nullable",
        K::DefaultChanged => "default",
        K::GeneratedChanged => "generated",
        K::IdentityChanged => "identity",
        K::CollationChanged => "collation",
        K::CommentChanged => "comment",
        _ => return None,
    };
    let name = part(&change.path, "columns", Some(property))?;
    let column = content.columns.iter_mut().find(|column| column.name == name)?;
    match property {
        "type" => column.data_type.clone_from(change.after.as_ref()?),
        "nullable" => column.nullable = change.after.as_deref()?.parse().ok()?,
        "default" => column.default.clone_from(&change.after),
        "generated" => column.generated.clone_from(&change.after),
        "identity" => column.identity.clone_from(&change.after),
        "collation" => column.collation.clone_from(&change.after),
        _ => column.comment.clone_from(&change.after),
    }
    Some(())
}
