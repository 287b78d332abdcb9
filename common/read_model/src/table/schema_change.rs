//! `schema_change`: changes that discoveries found. Its statements, nothing else.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, text, text_or_null};

/// One change.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaChangeRow {
    /// Tenant.
    pub tenant_id: String,
    /// Event id.
    pub event_id: Uuid,
    /// Place in the event.
    pub position: i32,
    /// Data source.
    pub source_id: Uuid,
    /// Run.
    pub run_id: Uuid,
    /// Object.
    pub object_id: Uuid,
    /// Catalog.
    pub catalog: String,
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Object kind.
    pub object_kind: String,
    /// Kind.
    pub kind: String,
    /// Severity.
    pub severity: String,
    /// Path.
    pub path: String,
    /// Before.
    pub before: Option<String>,
    /// After.
    pub after: Option<String>,
    /// Certainty.
    pub certainty: String,
    /// From hash.
    pub from_hash: Option<String>,
    /// To hash.
    pub to_hash: Option<String>,
    /// Changed at.
    pub changed_at: DateTime<Utc>,
}

/// Writes rows; one of the same key stays as it is.
pub async fn insert(connection: &mut PgConnection, rows: &[SchemaChangeRow]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO schema_change (
            tenant_id, event_id, position, source_id, run_id, object_id, catalog, schema, name, object_kind,
            kind, severity, path, before, after, certainty, from_hash, to_hash, changed_at
        ) SELECT
            u.tenant_id, u.event_id, u.position, u.source_id, u.run_id, u.object_id, u.catalog, u.schema,
            u.name, u.object_kind, u.kind, u.severity, u.path, u.before, u.after, u.certainty, u.from_hash,
            u.to_hash, u.changed_at
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::INT[], $4::UUID[], $5::UUID[], $6::UUID[], $7::TEXT[], $8::TEXT[],
            $9::TEXT[], $10::TEXT[], $11::TEXT[], $12::TEXT[], $13::TEXT[], $14::TEXT[], $15::TEXT[],
            $16::TEXT[], $17::TEXT[], $18::TEXT[], $19::TIMESTAMPTZ[]
        ) AS u (
            tenant_id, event_id, position, source_id, run_id, object_id, catalog, schema, name, object_kind,
            kind, severity, path, before, after, certainty, from_hash, to_hash, changed_at
        )
        ON CONFLICT (tenant_id, event_id, position) DO NOTHING",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.event_id) as _,
        copied(rows, |row| row.position) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.run_id) as _,
        copied(rows, |row| row.object_id) as _,
        text(rows, |row| &row.catalog) as _,
        text(rows, |row| &row.schema) as _,
        text(rows, |row| &row.name) as _,
        text(rows, |row| &row.object_kind) as _,
        text(rows, |row| &row.kind) as _,
        text(rows, |row| &row.severity) as _,
        text(rows, |row| &row.path) as _,
        text_or_null(rows, |row| row.before.as_deref()) as _,
        text_or_null(rows, |row| row.after.as_deref()) as _,
        text(rows, |row| &row.certainty) as _,
        text_or_null(rows, |row| row.from_hash.as_deref()) as _,
        text_or_null(rows, |row| row.to_hash.as_deref()) as _,
        copied(rows, |row| row.changed_at) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing schema_change"))
}
