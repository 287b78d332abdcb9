//! `data_source_change`: who changed which field of a source, from what to what. Its statements, nothing else.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, json_or_null, text, text_or_null};

/// One changed field.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSourceChange {
    /// Tenant.
    pub tenant_id: String,
    /// Data source.
    pub source_id: Uuid,
    /// Version.
    pub version: i64,
    /// Field.
    pub field: String,
    /// Event type.
    pub event_type: String,
    /// Before.
    pub before: Option<Value>,
    /// After.
    pub after: Option<Value>,
    /// Changed at.
    pub changed_at: DateTime<Utc>,
    /// Who asked.
    pub principal: String,
    /// Actor type.
    pub actor_type: String,
    /// On behalf of.
    pub on_behalf_of: Option<String>,
    /// Reason.
    pub reason: Option<String>,
    /// Command.
    pub command_id: Option<Uuid>,
    /// Event id.
    pub event_id: Uuid,
}

/// Writes rows; one of the same key stays as it is.
pub async fn insert(connection: &mut PgConnection, rows: &[DataSourceChange]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO data_source_change (
            tenant_id, source_id, version, field, event_type, before, after, changed_at, principal, actor_type,
            on_behalf_of, reason, command_id, event_id
        ) SELECT
            u.tenant_id, u.source_id, u.version, u.field, u.event_type, u.before::JSONB, u.after::JSONB,
            u.changed_at, u.principal, u.actor_type, u.on_behalf_of, u.reason, u.command_id, u.event_id
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::BIGINT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[],
            $8::TIMESTAMPTZ[], $9::TEXT[], $10::TEXT[], $11::TEXT[], $12::TEXT[], $13::UUID[], $14::UUID[]
        ) AS u (
            tenant_id, source_id, version, field, event_type, before, after, changed_at, principal, actor_type,
            on_behalf_of, reason, command_id, event_id
        )
        ON CONFLICT (tenant_id, source_id, version, field) DO NOTHING",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.version) as _,
        text(rows, |row| &row.field) as _,
        text(rows, |row| &row.event_type) as _,
        json_or_null(rows, |row| row.before.as_ref()) as _,
        json_or_null(rows, |row| row.after.as_ref()) as _,
        copied(rows, |row| row.changed_at) as _,
        text(rows, |row| &row.principal) as _,
        text(rows, |row| &row.actor_type) as _,
        text_or_null(rows, |row| row.on_behalf_of.as_deref()) as _,
        text_or_null(rows, |row| row.reason.as_deref()) as _,
        copied(rows, |row| row.command_id) as _,
        copied(rows, |row| row.event_id) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing data_source_change"))
}
