//! What the loop needs of a log: ordered records of owned partitions, and transactions that join events with offsets.
//! Implemented over Kafka and, for tests, in memory. Called from one thread only.

use pursight_schemas::Topic;

use crate::failure::Failure;
use crate::message::{Mark, Outgoing, Record};

/// Something that happened in the log.
#[derive(Debug)]
pub enum Happening {
    /// A record of an owned partition, in order.
    Record(Record),
    /// Partitions are ours now. Nothing of them is delivered until [`Log::begin`].
    Assigned(Vec<(Topic, i32)>),
    /// Partitions are not ours any more.
    Revoked(Vec<(Topic, i32)>),
    /// The log cannot be reached; it will be tried again by itself.
    Away(String),
    /// The log can be reached again.
    Back,
    /// Only a person can mend this.
    Fatal(Failure),
}

/// Where the group stands in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Next record to read; `None` if the group has no offset there.
    pub next: Option<i64>,
    /// What the last owner left.
    pub metadata: String,
    /// Whether that owner gave the partition up in peace, and did not die with it.
    pub handed_over: bool,
}

/// The group has no offset in a partition. To begin anywhere would leave records out or repeat them.
pub(crate) fn no_offset(worker: &str, topic: &str, partition: i32) -> Failure {
    Failure::fatal(
        format!("the group of {worker} has no offset in {topic} partition {partition}"),
        "run `pursight topics apply` while no worker of the group runs; if it had an offset before, restore it first",
    )
}

/// Events, and the offset of one input partition, to become visible together.
#[derive(Debug)]
pub struct Transaction<'t> {
    /// Input topic.
    pub topic: Topic,
    /// Input partition.
    pub partition: i32,
    /// Next record to read.
    pub next: i64,
    /// For the next owner.
    pub metadata: &'t str,
    /// What to write.
    pub events: &'t [Outgoing],
}

/// Why a transaction did not commit.
#[derive(Debug, thiserror::Error)]
pub enum NotCommitted {
    /// It was aborted: nothing is visible, the caller starts again from the committed offset.
    #[error("the transaction was aborted: {0}")]
    Aborted(String),
    /// The process must end.
    #[error(transparent)]
    Fatal(Failure),
}

/// A log as seen by one worker.
pub trait Log: Send {
    /// What happened since the last call; does not block.
    fn poll(&mut self) -> Vec<Happening>;

    /// Where the group stands.
    ///
    /// # Errors
    /// [`Failure::Transient`] while the log is away.
    fn committed(&mut self, topic: Topic, partition: i32) -> Result<Committed, Failure>;

    /// Starts or restarts delivery of an owned partition at an offset; whatever was delivered before is void. `false`
    /// when the log is not ready for that yet: ask again.
    ///
    /// # Errors
    /// [`Failure::Fatal`] when the position cannot be taken.
    fn begin(&mut self, topic: Topic, partition: i32, offset: i64) -> Result<bool, Failure>;

    /// Stops delivery of an owned partition for a while, or goes on.
    fn pause(&mut self, topic: Topic, partition: i32, paused: bool);

    /// Writes a transaction; returns where its events lie.
    ///
    /// # Errors
    /// See [`NotCommitted`].
    fn transact(&mut self, transaction: &Transaction<'_>) -> Result<Vec<Mark>, NotCommitted>;

    /// Leaves the group, so that others take over at once.
    fn leave(&mut self);
}
