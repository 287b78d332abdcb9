//! What an operator may read, whoever's it is. Not for tenants.

use serde_json::Value;

use super::answer;
use crate::error::ReadModelError;
use crate::model::ReadModel;

impl ReadModel {
    /// Dead letters, newest first.
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

    /// The audit row of a record of the audit topic.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn audit_row(&self, partition: i32, offset: i64) -> Result<Option<Value>, ReadModelError> {
        let mut transaction = self.begin().await?;
        let found = sqlx::query_scalar!(
            r#"SELECT to_jsonb(v) AS "row!"
            FROM audit v WHERE v.partition = $1 AND v.log_offset = $2"#,
            partition,
            offset,
        )
        .fetch_all(&mut *transaction)
        .await;
        Ok(answer(transaction, found).await?.pop())
    }
}
