//! What a measurement asks before it computes differences: the source's sample before.

use std::collections::BTreeMap;

use pursight_schemas::Micros;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::model::ReadModel;

/// The counters of an earlier sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviousSample {
    /// The run that took it.
    pub run_id: Uuid,
    /// When.
    pub collected_at: Micros,
    /// The server's running counters, as they stood.
    pub counters: BTreeMap<String, i64>,
}

impl ReadModel {
    /// A source's newest sample.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn previous_sample(
        &self,
        tenant_id: &str,
        source_id: Uuid,
    ) -> Result<Option<PreviousSample>, ReadModelError> {
        let during = ReadModelError::during;
        let mut transaction = self.begin().await?;
        let row = sqlx::query!(
            "SELECT run_id, collected_at, counters FROM source_statistics
            WHERE tenant_id = $1 AND source_id = $2 ORDER BY collected_at DESC, run_id LIMIT 1",
            tenant_id,
            source_id,
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(during("reading the sample before"))?;
        transaction.commit().await.map_err(during("reading the sample before"))?;
        let Some(row) = row else { return Ok(None) };
        let counters = serde_json::from_value(row.counters)
            .map_err(|error| ReadModelError::Content(format!("counters that cannot be read ({error})")))?;
        Ok(Some(PreviousSample { run_id: row.run_id, collected_at: row.collected_at.into(), counters }))
    }
}
