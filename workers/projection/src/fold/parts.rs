//! An object's columns, constraints and indexes as rows, and its changes.

use pursight_read_model::table::schema_change::SchemaChangeRow;
use pursight_read_model::table::schema_column::SchemaColumn;
use pursight_read_model::table::schema_constraint::SchemaConstraint;
use pursight_read_model::table::schema_index::SchemaIndex;
use pursight_schemas::{SchemaChanged, SchemaObjectObserved};
use uuid::Uuid;

use super::{json, json_or_none, time};
use crate::state::{ObjectKey, Parts};

fn place(index: usize) -> i32 {
    i32::try_from(index).unwrap_or(i32::MAX)
}

/// All parts of an observed object.
pub(super) fn of(event: &SchemaObjectObserved, key: &ObjectKey) -> Parts {
    let (tenant_id, source_id, object_id) = key;
    let mut parts = Parts::default();
    for (index, column) in event.columns.iter().enumerate() {
        parts.columns.push(SchemaColumn {
            tenant_id: tenant_id.clone(),
            source_id: *source_id,
            object_id: *object_id,
            position: place(index),
            name: column.name.clone(),
            ordinal: column.ordinal,
            data_type: column.data_type.clone(),
            type_family: column.type_family.clone(),
            nullable: column.nullable,
            default_value: column.default.clone(),
            generated: column.generated.clone(),
            identity: column.identity.clone(),
            collation_name: column.collation.clone(),
            comment: column.comment.clone(),
        });
    }
    for (index, constraint) in event.constraints.iter().enumerate() {
        let target = constraint.references.as_ref();
        parts.constraints.push(SchemaConstraint {
            tenant_id: tenant_id.clone(),
            source_id: *source_id,
            object_id: *object_id,
            position: place(index),
            name: constraint.name.clone(),
            kind: constraint.kind.symbol().to_owned(),
            columns: json(&constraint.columns),
            referenced_object: target.map(|target| target.object.clone()),
            referenced_columns: json_or_none(target.map(|target| &target.columns)),
            definition: constraint.definition.clone(),
        });
    }
    for (index, one) in event.indexes.iter().enumerate() {
        parts.indexes.push(SchemaIndex {
            tenant_id: tenant_id.clone(),
            source_id: *source_id,
            object_id: *object_id,
            position: place(index),
            name: one.name.clone(),
            is_unique: one.unique,
            columns: json(&one.columns),
            method: one.method.clone(),
            definition: one.definition.clone(),
        });
    }
    parts
}

/// One row per change.
pub(super) fn changes(event: &SchemaChanged, source_id: Uuid) -> Vec<SchemaChangeRow> {
    let object = &event.object;
    let row = |(index, change): (usize, &pursight_schemas::Change)| SchemaChangeRow {
        tenant_id: event.meta.tenant_id.clone(),
        event_id: event.meta.event_id,
        position: place(index),
        source_id,
        run_id: event.run_id,
        object_id: object.object_id,
        catalog: object.catalog.clone(),
        schema: object.schema.clone(),
        name: object.name.clone(),
        object_kind: object.kind.symbol().to_owned(),
        kind: change.kind.symbol().to_owned(),
        severity: change.severity.symbol().to_owned(),
        path: change.path.clone(),
        before: change.before.clone(),
        after: change.after.clone(),
        certainty: change.certainty.symbol().to_owned(),
        from_hash: event.from_hash.clone(),
        to_hash: event.to_hash.clone(),
        changed_at: time(event.meta.occurred_at),
    };
    event.changes.iter().enumerate().map(row).collect()
}
