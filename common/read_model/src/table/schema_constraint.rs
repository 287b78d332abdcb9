//! `schema_constraint`: constraints of live objects. Its statements, nothing else.

use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, json, json_or_null, text, text_or_null};

/// One constraint.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaConstraint {
    /// Tenant.
    pub tenant_id: String,
    /// Data source.
    pub source_id: Uuid,
    /// Object.
    pub object_id: Uuid,
    /// Place in the event.
    pub position: i32,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Columns.
    pub columns: Value,
    /// Referenced object.
    pub referenced_object: Option<String>,
    /// Referenced columns.
    pub referenced_columns: Option<Value>,
    /// Definition.
    pub definition: Option<String>,
}

/// Writes rows of an object that has none: [`remove`] comes before it. To be ready for a conflict would cost half as
/// much again.
pub async fn insert(connection: &mut PgConnection, rows: &[SchemaConstraint]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO schema_constraint (
            tenant_id, source_id, object_id, position, name, kind, columns, referenced_object,
            referenced_columns, definition
        ) SELECT
            u.tenant_id, u.source_id, u.object_id, u.position, u.name, u.kind, u.columns::JSONB,
            u.referenced_object, u.referenced_columns::JSONB, u.definition
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::UUID[], $4::INT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[],
            $9::TEXT[], $10::TEXT[]
        ) AS u (
            tenant_id, source_id, object_id, position, name, kind, columns, referenced_object,
            referenced_columns, definition
        )",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.object_id) as _,
        copied(rows, |row| row.position) as _,
        text(rows, |row| &row.name) as _,
        text(rows, |row| &row.kind) as _,
        json(rows, |row| &row.columns) as _,
        text_or_null(rows, |row| row.referenced_object.as_deref()) as _,
        json_or_null(rows, |row| row.referenced_columns.as_ref()) as _,
        text_or_null(rows, |row| row.definition.as_deref()) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing schema_constraint"))
}

/// Removes rows of these keys (tenant_id, source_id, object_id).
pub async fn remove(connection: &mut PgConnection, keys: &[(&str, Uuid, Uuid)]) -> Result<(), ReadModelError> {
    if keys.is_empty() {
        return Ok(());
    }
    let removed = sqlx::query!(
        "DELETE FROM schema_constraint WHERE ctid = ANY (ARRAY(
            SELECT t.ctid FROM UNNEST($1::TEXT[], $2::UUID[], $3::UUID[]) AS k (tenant_id, source_id, object_id)
            CROSS JOIN LATERAL (
                SELECT ctid FROM schema_constraint t
                WHERE t.tenant_id = k.tenant_id AND t.source_id = k.source_id AND t.object_id = k.object_id OFFSET 0
            ) t
        ))",
        keys.iter().map(|key| key.0).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.1).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.2).collect::<Vec<_>>() as _,
    )
    .execute(connection)
    .await;
    removed.map(drop).map_err(ReadModelError::during("removing from schema_constraint"))
}
