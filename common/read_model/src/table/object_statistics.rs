//! `object_statistics`: newest figures of each object. Its statements, nothing else.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, text};

/// One object's figures.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectStatisticsRow {
    /// Tenant.
    pub tenant_id: String,
    /// Data source.
    pub source_id: Uuid,
    /// Object.
    pub object_id: Uuid,
    /// Run.
    pub run_id: Uuid,
    /// Size bytes.
    pub size_bytes: Option<i64>,
    /// Row count.
    pub row_count: Option<i64>,
    /// Quality.
    pub quality: String,
    /// Measured at.
    pub measured_at: DateTime<Utc>,
}

/// Writes rows; one of the same key is replaced.
pub async fn upsert(connection: &mut PgConnection, rows: &[ObjectStatisticsRow]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO object_statistics (
            tenant_id, source_id, object_id, run_id, size_bytes, row_count, quality, measured_at
        ) SELECT
            u.tenant_id, u.source_id, u.object_id, u.run_id, u.size_bytes, u.row_count, u.quality, u.measured_at
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::UUID[], $4::UUID[], $5::BIGINT[], $6::BIGINT[], $7::TEXT[],
            $8::TIMESTAMPTZ[]
        ) AS u (
            tenant_id, source_id, object_id, run_id, size_bytes, row_count, quality, measured_at
        )
        ON CONFLICT (tenant_id, source_id, object_id) DO UPDATE SET
            run_id = EXCLUDED.run_id, size_bytes = EXCLUDED.size_bytes, row_count = EXCLUDED.row_count, quality
            = EXCLUDED.quality, measured_at = EXCLUDED.measured_at",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.object_id) as _,
        copied(rows, |row| row.run_id) as _,
        copied(rows, |row| row.size_bytes) as _,
        copied(rows, |row| row.row_count) as _,
        text(rows, |row| &row.quality) as _,
        copied(rows, |row| row.measured_at) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing object_statistics"))
}
