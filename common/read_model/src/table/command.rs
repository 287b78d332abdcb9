//! `command`: commands with their latest state. Its statements, nothing else.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, json_or_null, list, text, text_or_null};

/// One command.
#[derive(Debug, Clone, PartialEq)]
pub struct CommandRow {
    /// Tenant.
    pub tenant_id: String,
    /// Command.
    pub command_id: Uuid,
    /// Command type.
    pub command_type: String,
    /// State.
    pub state: String,
    /// Data source.
    pub source_id: Option<Uuid>,
    /// Version.
    pub version: Option<i64>,
    /// SHA-256 of the command as it was sent.
    pub payload_sha256: Option<String>,
    /// Who asked.
    pub principal: String,
    /// Actor type.
    pub actor_type: String,
    /// On behalf of.
    pub on_behalf_of: Option<String>,
    /// Correlation id.
    pub correlation_id: Option<Uuid>,
    /// Progress done.
    pub progress_done: Option<i64>,
    /// Progress total.
    pub progress_total: Option<i64>,
    /// Progress message.
    pub progress_message: Option<String>,
    /// Result.
    pub result: Option<Value>,
    /// Preview.
    pub preview: Option<Value>,
    /// Violations.
    pub violations: Option<Value>,
    /// Problem.
    pub problem: Option<Value>,
    /// Dead letter.
    pub dead_letter: Option<Value>,
    /// Cancelled by.
    pub cancelled_by: Option<Value>,
    /// Run ids.
    pub run_ids: Vec<Uuid>,
    /// Accepted at.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Updated at.
    pub updated_at: DateTime<Utc>,
    /// Ended at.
    pub ended_at: Option<DateTime<Utc>>,
    /// Outcome event id.
    pub outcome_event_id: Option<Uuid>,
    /// Partition of the outcome topic.
    pub outcome_partition: i32,
    /// Time of the newest record.
    pub recorded_at: DateTime<Utc>,
}

/// Writes rows; one of the same key is replaced.
pub async fn upsert(connection: &mut PgConnection, rows: &[CommandRow]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO command (
            tenant_id, command_id, command_type, state, source_id, version, payload_sha256, principal,
            actor_type, on_behalf_of, correlation_id, progress_done, progress_total, progress_message, result,
            preview, violations, problem, dead_letter, cancelled_by, run_ids, accepted_at, updated_at, ended_at,
            outcome_event_id, outcome_partition, recorded_at
        ) SELECT
            u.tenant_id, u.command_id, u.command_type, u.state, u.source_id, u.version, u.payload_sha256,
            u.principal, u.actor_type, u.on_behalf_of, u.correlation_id, u.progress_done, u.progress_total,
            u.progress_message, u.result::JSONB, u.preview::JSONB, u.violations::JSONB, u.problem::JSONB,
            u.dead_letter::JSONB, u.cancelled_by::JSONB, ARRAY(SELECT e::UUID FROM
            jsonb_array_elements_text(u.run_ids::JSONB) AS e), u.accepted_at, u.updated_at, u.ended_at,
            u.outcome_event_id, u.outcome_partition, u.recorded_at
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::TEXT[], $4::TEXT[], $5::UUID[], $6::BIGINT[], $7::TEXT[], $8::TEXT[],
            $9::TEXT[], $10::TEXT[], $11::UUID[], $12::BIGINT[], $13::BIGINT[], $14::TEXT[], $15::TEXT[],
            $16::TEXT[], $17::TEXT[], $18::TEXT[], $19::TEXT[], $20::TEXT[], $21::TEXT[], $22::TIMESTAMPTZ[],
            $23::TIMESTAMPTZ[], $24::TIMESTAMPTZ[], $25::UUID[], $26::INT[], $27::TIMESTAMPTZ[]
        ) AS u (
            tenant_id, command_id, command_type, state, source_id, version, payload_sha256, principal,
            actor_type, on_behalf_of, correlation_id, progress_done, progress_total, progress_message, result,
            preview, violations, problem, dead_letter, cancelled_by, run_ids, accepted_at, updated_at, ended_at,
            outcome_event_id, outcome_partition, recorded_at
        )
        ON CONFLICT (tenant_id, command_id) DO UPDATE SET
            command_type = EXCLUDED.command_type, state = EXCLUDED.state, source_id = EXCLUDED.source_id,
            version = EXCLUDED.version, payload_sha256 = EXCLUDED.payload_sha256, principal =
            EXCLUDED.principal, actor_type = EXCLUDED.actor_type, on_behalf_of = EXCLUDED.on_behalf_of,
            correlation_id = EXCLUDED.correlation_id, progress_done = EXCLUDED.progress_done, progress_total =
            EXCLUDED.progress_total, progress_message = EXCLUDED.progress_message, result = EXCLUDED.result,
            preview = EXCLUDED.preview, violations = EXCLUDED.violations, problem = EXCLUDED.problem,
            dead_letter = EXCLUDED.dead_letter, cancelled_by = EXCLUDED.cancelled_by, run_ids =
            EXCLUDED.run_ids, accepted_at = EXCLUDED.accepted_at, updated_at = EXCLUDED.updated_at, ended_at =
            EXCLUDED.ended_at, outcome_event_id = EXCLUDED.outcome_event_id, outcome_partition =
            EXCLUDED.outcome_partition, recorded_at = EXCLUDED.recorded_at",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.command_id) as _,
        text(rows, |row| &row.command_type) as _,
        text(rows, |row| &row.state) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.version) as _,
        text_or_null(rows, |row| row.payload_sha256.as_deref()) as _,
        text(rows, |row| &row.principal) as _,
        text(rows, |row| &row.actor_type) as _,
        text_or_null(rows, |row| row.on_behalf_of.as_deref()) as _,
        copied(rows, |row| row.correlation_id) as _,
        copied(rows, |row| row.progress_done) as _,
        copied(rows, |row| row.progress_total) as _,
        text_or_null(rows, |row| row.progress_message.as_deref()) as _,
        json_or_null(rows, |row| row.result.as_ref()) as _,
        json_or_null(rows, |row| row.preview.as_ref()) as _,
        json_or_null(rows, |row| row.violations.as_ref()) as _,
        json_or_null(rows, |row| row.problem.as_ref()) as _,
        json_or_null(rows, |row| row.dead_letter.as_ref()) as _,
        json_or_null(rows, |row| row.cancelled_by.as_ref()) as _,
        list(rows, |row| &row.run_ids) as _,
        copied(rows, |row| row.accepted_at) as _,
        copied(rows, |row| row.updated_at) as _,
        copied(rows, |row| row.ended_at) as _,
        copied(rows, |row| row.outcome_event_id) as _,
        copied(rows, |row| row.outcome_partition) as _,
        copied(rows, |row| row.recorded_at) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing command"))
}

/// Rows of these keys (tenant_id, command_id), in no order.
pub async fn load(connection: &mut PgConnection, keys: &[(&str, Uuid)]) -> Result<Vec<CommandRow>, ReadModelError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let found = sqlx::query_as!(
        CommandRow,
        "SELECT
            t.tenant_id, t.command_id, t.command_type, t.state, t.source_id, t.version, t.payload_sha256,
            t.principal, t.actor_type, t.on_behalf_of, t.correlation_id, t.progress_done, t.progress_total,
            t.progress_message, t.result, t.preview, t.violations, t.problem, t.dead_letter, t.cancelled_by,
            t.run_ids, t.accepted_at, t.updated_at, t.ended_at, t.outcome_event_id, t.outcome_partition,
            t.recorded_at
        FROM UNNEST($1::TEXT[], $2::UUID[]) AS k (tenant_id, command_id)
        CROSS JOIN LATERAL (
            SELECT * FROM command t WHERE t.tenant_id = k.tenant_id AND t.command_id = k.command_id OFFSET 0
        ) t",
        keys.iter().map(|key| key.0).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.1).collect::<Vec<_>>() as _,
    )
    .fetch_all(connection)
    .await;
    found.map_err(ReadModelError::during("reading command"))
}

/// Forgets what one outcome partition said of commands that ended before a record time. The fold decides when, so that a
/// rebuild forgets the same.
pub async fn forget(
    connection: &mut PgConnection,
    partition: i32,
    before: DateTime<Utc>,
) -> Result<(), ReadModelError> {
    let forgotten = sqlx::query!(
        "DELETE FROM command WHERE outcome_partition = $1 AND recorded_at < $2 AND ended_at IS NOT NULL",
        partition,
        before,
    )
    .execute(connection)
    .await;
    forgotten.map(drop).map_err(ReadModelError::during("forgetting old commands"))
}
