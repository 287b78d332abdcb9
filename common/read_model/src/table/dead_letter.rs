//! `dead_letter`: records that could not be handled: headers and size, never the content. Its statements, nothing else.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;

use crate::error::ReadModelError;
use crate::table::column::{copied, text, text_or_null};

/// One dead letter.
#[derive(Debug, Clone, PartialEq)]
pub struct DeadLetter {
    /// Tenant.
    pub tenant_id: String,
    /// Partition.
    pub partition: i32,
    /// Log offset.
    pub log_offset: i64,
    /// Code.
    pub code: String,
    /// Original topic.
    pub original_topic: String,
    /// Original partition.
    pub original_partition: Option<i32>,
    /// Original offset.
    pub original_offset: Option<i64>,
    /// First failed at.
    pub first_failed_at: Option<String>,
    /// Attempts.
    pub attempts: Option<i64>,
    /// Worker.
    pub worker: Option<String>,
    /// Worker version.
    pub worker_version: Option<String>,
    /// Record key.
    pub record_key: Option<String>,
    /// Size bytes.
    pub size_bytes: i64,
    /// Time of the record.
    pub recorded_at: DateTime<Utc>,
}

/// Writes rows; one of the same key stays as it is.
pub async fn insert(connection: &mut PgConnection, rows: &[DeadLetter]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO dead_letter (
            tenant_id, partition, log_offset, code, original_topic, original_partition, original_offset,
            first_failed_at, attempts, worker, worker_version, record_key, size_bytes, recorded_at
        ) SELECT
            u.tenant_id, u.partition, u.log_offset, u.code, u.original_topic, u.original_partition,
            u.original_offset, u.first_failed_at, u.attempts, u.worker, u.worker_version, u.record_key,
            u.size_bytes, u.recorded_at
        FROM UNNEST(
            $1::TEXT[], $2::INT[], $3::BIGINT[], $4::TEXT[], $5::TEXT[], $6::INT[], $7::BIGINT[], $8::TEXT[],
            $9::BIGINT[], $10::TEXT[], $11::TEXT[], $12::TEXT[], $13::BIGINT[], $14::TIMESTAMPTZ[]
        ) AS u (
            tenant_id, partition, log_offset, code, original_topic, original_partition, original_offset,
            first_failed_at, attempts, worker, worker_version, record_key, size_bytes, recorded_at
        )
        ON CONFLICT (partition, log_offset) DO NOTHING",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.partition) as _,
        copied(rows, |row| row.log_offset) as _,
        text(rows, |row| &row.code) as _,
        text(rows, |row| &row.original_topic) as _,
        copied(rows, |row| row.original_partition) as _,
        copied(rows, |row| row.original_offset) as _,
        text_or_null(rows, |row| row.first_failed_at.as_deref()) as _,
        copied(rows, |row| row.attempts) as _,
        text_or_null(rows, |row| row.worker.as_deref()) as _,
        text_or_null(rows, |row| row.worker_version.as_deref()) as _,
        text_or_null(rows, |row| row.record_key.as_deref()) as _,
        copied(rows, |row| row.size_bytes) as _,
        copied(rows, |row| row.recorded_at) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing dead_letter"))
}
