//! How far the product is, asked from outside: committed offsets, positions of the read model, ends of topics, outcomes.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use pursight_schemas::topics::partition_of;
use pursight_schemas::{Event, Topic};
use pursight_tests::positions::{Positions, left, positions};
use pursight_tests::wait::within;
use pursight_tests::{Read, System};
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::Message as _;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use uuid::Uuid;

const CALL: Duration = Duration::from_secs(20);

/// The longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(300);

/// Asks again after each pause, which is how exactly a time is measured, until there is an answer.
pub fn until<T>(what: &str, pause: Duration, ask: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    within(PATIENCE, pause, what, ask)
}

/// An observer of one system.
pub struct Observer {
    member: BaseConsumer,
    prefix: String,
    partition: i32,
}

impl Observer {
    /// Of the system's own tenant.
    pub fn new(system: &System) -> Result<Self> {
        let prefix = system.kafka.prefix.clone();
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &system.kafka.bootstrap).set("group.id", format!("{prefix}-registry"));
        config.set("isolation.level", "read_committed").set("enable.auto.commit", "false");
        let partition = partition_of(system.tenant.as_bytes(), Topic::Command.partitions());
        Ok(Self { member: config.create()?, prefix, partition })
    }

    /// How many records of the tenant's commands the registry has committed.
    pub fn decided(&self) -> Result<i64> {
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&Topic::Command.name(&self.prefix), self.partition, Offset::Invalid)?;
        let list = self.member.committed_offsets(list, CALL)?;
        let offsets = list.elements();
        Ok(match offsets.first().map(|element| element.offset()) {
            Some(Offset::Offset(next)) => next,
            _ => 0,
        })
    }

    /// Waits until every command up to `end` is decided.
    pub fn decided_up_to(&self, end: i64) -> Result<()> {
        until("every command is decided", Duration::from_millis(5), || Ok((self.decided()? >= end).then_some(())))
    }

    /// The end of the tenant's partition of a topic.
    pub fn end(&self, topic: Topic) -> Result<i64> {
        Ok(self.member.fetch_watermarks(&topic.name(&self.prefix), self.partition, CALL)?.1)
    }

    /// Committed records on the tenant's partition of a topic that the read model has not passed.
    pub fn lag(&self, system: &System) -> Result<f64> {
        let passed = positions(&system.sql)?;
        let mut lag = self.end(Topic::Command)? - self.decided()?;
        for topic in [Topic::Source, Topic::Outcome, Topic::Audit] {
            let passed = passed.get(&(topic.short().to_owned(), self.partition)).map_or(0, |at| at.1);
            // The last offset of a topic is a transaction's marker, which is no record.
            lag += (self.end(topic)? - passed - 1).max(0);
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        Ok(lag as f64)
    }
}

/// Whether the read model has passed every one of these records.
pub fn passed(positions: &Positions, records: &[(Topic, Vec<Read>)]) -> bool {
    records.iter().all(|(topic, list)| left(positions, *topic, list) == 0)
}

/// Outcomes of the tenant's commands as they come.
pub struct Outcomes(BaseConsumer);

impl Outcomes {
    /// From the present end on.
    pub fn follow(system: &System) -> Result<Self> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &system.kafka.bootstrap)
            .set("group.id", format!("{}-bench", system.kafka.prefix));
        config.set("isolation.level", "read_committed").set("enable.auto.commit", "false");
        let consumer: BaseConsumer = config.create()?;
        let name = Topic::Outcome.name(&system.kafka.prefix);
        let partition = partition_of(system.tenant.as_bytes(), Topic::Outcome.partitions());
        let end = consumer.fetch_watermarks(&name, partition, CALL)?.1;
        let mut list = TopicPartitionList::new();
        list.add_partition_offset(&name, partition, Offset::Offset(end))?;
        consumer.assign(&list)?;
        Ok(Self(consumer))
    }

    /// The terminal outcome of a command.
    pub fn of(&self, command: Uuid) -> Result<Event> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            let Some(message) = self.0.poll(Duration::from_millis(100)) else { continue };
            let event = Event::decode(message?.payload().unwrap_or_default())?;
            let last = !matches!(event, Event::CommandAccepted(_) | Event::CommandProgressed(_));
            if last && event.meta().command_id == Some(command) {
                return Ok(event);
            }
        }
        bail!("command {command} has no outcome")
    }
}
