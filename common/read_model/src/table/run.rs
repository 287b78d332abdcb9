//! `run`: runs as their result streams tell them. Its statements, nothing else.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, json_or_null, text, text_or_null};

/// One run.
#[derive(Debug, Clone, PartialEq)]
pub struct RunRow {
    /// Tenant.
    pub tenant_id: String,
    /// Run.
    pub run_id: Uuid,
    /// Data source.
    pub source_id: Option<Uuid>,
    /// Kind.
    pub kind: String,
    /// State.
    pub state: String,
    /// Attempt.
    pub attempt: i32,
    /// Sequence.
    pub sequence: i64,
    /// Command.
    pub command_id: Option<Uuid>,
    /// Correlation id.
    pub correlation_id: Option<Uuid>,
    /// Who asked.
    pub principal: String,
    /// Result.
    pub result: Option<String>,
    /// Strategy.
    pub strategy: Option<String>,
    /// Scope.
    pub scope: Option<Value>,
    /// Started at.
    pub started_at: DateTime<Utc>,
    /// Ended at.
    pub ended_at: Option<DateTime<Utc>>,
    /// Duration, microseconds.
    pub duration_us: Option<i64>,
    /// Problem.
    pub problem: Option<Value>,
    /// Counts.
    pub counts: Option<Value>,
    /// Complete.
    pub complete: Option<bool>,
    /// Root hash.
    pub root_hash: Option<String>,
    /// Scope hash.
    pub scope_hash: Option<String>,
    /// Visibility hash.
    pub visibility_hash: Option<String>,
    /// Fingerprint.
    pub fingerprint: Option<String>,
    /// What could not be read, or how much.
    pub unreadable: Option<i64>,
    /// Queries.
    pub queries: Option<i64>,
    /// Rows read.
    pub rows_read: Option<i64>,
    /// Objects observed.
    pub objects_observed: i64,
    /// Objects changed.
    pub objects_changed: i64,
    /// Objects dropped.
    pub objects_dropped: i64,
    /// Objects held.
    pub objects_held: i64,
    /// Listed before.
    pub listed_before: Option<i64>,
    /// Listed now.
    pub listed_now: Option<i64>,
}

/// Writes rows; one of the same key is replaced.
pub async fn upsert(connection: &mut PgConnection, rows: &[RunRow]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO run (
            tenant_id, run_id, source_id, kind, state, attempt, sequence, command_id, correlation_id, principal,
            result, strategy, scope, started_at, ended_at, duration_us, problem, counts, complete, root_hash,
            scope_hash, visibility_hash, fingerprint, unreadable, queries, rows_read, objects_observed,
            objects_changed, objects_dropped, objects_held, listed_before, listed_now
        ) SELECT
            u.tenant_id, u.run_id, u.source_id, u.kind, u.state, u.attempt, u.sequence, u.command_id,
            u.correlation_id, u.principal, u.result, u.strategy, u.scope::JSONB, u.started_at, u.ended_at,
            u.duration_us, u.problem::JSONB, u.counts::JSONB, u.complete, u.root_hash, u.scope_hash,
            u.visibility_hash, u.fingerprint, u.unreadable, u.queries, u.rows_read, u.objects_observed,
            u.objects_changed, u.objects_dropped, u.objects_held, u.listed_before, u.listed_now
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::UUID[], $4::TEXT[], $5::TEXT[], $6::INT[], $7::BIGINT[], $8::UUID[],
            $9::UUID[], $10::TEXT[], $11::TEXT[], $12::TEXT[], $13::TEXT[], $14::TIMESTAMPTZ[],
            $15::TIMESTAMPTZ[], $16::BIGINT[], $17::TEXT[], $18::TEXT[], $19::BOOLEAN[], $20::TEXT[],
            $21::TEXT[], $22::TEXT[], $23::TEXT[], $24::BIGINT[], $25::BIGINT[], $26::BIGINT[], $27::BIGINT[],
            $28::BIGINT[], $29::BIGINT[], $30::BIGINT[], $31::BIGINT[], $32::BIGINT[]
        ) AS u (
            tenant_id, run_id, source_id, kind, state, attempt, sequence, command_id, correlation_id, principal,
            result, strategy, scope, started_at, ended_at, duration_us, problem, counts, complete, root_hash,
            scope_hash, visibility_hash, fingerprint, unreadable, queries, rows_read, objects_observed,
            objects_changed, objects_dropped, objects_held, listed_before, listed_now
        )
        ON CONFLICT (tenant_id, run_id) DO UPDATE SET
            source_id = EXCLUDED.source_id, kind = EXCLUDED.kind, state = EXCLUDED.state, attempt =
            EXCLUDED.attempt, sequence = EXCLUDED.sequence, command_id = EXCLUDED.command_id, correlation_id =
            EXCLUDED.correlation_id, principal = EXCLUDED.principal, result = EXCLUDED.result, strategy =
            EXCLUDED.strategy, scope = EXCLUDED.scope, started_at = EXCLUDED.started_at, ended_at =
            EXCLUDED.ended_at, duration_us = EXCLUDED.duration_us, problem = EXCLUDED.problem, counts =
            EXCLUDED.counts, complete = EXCLUDED.complete, root_hash = EXCLUDED.root_hash, scope_hash =
            EXCLUDED.scope_hash, visibility_hash = EXCLUDED.visibility_hash, fingerprint = EXCLUDED.fingerprint,
            unreadable = EXCLUDED.unreadable, queries = EXCLUDED.queries, rows_read = EXCLUDED.rows_read,
            objects_observed = EXCLUDED.objects_observed, objects_changed = EXCLUDED.objects_changed,
            objects_dropped = EXCLUDED.objects_dropped, objects_held = EXCLUDED.objects_held, listed_before =
            EXCLUDED.listed_before, listed_now = EXCLUDED.listed_now",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.run_id) as _,
        copied(rows, |row| row.source_id) as _,
        text(rows, |row| &row.kind) as _,
        text(rows, |row| &row.state) as _,
        copied(rows, |row| row.attempt) as _,
        copied(rows, |row| row.sequence) as _,
        copied(rows, |row| row.command_id) as _,
        copied(rows, |row| row.correlation_id) as _,
        text(rows, |row| &row.principal) as _,
        text_or_null(rows, |row| row.result.as_deref()) as _,
        text_or_null(rows, |row| row.strategy.as_deref()) as _,
        json_or_null(rows, |row| row.scope.as_ref()) as _,
        copied(rows, |row| row.started_at) as _,
        copied(rows, |row| row.ended_at) as _,
        copied(rows, |row| row.duration_us) as _,
        json_or_null(rows, |row| row.problem.as_ref()) as _,
        json_or_null(rows, |row| row.counts.as_ref()) as _,
        copied(rows, |row| row.complete) as _,
        text_or_null(rows, |row| row.root_hash.as_deref()) as _,
        text_or_null(rows, |row| row.scope_hash.as_deref()) as _,
        text_or_null(rows, |row| row.visibility_hash.as_deref()) as _,
        text_or_null(rows, |row| row.fingerprint.as_deref()) as _,
        copied(rows, |row| row.unreadable) as _,
        copied(rows, |row| row.queries) as _,
        copied(rows, |row| row.rows_read) as _,
        copied(rows, |row| row.objects_observed) as _,
        copied(rows, |row| row.objects_changed) as _,
        copied(rows, |row| row.objects_dropped) as _,
        copied(rows, |row| row.objects_held) as _,
        copied(rows, |row| row.listed_before) as _,
        copied(rows, |row| row.listed_now) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing run"))
}

/// Rows of these keys (tenant_id, run_id), in no order.
pub async fn load(connection: &mut PgConnection, keys: &[(&str, Uuid)]) -> Result<Vec<RunRow>, ReadModelError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let found = sqlx::query_as!(
        RunRow,
        "SELECT
            t.tenant_id, t.run_id, t.source_id, t.kind, t.state, t.attempt, t.sequence, t.command_id,
            t.correlation_id, t.principal, t.result, t.strategy, t.scope, t.started_at, t.ended_at,
            t.duration_us, t.problem, t.counts, t.complete, t.root_hash, t.scope_hash, t.visibility_hash,
            t.fingerprint, t.unreadable, t.queries, t.rows_read, t.objects_observed, t.objects_changed,
            t.objects_dropped, t.objects_held, t.listed_before, t.listed_now
        FROM UNNEST($1::TEXT[], $2::UUID[]) AS k (tenant_id, run_id)
        CROSS JOIN LATERAL (
            SELECT * FROM run t WHERE t.tenant_id = k.tenant_id AND t.run_id = k.run_id OFFSET 0
        ) t",
        keys.iter().map(|key| key.0).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.1).collect::<Vec<_>>() as _,
    )
    .fetch_all(connection)
    .await;
    found.map_err(ReadModelError::during("reading run"))
}
