//! [`Log`] over a consumer group and a transactional producer.

use std::sync::Arc;
use std::time::Duration;

use pursight_schemas::Topic;
use pursight_schemas::topics::Reader;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::topic_partition_list::TopicPartitionListElem;
use rdkafka::{Offset, TopicPartitionList};

use super::consumer::{Context, HANDED_OVER, Quiet, meaning, record};
use super::not_fetched::NotFetched;
use super::options::Options;
use super::presence::{PROBE, Presence, Seen, leave_behind};
use super::transactor::{Outcome, Transactor};
use crate::failure::Failure;
use crate::log::{Committed, Happening, Log, NotCommitted, Transaction, no_offset};
use crate::message::Mark;
use crate::status::{AWAY, State, Status};
use crate::worker::Waker;

/// Records taken from the client in one go.
const AT_ONCE: usize = 2_000;
/// Timeout of a call to the broker.
const CALL: Duration = Duration::from_secs(5);

/// One worker's end of the broker.
pub(super) struct KafkaLog {
    options: Options,
    worker: &'static str,
    topics: Vec<String>,
    consumer: BaseConsumer<Context>,
    context: Arc<Context>,
    transactor: Option<Transactor>,
    waker: Waker,
    presence: Presence,
    not_fetched: NotFetched,
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
        let prefix = &options.prefix;
        let transactor = match transactional {
            true => Some(Transactor::start(options.transactional(reader.worker), prefix, status.clone())?),
            false => None,
        };
        let topics: Vec<String> = reader.topics.iter().map(|topic| topic.name(prefix)).collect();
        let consumer = member(options, reader.worker, &topics, &waker)?;
        let context = Arc::clone(consumer.context());
        let presence = Presence::new(options, topics.first().map_or("", String::as_str));
        let (options, worker) = (options.clone(), reader.worker);
        let not_fetched = NotFetched::default();
        Ok(Self {
            options,
            worker,
            topics,
            consumer,
            context,
            transactor,
            waker,
            presence,
            not_fetched,
            nonce,
            count: 0,
        })
    }

    fn one(&self, topic: Topic, partition: i32, offset: Offset) -> TopicPartitionList {
        let mut list = TopicPartitionList::new();
        // Only an offset that is not one can be refused, and ours come from the broker.
        drop(list.add_partition_offset(&topic.name(&self.options.prefix), partition, offset));
        list
    }

    /// While the broker is away nothing else would tell that it is back.
    fn look(&mut self, happenings: &mut Vec<Happening>) {
        for happening in &*happenings {
            match happening {
                Happening::Away(_) => self.presence.away(),
                Happening::Revoked(partitions) => self.not_fetched.revoked(partitions),
                _ => {}
            }
        }
        match self.presence.ask(&self.consumer) {
            None => {}
            Some(Seen::Back) => happenings.push(Happening::Back),
            Some(Seen::Away(reason)) => happenings.push(Happening::Away(reason)),
            Some(Seen::Lost) => return self.join_anew("it has lost every broker", happenings),
        }
        if self.presence.is_away() {
            self.not_fetched.clear();
        }
        if self.not_fetched.any_never() {
            self.join_anew("it does not begin to fetch a partition", happenings);
        }
    }

    /// Puts another member in the place of one that is of no use any more.
    fn join_anew(&mut self, reason: &str, happenings: &mut Vec<Happening>) {
        tracing::warn!(worker = self.worker, reason, "another Kafka client takes the place of ours");
        self.not_fetched.clear();
        let owned = self.consumer.assignment().map_err(|error| not_made(&error));
        let joined = member(&self.options, self.worker, &self.topics, &self.waker);
        // Whoever does not know what to give up may not join as another.
        let (owned, consumer) = match (owned, joined) {
            (Ok(owned), Ok(consumer)) => (self.context.partitions(&owned), consumer),
            (Err(failure), _) | (_, Err(failure)) => return happenings.push(Happening::Fatal(failure)),
        };
        self.context.forget();
        self.context = Arc::clone(consumer.context());
        leave_behind(std::mem::replace(&mut self.consumer, consumer));
        happenings.push(Happening::Revoked(owned));
        // Until the new member hears of a broker.
        self.presence.away();
        happenings.push(Happening::Away(format!("another Kafka client takes the place of ours: {reason}")));
    }

    /// Has the client fetch from there; `false` when it does not fetch the partition yet, or not any more.
    fn seek(&self, topic: Topic, partition: i32, offset: i64) -> Result<bool, Failure> {
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

    /// Metadata with its mark, so that a commit in doubt can be recognised.
    fn marked(&mut self, metadata: &str) -> String {
        self.count += 1;
        format!("{}.{}\n{metadata}", self.nonce, self.count)
    }

    fn committed_by<C: ConsumerContext>(
        &self,
        consumer: &BaseConsumer<C>,
        topic: Topic,
        partition: i32,
    ) -> Result<(Option<i64>, String), Failure> {
        let list = self.one(topic, partition, Offset::Invalid);
        let list = consumer
            .committed_offsets(list, CALL)
            .map_err(|error| Failure::transient("cannot read committed offsets", error))?;
        let found = list.elements().into_iter().next();
        Ok(match found.as_ref().map(|element| (element.offset(), element.metadata().to_owned())) {
            Some((Offset::Offset(next), metadata)) => (Some(next), metadata),
            _ => (None, String::new()),
        })
    }

    /// Why the client has no position in a partition; it does not say in which. It looks for the group's offsets too when
    /// it is given partitions, and may find that there is none before the loop has asked.
    fn without_position(&self, error: &KafkaError) -> Failure {
        let owned = self.consumer.assignment().and_then(|owned| self.consumer.committed_offsets(owned, CALL));
        let elements = owned.as_ref().map_or_else(|_| Vec::new(), TopicPartitionList::elements);
        match elements.iter().find(|element| element.error().is_ok() && element.offset() == Offset::Invalid) {
            Some(element) => no_offset(self.worker, element.topic(), element.partition()),
            None => Failure::fatal(
                format!("a position is missing or outside the log ({error})"),
                "if this group is new run `pursight topics apply`; if the log was cut or made anew, run `pursight rebuild` or restore the offsets",
            ),
        }
    }

    /// Asks until the broker tells whether a transaction in doubt was committed. A new client each time: whatever brought
    /// the doubt may have cost the old one its brokers.
    fn was_committed(&self, transaction: &Transaction<'_>, marked: &str, status: &Status) -> Result<bool, Failure> {
        loop {
            status.beat();
            let client: BaseConsumer<Quiet> =
                self.options.member(self.worker).create_with_context(Quiet).map_err(|error| not_made(&error))?;
            let found = self.committed_by(&client, transaction.topic, transaction.partition);
            leave_behind(client);
            match found {
                Ok((_, found)) => return Ok(found == marked),
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
                None if self.context.was_called() => {}
                None => break,
                Some(Ok(message)) => happenings.extend(record(&self.context, &message).map(Happening::Record)),
                Some(Err(error)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::AutoOffsetReset) => {
                    happenings.push(Happening::Fatal(self.without_position(&error)));
                }
                Some(Err(error)) => happenings.extend(meaning(&error)),
            }
            taken += 1;
        }
        if taken == AT_ONCE {
            self.waker.wake();
        }
        self.look(&mut happenings);
        happenings
    }

    fn committed(&mut self, topic: Topic, partition: i32) -> Result<Committed, Failure> {
        let (next, metadata) =
            self.committed_by(&self.consumer, topic, partition).inspect_err(|_| self.presence.away())?;
        let (mark, own) = metadata.split_once('\n').unwrap_or(("", &metadata));
        Ok(Committed { next, metadata: own.to_owned(), handed_over: mark == HANDED_OVER })
    }

    fn begin(&mut self, topic: Topic, partition: i32, offset: i64) -> Result<bool, Failure> {
        let begun = self.seek(topic, partition, offset)?;
        self.not_fetched.asked((topic, partition), begun);
        Ok(begun)
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
        let name = transaction.topic.name(&self.options.prefix);
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
            Outcome::InDoubt(marks) => {
                if !self.was_committed(transaction, &marked, &status).map_err(NotCommitted::Fatal)? {
                    return Err(NotCommitted::Aborted("it was in doubt, and the broker says no".to_owned()));
                }
                marks
            }
        };
        self.context.committed(transaction);
        Ok(marks)
    }

    fn leave(&mut self) {
        self.consumer.unsubscribe();
    }
}

/// A member of a worker's group.
fn member(options: &Options, worker: &str, topics: &[String], waker: &Waker) -> Result<BaseConsumer<Context>, Failure> {
    let mut consumer: BaseConsumer<Context> =
        options.member(worker).create_with_context(Context::new(&options.prefix)).map_err(|error| not_made(&error))?;
    let waking = waker.clone();
    consumer.set_nonempty_callback(move || waking.wake());
    let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
    consumer.subscribe(&topics).map_err(|error| not_made(&error))?;
    Ok(consumer)
}

pub(super) fn not_made(error: &KafkaError) -> Failure {
    Failure::fatal(format!("cannot make a Kafka client: {error}"), "check the PURSIGHT_KAFKA_* settings")
}

/// Whether an error says that the client does not fetch a partition at the moment, or began to while it was asked.
fn is_not_fetched(error: &KafkaError) -> bool {
    use RDKafkaErrorCode::{Outdated, PreviousInProgress, State, UnknownPartition};
    matches!(error.rdkafka_error_code(), Some(State | UnknownPartition | PreviousInProgress | Outdated))
}

#[cfg(test)]
mod tests;
