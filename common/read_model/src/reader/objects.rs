//! What is in a source, and what changed in it.

use serde_json::Value;
use uuid::Uuid;

use super::{Tenant, answer};
use crate::error::ReadModelError;

/// Which objects.
#[derive(Debug, Clone, Default)]
pub struct ObjectFilter {
    /// Schema.
    pub schema: Option<String>,
    /// Symbol of the kind.
    pub kind: Option<String>,
    /// Part of the name.
    pub search: Option<String>,
    /// Dropped ones too.
    pub dropped: bool,
    /// Schema, name and id of the last row of the page before.
    pub after: Option<(String, String, Uuid)>,
    /// At most so many.
    pub limit: i64,
}

impl Tenant {
    /// Objects of a source, by name.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn objects(&self, source_id: Uuid, filter: &ObjectFilter) -> Result<Vec<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM schema_object v
            WHERE v.source_id = $1
              AND ($2::TEXT IS NULL OR v.schema = $2)
              AND ($3::TEXT IS NULL OR v.kind = $3)
              AND ($4::TEXT IS NULL OR strpos(lower(v.name), lower($4)) > 0)
              AND ($5 OR v.state = 'LIVE')
              AND ($6::TEXT IS NULL OR (v.schema, v.name, v.object_id) > ($6, $7::TEXT, $8::UUID))
            ORDER BY v.schema, v.name, v.object_id LIMIT $9"#,
            source_id,
            filter.schema.as_deref() as _,
            filter.kind.as_deref() as _,
            filter.search.as_deref() as _,
            filter.dropped,
            filter.after.as_ref().map(|after| after.0.as_str()) as _,
            filter.after.as_ref().map(|after| after.1.as_str()) as _,
            filter.after.as_ref().map(|after| after.2) as _,
            filter.limit,
        )
        .fetch_all(&mut *transaction)
        .await;
        answer(transaction, found).await
    }

    /// One object with its columns, constraints, indexes and figures, by `schema.name` or id: a live one first.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn object(&self, source_id: Uuid, object: &str) -> Result<Option<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) || jsonb_build_object(
                'columns', coalesce((SELECT jsonb_agg(to_jsonb(p) - '{tenant_id,source_id,object_id,position}'::TEXT[] ORDER BY p.ordinal, p.position)
                    FROM schema_column p
                    WHERE p.tenant_id = v.tenant_id AND p.source_id = v.source_id AND p.object_id = v.object_id), '[]'),
                'constraints', coalesce((SELECT jsonb_agg(to_jsonb(p) - '{tenant_id,source_id,object_id,position}'::TEXT[] ORDER BY p.name, p.position)
                    FROM schema_constraint p
                    WHERE p.tenant_id = v.tenant_id AND p.source_id = v.source_id AND p.object_id = v.object_id), '[]'),
                'indexes', coalesce((SELECT jsonb_agg(to_jsonb(p) - '{tenant_id,source_id,object_id,position}'::TEXT[] ORDER BY p.name, p.position)
                    FROM schema_index p
                    WHERE p.tenant_id = v.tenant_id AND p.source_id = v.source_id AND p.object_id = v.object_id), '[]'),
                'statistics', (SELECT to_jsonb(p) - '{tenant_id,source_id,object_id}'::TEXT[]
                    FROM object_statistics p
                    WHERE p.tenant_id = v.tenant_id AND p.source_id = v.source_id AND p.object_id = v.object_id)) AS "row!"
            FROM schema_object v
            WHERE v.source_id = $1 AND (v.object_id = $2 OR v.schema || '.' || v.name = $3)
            ORDER BY v.object_id = $2 DESC NULLS LAST, v.state = 'LIVE' DESC, v.kind <> 'TABLE', v.observed_at DESC, v.object_id
            LIMIT 1"#,
            source_id,
            Uuid::parse_str(object).ok() as _,
            object,
        )
        .fetch_all(&mut *transaction)
        .await;
        Ok(answer(transaction, found).await?.pop())
    }

    /// Changes of a source's objects, newest first.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn changes(
        &self,
        source_id: Uuid,
        run_id: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM v_schema_history v
            WHERE v.source_id = $1 AND ($2::UUID IS NULL OR v.run_id = $2)
            ORDER BY v.changed_at DESC, v.event_id, v.position LIMIT $3"#,
            source_id,
            run_id as _,
            limit,
        )
        .fetch_all(&mut *transaction)
        .await;
        answer(transaction, found).await
    }
}
