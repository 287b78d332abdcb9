//! `schema_object`: objects of sources, dropped ones too. Its statements, nothing else.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::fold::Rescope;
use crate::table::column::{copied, json, json_or_null, list, text, text_or_null};

/// One object.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaObject {
    /// Tenant.
    pub tenant_id: String,
    /// Data source.
    pub source_id: Uuid,
    /// Object.
    pub object_id: Uuid,
    /// Catalog.
    pub catalog: String,
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: String,
    /// Native id.
    pub native_id: Option<String>,
    /// State.
    pub state: String,
    /// Owner.
    pub owner: Option<String>,
    /// Comment.
    pub comment: Option<String>,
    /// Definition.
    pub definition: Option<String>,
    /// Partitions.
    pub partitions: Option<Value>,
    /// Depends on.
    pub depends_on: Value,
    /// Truncated.
    pub truncated: Vec<String>,
    /// Content hash.
    pub content_hash: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Column count.
    pub column_count: i32,
    /// In scope.
    pub in_scope: bool,
    /// It was in the last complete listing.
    pub listed: bool,
    /// What could not be read, or how much.
    pub unreadable: Option<Value>,
    /// The run that held its deletion.
    pub held_by_run: Option<Uuid>,
    /// What was dropped and took it along.
    pub entailed_by: Vec<String>,
    /// First run id.
    pub first_run_id: Uuid,
    /// Last run id.
    pub last_run_id: Uuid,
    /// First seen at.
    pub first_seen_at: DateTime<Utc>,
    /// Observed at.
    pub observed_at: DateTime<Utc>,
    /// Dropped at.
    pub dropped_at: Option<DateTime<Utc>>,
}

/// Writes rows; one of the same key is replaced.
pub async fn upsert(connection: &mut PgConnection, rows: &[SchemaObject]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO schema_object (
            tenant_id, source_id, object_id, catalog, schema, name, kind, native_id, state, owner, comment,
            definition, partitions, depends_on, truncated, content_hash, version, column_count, in_scope,
            listed, unreadable, held_by_run, entailed_by, first_run_id, last_run_id, first_seen_at, observed_at,
            dropped_at
        ) SELECT
            u.tenant_id, u.source_id, u.object_id, u.catalog, u.schema, u.name, u.kind, u.native_id, u.state,
            u.owner, u.comment, u.definition, u.partitions::JSONB, u.depends_on::JSONB, ARRAY(SELECT
            jsonb_array_elements_text(u.truncated::JSONB)), u.content_hash, u.version, u.column_count,
            u.in_scope, u.listed, u.unreadable::JSONB, u.held_by_run, ARRAY(SELECT
            jsonb_array_elements_text(u.entailed_by::JSONB)), u.first_run_id, u.last_run_id, u.first_seen_at,
            u.observed_at, u.dropped_at
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::UUID[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::TEXT[], $8::TEXT[],
            $9::TEXT[], $10::TEXT[], $11::TEXT[], $12::TEXT[], $13::TEXT[], $14::TEXT[], $15::TEXT[],
            $16::TEXT[], $17::TEXT[], $18::INT[], $19::BOOLEAN[], $20::BOOLEAN[], $21::TEXT[], $22::UUID[],
            $23::TEXT[], $24::UUID[], $25::UUID[], $26::TIMESTAMPTZ[], $27::TIMESTAMPTZ[], $28::TIMESTAMPTZ[]
        ) AS u (
            tenant_id, source_id, object_id, catalog, schema, name, kind, native_id, state, owner, comment,
            definition, partitions, depends_on, truncated, content_hash, version, column_count, in_scope,
            listed, unreadable, held_by_run, entailed_by, first_run_id, last_run_id, first_seen_at, observed_at,
            dropped_at
        )
        ON CONFLICT (tenant_id, source_id, object_id) DO UPDATE SET
            catalog = EXCLUDED.catalog, schema = EXCLUDED.schema, name = EXCLUDED.name, kind = EXCLUDED.kind,
            native_id = EXCLUDED.native_id, state = EXCLUDED.state, owner = EXCLUDED.owner, comment =
            EXCLUDED.comment, definition = EXCLUDED.definition, partitions = EXCLUDED.partitions, depends_on =
            EXCLUDED.depends_on, truncated = EXCLUDED.truncated, content_hash = EXCLUDED.content_hash, version =
            EXCLUDED.version, column_count = EXCLUDED.column_count, in_scope = EXCLUDED.in_scope, listed =
            EXCLUDED.listed, unreadable = EXCLUDED.unreadable, held_by_run = EXCLUDED.held_by_run, entailed_by =
            EXCLUDED.entailed_by, first_run_id = EXCLUDED.first_run_id, last_run_id = EXCLUDED.last_run_id,
            first_seen_at = EXCLUDED.first_seen_at, observed_at = EXCLUDED.observed_at, dropped_at =
            EXCLUDED.dropped_at",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.object_id) as _,
        text(rows, |row| &row.catalog) as _,
        text(rows, |row| &row.schema) as _,
        text(rows, |row| &row.name) as _,
        text(rows, |row| &row.kind) as _,
        text_or_null(rows, |row| row.native_id.as_deref()) as _,
        text(rows, |row| &row.state) as _,
        text_or_null(rows, |row| row.owner.as_deref()) as _,
        text_or_null(rows, |row| row.comment.as_deref()) as _,
        text_or_null(rows, |row| row.definition.as_deref()) as _,
        json_or_null(rows, |row| row.partitions.as_ref()) as _,
        json(rows, |row| &row.depends_on) as _,
        list(rows, |row| &row.truncated) as _,
        text_or_null(rows, |row| row.content_hash.as_deref()) as _,
        text_or_null(rows, |row| row.version.as_deref()) as _,
        copied(rows, |row| row.column_count) as _,
        copied(rows, |row| row.in_scope) as _,
        copied(rows, |row| row.listed) as _,
        json_or_null(rows, |row| row.unreadable.as_ref()) as _,
        copied(rows, |row| row.held_by_run) as _,
        list(rows, |row| &row.entailed_by) as _,
        copied(rows, |row| row.first_run_id) as _,
        copied(rows, |row| row.last_run_id) as _,
        copied(rows, |row| row.first_seen_at) as _,
        copied(rows, |row| row.observed_at) as _,
        copied(rows, |row| row.dropped_at) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing schema_object"))
}

/// Rows of these keys (tenant_id, source_id, object_id), in no order.
pub async fn load(
    connection: &mut PgConnection,
    keys: &[(&str, Uuid, Uuid)],
) -> Result<Vec<SchemaObject>, ReadModelError> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let found = sqlx::query_as!(
        SchemaObject,
        "SELECT
            t.tenant_id, t.source_id, t.object_id, t.catalog, t.schema, t.name, t.kind, t.native_id, t.state,
            t.owner, t.comment, t.definition, t.partitions, t.depends_on, t.truncated, t.content_hash,
            t.version, t.column_count, t.in_scope, t.listed, t.unreadable, t.held_by_run, t.entailed_by,
            t.first_run_id, t.last_run_id, t.first_seen_at, t.observed_at, t.dropped_at
        FROM UNNEST($1::TEXT[], $2::UUID[], $3::UUID[]) AS k (tenant_id, source_id, object_id)
        CROSS JOIN LATERAL (
            -- Only the id may be looked for in an index, see migration 0006.
            SELECT * FROM schema_object t
            WHERE t.object_id = k.object_id
              AND t.source_id IS NOT DISTINCT FROM k.source_id AND t.tenant_id IS NOT DISTINCT FROM k.tenant_id
            OFFSET 0
        ) t",
        keys.iter().map(|key| key.0).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.1).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.2).collect::<Vec<_>>() as _,
    )
    .fetch_all(connection)
    .await;
    found.map_err(ReadModelError::during("reading schema_object"))
}

/// Live objects of these sources (tenant_id, source_id) whose deletion is held or whose details could not be read.
pub async fn load_marked(
    connection: &mut PgConnection,
    sources: &[(&str, Uuid)],
) -> Result<Vec<SchemaObject>, ReadModelError> {
    if sources.is_empty() {
        return Ok(Vec::new());
    }
    let found = sqlx::query_as!(
        SchemaObject,
        "SELECT
            t.tenant_id, t.source_id, t.object_id, t.catalog, t.schema, t.name, t.kind, t.native_id, t.state,
            t.owner, t.comment, t.definition, t.partitions, t.depends_on, t.truncated, t.content_hash,
            t.version, t.column_count, t.in_scope, t.listed, t.unreadable, t.held_by_run, t.entailed_by,
            t.first_run_id, t.last_run_id, t.first_seen_at, t.observed_at, t.dropped_at
        FROM UNNEST($1::TEXT[], $2::UUID[]) AS k (tenant_id, source_id)
        CROSS JOIN LATERAL (
            SELECT * FROM schema_object t
            WHERE t.tenant_id = k.tenant_id AND t.source_id = k.source_id
              AND (t.held_by_run IS NOT NULL OR t.unreadable IS NOT NULL) OFFSET 0
        ) t",
        sources.iter().map(|key| key.0).collect::<Vec<_>>() as _,
        sources.iter().map(|key| key.1).collect::<Vec<_>>() as _,
    )
    .fetch_all(connection)
    .await;
    found.map_err(ReadModelError::during("reading marked objects"))
}

/// Marks the live objects of a source as in or out of scope, unless the complete run before had the same scope.
pub async fn rescope(connection: &mut PgConnection, to: &Rescope) -> Result<(), ReadModelError> {
    let done = sqlx::query!(
        "UPDATE schema_object t SET in_scope = NOT t.in_scope
        WHERE t.tenant_id = $1 AND t.source_id = $2 AND t.state = 'LIVE'
          AND $4 IS DISTINCT FROM (
            SELECT r.scope_hash FROM run r
            WHERE r.tenant_id = $1 AND r.source_id = $2 AND r.kind = 'DISCOVER' AND r.complete AND r.run_id <> $3
            ORDER BY r.ended_at DESC, r.run_id LIMIT 1)
          AND t.in_scope IS DISTINCT FROM (
            (cardinality($5::TEXT[]) = 0 OR t.schema || '.' || t.name LIKE ANY ($5))
            AND NOT (t.schema || '.' || t.name LIKE ANY ($6::TEXT[])))",
        to.tenant_id,
        to.source_id,
        to.run_id,
        to.scope_hash,
        &to.include,
        &to.exclude,
    )
    .execute(connection)
    .await;
    done.map(drop).map_err(ReadModelError::during("marking what is in scope"))
}

/// Moves the mark of what the last complete listing contained: everything live that is in scope and not held.
pub async fn settle(connection: &mut PgConnection, tenant_id: &str, source_id: Uuid) -> Result<(), ReadModelError> {
    // The condition is that of the index schema_object_unsettled, so that an unchanged source costs nothing.
    let done = sqlx::query!(
        "UPDATE schema_object SET listed = NOT listed
        WHERE tenant_id = $1 AND source_id = $2
          AND state = 'LIVE' AND listed <> (in_scope AND held_by_run IS NULL)",
        tenant_id,
        source_id,
    )
    .execute(connection)
    .await;
    done.map(drop).map_err(ReadModelError::during("marking what was listed"))
}
