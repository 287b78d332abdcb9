//! `projection_position`: how far each stream partition has been folded. The one table that is written by
//! compare-and-set; whoever waits for the read model asks here.

use std::time::Duration;

use pursight_schemas::Topic;

use crate::error::ReadModelError;
use crate::model::ReadModel;

/// First and longest pause between two looks.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(25));

impl ReadModel {
    /// Waits until the record at each (topic, partition, offset) has been folded. Bounded by the caller.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn wait_past(&self, marks: &[(Topic, i32, i64)]) -> Result<(), ReadModelError> {
        let mut pause = PAUSE.0;
        while !self.has_passed(marks).await? {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
        Ok(())
    }

    /// Whether the record at each (topic, partition, offset) has been folded.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn has_passed(&self, marks: &[(Topic, i32, i64)]) -> Result<bool, ReadModelError> {
        if marks.is_empty() {
            return Ok(true);
        }
        let topics: Vec<&str> = marks.iter().map(|mark| mark.0.short()).collect();
        let partitions: Vec<i32> = marks.iter().map(|mark| mark.1).collect();
        let offsets: Vec<i64> = marks.iter().map(|mark| mark.2).collect();
        let mut transaction = self.begin().await?;
        let missing: i64 = sqlx::query_scalar(
            "SELECT count(*) FROM UNNEST($1::TEXT[], $2::INT[], $3::BIGINT[]) AS m (topic, partition, log_offset)
             WHERE NOT EXISTS (SELECT FROM projection_position p
                 WHERE p.topic = m.topic AND p.partition = m.partition AND p.next_offset > m.log_offset)",
        )
        .bind(&topics)
        .bind(&partitions)
        .bind(&offsets)
        .fetch_one(&mut *transaction)
        .await
        .map_err(ReadModelError::during("asking how far the read model is"))?;
        transaction.commit().await.map_err(ReadModelError::during("asking how far the read model is"))?;
        Ok(missing == 0)
    }
}
