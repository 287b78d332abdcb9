//! `audit`: who did what, chained by hashes. Its statements, nothing else.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, json_or_null, text, text_or_null};

/// One line of the trail.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRow {
    /// Tenant.
    pub tenant_id: String,
    /// Partition.
    pub partition: i32,
    /// Log offset.
    pub log_offset: i64,
    /// Event id.
    pub event_id: Uuid,
    /// Decided at.
    pub decided_at: DateTime<Utc>,
    /// Command.
    pub command_id: Option<Uuid>,
    /// Command type.
    pub command_type: Option<String>,
    /// Decision.
    pub decision: String,
    /// Code.
    pub code: Option<String>,
    /// Who asked.
    pub principal: Option<String>,
    /// Actor.
    pub actor: Option<Value>,
    /// SHA-256 of the command as it was sent.
    pub payload_sha256: String,
    /// Record topic.
    pub record_topic: String,
    /// Record partition.
    pub record_partition: i32,
    /// Record offset.
    pub record_offset: i64,
    /// Previous hash.
    pub previous_hash: String,
    /// Hash.
    pub hash: String,
}

/// Writes rows. None is there yet: a place of the log is folded once.
pub async fn insert(connection: &mut PgConnection, rows: &[AuditRow]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO audit (
            tenant_id, partition, log_offset, event_id, decided_at, command_id, command_type, decision, code,
            principal, actor, payload_sha256, record_topic, record_partition, record_offset, previous_hash, hash
        ) SELECT
            u.tenant_id, u.partition, u.log_offset, u.event_id, u.decided_at, u.command_id, u.command_type,
            u.decision, u.code, u.principal, u.actor::JSONB, u.payload_sha256, u.record_topic,
            u.record_partition, u.record_offset, u.previous_hash, u.hash
        FROM UNNEST(
            $1::TEXT[], $2::INT[], $3::BIGINT[], $4::UUID[], $5::TIMESTAMPTZ[], $6::UUID[], $7::TEXT[],
            $8::TEXT[], $9::TEXT[], $10::TEXT[], $11::TEXT[], $12::TEXT[], $13::TEXT[], $14::INT[],
            $15::BIGINT[], $16::TEXT[], $17::TEXT[]
        ) AS u (
            tenant_id, partition, log_offset, event_id, decided_at, command_id, command_type, decision, code,
            principal, actor, payload_sha256, record_topic, record_partition, record_offset, previous_hash, hash
        )",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.partition) as _,
        copied(rows, |row| row.log_offset) as _,
        copied(rows, |row| row.event_id) as _,
        copied(rows, |row| row.decided_at) as _,
        copied(rows, |row| row.command_id) as _,
        text_or_null(rows, |row| row.command_type.as_deref()) as _,
        text(rows, |row| &row.decision) as _,
        text_or_null(rows, |row| row.code.as_deref()) as _,
        text_or_null(rows, |row| row.principal.as_deref()) as _,
        json_or_null(rows, |row| row.actor.as_ref()) as _,
        text(rows, |row| &row.payload_sha256) as _,
        text(rows, |row| &row.record_topic) as _,
        copied(rows, |row| row.record_partition) as _,
        copied(rows, |row| row.record_offset) as _,
        text(rows, |row| &row.previous_hash) as _,
        text(rows, |row| &row.hash) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing audit"))
}
