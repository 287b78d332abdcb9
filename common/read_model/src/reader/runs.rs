//! Runs, tests and measurements.

use serde_json::Value;
use uuid::Uuid;

use super::{Tenant, answer};
use crate::error::ReadModelError;

impl Tenant {
    /// A run, over all its streams.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn run(&self, run_id: Uuid) -> Result<Option<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(r#"SELECT to_jsonb(v) AS "row!" FROM v_run v WHERE v.run_id = $1"#, run_id,)
            .fetch_all(&mut *transaction)
            .await;
        Ok(answer(transaction, found).await?.pop())
    }

    /// Runs of a source (of all, without one), newest first.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn runs(
        &self,
        source_id: Option<Uuid>,
        kind: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM v_run v
            WHERE ($1::UUID IS NULL OR v.source_id = $1) AND ($2::TEXT IS NULL OR v.kind = $2)
            ORDER BY v.asked_at DESC, v.run_id LIMIT $3"#,
            source_id as _,
            kind as _,
            limit,
        )
        .fetch_all(&mut *transaction)
        .await;
        answer(transaction, found).await
    }

    /// The test that a run made.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn connection_test(&self, run_id: Uuid) -> Result<Option<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found =
            sqlx::query_scalar!(r#"SELECT to_jsonb(v) AS "row!" FROM connection_test v WHERE v.run_id = $1"#, run_id,)
                .fetch_all(&mut *transaction)
                .await;
        Ok(answer(transaction, found).await?.pop())
    }

    /// Tests of a source, newest first.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn connection_tests(&self, source_id: Uuid, limit: i64) -> Result<Vec<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM connection_test v WHERE v.source_id = $1 ORDER BY v.tested_at DESC, v.run_id LIMIT $2"#,
            source_id,
            limit,
        )
        .fetch_all(&mut *transaction)
        .await;
        answer(transaction, found).await
    }

    /// A source's last measurement.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn statistics(&self, source_id: Uuid) -> Result<Option<Value>, ReadModelError> {
        Ok(self.samples(source_id, 1).await?.pop())
    }

    /// Measurements of a source, newest first.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn samples(&self, source_id: Uuid, limit: i64) -> Result<Vec<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM source_statistics v WHERE v.source_id = $1 ORDER BY v.collected_at DESC, v.run_id LIMIT $2"#,
            source_id,
            limit,
        )
        .fetch_all(&mut *transaction)
        .await;
        answer(transaction, found).await
    }

    /// The largest live objects of a source.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn largest(&self, source_id: Uuid, limit: i64) -> Result<Vec<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) || jsonb_build_object(
                'catalog', o.catalog, 'schema', o.schema, 'name', o.name, 'kind', o.kind) AS "row!"
            FROM object_statistics v
            JOIN schema_object o ON o.tenant_id = v.tenant_id AND o.source_id = v.source_id AND o.object_id = v.object_id
            WHERE v.source_id = $1 AND o.state = 'LIVE'
            ORDER BY v.size_bytes DESC NULLS LAST, o.schema, o.name, v.object_id LIMIT $2"#,
            source_id,
            limit,
        )
        .fetch_all(&mut *transaction)
        .await;
        answer(transaction, found).await
    }
}
