//! Sources, their history and their stars.

use pursight_schemas::names::SourceName;
use serde_json::Value;
use uuid::Uuid;

use super::{Tenant, answer};
use crate::error::ReadModelError;

/// Which sources.
#[derive(Debug, Clone, Default)]
pub struct SourceFilter {
    /// Symbol of the kind.
    pub source_type: Option<String>,
    /// Symbol of the environment.
    pub environment: Option<String>,
    /// `ACTIVE`, `PAUSED`, `DELETED` or `PURGED`; without it all that live.
    pub state: Option<String>,
    /// A label.
    pub tag: Option<String>,
    /// Part of the name.
    pub search: Option<String>,
    /// Sources with this principal's star.
    pub favorite_of: Option<String>,
    /// Name and id of the last row of the page before.
    pub after: Option<(String, Uuid)>,
    /// At most so many.
    pub limit: i64,
}

impl Tenant {
    /// Sources by name; a page begins after `after`.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn sources(&self, filter: &SourceFilter) -> Result<Vec<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM v_source v
            WHERE ($1::TEXT IS NULL OR v.source_type = $1)
              AND ($2::TEXT IS NULL OR v.environment = $2)
              AND (CASE WHEN $3::TEXT IS NULL THEN v.state IN ('ACTIVE', 'PAUSED') ELSE v.state = $3 END)
              AND ($4::TEXT IS NULL OR $4 = ANY (v.tags))
              AND ($5::TEXT IS NULL OR strpos(lower(v.name), lower($5)) > 0)
              AND ($6::TEXT IS NULL OR EXISTS (
                SELECT FROM favorite f
                WHERE f.tenant_id = v.tenant_id AND f.source_id = v.source_id AND f.principal = $6))
              AND ($7::TEXT IS NULL OR (v.name, v.source_id) > ($7, $8::UUID))
            ORDER BY v.name, v.source_id LIMIT $9"#,
            filter.source_type.as_deref() as _,
            filter.environment.as_deref() as _,
            filter.state.as_deref() as _,
            filter.tag.as_deref() as _,
            filter.search.as_deref() as _,
            filter.favorite_of.as_deref() as _,
            filter.after.as_ref().map(|after| after.0.as_str()) as _,
            filter.after.as_ref().map(|after| after.1) as _,
            filter.limit,
        )
        .fetch_all(&mut *transaction)
        .await;
        answer(transaction, found).await
    }

    /// A source's wide row, by id or name: a living one first, else the one that was changed last.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn source(&self, source: &str) -> Result<Option<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM v_source v JOIN data_source s ON s.tenant_id = v.tenant_id AND s.source_id = v.source_id
            WHERE s.source_id = $1 OR s.name_key = $2
            ORDER BY s.source_id = $1 DESC NULLS LAST, s.state IN ('ACTIVE', 'PAUSED') DESC, s.updated_at DESC, s.source_id
            LIMIT 1"#,
            Uuid::parse_str(source.trim()).ok() as _,
            SourceName::parse(source).ok().map(|name| name.key) as _,
        )
        .fetch_all(&mut *transaction)
        .await;
        Ok(answer(transaction, found).await?.pop())
    }

    /// A source's whole configuration, as it was decided.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn spec(&self, source_id: Uuid) -> Result<Option<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found =
            sqlx::query_scalar!(r#"SELECT s.spec AS "row!" FROM data_source s WHERE s.source_id = $1"#, source_id,)
                .fetch_all(&mut *transaction)
                .await;
        Ok(answer(transaction, found).await?.pop())
    }

    /// Changed fields of a source, newest first.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn history(&self, source_id: Uuid, limit: i64) -> Result<Vec<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM data_source_change v WHERE v.source_id = $1 ORDER BY v.version DESC, v.field LIMIT $2"#,
            source_id,
            limit,
        )
        .fetch_all(&mut *transaction)
        .await;
        answer(transaction, found).await
    }

    /// Stars of a principal.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn favorites(&self, principal: &str) -> Result<Vec<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM favorite v WHERE v.principal = $1 ORDER BY v.set_at DESC, v.source_id"#,
            principal,
        )
        .fetch_all(&mut *transaction)
        .await;
        answer(transaction, found).await
    }
}
