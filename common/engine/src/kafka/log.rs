//! [`Log`] over a consumer group and a transactional producer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use pursight_schemas::Topic;
use pursight_schemas::topics::Reader;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use super::consumer::{Context, HANDED_OVER, is_away, meaning, record};
use super::options::Options;
use super::transactor::{Outcome, Transactor};
use crate::failure::Failure;
use crate::log::{Committed, Happening, Log, NotCommitted, Transaction};
use crate::message::Mark;
use crate::status::{AWAY, State, Status};
use crate::worker::Waker;

/// Records taken from the client in one go.
const AT_ONCE: usize = 2_000;
/// Timeout of a call to the broker.
const CALL: Duration = Duration::from_secs(5);
/// While the broker is away it is asked this often.
const PROBE: Duration = Duration::from_secs(1);

/// One worker's end of the broker.
pub(super) struct KafkaLog {
    prefix: String,
    consumer: BaseConsumer<Context>,
    context: Arc<Context>,
    transactor: Option<Transactor>,
    waker: Waker,
    away_since: Option<Instant>,
    /// Makes every committed offset recognisable: `<nonce>.<count>` is the first line of its metadata.
    nonce: String,
    count: u64,
}

impl KafkaLog {
    /// Joins the group of `reader`; with `transactional` also starts the producer, waiting for the broker.
    pub(super) fn open(
        options: &Options,
        reader: &Reader,
        transactional: bool,
        nonce: String,
        waker: Waker,
        status: &Status,
    ) -> Result<Self, Failure> {
        let broken = |error: &dyn std::fmt::Display| {
            Failure::fatal(format!("cannot make a Kafka client: {error}"), "check the PURSIGHT_KAFKA_* settings")
        };
        let prefix = options.prefix.clone();
        let transactor = match transactional {
            true => Some(Transactor::start(options.transactional(reader.worker), &prefix, status.clone())?),
            false => None,
        };
        let mut consumer: BaseConsumer<Context> =
            options.member(reader.worker).create_with_context(Context::new(&prefix)).map_err(|error| broken(&error))?;
        let waking = waker.clone();
        consumer.set_nonempty_callback(move || waking.wake());
        let names: Vec<String> = reader.topics.iter().map(|topic| topic.name(&prefix)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        consumer.subscribe(&names).map_err(|error| broken(&error))?;
        let context = Arc::clone(consumer.context());
        Ok(Self { prefix, consumer, context, transactor, waker, away_since: None, nonce, count: 0 })
    }

    fn one(&self, topic: Topic, partition: i32, offset: Offset) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        // Only an offset that is not one can be refused, and ours come from the broker.
        drop(list.add_partition_offset(&topic.name(&self.prefix), partition, offset));
        list
    }

    /// While the broker is away nothing else would tell that it is back.
    fn probe(&mut self, happenings: &mut Vec<Happening>) {
        if happenings.iter().any(|happening| matches!(happening, Happening::Away(_))) {
            self.away_since.get_or_insert_with(Instant::now);
        }
        if self.away_since.is_some_and(|since| since.elapsed() > PROBE) {
            match self.consumer.fetch_metadata(None, PROBE) {
                Ok(_) => {
                    self.away_since = None;
                    happenings.push(Happening::Back);
                }
                Err(error) => {
                    self.away_since = Some(Instant::now());
                    happenings.push(Happening::Away(error.to_string()));
                }
            }
        }
    }

    /// Metadata with its mark, so that a commit in doubt can be recognised.
    fn marked(&mut self, metadata: &str) -> String {
        self.count += 1;
        format!("{}.{}\n{metadata}", self.nonce, self.count)
    }

    fn committed_raw(&self, topic: Topic, partition: i32) -> Result<(Option<i64>, String), Failure> {
        let list = self.one(topic, partition, Offset::Invalid);
        let list = self
            .consumer
            .committed_offsets(list, CALL)
            .map_err(|error| Failure::transient("cannot read committed offsets", error))?;
        let found = list.elements().into_iter().next();
        Ok(match found.as_ref().map(|element| (element.offset(), element.metadata().to_owned())) {
            Some((Offset::Offset(next), metadata)) => (Some(next), metadata),
            _ => (None, String::new()),
        })
    }

    /// Asks until the broker tells whether a transaction in doubt was committed.
    fn was_committed(&self, transaction: &Transaction<'_>, marked: &str, status: &Status) -> bool {
        loop {
            status.beat();
            match self.committed_raw(transaction.topic, transaction.partition) {
                Ok((_, found)) => return found == marked,
                Err(error) => {
                    tracing::debug!(%error, "waiting for the committed offset");
                    status.set(State::Waiting(AWAY.to_owned()));
                }
            }
        }
    }
}

impl Log for KafkaLog {
    fn poll(&mut self) -> Vec<Happening> {
        let mut happenings = Vec::new();
        let mut taken = 0;
        while taken < AT_ONCE {
            let polled = self.consumer.poll(Duration::ZERO);
            // Callbacks ran inside the call: what they say comes before the record that it returned.
            happenings.append(&mut self.context.take());
            match polled {
                None => break,
                Some(Ok(message)) => happenings.extend(record(&self.prefix, &message).map(Happening::Record)),
                Some(Err(error)) => happenings.extend(meaning(&error)),
            }
            taken += 1;
        }
        if taken == AT_ONCE {
            self.waker.wake();
        }
        self.probe(&mut happenings);
        happenings
    }

    fn committed(&mut self, topic: Topic, partition: i32) -> Result<Committed, Failure> {
        let (next, metadata) = self.committed_raw(topic, partition)?;
        let (mark, own) = metadata.split_once('\n').unwrap_or(("", &metadata));
        Ok(Committed { next, metadata: own.to_owned(), handed_over: mark == HANDED_OVER })
    }

    fn begin(&mut self, topic: Topic, partition: i32, offset: i64) -> Result<bool, Failure> {
        // By seeking, and not by taking the partition out of the assignment and in again: while a revocation waits to be
        // polled the client takes that for its answer, forgets that the partitions were lost, and joins again with them.
        let cannot = |error: &dyn std::fmt::Display| {
            Failure::fatal(
                format!("cannot read {} partition {partition} from offset {offset}: {error}", topic.short()),
                "restart the worker",
            )
        };
        let sought = match self.consumer.seek_partitions(self.one(topic, partition, Offset::Offset(offset)), PROBE) {
            Ok(list) => list.elements().first().map_or(Ok(()), TopicPartitionListElem::error),
            Err(error) => {
                tracing::debug!(%error, topic = topic.short(), partition, "the position was not taken in time");
                return Ok(false);
            }
        };
        match sought {
            Ok(()) => {}
            // It is still being assigned, or not ours any more: then the next poll says so.
            Err(error) if is_not_fetched(&error) => return Ok(false),
            Err(error) => return Err(cannot(&error)),
        }
        self.consumer.resume(&self.one(topic, partition, Offset::Invalid)).map_err(|error| cannot(&error))?;
        Ok(true)
    }

    fn pause(&mut self, topic: Topic, partition: i32, paused: bool) {
        let list = self.one(topic, partition, Offset::Invalid);
        let result = if paused { self.consumer.pause(&list) } else { self.consumer.resume(&list) };
        if let Err(error) = result {
            tracing::warn!(%error, topic = topic.short(), partition, paused, "cannot pause or resume");
        }
    }

    fn transact(&mut self, transaction: &Transaction<'_>) -> Result<Vec<Mark>, NotCommitted> {
        let marked = self.marked(transaction.metadata);
        let name = transaction.topic.name(&self.prefix);
        let mut offsets = TopicPartitionList::new();
        let mut element = offsets.add_partition(&name, transaction.partition);
        element.set_metadata(&marked);
        if element.set_offset(Offset::Offset(transaction.next)).is_err() {
            return Err(NotCommitted::Fatal(Failure::fatal(
                format!("{} is no offset", transaction.next),
                "restart the worker",
            )));
        }
        let Some(mut transactor) = self.transactor.take() else {
            return Err(NotCommitted::Fatal(Failure::fatal("this worker writes nothing to the log", "report this")));
        };
        let result = transactor.transact(transaction.events, &offsets, &self.consumer);
        let status = transactor.status().clone();
        self.transactor = Some(transactor);
        let marks = match result? {
            Outcome::Committed(marks) => marks,
            Outcome::InDoubt(marks) if self.was_committed(transaction, &marked, &status) => marks,
            Outcome::InDoubt(_) => {
                return Err(NotCommitted::Aborted("it was in doubt, and the broker says no".to_owned()));
            }
        };
        self.context.committed(transaction);
        Ok(marks)
    }

    fn leave(&mut self) {
        self.consumer.unsubscribe();
    }
}

/// Whether an error says that the client does not fetch a partition at the moment.
fn is_not_fetched(error: &KafkaError) -> bool {
    let code = error.rdkafka_error_code();
    matches!(
        code,
        Some(RDKafkaErrorCode::State | RDKafkaErrorCode::UnknownPartition | RDKafkaErrorCode::PreviousInProgress)
    )
}

/// Whether the topics are as they must be: all there, each with its partitions. Waits while the broker is away.
pub(super) fn check_topics(
    options: &Options,
    topics: &[Topic],
    status: &Status,
    stop: &dyn Fn() -> bool,
) -> Result<(), Failure> {
    let client: BaseConsumer = options.client("check").create().map_err(|error| {
        Failure::fatal(format!("cannot make a Kafka client: {error}"), "check the PURSIGHT_KAFKA_* settings")
    })?;
    let metadata = loop {
        status.beat();
        match client.fetch_metadata(None, PROBE) {
            Ok(metadata) => break metadata,
            Err(error) if is_away(&error) => {
                status.set(State::Waiting(format!(
                    "the broker at {} cannot be reached; trying again",
                    options.bootstrap
                )));
                if stop() {
                    return Ok(());
                }
                std::thread::sleep(Duration::from_millis(250));
            }
            Err(error) => {
                return Err(Failure::fatal(
                    format!("the broker refuses us: {error}"),
                    "check the PURSIGHT_KAFKA_* settings",
                ));
            }
        }
    };
    for topic in topics {
        let name = topic.name(&options.prefix);
        let found =
            metadata.topics().iter().find(|found| found.name() == name).map_or(0, |found| found.partitions().len());
        if found == 0 {
            return Err(Failure::fatal(format!("topic {name} is missing"), "run `pursight topics apply`"));
        }
        if i32::try_from(found) != Ok(topic.partitions()) {
            let what = format!(
                "topic {name} has {found} partitions and must have {}: keys would be decided in the wrong place",
                topic.partitions()
            );
            return Err(Failure::fatal(
                what,
                "the count never changes: make the topic anew, or use another PURSIGHT_TOPIC_PREFIX",
            ));
        }
    }
    Ok(())
}
