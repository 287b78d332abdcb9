//! `work_item`: what runners were asked to do. Its statements, nothing else.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, json_or_null, text};

/// One run that was asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkItemRow {
    /// Tenant.
    pub tenant_id: String,
    /// Run.
    pub run_id: Uuid,
    /// Data source.
    pub source_id: Option<Uuid>,
    /// Command.
    pub command_id: Option<Uuid>,
    /// Correlation id.
    pub correlation_id: Option<Uuid>,
    /// Kind.
    pub kind: String,
    /// Command type.
    pub command_type: String,
    /// Answers command.
    pub answers_command: bool,
    /// Source version.
    pub source_version: i64,
    /// Strategy.
    pub strategy: String,
    /// Scope.
    pub scope: Option<Value>,
    /// Observe unchanged objects again.
    pub full_listing: bool,
    /// Count instead of estimating.
    pub exact: bool,
    /// Dry run.
    pub dry_run: bool,
    /// The run whose held deletions are confirmed.
    pub confirms: Option<Uuid>,
    /// Who asked.
    pub principal: String,
    /// Asked at.
    pub asked_at: DateTime<Utc>,
    /// Deadline.
    pub deadline: DateTime<Utc>,
}

/// Writes rows; one of the same key stays as it is.
pub async fn insert(connection: &mut PgConnection, rows: &[WorkItemRow]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO work_item (
            tenant_id, run_id, source_id, command_id, correlation_id, kind, command_type, answers_command,
            source_version, strategy, scope, full_listing, exact, dry_run, confirms, principal, asked_at,
            deadline
        ) SELECT
            u.tenant_id, u.run_id, u.source_id, u.command_id, u.correlation_id, u.kind, u.command_type,
            u.answers_command, u.source_version, u.strategy, u.scope::JSONB, u.full_listing, u.exact, u.dry_run,
            u.confirms, u.principal, u.asked_at, u.deadline
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::UUID[], $4::UUID[], $5::UUID[], $6::TEXT[], $7::TEXT[], $8::BOOLEAN[],
            $9::BIGINT[], $10::TEXT[], $11::TEXT[], $12::BOOLEAN[], $13::BOOLEAN[], $14::BOOLEAN[], $15::UUID[],
            $16::TEXT[], $17::TIMESTAMPTZ[], $18::TIMESTAMPTZ[]
        ) AS u (
            tenant_id, run_id, source_id, command_id, correlation_id, kind, command_type, answers_command,
            source_version, strategy, scope, full_listing, exact, dry_run, confirms, principal, asked_at,
            deadline
        )
        ON CONFLICT (tenant_id, run_id) DO NOTHING",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.run_id) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.command_id) as _,
        copied(rows, |row| row.correlation_id) as _,
        text(rows, |row| &row.kind) as _,
        text(rows, |row| &row.command_type) as _,
        copied(rows, |row| row.answers_command) as _,
        copied(rows, |row| row.source_version) as _,
        text(rows, |row| &row.strategy) as _,
        json_or_null(rows, |row| row.scope.as_ref()) as _,
        copied(rows, |row| row.full_listing) as _,
        copied(rows, |row| row.exact) as _,
        copied(rows, |row| row.dry_run) as _,
        copied(rows, |row| row.confirms) as _,
        text(rows, |row| &row.principal) as _,
        copied(rows, |row| row.asked_at) as _,
        copied(rows, |row| row.deadline) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing work_item"))
}
