//! `connection_test`: results of connection tests. Its statements, nothing else.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, json, json_or_null, text, text_or_null};

/// One test.
#[derive(Debug, Clone, PartialEq)]
pub struct ConnectionTest {
    /// Tenant.
    pub tenant_id: String,
    /// Run.
    pub run_id: Uuid,
    /// Data source.
    pub source_id: Option<Uuid>,
    /// Command.
    pub command_id: Option<Uuid>,
    /// Result.
    pub result: String,
    /// Failed step.
    pub failed_step: Option<String>,
    /// Code.
    pub code: Option<String>,
    /// Problem.
    pub problem: Option<Value>,
    /// Steps.
    pub steps: Value,
    /// Server.
    pub server: Option<Value>,
    /// Latency, microseconds.
    pub latency_us: Option<i64>,
    /// Duration, microseconds.
    pub duration_us: i64,
    /// Who asked.
    pub principal: String,
    /// Tested at.
    pub tested_at: DateTime<Utc>,
}

/// Writes rows; one of the same key stays as it is.
pub async fn insert(connection: &mut PgConnection, rows: &[ConnectionTest]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO connection_test (
            tenant_id, run_id, source_id, command_id, result, failed_step, code, problem, steps, server,
            latency_us, duration_us, principal, tested_at
        ) SELECT
            u.tenant_id, u.run_id, u.source_id, u.command_id, u.result, u.failed_step, u.code, u.problem::JSONB,
            u.steps::JSONB, u.server::JSONB, u.latency_us, u.duration_us, u.principal, u.tested_at
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::UUID[], $4::UUID[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[],
            $9::TEXT[], $10::TEXT[], $11::BIGINT[], $12::BIGINT[], $13::TEXT[], $14::TIMESTAMPTZ[]
        ) AS u (
            tenant_id, run_id, source_id, command_id, result, failed_step, code, problem, steps, server,
            latency_us, duration_us, principal, tested_at
        )
        ON CONFLICT (tenant_id, run_id) DO NOTHING",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.run_id) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.command_id) as _,
        text(rows, |row| &row.result) as _,
        text_or_null(rows, |row| row.failed_step.as_deref()) as _,
        text_or_null(rows, |row| row.code.as_deref()) as _,
        json_or_null(rows, |row| row.problem.as_ref()) as _,
        json(rows, |row| &row.steps) as _,
        json_or_null(rows, |row| row.server.as_ref()) as _,
        copied(rows, |row| row.latency_us) as _,
        copied(rows, |row| row.duration_us) as _,
        text(rows, |row| &row.principal) as _,
        copied(rows, |row| row.tested_at) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing connection_test"))
}
