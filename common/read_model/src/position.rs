//! `projection_position`: how far each stream partition has been folded. The one table that is written by
//! compare-and-set; whoever waits for the read model asks here. Topics are kept by their short names, since a prefix
//! belongs to an installation and not to the data.

use std::time::Duration;

use chrono::{DateTime, Utc};
use pursight_schemas::Topic;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::model::ReadModel;

/// First and longest pause between two looks.
const PAUSE: (Duration, Duration) = (Duration::from_millis(2), Duration::from_millis(25));

/// How far one partition has been folded, and what the fold carries from batch to batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// Short name of the topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Cluster that the offsets belong to.
    pub cluster_id: Option<String>,
    /// Topic that the offsets belong to: a topic made anew has another id.
    pub topic_id: Option<String>,
    /// First record that has not been folded.
    pub next_offset: i64,
    /// Raised by each projection that takes over.
    pub epoch: i64,
    /// Event id of the newest `OwnershipTaken`.
    pub owner: Option<Uuid>,
    /// Hash of the newest audit row.
    pub chain_hash: Option<String>,
    /// Newest record timestamp so far.
    pub newest_record_at: Option<DateTime<Utc>>,
}

/// Raises the epoch of a partition, making its row if there is none, and returns it.
pub async fn take_over(
    connection: &mut PgConnection,
    topic: Topic,
    partition: i32,
    cluster_id: Option<&str>,
    topic_id: Option<&str>,
) -> Result<Position, ReadModelError> {
    let taken = sqlx::query_as!(
        Position,
        "INSERT INTO projection_position AS p (topic, partition, cluster_id, topic_id, next_offset, epoch)
        VALUES ($1, $2, $3, $4, 0, 1)
        ON CONFLICT (topic, partition) DO UPDATE SET epoch = p.epoch + 1
        RETURNING topic, partition, cluster_id, topic_id, next_offset, epoch, owner, chain_hash, newest_record_at",
        topic.short(),
        partition,
        cluster_id,
        topic_id,
    )
    .fetch_one(connection)
    .await;
    taken.map_err(ReadModelError::during("taking over a position"))
}

/// The row of a partition, locked until the transaction ends. The first thing that a fold does: whoever wants to stop the
/// fold locks the table, and must not have to wait for one that already holds other rows.
pub async fn lock(
    connection: &mut PgConnection,
    topic: Topic,
    partition: i32,
) -> Result<Option<Position>, ReadModelError> {
    let found = sqlx::query_as!(
        Position,
        "SELECT topic, partition, cluster_id, topic_id, next_offset, epoch, owner, chain_hash, newest_record_at
        FROM projection_position WHERE topic = $1 AND partition = $2 FOR UPDATE",
        topic.short(),
        partition,
    )
    .fetch_optional(connection)
    .await;
    found.map_err(ReadModelError::during("locking a position"))
}

/// The row of a partition.
pub async fn load(
    connection: &mut PgConnection,
    topic: Topic,
    partition: i32,
) -> Result<Option<Position>, ReadModelError> {
    let found = sqlx::query_as!(
        Position,
        "SELECT topic, partition, cluster_id, topic_id, next_offset, epoch, owner, chain_hash, newest_record_at
        FROM projection_position WHERE topic = $1 AND partition = $2",
        topic.short(),
        partition,
    )
    .fetch_optional(connection)
    .await;
    found.map_err(ReadModelError::during("reading a position"))
}

/// Every row, by topic and partition.
pub async fn load_all(connection: &mut PgConnection) -> Result<Vec<Position>, ReadModelError> {
    let found = sqlx::query_as!(
        Position,
        "SELECT topic, partition, cluster_id, topic_id, next_offset, epoch, owner, chain_hash, newest_record_at
        FROM projection_position ORDER BY topic, partition"
    )
    .fetch_all(connection)
    .await;
    found.map_err(ReadModelError::during("reading the positions"))
}

/// Moves a position from `read_from` to that of `to`, if epoch and offset are still the expected ones. `false`: another
/// projection has it; roll back.
pub async fn advance(connection: &mut PgConnection, read_from: i64, to: &Position) -> Result<bool, ReadModelError> {
    let moved = sqlx::query!(
        "UPDATE projection_position SET next_offset = $5, owner = $6, chain_hash = $7, newest_record_at = $8
        WHERE topic = $1 AND partition = $2 AND epoch = $3 AND next_offset = $4",
        to.topic,
        to.partition,
        to.epoch,
        read_from,
        to.next_offset,
        to.owner,
        to.chain_hash,
        to.newest_record_at,
    )
    .execute(connection)
    .await;
    moved.map(|done| done.rows_affected() == 1).map_err(ReadModelError::during("moving a position"))
}

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
        let during = ReadModelError::during;
        if marks.is_empty() {
            return Ok(true);
        }
        let mut transaction = self.begin().await?;
        let missing = sqlx::query_scalar!(
            r#"SELECT EXISTS (
                SELECT FROM UNNEST($1::TEXT[], $2::INT[], $3::BIGINT[]) AS m (topic, partition, log_offset)
                WHERE NOT EXISTS (SELECT FROM projection_position p
                    WHERE p.topic = m.topic AND p.partition = m.partition AND p.next_offset > m.log_offset)) AS "missing!""#,
            marks.iter().map(|mark| mark.0.short()).collect::<Vec<_>>() as _,
            marks.iter().map(|mark| mark.1).collect::<Vec<_>>() as _,
            marks.iter().map(|mark| mark.2).collect::<Vec<_>>() as _,
        )
        .fetch_one(&mut *transaction)
        .await
        .map_err(during("asking how far the read model is"))?;
        transaction.commit().await.map_err(during("asking how far the read model is"))?;
        Ok(!missing)
    }

    /// Moves positions forward over offsets that hold nothing any more. Only for a schema that nobody folds into.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn skip_to(&self, ends: &[(Topic, i32, i64)]) -> Result<(), ReadModelError> {
        let during = ReadModelError::during;
        let mut transaction = self.begin().await?;
        sqlx::query!(
            "UPDATE projection_position p SET next_offset = e.next_offset
            FROM UNNEST($1::TEXT[], $2::INT[], $3::BIGINT[]) AS e (topic, partition, next_offset)
            WHERE p.topic = e.topic AND p.partition = e.partition AND p.next_offset < e.next_offset",
            ends.iter().map(|end| end.0.short()).collect::<Vec<_>>() as _,
            ends.iter().map(|end| end.1).collect::<Vec<_>>() as _,
            ends.iter().map(|end| end.2).collect::<Vec<_>>() as _,
        )
        .execute(&mut *transaction)
        .await
        .map_err(during("moving positions to the end"))?;
        transaction.commit().await.map_err(during("moving positions to the end"))
    }

    /// Every position.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn positions(&self) -> Result<Vec<Position>, ReadModelError> {
        let mut transaction = self.begin().await?;
        load_all(&mut transaction).await
    }
}
