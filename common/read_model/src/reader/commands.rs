//! Commands, the audit trail and dead letters.

use serde_json::Value;
use uuid::Uuid;

use super::{Tenant, answer};
use crate::error::ReadModelError;

impl Tenant {
    /// A command's latest state.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn command(&self, command_id: Uuid) -> Result<Option<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found =
            sqlx::query_scalar!(r#"SELECT to_jsonb(v) AS "row!" FROM command v WHERE v.command_id = $1"#, command_id,)
                .fetch_all(&mut *transaction)
                .await;
        Ok(answer(transaction, found).await?.pop())
    }

    /// Commands, newest first.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn commands(
        &self,
        state: Option<&str>,
        source_id: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM command v
            WHERE ($1::TEXT IS NULL OR v.state = $1) AND ($2::UUID IS NULL OR v.source_id = $2)
            ORDER BY v.updated_at DESC, v.command_id LIMIT $3"#,
            state as _,
            source_id as _,
            limit,
        )
        .fetch_all(&mut *transaction)
        .await;
        answer(transaction, found).await
    }

    /// The audit trail, newest first; of one command if it is named.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn audit(&self, command_id: Option<Uuid>, limit: i64) -> Result<Vec<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM audit v WHERE $1::UUID IS NULL OR v.command_id = $1
            ORDER BY v.decided_at DESC, v.partition, v.log_offset DESC LIMIT $2"#,
            command_id as _,
            limit,
        )
        .fetch_all(&mut *transaction)
        .await;
        answer(transaction, found).await
    }

    /// Dead letters that came under the tenant's key, newest first.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn dead_letters(&self, limit: i64) -> Result<Vec<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM dead_letter v ORDER BY v.recorded_at DESC, v.partition, v.log_offset DESC LIMIT $1"#,
            limit,
        )
        .fetch_all(&mut *transaction)
        .await;
        answer(transaction, found).await
    }
}
