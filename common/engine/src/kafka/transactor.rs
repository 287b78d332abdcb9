//! A worker's transactional producer and the rules for its calls: repeat the same call while it is retriable, abort what
//! can be aborted, and when in doubt throw the producer away and ask the broker what happened.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use fail::fail_point;
use pursight_schemas::topics::partition_of;
use rdkafka::client::ClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _, ConsumerGroupMetadata};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, Message as _, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, TopicPartitionList};

use super::consumer::Context;
use super::polled::Polled;
use crate::failure::Failure;
use crate::log::NotCommitted;
use crate::message::{Mark, Outgoing};
use crate::retry::Delays;
use crate::status::{AWAY, State, Status};

/// A transaction that has not come to an end after this is in doubt.
const BUDGET: Duration = Duration::from_secs(8);
/// Timeout of one call.
const CALL: Duration = Duration::from_secs(5);
/// A call that has not returned by then is not waited for: it may never return. If it does, the broker refuses what it sends,
/// for the next producer has a newer epoch.
const NEVER: Duration = Duration::from_secs(6);

/// So long a client may take to end.
const ENDED: Duration = Duration::from_secs(3);

/// Counts delivery reports: `flush` and `commit_transaction` would wait for them in steps of 100 ms.
#[derive(Default)]
struct Reports {
    state: Mutex<Counted>,
    changed: Condvar,
}

#[derive(Default)]
struct Counted {
    round: usize,
    open: usize,
    places: Vec<(i32, i64)>,
    failed: Option<KafkaError>,
}

/// Bits of a delivery's tag that hold its index; the rest holds the round, so that a late report of an aborted
/// transaction is not counted for the next.
const INDEX_BITS: u32 = 24;

impl ClientContext for Reports {
    fn error(&self, error: KafkaError, reason: &str) {
        tracing::debug!(%error, reason, "producer");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, tag: usize) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if tag >> INDEX_BITS != state.round {
            return;
        }
        match result {
            Ok(message) => {
                let index = tag & ((1 << INDEX_BITS) - 1);
                if let Some(place) = state.places.get_mut(index) {
                    *place = (message.partition(), message.offset());
                }
            }
            Err((error, _)) => state.failed = Some(error.clone()),
        }
        state.open = state.open.saturating_sub(1);
        // Whoever waits does so for the last report or the first failed one: waking it for each costs more than the report.
        if state.open == 0 || state.failed.is_some() {
            self.changed.notify_all();
        }
    }
}

impl Reports {
    fn start(&self, count: usize) -> usize {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let round = (state.round + 1) & (usize::MAX >> INDEX_BITS);
        *state = Counted { round, open: count, places: vec![(0, 0); count], failed: None };
        round
    }

    /// Waits until every report is in, one has failed, or time is up.
    fn wait(&self, until: Instant) -> Result<Vec<(i32, i64)>, KafkaFault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(error) = &state.failed {
                return Err(KafkaFault::Other(format!("a record was not accepted: {error}")));
            }
            if state.open == 0 {
                return Ok(std::mem::take(&mut state.places));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(KafkaFault::Silence(format!("{} records were not acknowledged in time", state.open)));
            }
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// How a commit came out.
pub(super) enum Outcome {
    /// Visible.
    Committed(Vec<Mark>),
    /// Not known: the producer was replaced, which ended whatever was open; the committed offset tells.
    InDoubt(Vec<Mark>),
}

/// The transactional producer.
pub(super) struct Transactor {
    config: ClientConfig,
    prefix: String,
    status: Status,
    producer: Option<Polled<Reports>>,
    reports: Arc<Reports>,
    began: Instant,
}

impl Transactor {
    /// Starts the producer, waiting for the broker as long as it takes.
    pub(super) fn start(config: ClientConfig, prefix: &str, status: Status) -> Result<Self, Failure> {
        let (producer, reports, began) = (None, Arc::default(), Instant::now());
        let mut this = Self { config, prefix: prefix.to_owned(), status, producer, reports, began };
        this.renew()?;
        Ok(this)
    }

    pub(super) fn status(&self) -> &Status {
        &self.status
    }

    fn end(&mut self) {
        if let Some(producer) = self.producer.take() {
            producer.end(ENDED);
        }
    }

    /// A new producer under the same id: what an earlier one left open is aborted, and it is fenced.
    fn renew(&mut self) -> Result<(), Failure> {
        self.end();
        let mut delays = Delays::new(Duration::from_millis(50), Duration::from_secs(2));
        loop {
            self.status.beat();
            let producer = Polled::start(&self.config, Reports::default())?;
            match producer.init_transactions(CALL) {
                Ok(()) => {
                    self.reports = Arc::clone(producer.context());
                    self.producer = Some(producer);
                    return Ok(());
                }
                Err(error) if is_fatal(&error) => return Err(fatal(&error, Some(&producer))),
                Err(error) => {
                    tracing::debug!(%error, "transactions cannot be initialised yet");
                    self.status.set(State::Waiting(AWAY.to_owned()));
                    producer.end(ENDED);
                    std::thread::sleep(delays.next_delay());
                }
            }
        }
    }

    /// One transaction. The group's metadata is asked for as late as possible: without it the partition is not ours.
    pub(super) fn transact(
        &mut self,
        events: &[Outgoing],
        offsets: &TopicPartitionList,
        consumer: &BaseConsumer<Context>,
    ) -> Result<Outcome, NotCommitted> {
        let Some(producer) = self.producer.as_ref() else {
            return Err(NotCommitted::Aborted("there is no producer".to_owned()));
        };
        self.began = Instant::now();
        let until = self.began + BUDGET;
        fail_point!("engine::before-begin", |_| std::process::abort());
        if let Err(error) = producer.begin_transaction() {
            return Err(self.replace(&error));
        }
        let round = self.reports.start(events.len());
        for (index, event) in events.iter().enumerate() {
            if let Err(error) = self.send(event, (round << INDEX_BITS) | index, until) {
                return Err(self.abort(error));
            }
        }
        let places = match self.reports.wait(until) {
            Ok(places) => places,
            Err(fault) => return Err(self.abort(fault)),
        };
        fail_point!("engine::after-produce", |_| std::process::abort());
        fail_point!("engine::abort", |_| Err(self.abort(KafkaFault::Other("a fail point says so".to_owned()))));
        if let Err(fault) = self.send_offsets(offsets, consumer, until) {
            return Err(self.abort(fault));
        }
        fail_point!("engine::after-send-offsets", |_| std::process::abort());
        let marks = events
            .iter()
            .zip(places)
            .map(|(event, (partition, offset))| Mark { topic: event.topic, partition, offset })
            .collect();
        match self.repeat(until, |producer| producer.commit_transaction(CALL)) {
            Ok(()) => {
                fail_point!("engine::after-commit", |_| std::process::abort());
                Ok(Outcome::Committed(marks))
            }
            Err(error) if is_fatal(&error) && !self.outlived() => {
                Err(NotCommitted::Fatal(fatal(&error, self.producer.as_deref())))
            }
            Err(error) if requires_abort(&error) => Err(self.abort(KafkaFault::Client(error))),
            Err(error) => {
                tracing::warn!(%error, "a commit is in doubt, the producer is replaced");
                self.renew().map_err(NotCommitted::Fatal)?;
                Ok(Outcome::InDoubt(marks))
            }
        }
    }

    /// Hands one record to the client, waiting while its queue is full.
    fn send(&self, event: &Outgoing, tag: usize, until: Instant) -> Result<(), KafkaFault> {
        let limit = usize::try_from(event.topic.max_message_bytes()).unwrap_or(usize::MAX);
        if event.value.len() > limit {
            return Err(KafkaFault::TooLarge(format!(
                "a record of {} bytes for {} is above its limit",
                event.value.len(),
                event.topic.short()
            )));
        }
        let Some(producer) = &self.producer else { return Err(KafkaFault::Other("there is no producer".to_owned())) };
        let name = event.topic.name(&self.prefix);
        let partition = event.partition.unwrap_or_else(|| partition_of(event.key.as_bytes(), event.topic.partitions()));
        let mut headers = OwnedHeaders::new_with_capacity(event.headers.len());
        for (key, value) in &event.headers {
            headers = headers.insert(Header { key, value: Some(value) });
        }
        let mut record = BaseRecord::with_opaque_to(&name, tag)
            .key(event.key.as_bytes())
            .payload(event.value.as_slice())
            .partition(partition)
            .headers(headers);
        loop {
            match producer.send(record) {
                Ok(()) => return Ok(()),
                Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) if Instant::now() < until => {
                    record = back;
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err((error, _)) => return Err(KafkaFault::Client(error)),
            }
        }
    }

    /// Joins the offsets to the open transaction. The client waits for a coordinator that it has forgotten as long as it takes
    /// (librdkafka #5511), whatever the timeout says.
    fn send_offsets(
        &self,
        offsets: &TopicPartitionList,
        consumer: &BaseConsumer<Context>,
        until: Instant,
    ) -> Result<(), KafkaFault> {
        fail_point!("planted::offsets-outside-the-transaction", |_| consumer
            .commit(offsets, rdkafka::consumer::CommitMode::Sync)
            .map_err(KafkaFault::Client));
        let Some(metadata) = membership(consumer) else {
            return Err(KafkaFault::Other("the partition was taken away".to_owned()));
        };
        let sent = Arc::new((offsets.clone(), metadata));
        let taken = self.repeat(until, |producer| {
            let sent = Arc::clone(&sent);
            let call =
                move |producer: &BaseProducer<Reports>| producer.send_offsets_to_transaction(&sent.0, &sent.1, CALL);
            producer.aside(NEVER, call).unwrap_or(Err(KafkaError::Canceled))
        });
        taken.map_err(|error| match error {
            KafkaError::Canceled => {
                tracing::warn!("a call into the Kafka client does not return, another client takes its place");
                KafkaFault::Silence("offsets were not taken in time".to_owned())
            }
            error => KafkaFault::Client(error),
        })
    }

    /// The same call again while the client says that it may be repeated.
    fn repeat(
        &self,
        until: Instant,
        call: impl Fn(&Polled<Reports>) -> Result<(), KafkaError>,
    ) -> Result<(), KafkaError> {
        let Some(producer) = &self.producer else { return Err(KafkaError::Canceled) };
        loop {
            self.status.beat();
            match call(producer) {
                Err(error) if is_retriable(&error) && Instant::now() < until => {}
                result => return result,
            }
        }
    }

    /// Ends the open transaction without effect; a producer that cannot even do that is replaced.
    fn abort(&mut self, fault: KafkaFault) -> NotCommitted {
        let aborted = match fault {
            KafkaFault::Client(error) if is_fatal(&error) => return self.replace(&error),
            // It may have lost its brokers, and would not find them again.
            KafkaFault::Silence(why) => return self.start_anew(&why),
            KafkaFault::TooLarge(what) => NotCommitted::Fatal(Failure::fatal(
                what,
                "this is a fault of the program: larger content must be split",
            )),
            KafkaFault::Client(error) => NotCommitted::Aborted(error.to_string()),
            KafkaFault::Other(why) => NotCommitted::Aborted(why),
        };
        match self.repeat(Instant::now() + BUDGET, |producer| producer.abort_transaction(CALL)) {
            Ok(()) => aborted,
            Err(error) => self.replace(&error),
        }
    }

    /// Whether the open transaction is so old that the broker may have ended it. It says so with the same word as if
    /// another process had taken our place; but then we, or the broker, only slept.
    fn outlived(&self) -> bool {
        self.began.elapsed() >= BUDGET
    }

    fn replace(&mut self, error: &KafkaError) -> NotCommitted {
        if is_fatal(error) && !self.outlived() {
            return NotCommitted::Fatal(fatal(error, self.producer.as_deref()));
        }
        self.start_anew(&error.to_string())
    }

    /// Replaces the producer, which ends the open transaction without effect.
    fn start_anew(&mut self, why: &str) -> NotCommitted {
        match self.renew() {
            Ok(()) => NotCommitted::Aborted(format!("the producer was replaced ({why})")),
            Err(failure) => NotCommitted::Fatal(failure),
        }
    }
}

impl Drop for Transactor {
    fn drop(&mut self) {
        self.end();
    }
}

/// As whom offsets are committed; `None` once the group goes on without us.
fn membership(consumer: &BaseConsumer<Context>) -> Option<ConsumerGroupMetadata> {
    // In this order: after a loss between the two the metadata is stale, and the broker refuses it. The other way round it
    // could be that of a member without a generation, which the broker believes.
    let metadata = consumer.group_metadata();
    if consumer.assignment_lost() { None } else { metadata }
}

enum KafkaFault {
    Client(KafkaError),
    /// The client does not say how it went.
    Silence(String),
    TooLarge(String),
    Other(String),
}

fn is_fatal(error: &KafkaError) -> bool {
    let fenced = matches!(error.rdkafka_error_code(), Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::Fatal));
    fenced || matches!(error, KafkaError::Transaction(inner) if inner.is_fatal())
}

fn is_retriable(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(inner) if inner.is_retriable() && !inner.txn_requires_abort())
}

fn requires_abort(error: &KafkaError) -> bool {
    matches!(error, KafkaError::Transaction(inner) if inner.txn_requires_abort() && !inner.is_fatal())
}

fn fatal(error: &KafkaError, producer: Option<&BaseProducer<Reports>>) -> Failure {
    // Some calls only say that the client has failed for good; it knows why.
    let known = producer.and_then(|producer| producer.client().fatal_error()).map(|(code, _)| code);
    match known.or(error.rdkafka_error_code()) {
        Some(RDKafkaErrorCode::Fenced | RDKafkaErrorCode::ProducerFenced | RDKafkaErrorCode::InvalidProducerEpoch) => {
            Failure::fatal(
                "another process runs under the name of this one and has taken its place",
                "give every process its own PURSIGHT_INSTANCE, then restart this one",
            )
        }
        _ => Failure::fatal(format!("the transactional producer cannot go on: {error}"), "restart the worker"),
    }
}
