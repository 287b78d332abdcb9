//! Reading topics without a group: from a position, on chosen partitions, to the ends that they had at the start or for
//! ever. Commits nothing and decodes nothing; `follow`, `watch` and `replay` build on it.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::{Duration, Instant};

use pursight_schemas::Micros;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Headers as _, Message as _, OwnedMessage};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use crate::error::{CliError, chain};

/// How long the broker may take to tell where a partition begins and ends.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Pause before it is asked again.
const ASK_AGAIN: Duration = Duration::from_millis(100);

/// A place in every partition of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// The oldest record that is kept.
    Beginning,
    /// Behind the newest record.
    End,
    /// An offset, cut to what is kept.
    Offset(i64),
    /// The first record that is not older.
    Time(Micros),
}

impl FromStr for Position {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "beginning" => return Ok(Self::Beginning),
            "end" => return Ok(Self::End),
            _ => {}
        }
        if let Ok(offset) = text.parse::<i64>()
            && offset >= 0
        {
            return Ok(Self::Offset(offset));
        }
        let time = Micros::parse(text).or_else(|| Micros::parse(&format!("{text}T00:00:00Z")));
        time.map(Self::Time)
            .ok_or_else(|| "expected: beginning, end, an offset, or a time such as 2026-01-31T12:00:00Z".to_owned())
    }
}

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Name on the broker.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Milliseconds since 1970, where the record has a time.
    pub timestamp_ms: Option<i64>,
    /// Key bytes.
    pub key: Option<Vec<u8>>,
    /// In order.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
    /// Value bytes.
    pub value: Option<Vec<u8>>,
}

impl Seen {
    fn of(message: &OwnedMessage) -> Self {
        let headers = message.headers().map(|headers| {
            headers.iter().map(|header| (header.key.to_owned(), header.value.map(<[u8]>::to_vec))).collect()
        });
        Self {
            topic: message.topic().to_owned(),
            partition: message.partition(),
            offset: message.offset(),
            timestamp_ms: message.timestamp().to_millis(),
            key: message.key().map(<[u8]>::to_vec),
            headers: headers.unwrap_or_default(),
            value: message.payload().map(<[u8]>::to_vec),
        }
    }

    /// The last header of this name, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().rev().find(|(key, _)| key == name)?;
        std::str::from_utf8(value.as_deref()?).ok()
    }
}

/// Where each partition of a topic begins and ends at present, as a reader of committed records sees it.
type Bounds = BTreeMap<i32, (i64, i64)>;

/// An open reader.
pub struct Tail {
    consumer: StreamConsumer,
    /// Ends that are still to be reached; only for a reader of one topic that shall stop.
    open_ends: Option<BTreeMap<i32, i64>>,
}

/// One topic to read.
pub struct Wanted {
    /// Name on the broker.
    pub topic: String,
    /// Which partitions.
    pub partitions: Vec<i32>,
}

impl Tail {
    /// A reader of several topics that never ends by itself.
    ///
    /// # Errors
    /// When the broker does not answer, or a topic is missing.
    pub fn endless(kafka: &ClientConfig, wanted: &[Wanted], from: Position) -> Result<Self, CliError> {
        let consumer = consumer(kafka)?;
        let mut places = TopicPartitionList::new();
        for one in wanted {
            let bounds = bounds(&consumer, one)?;
            for (partition, offset) in starts(&consumer, one, &bounds, from)? {
                add(&mut places, &one.topic, partition, offset)?;
            }
        }
        assign(consumer, &places, None)
    }

    /// A reader of one topic from `from` to `until`, but not beyond what is there now.
    ///
    /// # Errors
    /// As [`Tail::endless`].
    pub fn bounded(kafka: &ClientConfig, wanted: &Wanted, from: Position, until: Position) -> Result<Self, CliError> {
        let mut kafka = kafka.clone();
        // It asks for nothing that is not there, and where it ends it shall not wait for more.
        kafka.set("fetch.wait.max.ms", "10");
        Self::over(consumer(&kafka)?, wanted, from, until)
    }

    /// The same over the connections of one that has done its work.
    ///
    /// # Errors
    /// As [`Tail::endless`].
    pub fn bounded_after(done: Self, wanted: &Wanted, from: Position, until: Position) -> Result<Self, CliError> {
        Self::over(done.consumer, wanted, from, until)
    }

    fn over(consumer: StreamConsumer, wanted: &Wanted, from: Position, until: Position) -> Result<Self, CliError> {
        let bounds = bounds(&consumer, wanted)?;
        let ends = starts(&consumer, wanted, &bounds, until)?;
        let mut places = TopicPartitionList::new();
        let mut open_ends = BTreeMap::new();
        for (partition, offset) in starts(&consumer, wanted, &bounds, from)? {
            let end = ends.get(&partition).copied().unwrap_or_default();
            if offset < end {
                add(&mut places, &wanted.topic, partition, offset)?;
                open_ends.insert(partition, end);
            }
        }
        assign(consumer, &places, Some(open_ends))
    }

    /// Where the partitions of a topic end at present: behind the last committed record.
    ///
    /// # Errors
    /// As [`Tail::endless`].
    pub fn ends(kafka: &ClientConfig, wanted: &Wanted) -> Result<BTreeMap<i32, i64>, CliError> {
        let bounds = bounds(&consumer(kafka)?, wanted)?;
        Ok(bounds.into_iter().map(|(partition, (_, high))| (partition, high)).collect())
    }

    /// The next record; `None` when every end has been reached.
    ///
    /// # Errors
    /// When the client gives up for good; a broker that is away for a while is waited for.
    pub async fn next(&mut self) -> Result<Option<Seen>, CliError> {
        loop {
            if self.open_ends.as_ref().is_some_and(BTreeMap::is_empty) {
                // Whoever has read everything shall not go on asking the broker for more.
                self.consumer.unassign().map_err(|error| CliError::failed(chain(&error), "see pursight doctor"))?;
                return Ok(None);
            }
            match self.consumer.recv().await {
                Ok(message) => {
                    let seen = Seen::of(&message.detach());
                    if self.within(&seen) {
                        return Ok(Some(seen));
                    }
                }
                // Behind the last record there may be nothing but transaction markers: then this is the end.
                Err(KafkaError::PartitionEOF(partition)) => self.reached(partition),
                Err(error) if is_fatal(&error) => {
                    return Err(CliError::failed(chain(&error), "see pursight doctor"));
                }
                Err(error) => tracing::debug!(error = %chain(&error), "reading goes on"),
            }
        }
    }

    fn within(&mut self, seen: &Seen) -> bool {
        let Some(ends) = &mut self.open_ends else { return true };
        let Some(end) = ends.get(&seen.partition).copied() else { return false };
        if seen.offset + 1 >= end {
            ends.remove(&seen.partition);
        }
        seen.offset < end
    }

    fn reached(&mut self, partition: i32) {
        if let Some(ends) = &mut self.open_ends {
            ends.remove(&partition);
        }
    }
}

fn is_fatal(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::Fatal
                | RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::UnknownTopicOrPartition
                | RDKafkaErrorCode::UnknownTopic
                | RDKafkaErrorCode::AutoOffsetReset
        )
    )
}

fn consumer(kafka: &ClientConfig) -> Result<StreamConsumer, CliError> {
    let mut config = kafka.clone();
    config
        // Assigning needs a group's name; nothing is ever committed under it.
        .set("group.id", "pursight-reader")
        .set("enable.auto.commit", "false")
        .set("enable.auto.offset.store", "false")
        .set("enable.partition.eof", "true")
        .set("isolation.level", "read_committed")
        // Several readers may be open at once: each holds so much of what is to come, not the usual 64 MiB.
        .set("queued.max.messages.kbytes", "16384")
        .set("auto.offset.reset", "earliest");
    config.create().map_err(|error| CliError::usage(chain(&error), "correct the PURSIGHT_KAFKA_* settings"))
}

/// A broker that has just started, or has just made a topic, does not lead all of its partitions yet.
fn finds_a_leader(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(RDKafkaErrorCode::NotLeaderForPartition | RDKafkaErrorCode::LeaderNotAvailable)
    )
}

fn bounds(consumer: &StreamConsumer, wanted: &Wanted) -> Result<Bounds, CliError> {
    let mut bounds = Bounds::new();
    let until = Instant::now() + ANSWER_WITHIN;
    for partition in &wanted.partitions {
        let answer = blocking(|| {
            loop {
                match consumer.fetch_watermarks(&wanted.topic, *partition, ANSWER_WITHIN) {
                    Err(error) if finds_a_leader(&error) && Instant::now() < until => std::thread::sleep(ASK_AGAIN),
                    answer => return answer,
                }
            }
        });
        bounds.insert(*partition, answer.map_err(|error| explain(&error, &wanted.topic))?);
    }
    Ok(bounds)
}

/// A position as an offset of each partition.
fn starts(
    consumer: &StreamConsumer,
    wanted: &Wanted,
    bounds: &Bounds,
    position: Position,
) -> Result<BTreeMap<i32, i64>, CliError> {
    let of_bounds = |pick: fn(&(i64, i64)) -> i64| bounds.iter().map(move |(partition, both)| (*partition, pick(both)));
    Ok(match position {
        Position::Beginning => of_bounds(|(low, _)| *low).collect(),
        Position::End => of_bounds(|(_, high)| *high).collect(),
        Position::Offset(offset) => {
            bounds.iter().map(|(partition, (low, high))| (*partition, offset.clamp(*low, *high))).collect()
        }
        Position::Time(time) => {
            let explain = |error: KafkaError| explain(&error, &wanted.topic);
            let mut times = TopicPartitionList::new();
            for partition in &wanted.partitions {
                // Records carry milliseconds: the first one that is not before the time asked for.
                let millis = time.0.div_euclid(1_000) + i64::from(time.0.rem_euclid(1_000) > 0);
                times.add_partition_offset(&wanted.topic, *partition, Offset::Offset(millis)).map_err(explain)?;
            }
            let found = blocking(|| consumer.offsets_for_times(times, ANSWER_WITHIN)).map_err(explain)?;
            let mut offsets: BTreeMap<i32, i64> = of_bounds(|(_, high)| *high).collect();
            for element in found.elements() {
                if let (Offset::Offset(offset), Some((low, high))) =
                    (element.offset(), bounds.get(&element.partition()))
                {
                    offsets.insert(element.partition(), offset.clamp(*low, *high));
                }
            }
            offsets
        }
    })
}

fn add(places: &mut TopicPartitionList, topic: &str, partition: i32, offset: i64) -> Result<(), CliError> {
    places.add_partition_offset(topic, partition, Offset::Offset(offset)).map_err(|error| explain(&error, topic))
}

fn assign(
    consumer: StreamConsumer,
    places: &TopicPartitionList,
    open_ends: Option<BTreeMap<i32, i64>>,
) -> Result<Tail, CliError> {
    consumer.assign(places).map_err(|error| explain(&error, "the topics asked for"))?;
    Ok(Tail { consumer, open_ends })
}

/// The client's blocking calls, away from the runtime's other tasks.
fn blocking<T>(call: impl FnOnce() -> T) -> T {
    tokio::task::block_in_place(call)
}

fn explain(error: &KafkaError, topic: &str) -> CliError {
    match error.rdkafka_error_code() {
        Some(
            RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownPartition,
        ) => CliError::failed(format!("topic {topic} is missing"), "run: pursight topics apply"),
        _ => CliError::unreachable(
            format!("the broker does not answer: {}", chain(error)),
            "start Kafka, or correct PURSIGHT_KAFKA_BOOTSTRAP (host:port, comma-separated)",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_words_offsets_or_times() {
        assert_eq!("beginning".parse(), Ok(Position::Beginning));
        assert_eq!("end".parse(), Ok(Position::End));
        assert_eq!("17".parse(), Ok(Position::Offset(17)));
        assert_eq!("1970-01-02".parse(), Ok(Position::Time(Micros(86_400_000_000))));
        assert_eq!("1970-01-01T00:00:01+00:00".parse(), Ok(Position::Time(Micros(1_000_000))));
        for bad in ["", "-1", "yesterday", "12:00"] {
            assert!(bad.parse::<Position>().is_err(), "{bad}");
        }
    }
}
