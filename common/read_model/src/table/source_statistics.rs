//! `source_statistics`: samples of whole sources. Its statements, nothing else.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, json, text};

/// One sample.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceStatistics {
    /// Tenant.
    pub tenant_id: String,
    /// Data source.
    pub source_id: Uuid,
    /// Run.
    pub run_id: Uuid,
    /// Collected at.
    pub collected_at: DateTime<Utc>,
    /// Size bytes.
    pub size_bytes: Option<i64>,
    /// Object count.
    pub object_count: i64,
    /// Row estimate.
    pub row_estimate: Option<i64>,
    /// Cache hit ratio, millionths.
    pub cache_hit_ratio_ppm: Option<i64>,
    /// Query time p50, microseconds.
    pub query_time_p50_us: Option<i64>,
    /// Query time p95, microseconds.
    pub query_time_p95_us: Option<i64>,
    /// Query time samples.
    pub query_time_samples: Option<i32>,
    /// Connections used.
    pub connections_used: Option<i64>,
    /// Connections max.
    pub connections_max: Option<i64>,
    /// Quality.
    pub quality: Value,
    /// Counters.
    pub counters: Value,
}

/// Writes rows; one of the same key stays as it is.
pub async fn insert(connection: &mut PgConnection, rows: &[SourceStatistics]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO source_statistics (
            tenant_id, source_id, run_id, collected_at, size_bytes, object_count, row_estimate,
            cache_hit_ratio_ppm, query_time_p50_us, query_time_p95_us, query_time_samples, connections_used,
            connections_max, quality, counters
        ) SELECT
            u.tenant_id, u.source_id, u.run_id, u.collected_at, u.size_bytes, u.object_count, u.row_estimate,
            u.cache_hit_ratio_ppm, u.query_time_p50_us, u.query_time_p95_us, u.query_time_samples,
            u.connections_used, u.connections_max, u.quality::JSONB, u.counters::JSONB
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::UUID[], $4::TIMESTAMPTZ[], $5::BIGINT[], $6::BIGINT[], $7::BIGINT[],
            $8::BIGINT[], $9::BIGINT[], $10::BIGINT[], $11::INT[], $12::BIGINT[], $13::BIGINT[], $14::TEXT[],
            $15::TEXT[]
        ) AS u (
            tenant_id, source_id, run_id, collected_at, size_bytes, object_count, row_estimate,
            cache_hit_ratio_ppm, query_time_p50_us, query_time_p95_us, query_time_samples, connections_used,
            connections_max, quality, counters
        )
        ON CONFLICT (tenant_id, source_id, run_id) DO NOTHING",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.run_id) as _,
        copied(rows, |row| row.collected_at) as _,
        copied(rows, |row| row.size_bytes) as _,
        copied(rows, |row| row.object_count) as _,
        copied(rows, |row| row.row_estimate) as _,
        copied(rows, |row| row.cache_hit_ratio_ppm) as _,
        copied(rows, |row| row.query_time_p50_us) as _,
        copied(rows, |row| row.query_time_p95_us) as _,
        copied(rows, |row| row.query_time_samples) as _,
        copied(rows, |row| row.connections_used) as _,
        copied(rows, |row| row.connections_max) as _,
        json(rows, |row| &row.quality) as _,
        json(rows, |row| &row.counters) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing source_statistics"))
}
