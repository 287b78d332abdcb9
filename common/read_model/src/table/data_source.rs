//! `data_source`: sources as they are now. Its statements, nothing else.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, json, list, text, text_or_null};

/// One source as it is now.
#[derive(Debug, Clone, PartialEq)]
pub struct DataSource {
    /// Tenant.
    pub tenant_id: String,
    /// Data source.
    pub source_id: Uuid,
    /// Version.
    pub version: i64,
    /// State.
    pub state: String,
    /// Name.
    pub name: String,
    /// Folded name: two live sources of a tenant never share one.
    pub name_key: String,
    /// Source type.
    pub source_type: String,
    /// Location.
    pub location: String,
    /// Environment.
    pub environment: String,
    /// Criticality.
    pub criticality: String,
    /// Data classification.
    pub data_classification: String,
    /// Owner.
    pub owner: Option<String>,
    /// Tags.
    pub tags: Vec<String>,
    /// Spec.
    pub spec: Value,
    /// Created at.
    pub created_at: DateTime<Utc>,
    /// Created by.
    pub created_by: String,
    /// Updated at.
    pub updated_at: DateTime<Utc>,
    /// Updated by.
    pub updated_by: String,
    /// Deleted at.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Last command id.
    pub last_command_id: Option<Uuid>,
    /// Last event id.
    pub last_event_id: Uuid,
}

/// Writes rows; one of the same key is replaced.
pub async fn upsert(connection: &mut PgConnection, rows: &[DataSource]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO data_source (
            tenant_id, source_id, version, state, name, name_key, source_type, location, environment,
            criticality, data_classification, owner, tags, spec, created_at, created_by, updated_at, updated_by,
            deleted_at, last_command_id, last_event_id
        ) SELECT
            u.tenant_id, u.source_id, u.version, u.state, u.name, u.name_key, u.source_type, u.location,
            u.environment, u.criticality, u.data_classification, u.owner, ARRAY(SELECT
            jsonb_array_elements_text(u.tags::JSONB)), u.spec::JSONB, u.created_at, u.created_by, u.updated_at,
            u.updated_by, u.deleted_at, u.last_command_id, u.last_event_id
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::BIGINT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[],
            $9::TEXT[], $10::TEXT[], $11::TEXT[], $12::TEXT[], $13::TEXT[], $14::TEXT[], $15::TIMESTAMPTZ[],
            $16::TEXT[], $17::TIMESTAMPTZ[], $18::TEXT[], $19::TIMESTAMPTZ[], $20::UUID[], $21::UUID[]
        ) AS u (
            tenant_id, source_id, version, state, name, name_key, source_type, location, environment,
            criticality, data_classification, owner, tags, spec, created_at, created_by, updated_at, updated_by,
            deleted_at, last_command_id, last_event_id
        )
        ON CONFLICT (tenant_id, source_id) DO UPDATE SET
            version = EXCLUDED.version, state = EXCLUDED.state, name = EXCLUDED.name, name_key =
            EXCLUDED.name_key, source_type = EXCLUDED.source_type, location = EXCLUDED.location, environment =
            EXCLUDED.environment, criticality = EXCLUDED.criticality, data_classification =
            EXCLUDED.data_classification, owner = EXCLUDED.owner, tags = EXCLUDED.tags, spec = EXCLUDED.spec,
            created_at = EXCLUDED.created_at, created_by = EXCLUDED.created_by, updated_at =
            EXCLUDED.updated_at, updated_by = EXCLUDED.updated_by, deleted_at = EXCLUDED.deleted_at,
            last_command_id = EXCLUDED.last_command_id, last_event_id = EXCLUDED.last_event_id",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.version) as _,
        text(rows, |row| &row.state) as _,
        text(rows, |row| &row.name) as _,
        text(rows, |row| &row.name_key) as _,
        text(rows, |row| &row.source_type) as _,
        text(rows, |row| &row.location) as _,
        text(rows, |row| &row.environment) as _,
        text(rows, |row| &row.criticality) as _,
        text(rows, |row| &row.data_classification) as _,
        text_or_null(rows, |row| row.owner.as_deref()) as _,
        list(rows, |row| &row.tags) as _,
        json(rows, |row| &row.spec) as _,
        copied(rows, |row| row.created_at) as _,
        text(rows, |row| &row.created_by) as _,
        copied(rows, |row| row.updated_at) as _,
        text(rows, |row| &row.updated_by) as _,
        copied(rows, |row| row.deleted_at) as _,
        copied(rows, |row| row.last_command_id) as _,
        copied(rows, |row| row.last_event_id) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing data_source"))
}

/// Rows of these keys (tenant_id, source_id), in no order.
pub async fn load(connection: &mut PgConnection, keys: &[(&str, Uuid)]) -> Result<Vec<DataSource>, ReadModelError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let found = sqlx::query_as!(
        DataSource,
        "SELECT
            t.tenant_id, t.source_id, t.version, t.state, t.name, t.name_key, t.source_type, t.location,
            t.environment, t.criticality, t.data_classification, t.owner, t.tags, t.spec, t.created_at,
            t.created_by, t.updated_at, t.updated_by, t.deleted_at, t.last_command_id, t.last_event_id
        FROM UNNEST($1::TEXT[], $2::UUID[]) AS k (tenant_id, source_id)
        CROSS JOIN LATERAL (
            SELECT * FROM data_source t WHERE t.tenant_id = k.tenant_id AND t.source_id = k.source_id OFFSET 0
        ) t",
        keys.iter().map(|key| key.0).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.1).collect::<Vec<_>>() as _,
    )
    .fetch_all(connection)
    .await;
    found.map_err(ReadModelError::during("reading data_source"))
}
