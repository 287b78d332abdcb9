//! The way back: applies changes to the content that they were found against.
//! Owns nothing else. What goes is taken out before anything comes in, so that names may be exchanged.

use std::collections::BTreeMap;

use pursight_schemas::{Change, ChangeKind, Column, Constraint, Index, ObjectKind, ObjectRef, Partitioning};
use serde::Deserialize;

use super::column_renames;
use super::path::{read, split, unqualified};
use crate::content::{Content, needed_key};

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
    let path = split(&change.path);
    match path.first()?.as_str() {
        "columns" if change.kind == ChangeKind::ColumnDropped => {
            remove(&mut content.columns, |column| column.name == path[1])
        }
        "constraints" => {
            let gone: Constraint = read(before)?;
            remove(&mut content.constraints, |constraint| constraint.name == gone.name)
        }
        "indexes" => {
            let gone: Index = read(before)?;
            remove(&mut content.indexes, |index| index.name == gone.name)
        }
        "depends_on" => {
            let gone = Needed::read(before)?;
            remove(&mut content.depends_on, |needed| needed_key(needed) == needed_key(&gone))
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
    let path = split(&change.path);
    match (path.first()?.as_str(), path.len()) {
        ("name", 1) => (content.schema, content.name) = unqualified(change.after.as_deref()?)?,
        ("native_id", 1) => content.native_id.clone_from(&change.after),
        ("owner", 1) => content.owner.clone_from(&change.after),
        ("comment", 1) => content.comment.clone_from(&change.after),
        ("definition", 1) => content.definition.clone_from(&change.after),
        ("partitions", 1) => content.partitions = optional::<Partitioning>(change)?,
        ("depends_on", _) => content.depends_on.extend(change.after.as_deref().map(Needed::read).unwrap_or(None)),
        ("constraints", 2) => content.constraints.extend(optional::<Constraint>(change)?),
        ("indexes", 2) => content.indexes.extend(optional::<Index>(change)?),
        ("columns", 2) if change.kind == ChangeKind::ColumnAdded => {
            content.columns.extend(optional::<Column>(change)?);
        }
        ("columns", 2) => {}
        ("columns", 3) => property(change, &path, content)?,
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

fn property(change: &Change, path: &[String], content: &mut Content) -> Option<()> {
    // a column that was added in the same run has no changes of its own
    let column = content.columns.iter_mut().find(|column| column.name == path[1])?;
    match path[2].as_str() {
        "type" => column.data_type.clone_from(change.after.as_ref()?),
        "nullable" => column.nullable = change.after.as_deref()?.parse().ok()?,
        "default" => column.default.clone_from(&change.after),
        "generated" => column.generated.clone_from(&change.after),
        "identity" => column.identity.clone_from(&change.after),
        "collation" => column.collation.clone_from(&change.after),
        "comment" => column.comment.clone_from(&change.after),
        _ => return None,
    }
    Some(())
}

/// A dependency as a change writes it: without ids.
#[derive(Deserialize)]
struct Needed {
    catalog: String,
    schema: String,
    name: String,
    kind: ObjectKind,
}

impl Needed {
    fn read(text: &str) -> Option<ObjectRef> {
        let Self { catalog, schema, name, kind } = read(text)?;
        Some(ObjectRef { catalog, schema, name, kind, ..ObjectRef::default() })
    }
}
