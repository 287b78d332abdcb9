//! The member of a worker's group: turns what librdkafka says into what the loop understands.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use pursight_schemas::{Micros, Topic};
use rdkafka::client::{ClientContext, DefaultClientContext};
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer as _, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult, RDKafkaErrorCode};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{Offset, Timestamp, TopicPartitionList};

use crate::failure::Failure;
use crate::log::{Happening, Transaction};
use crate::message::Record;

/// First line of the metadata of an offset that its owner committed while giving the partition up.
pub(super) const HANDED_OVER: &str = "handed-over";

/// Collects what callbacks say until the loop asks. Callbacks run inside `poll`, on the loop's own thread; those of a member
/// that was replaced on the thread where it ends, and nobody asks for what they say.
pub(super) struct Context {
    prefix: String,
    /// Names on the broker, so that none is put together again for each record.
    names: Vec<(String, Topic)>,
    pub(super) happenings: Mutex<Vec<Happening>>,
    /// Whether a callback ran since the last question.
    called: AtomicBool,
    /// Owned partitions whose committed offset carries metadata: the offset, and the metadata without its mark.
    left: Mutex<HashMap<(Topic, i32), (i64, String)>>,
}

impl Context {
    pub(super) fn new(prefix: &str) -> Self {
        let names = Topic::ALL.into_iter().map(|topic| (topic.name(prefix), topic)).collect();
        Self {
            prefix: prefix.to_owned(),
            names,
            happenings: Mutex::default(),
            called: AtomicBool::new(false),
            left: Mutex::default(),
        }
    }

    fn topic(&self, name: &str) -> Option<Topic> {
        self.names.iter().find(|(known, _)| known == name).map(|(_, topic)| *topic)
    }

    fn push(&self, happening: Happening) {
        self.happenings.lock().unwrap_or_else(PoisonError::into_inner).push(happening);
    }

    pub(super) fn take(&self) -> Vec<Happening> {
        std::mem::take(&mut *self.happenings.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a callback ran since the last question. A call of `poll` that ran one answers like a call that found nothing,
    /// and nobody is woken for what stands behind it in the queue: it was not empty.
    pub(super) fn was_called(&self) -> bool {
        self.called.swap(false, Ordering::Relaxed)
    }

    fn called(&self) {
        self.called.store(true, Ordering::Relaxed);
    }

    /// Remembers what the next owner will find.
    pub(super) fn committed(&self, transaction: &Transaction<'_>) {
        let key = (transaction.topic, transaction.partition);
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match transaction.metadata {
            "" => left.remove(&key),
            metadata => left.insert(key, (transaction.next, metadata.to_owned())),
        };
    }

    /// What was remembered is void: this member goes without a word.
    pub(super) fn forget(&self) {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Tells the next owner that what these partitions' metadata speaks of did not end us. Without waiting: the client
    /// sends it before it leaves, and when it is lost only the hint is.
    fn hand_over(&self, consumer: &BaseConsumer<Self>, partitions: &[(Topic, i32)]) {
        let mut all = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let mut list = TopicPartitionList::new();
        for (topic, partition) in partitions {
            let Some((next, metadata)) = all.remove(&(*topic, *partition)) else { continue };
            let mut element = list.add_partition(&topic.name(&self.prefix), *partition);
            element.set_metadata(format!("{HANDED_OVER}\n{metadata}"));
            // Only an offset that is not one can be refused, and this one was committed before.
            drop(element.set_offset(Offset::Offset(next)));
        }
        if list.count() > 0
            && !consumer.assignment_lost()
            && let Err(error) = consumer.commit(&list, CommitMode::Async)
        {
            tracing::debug!(%error, "the next owner is not told that this was a hand-over");
        }
    }

    pub(super) fn partitions(&self, list: &TopicPartitionList) -> Vec<(Topic, i32)> {
        let place = |name: &str, partition| Some((self.topic(name)?, partition));
        list.elements().iter().filter_map(|element| place(element.topic(), element.partition())).collect()
    }
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.called();
        DefaultClientContext.log(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        if is_away(&error) {
            self.push(Happening::Away(reason.to_owned()));
        } else if !is_end(&error) {
            tracing::warn!(%error, reason, "consumer");
        }
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        self.called();
        if let Rebalance::Revoke(list) = rebalance {
            let partitions = self.partitions(list);
            self.hand_over(consumer, &partitions);
            self.push(Happening::Revoked(partitions));
            if consumer.assignment_lost() {
                // Either we were silent or the broker is: it is asked, and until it answers it is away.
                self.push(Happening::Away("the group did not hear of us, or we of it, for a whole session".to_owned()));
            }
        }
    }

    fn post_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(list) if list.count() > 0 => {
                // Nothing is fetched until the handler has taken over and said where to begin.
                if let Err(error) = consumer.pause(list) {
                    self.push(Happening::Fatal(Failure::fatal(
                        format!("cannot pause new partitions: {error}"),
                        "restart the worker",
                    )));
                }
                self.push(Happening::Assigned(self.partitions(list)));
            }
            Rebalance::Assign(_) | Rebalance::Revoke(_) => {}
            Rebalance::Error(error) => tracing::warn!(%error, "rebalance"),
        }
    }

    fn commit_callback(&self, _: KafkaResult<()>, _: &TopicPartitionList) {
        self.called();
    }
}

/// For clients that are asked, and hear of errors in the answers.
pub(super) struct Quiet;

impl ClientContext for Quiet {
    fn error(&self, error: KafkaError, reason: &str) {
        if !is_end(&error) {
            tracing::debug!(%error, reason, "client");
        }
    }
}

impl ConsumerContext for Quiet {}

/// Whether an error says that the broker cannot be reached at the moment.
pub(super) fn is_away(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            RDKafkaErrorCode::AllBrokersDown
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::Resolve
                | RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::RequestTimedOut
                | RDKafkaErrorCode::NetworkException
                | RDKafkaErrorCode::CoordinatorNotAvailable
                | RDKafkaErrorCode::CoordinatorLoadInProgress
                | RDKafkaErrorCode::NotCoordinator
                | RDKafkaErrorCode::LeaderNotAvailable
                | RDKafkaErrorCode::NotLeaderForPartition
        )
    )
}

/// The end of a partition is no error. The client tells it in its own variant, or as a code.
pub(super) fn is_end(error: &KafkaError) -> bool {
    matches!(error, KafkaError::PartitionEOF(_)) || error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF)
}

/// What an error from `poll` means; `None` if it needs no answer.
pub(super) fn meaning(error: &KafkaError) -> Option<Happening> {
    match error.rdkafka_error_code() {
        _ if is_end(error) => None,
        Some(
            RDKafkaErrorCode::UnknownTopicOrPartition
            | RDKafkaErrorCode::UnknownTopic
            | RDKafkaErrorCode::UnknownPartition,
        ) => Some(Happening::Fatal(Failure::fatal(
            format!("a topic is missing ({error})"),
            "run `pursight topics apply`",
        ))),
        Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::GroupAuthorizationFailed) => {
            Some(Happening::Fatal(Failure::fatal(
                format!("the broker refuses us ({error})"),
                "grant this client the rights of its worker",
            )))
        }
        Some(RDKafkaErrorCode::Fatal) => {
            Some(Happening::Fatal(Failure::fatal(format!("the client gave up ({error})"), "restart the worker")))
        }
        _ if is_away(error) => Some(Happening::Away(error.to_string())),
        _ => {
            tracing::warn!(%error, "consumer");
            None
        }
    }
}

/// A record of ours out of the client's memory; `None` for a topic that we did not ask for.
pub(super) fn record(context: &Context, message: &BorrowedMessage<'_>) -> Option<Record> {
    let millis = match message.timestamp() {
        Timestamp::CreateTime(millis) | Timestamp::LogAppendTime(millis) => millis,
        Timestamp::NotAvailable => 0,
    };
    let headers = message.headers().map(|headers| {
        headers.iter().map(|header| (header.key.to_owned(), header.value.unwrap_or_default().to_vec())).collect()
    });
    Some(Record {
        topic: context.topic(message.topic())?,
        partition: message.partition(),
        offset: message.offset(),
        timestamp: Micros::from_millis(millis),
        key: message.key().unwrap_or_default().to_vec(),
        value: message.payload().unwrap_or_default().to_vec(),
        headers: headers.unwrap_or_default(),
    })
}
