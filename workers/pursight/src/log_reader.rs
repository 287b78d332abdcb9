//! The log as a rebuild reads it: stretches of partitions, in order, committed records only. Keeps a reader open between
//! two stretches that follow one another, and its connections for another partition after that: to connect takes longer
//! than to read a short one.

use std::collections::BTreeMap;

use async_trait::async_trait;
use pursight_engine::{Failure, Record};
use pursight_projection::rebuild::LogReader;
use pursight_schemas::{Micros, Topic};
use rdkafka::ClientConfig;
use tokio::sync::Mutex;

use crate::error::CliError;
use crate::tail::{Position, Seen, Tail, Wanted};

/// Bytes of keys and values after which no more records are handed over at once: several partitions are read side by side,
/// each ahead of its fold, and a record may have a mebibyte.
const MOST_BYTES: usize = 16 << 20;

/// An open reader, with where it stands and where it ends.
struct Open {
    tail: Tail,
    next: i64,
    until: i64,
}

/// The log of one cluster under one prefix.
pub struct KafkaReader {
    kafka: ClientConfig,
    prefix: String,
    open: Mutex<BTreeMap<(Topic, i32), Open>>,
    /// Readers that have done their work.
    idle: Mutex<Vec<Tail>>,
}

impl KafkaReader {
    /// Over the connection settings of `kafka`.
    pub fn new(kafka: ClientConfig, prefix: &str) -> Self {
        Self { kafka, prefix: prefix.to_owned(), open: Mutex::default(), idle: Mutex::default() }
    }

    fn wanted(&self, topic: Topic, partitions: Vec<i32>) -> Wanted {
        Wanted { topic: topic.name(&self.prefix), partitions }
    }
}

fn away(error: CliError) -> Failure {
    Failure::transient("the log cannot be read", error)
}

#[async_trait]
impl LogReader for KafkaReader {
    async fn ends(&self) -> Result<Vec<(Topic, i32, i64)>, Failure> {
        let mut ends = Vec::new();
        for topic in Topic::PROJECTED {
            let wanted = self.wanted(topic, (0..topic.partitions()).collect());
            let found = Tail::ends(&self.kafka, &wanted).map_err(away)?;
            ends.extend(found.into_iter().map(|(partition, end)| (topic, partition, end)));
        }
        Ok(ends)
    }

    async fn read(
        &self,
        topic: Topic,
        partition: i32,
        from: i64,
        until: i64,
        limit: usize,
    ) -> Result<Vec<Record>, Failure> {
        let kept = self.open.lock().await.remove(&(topic, partition));
        let mut open = match kept {
            Some(open) if open.next == from && open.until == until => open,
            _ => {
                let wanted = self.wanted(topic, vec![partition]);
                let (from_place, until_place) = (Position::Offset(from), Position::Offset(until));
                let idle = self.idle.lock().await.pop();
                let tail = match idle {
                    Some(idle) => Tail::bounded_after(idle, &wanted, from_place, until_place),
                    None => Tail::bounded(&self.kafka, &wanted, from_place, until_place),
                };
                Open { tail: tail.map_err(away)?, next: from, until }
            }
        };
        let mut records = Vec::new();
        let mut bytes = 0;
        while records.len() < limit && bytes < MOST_BYTES {
            let Some(seen) = open.tail.next().await.map_err(away)? else {
                self.idle.lock().await.push(open.tail);
                return Ok(records);
            };
            open.next = seen.offset + 1;
            let record = record(topic, seen);
            bytes += record.key.len() + record.value.len();
            records.push(record);
        }
        self.open.lock().await.insert((topic, partition), open);
        Ok(records)
    }
}

fn record(topic: Topic, seen: Seen) -> Record {
    Record {
        topic,
        partition: seen.partition,
        offset: seen.offset,
        timestamp: Micros::from_millis(seen.timestamp_ms.unwrap_or_default()),
        key: seen.key.unwrap_or_default(),
        value: seen.value.unwrap_or_default(),
        headers: seen.headers.into_iter().map(|(name, value)| (name, value.unwrap_or_default())).collect(),
    }
}
