//! `favorite`: stars, each of one principal. Its statements, nothing else.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::table::column::{copied, text};

/// A star.
#[derive(Debug, Clone, PartialEq)]
pub struct Favorite {
    /// Tenant.
    pub tenant_id: String,
    /// Who asked.
    pub principal: String,
    /// Data source.
    pub source_id: Uuid,
    /// Set at.
    pub set_at: DateTime<Utc>,
}

/// Writes rows; one of the same key is replaced.
pub async fn upsert(connection: &mut PgConnection, rows: &[Favorite]) -> Result<(), ReadModelError> {
    if rows.is_empty() {
        return Ok(());
    }
    let written = sqlx::query!(
        "INSERT INTO favorite (
            tenant_id, principal, source_id, set_at
        ) SELECT
            u.tenant_id, u.principal, u.source_id, u.set_at
        FROM UNNEST(
            $1::TEXT[], $2::TEXT[], $3::UUID[], $4::TIMESTAMPTZ[]
        ) AS u (
            tenant_id, principal, source_id, set_at
        )
        ON CONFLICT (tenant_id, principal, source_id) DO UPDATE SET
            set_at = EXCLUDED.set_at",
        text(rows, |row| &row.tenant_id) as _,
        text(rows, |row| &row.principal) as _,
        copied(rows, |row| row.source_id) as _,
        copied(rows, |row| row.set_at) as _,
    )
    .execute(connection)
    .await;
    written.map(drop).map_err(ReadModelError::during("writing favorite"))
}

/// Removes rows of these keys (tenant_id, principal, source_id).
pub async fn remove(connection: &mut PgConnection, keys: &[(&str, &str, Uuid)]) -> Result<(), ReadModelError> {
    if keys.is_empty() {
        return Ok(());
    }
    let removed = sqlx::query!(
        "DELETE FROM favorite WHERE ctid = ANY (ARRAY(
            SELECT t.ctid FROM UNNEST($1::TEXT[], $2::TEXT[], $3::UUID[]) AS k (tenant_id, principal, source_id)
            CROSS JOIN LATERAL (
                SELECT ctid FROM favorite t
                WHERE t.tenant_id = k.tenant_id AND t.principal = k.principal AND t.source_id = k.source_id OFFSET 0
            ) t
        ))",
        keys.iter().map(|key| key.0).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.1).collect::<Vec<_>>() as _,
        keys.iter().map(|key| key.2).collect::<Vec<_>>() as _,
    )
    .execute(connection)
    .await;
    removed.map(drop).map_err(ReadModelError::during("removing from favorite"))
}
