//! `schema_index`: indexes of live objects. Its statements, nothing else.

use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, json, text};

/// One index.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaIndex {
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
    /// Is unique.
    pub is_unique: bool,
    /// Columns.
    pub columns: Value,
    /// Method.
    pub method: String,
    /// Definition.
    pub definition: String,
}

/// Writes rows of an object that has none: [`remove`] comes before it. To be ready for a conflict would cost half as
/// much again.
pub async fn insert(connection: &mut PgConnection, rows: &[SchemaIndex]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO schema_index (
            tenant_id, source_id, object_id, position, name, is_unique, columns, method, definition
        ) SELECT
            u.tenant_id, u.source_id, u.object_id, u.position, u.name, u.is_unique, u.columns::JSONB, u.method,
            u.definition
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::UUID[], $4::INT[], $5::TEXT[], $6::BOOLEAN[], $7::TEXT[], $8::TEXT[],
            $9::TEXT[]
        ) AS u (
            tenant_id, source_id, object_id, position, name, is_unique, columns, method, definition
        )",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.object_id) as _,
        copied(rows, |row| row.position) as _,
        text(rows, |row| &row.name) as _,
        copied(rows, |row| row.is_unique) as _,
        json(rows, |row| &row.columns) as _,
        text(rows, |row| &row.method) as _,
        text(rows, |row| &row.definition) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing schema_index"))
}

/// Removes rows of these keys (tenant_id, source_id, object_id).
pub async fn remove(connection: &mut PgConnection, keys: &[(&str, Uuid, Uuid)]) -> Result<(), ReadModelError> {
    if keys.is_empty() {
        return Ok(());
    }
    let removed = sqlx::query!(
        "DELETE FROM schema_index WHERE ctid = ANY (ARRAY(
            SELECT t.ctid FROM UNNEST($1::TEXT[], $2::UUID[], $3::UUID[]) AS k (tenant_id, source_id, object_id)
            CROSS JOIN LATERAL (
                SELECT ctid FROM schema_index t
                WHERE t.tenant_id = k.tenant_id AND t.source_id = k.source_id AND t.object_id = k.object_id OFFSET 0
            ) t
        ))",
        keys.iter().map(|key| key.0).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.1).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.2).collect::<Vec<_>>() as _,
    )
    .execute(connection)
    .await;
    removed.map(drop).map_err(ReadModelError::during("removing from schema_index"))
}
