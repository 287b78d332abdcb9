//! `schema_column`: columns of live objects. Its statements, nothing else.

use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, text, text_or_null};

/// One column.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaColumn {
    /// Tenant.
    pub tenant_id: String,
    /// Data source.
    pub source_id: Uuid,
    /// Object.
    pub object_id: Uuid,
    /// Place in the event.
    pub position: i32,
    /// Name.
    pub name: String,
    /// Ordinal.
    pub ordinal: i32,
    /// Data type.
    pub data_type: String,
    /// Type family.
    pub type_family: String,
    /// Nullable.
    pub nullable: bool,
    /// Default value.
    pub default_value: Option<String>,
    /// Generated.
    pub generated: Option<String>,
    /// Identity.
    pub identity: Option<String>,
    /// Collation name.
    pub collation_name: Option<String>,
    /// Comment.
    pub comment: Option<String>,
}

/// Writes rows of an object that has none: [`remove`] comes before it. To be ready for a conflict would cost half as
/// much again.
pub async fn insert(connection: &mut PgConnection, rows: &[SchemaColumn]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO schema_column (
            tenant_id, source_id, object_id, position, name, ordinal, data_type, type_family, nullable,
            default_value, generated, identity, collation_name, comment
        ) SELECT
            u.tenant_id, u.source_id, u.object_id, u.position, u.name, u.ordinal, u.data_type, u.type_family,
            u.nullable, u.default_value, u.generated, u.identity, u.collation_name, u.comment
        FROM UNNEST(
            $1::TEXT[], $2::UUID[], $3::UUID[], $4::INT[], $5::TEXT[], $6::INT[], $7::TEXT[], $8::TEXT[],
            $9::BOOLEAN[], $10::TEXT[], $11::TEXT[], $12::TEXT[], $13::TEXT[], $14::TEXT[]
        ) AS u (
            tenant_id, source_id, object_id, position, name, ordinal, data_type, type_family, nullable,
            default_value, generated, identity, collation_name, comment
        )",
        text(rows, |row| &row.tenant_id) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.object_id) as _,
        copied(rows, |row| row.position) as _,
        text(rows, |row| &row.name) as _,
        copied(rows, |row| row.ordinal) as _,
        text(rows, |row| &row.data_type) as _,
        text(rows, |row| &row.type_family) as _,
        copied(rows, |row| row.nullable) as _,
        text_or_null(rows, |row| row.default_value.as_deref()) as _,
        text_or_null(rows, |row| row.generated.as_deref()) as _,
        text_or_null(rows, |row| row.identity.as_deref()) as _,
        text_or_null(rows, |row| row.collation_name.as_deref()) as _,
        text_or_null(rows, |row| row.comment.as_deref()) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing schema_column"))
}

/// Removes rows of these keys (tenant_id, source_id, object_id).
pub async fn remove(connection: &mut PgConnection, keys: &[(&str, Uuid, Uuid)]) -> Result<(), ReadModelError> {
    if keys.is_empty() {
        return Ok(());
    }
    let removed = sqlx::query!(
        "DELETE FROM schema_column WHERE ctid = ANY (ARRAY(
            SELECT t.ctid FROM UNNEST($1::TEXT[], $2::UUID[], $3::UUID[]) AS k (tenant_id, source_id, object_id)
            CROSS JOIN LATERAL (
                SELECT ctid FROM schema_column t
                WHERE t.tenant_id = k.tenant_id AND t.source_id = k.source_id AND t.object_id = k.object_id OFFSET 0
            ) t
        ))",
        keys.iter().map(|key| key.0).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.1).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.2).collect::<Vec<_>>() as _,
    )
    .execute(connection)
    .await;
    removed.map(drop).map_err(ReadModelError::during("removing from schema_column"))
}
