//! Transactions that nobody has ended: what lies behind the first record of one cannot be read as committed.

use std::time::{Duration, Instant};

use pursight_schemas::{Micros, Topic};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::message::Message as _;
use rdkafka::{Offset, TopicPartitionList};

use super::admin::{Admin, AdminError};

/// A partition whose committed records end before its last one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    /// Name of the topic on the broker.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// First record of the open transaction.
    pub offset: i64,
    /// When that was written, as its producer says.
    pub written: Micros,
}

impl Admin {
    /// The partitions of ours that an open transaction holds back. One of a transaction at work is among them.
    ///
    /// # Errors
    /// [`AdminError::Refused`], if a topic is missing or may not be read too.
    pub async fn held_back(&self) -> Result<Vec<HeldBack>, AdminError> {
        let mut wanted = TopicPartitionList::new();
        for topic in Topic::ALL {
            wanted.add_partition_range(&topic.name(&self.prefix), 0, topic.partitions() - 1);
        }
        let (config, timeout) = (self.config.clone(), self.timeout);
        let consumer = move |isolation: &str| -> Result<BaseConsumer, KafkaError> {
            let mut config = config.clone();
            // A group is named because the client wants one for reading; it neither joins it nor commits.
            config.set("group.id", "pursight-doctor").set("enable.auto.commit", "false");
            config.set("isolation.level", isolation).create()
        };
        let look = move || {
            let (committed, everything) = (consumer("read_committed")?, consumer("read_uncommitted")?);
            // In this order: what ends meanwhile is not found.
            let all = ends(&everything, &wanted, timeout)?;
            let readable = ends(&committed, &wanted, timeout)?;
            let behind = readable.into_iter().zip(all).filter(|((.., readable), (.., end))| readable < end);
            behind.map(|(place, _)| held_back(&everything, place, timeout)).filter_map(Result::transpose).collect()
        };
        let done = tokio::task::spawn_blocking(look).await.unwrap_or(Err(KafkaError::Canceled));
        done.map_err(|source| AdminError::Refused { what: "looking for open transactions".to_owned(), source })
    }
}

type Place = (String, i32, i64);

/// Where each partition ends for this reader.
fn ends(reader: &BaseConsumer, wanted: &TopicPartitionList, timeout: Duration) -> Result<Vec<Place>, KafkaError> {
    let mut list = wanted.clone();
    list.set_all_offsets(Offset::End)?;
    let found = reader.offsets_for_times(list, timeout)?;
    let place = |element: rdkafka::topic_partition_list::TopicPartitionListElem<'_>| {
        element.error()?;
        Ok((element.topic().to_owned(), element.partition(), element.offset().to_raw().unwrap_or_default()))
    };
    found.elements().into_iter().map(place).collect()
}

/// The record that holds a partition back; `None` if it was deleted meanwhile.
fn held_back(
    reader: &BaseConsumer,
    (topic, partition, offset): Place,
    timeout: Duration,
) -> Result<Option<HeldBack>, KafkaError> {
    let mut from = TopicPartitionList::new();
    from.add_partition_offset(&topic, partition, Offset::Offset(offset))?;
    reader.assign(&from)?;
    let until = Instant::now() + timeout;
    while Instant::now() < until {
        if let Some(message) = reader.poll(Duration::from_millis(100)) {
            let written = Micros::from_millis(message?.timestamp().to_millis().unwrap_or_default());
            return Ok(Some(HeldBack { topic, partition, offset, written }));
        }
    }
    Ok(None)
}
