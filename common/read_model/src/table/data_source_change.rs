//! `data_source_change`: who changed which field of a source, from what to what. Its statements, nothing else.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, json_or_null, text, text_or_null};

/// What one event changed in a source: a row for each field.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSourceChange {
    /// Tenant.
    pub tenant_id: String,
    /// Data source.
    pub source_id: Uuid,
    /// Version.
    pub version: i64,
    /// Event type.
    pub event_type: String,
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
    /// The fields.
    pub fields: Vec<ChangedField>,
}

/// One changed field.
#[derive(Debug, Clone, PartialEq)]
pub struct ChangedField {
    /// Field.
    pub field: String,
    /// Before.
    pub before: Option<Value>,
    /// After.
    pub after: Option<Value>,
}

/// Events that are sent at once: they change some twenty fields each.
const AT_ONCE: usize = 500;

/// Writes rows. None is there yet: a source's version comes once.
pub async fn insert(connection: &mut PgConnection, rows: &[DataSourceChange]) -> Result<(), ReadModelError> {
    for some in rows.chunks(AT_ONCE) {
        insert_some(connection, some).await?;
    }
    Ok(())
}

async fn insert_some(connection: &mut PgConnection, rows: &[DataSourceChange]) -> Result<(), ReadModelError> {
    // What an event's fields have in common is sent once.
    let fields: Vec<(i64, &ChangedField)> =
        (1..).zip(rows).flat_map(|(event, row)| row.fields.iter().map(move |field| (event, field))).collect();
    if fields.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO data_source_change (
            tenant_id, source_id, version, field, event_type, before, after, changed_at, principal, actor_type,
            on_behalf_of, reason, command_id, event_id
        ) SELECT
            u.tenant_id, u.source_id, u.version, f.field, u.event_type, f.before::JSONB, f.after::JSONB,
            u.changed_at, u.principal, u.actor_type, u.on_behalf_of, u.reason, u.command_id, u.event_id
        FROM UNNEST($1::BIGINT[], $2::TEXT[], $3::TEXT[], $4::TEXT[]) AS f (event, field, before, after)
        JOIN UNNEST(
            $5::TEXT[], $6::UUID[], $7::BIGINT[], $8::TEXT[], $9::TIMESTAMPTZ[], $10::TEXT[], $11::TEXT[],
            $12::TEXT[], $13::TEXT[], $14::UUID[], $15::UUID[]
        ) WITH ORDINALITY AS u (
            tenant_id, source_id, version, event_type, changed_at, principal, actor_type,
            on_behalf_of, reason, command_id, event_id, event
        ) USING (event)",
        copied(&fields, |(event, _)| *event) as _,
        text(&fields, |(_, field)| &field.field) as _,
        json_or_null(&fields, |(_, field)| field.before.as_ref()) as _,
        json_or_null(&fields, |(_, field)| field.after.as_ref()) as _,
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.version) as _,
        text(rows, |row| &row.event_type) as _,
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
