//! What a worker is to the engine. Handlers see records and claims, never a client of the log.

use async_trait::async_trait;
use pursight_schemas::Topic;
use tokio::sync::oneshot;

use crate::failure::Failure;
use crate::message::{Line, Mark, Outgoing, Record};
use crate::worker::Ask;

/// A worker: what it does with the records of one partition.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Most records of one call to [`Handler::handle`].
    fn batch_size(&self) -> usize {
        500
    }

    /// A partition is ours from now on. Runs before its first batch; returns where to begin reading, or `None` for the
    /// group's committed offset. Retried like a batch.
    async fn take_over(&self, claim: &Claim) -> Result<Option<i64>, Failure> {
        let _ = claim;
        Ok(None)
    }

    /// Handles a batch of one partition, in order, and commits through the claim at least once (unless it keeps its
    /// position elsewhere). Returns one line a record.
    async fn handle(&self, batch: &[Record], claim: &Claim) -> Result<Vec<Line>, Failure>;

    /// Whether [`Handler::prepare`] does anything.
    fn prepares(&self) -> bool {
        false
    }

    /// What probably comes next, while the batch before it is handled and committed: a time to compute what these records
    /// alone decide, and to ask for what they need. May not come, and may be for nothing: after a loss or an abort others
    /// come. Runs on a thread of the runtime that may be blocked.
    fn prepare(&self, records: &[Record], claim: &Claim) {
        let _ = (records, claim);
    }

    /// Everything to be written when `record` can never be handled: by default its dead letter alone is (the engine
    /// adds it). Called for records that panic twice or fail as poison.
    fn poisoned(&self, record: &Record, code: &str) -> Vec<Outgoing> {
        let _ = (record, code);
        Vec::new()
    }

    /// Whether records that wait for their turn are to be shown to [`Handler::ends_early`].
    fn looks_ahead(&self) -> bool {
        false
    }

    /// The end of a record that waits for its turn and needs none any more; it is written at once, and the record is passed
    /// over when its turn comes. Asked again and again: has to be quick, and must not remember that it was asked.
    fn ends_early(&self, record: &Record, claim: &Claim) -> Option<(Line, Vec<Outgoing>)> {
        let _ = (record, claim);
        None
    }

    /// Owned partitions that must be taken over anew although nothing happened in the log: what the handler keeps of them
    /// elsewhere is not what it was. Asked every two seconds.
    async fn astray(&self) -> Vec<(Topic, i32)> {
        Vec::new()
    }

    /// A partition is no longer ours: forget everything about it.
    fn lost(&self, topic: Topic, partition: i32) {
        let _ = (topic, partition);
    }
}

/// What was committed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Committed {
    /// Where each outgoing record lies, in the order in which they were given.
    pub marks: Vec<Mark>,
}

/// The right to handle one partition, from its assignment to its loss.
#[derive(Debug, Clone)]
pub struct Claim {
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
    pub(crate) epoch: u64,
    pub(crate) committed_metadata: String,
    pub(crate) handed_over: bool,
    pub(crate) requests: std::sync::mpsc::Sender<Ask>,
}

/// One transaction asked for by a handler.
#[derive(Debug)]
pub(crate) struct Commit {
    pub(crate) topic: Topic,
    pub(crate) partition: i32,
    pub(crate) epoch: u64,
    pub(crate) events: Vec<Outgoing>,
    /// `None`: the offset that is committed already, once more.
    pub(crate) next: Option<i64>,
    pub(crate) metadata: String,
    pub(crate) answer: oneshot::Sender<Result<Committed, Failure>>,
}

impl Claim {
    /// A claim outside of any loop, for handlers that keep their position elsewhere and for tests: its commits are
    /// answered with [`Failure::Lost`].
    pub fn detached(topic: Topic, partition: i32) -> Self {
        let (requests, _) = std::sync::mpsc::channel();
        Self { topic, partition, epoch: 0, committed_metadata: String::new(), handed_over: false, requests }
    }

    /// The partition's topic.
    pub fn topic(&self) -> Topic {
        self.topic
    }

    /// The partition.
    pub fn partition(&self) -> i32 {
        self.partition
    }

    /// Which claim of the process this is: no two have the same, later ones have higher numbers.
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Metadata that the last owner committed with its offset; empty if there is none.
    pub fn committed_metadata(&self) -> &str {
        &self.committed_metadata
    }

    /// Whether the last owner gave the partition up in peace: then what it was doing did not end it.
    pub fn handed_over(&self) -> bool {
        self.handed_over
    }

    /// Writes `events` and the offset of the next record to read in one transaction. `next` of `None` commits the
    /// present offset once more, because only a transaction with an offset is fenced. `metadata` (at most 3 KiB) is
    /// given to the next owner.
    ///
    /// # Errors
    /// [`Failure::Lost`] when the partition was taken away or the transaction aborted: nothing of it is visible.
    pub async fn commit(
        &self,
        events: Vec<Outgoing>,
        next: Option<i64>,
        metadata: String,
    ) -> Result<Committed, Failure> {
        let (answer, result) = oneshot::channel();
        let (topic, partition, epoch) = (self.topic, self.partition, self.epoch);
        let request = Commit { topic, partition, epoch, events, next, metadata, answer };
        self.requests.send(Ask::Commit(request)).map_err(|_| Failure::Lost)?;
        result.await.unwrap_or(Err(Failure::Lost))
    }
}

/// Waits until the read model has folded what lies at some marks.
#[async_trait]
pub trait Barrier: Send + Sync + 'static {
    /// Returns when every mark has been passed.
    ///
    /// # Errors
    /// [`Failure::Transient`] when the read model cannot be asked; waiting itself is bounded by the caller.
    async fn passed(&self, marks: &[Mark]) -> Result<(), Failure>;
}

/// Seals bytes that may hold secrets before they are kept.
pub trait Seal: Send + Sync + 'static {
    /// Sealed form of `bytes`, bound to the tenant and to what it is.
    ///
    /// # Errors
    /// [`Failure::Fatal`] when there is no key.
    fn seal(&self, tenant: &str, id: &str, bytes: &[u8]) -> Result<Vec<u8>, Failure>;
}
