//! One owned partition inside the loop: its buffer, its claim and what its handler is doing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pursight_schemas::Topic;
use tokio::task::AbortHandle;

use crate::ahead::Ahead;
use crate::failure::Failure;
use crate::handler::Claim;
use crate::message::{Line, Record};
use crate::retry::Delays;

/// Records buffered for a partition before it is paused, as multiples of the batch size. Half of them must last until a
/// paused partition is fetched again: it joins the next fetch, and the one under way waits up to `fetch.wait.max.ms`.
const BUFFERED_BATCHES: usize = 8;
/// Bytes buffered for a partition before it is paused, and before it goes on: records may be of a megabyte each.
const MOST_BUFFERED: usize = 4 * 1024 * 1024;
const LEAST_BUFFERED: usize = 2 * 1024 * 1024;
/// A batch ends when it holds this many bytes.
const MOST_OF_BATCH: usize = 4 * 1024 * 1024;

/// A take-over that lasts longer waits for somebody, such as the projection.
const TAKES_OVER_WITHIN: Duration = Duration::from_secs(10);

/// What the partition is doing.
#[derive(Debug)]
pub(crate) enum Phase {
    /// The group's offset must be looked up and the handler must take over.
    Claiming,
    /// The handler is taking over.
    TakingOver,
    /// The handler has taken over; the log must deliver from [`Slot::next`].
    Beginning,
    /// Ready for the next batch.
    Idle,
    /// The handler has the batch.
    Busy,
    /// A transient failure: the same again at that time.
    Waiting(Instant),
}

/// How a handler's call ended.
#[derive(Debug)]
pub(crate) enum Ended {
    TookOver(Result<Option<i64>, Failure>),
    Handled(Result<Vec<Line>, Failure>),
    Panicked,
}

/// An owned partition.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) claim: Claim,
    pub(crate) phase: Phase,
    buffer: VecDeque<Record>,
    buffered: usize,
    /// What the handler has, or gets again.
    pub(crate) batch: Arc<[Record]>,
    /// After a panic or a poisoned batch this many records go one by one.
    pub(crate) singly: usize,
    /// The single record at the front has panicked before.
    pub(crate) panicked_before: bool,
    pub(crate) paused: bool,
    pub(crate) next: i64,
    /// What is committed beside `next`.
    pub(crate) ahead: Ahead,
    pub(crate) delays: Delays,
    pub(crate) attempt: u32,
    /// Why the last attempt failed.
    pub(crate) failed: String,
    pub(crate) began: Instant,
    pub(crate) task: Option<AbortHandle>,
}

impl Slot {
    pub(crate) fn new(claim: Claim) -> Self {
        Self {
            claim,
            phase: Phase::Claiming,
            buffer: VecDeque::new(),
            buffered: 0,
            batch: Arc::default(),
            singly: 0,
            panicked_before: false,
            paused: false,
            next: 0,
            ahead: Ahead::default(),
            delays: Delays::ours(),
            attempt: 1,
            failed: String::new(),
            began: Instant::now(),
            task: None,
        }
    }

    pub(crate) fn key(&self) -> (Topic, i32) {
        (self.claim.topic, self.claim.partition)
    }

    /// What it waits for, if something that it depends on has been away for longer than a moment.
    pub(crate) fn waits(&self) -> Option<&str> {
        let late = self.began.elapsed() > TAKES_OVER_WITHIN;
        match self.phase {
            Phase::Waiting(_) if self.attempt > 3 => Some(&self.failed),
            Phase::TakingOver if late => Some("what earlier owners committed is not known yet"),
            Phase::Beginning if late => Some("the broker's client does not take the position to read from"),
            Phase::Claiming | Phase::TakingOver | Phase::Beginning | Phase::Idle | Phase::Busy | Phase::Waiting(_) => {
                None
            }
        }
    }

    /// Whether the loop must come round for it although nothing wakes it.
    pub(crate) fn is_due_soon(&self) -> bool {
        matches!(self.phase, Phase::Claiming | Phase::Beginning | Phase::Waiting(_))
    }

    /// Buffers a record that arrived.
    pub(crate) fn push(&mut self, record: Record) {
        self.buffered += size(&record);
        self.buffer.push_back(record);
    }

    /// Forgets what arrived and was not taken.
    pub(crate) fn empty(&mut self) {
        self.buffered = 0;
        self.buffer.clear();
    }

    /// What waits for its turn, in order.
    pub(crate) fn waiting(&self) -> impl Iterator<Item = &Record> {
        self.buffer.iter()
    }

    /// Takes what has ended already off the front; returns the last offset of it.
    pub(crate) fn pass_ended(&mut self) -> Option<i64> {
        let mut last = None;
        while let Some(record) = self.buffer.pop_front_if(|record| self.ahead.ended.contains(&record.offset)) {
            self.buffered -= size(&record);
            last = Some(record.offset);
        }
        last
    }

    /// Takes the next batch out of the buffer, unless one is waiting to be handled again.
    pub(crate) fn fill(&mut self, most: usize) {
        if !self.batch.is_empty() {
            return;
        }
        let most = if self.singly > 0 { 1 } else { most };
        let (mut batch, mut bytes) = (Vec::new(), 0);
        while batch.len() < most && bytes < MOST_OF_BATCH {
            let Some(record) = self.buffer.pop_front() else { break };
            bytes += size(&record);
            batch.push(record);
        }
        self.batch = batch.into();
        self.buffered -= bytes;
    }

    /// The batch is done: the next one follows. Returns it.
    pub(crate) fn done(&mut self) -> Arc<[Record]> {
        if let Some(last) = self.batch.last() {
            self.next = last.offset + 1;
        }
        self.singly = self.singly.saturating_sub(self.batch.len());
        self.panicked_before = false;
        self.delays = Delays::ours();
        self.attempt = 1;
        self.phase = Phase::Idle;
        std::mem::take(&mut self.batch)
    }

    /// Puts the batch back, to be handled record by record.
    pub(crate) fn split(&mut self) {
        self.singly = self.batch.len();
        for record in std::mem::take(&mut self.batch).iter().rev() {
            self.buffered += size(record);
            self.buffer.push_front(record.clone());
        }
        self.phase = Phase::Idle;
    }

    /// The same again after a while, because of this.
    pub(crate) fn again(&mut self, failed: impl Into<String>) {
        self.failed = failed.into();
        self.attempt += 1;
        self.phase = Phase::Waiting(Instant::now() + self.delays.next_delay());
    }

    /// Whether delivery should be paused, or gone on with, given the buffer.
    pub(crate) fn wants_pause(&self, batch: usize) -> Option<bool> {
        let high = batch.max(50) * BUFFERED_BATCHES;
        let low = high / 2;
        match self.paused {
            false if self.buffer.len() > high || self.buffered > MOST_BUFFERED => Some(true),
            true if self.buffer.len() < low && self.buffered < LEAST_BUFFERED => Some(false),
            _ => None,
        }
    }

    /// Stops what the handler is doing.
    pub(crate) fn abort(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// What a record takes, roughly.
fn size(record: &Record) -> usize {
    let headers: usize = record.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    record.key.len() + record.value.len() + headers
}

#[cfg(test)]
mod tests {
    use pursight_schemas::Micros;

    use super::*;

    fn slot() -> Slot {
        let (requests, _) = std::sync::mpsc::channel();
        let claim = Claim {
            topic: Topic::Command,
            partition: 0,
            epoch: 1,
            committed_metadata: String::new(),
            handed_over: false,
            requests,
        };
        Slot::new(claim)
    }

    fn record(offset: i64, bytes: usize) -> Record {
        Record {
            topic: Topic::Command,
            partition: 0,
            offset,
            timestamp: Micros(0),
            key: Vec::new(),
            value: vec![0; bytes],
            headers: Vec::new(),
        }
    }

    #[test]
    fn large_records_pause_a_partition_by_their_bytes_and_come_in_small_batches() {
        const LARGE: usize = 1024 * 1024;
        let mut slot = slot();
        let fits = (0..400).take_while(|at| {
            slot.push(record(*at, LARGE));
            slot.wants_pause(100).is_none()
        });
        assert_eq!(fits.count(), 4, "a fifth megabyte pauses");
        slot.paused = true;
        slot.fill(2);
        assert_eq!(slot.wants_pause(100), None, "three megabytes are still there: it stays paused");
        slot.split();
        slot.singly = 0;
        slot.fill(3);
        assert_eq!(slot.wants_pause(100), None, "two are half of what pauses it");
        slot.split();
        slot.singly = 0;
        slot.fill(100);
        assert_eq!(slot.batch.len(), 4);
        assert_eq!(slot.wants_pause(100), Some(false), "one is less than half");
        slot.split();
        assert_eq!((slot.singly, slot.buffer.len(), slot.buffered), (4, 5, 5 * LARGE));
        for left in (0..5).rev() {
            slot.fill(100);
            assert_eq!(slot.buffer.len(), left);
            slot.done();
        }
        assert_eq!((slot.buffered, slot.wants_pause(100)), (0, Some(false)));
    }

    #[test]
    fn small_records_pause_it_by_their_number() {
        let mut slot = slot();
        (0..800).for_each(|at| slot.push(record(at, 10)));
        assert_eq!(slot.wants_pause(100), None);
        slot.push(record(800, 10));
        assert_eq!(slot.wants_pause(100), Some(true));
        slot.fill(100);
        assert_eq!((slot.batch.len(), slot.buffered), (100, 7010));
        slot.paused = true;
        for left in [7, 6, 5] {
            assert_eq!(slot.wants_pause(100), None, "{left} batches are left, and one record");
            slot.done();
            slot.fill(100);
        }
        slot.done();
        slot.fill(1);
        assert_eq!(slot.wants_pause(100), None, "four batches keep it paused");
        slot.done();
        slot.fill(1);
        assert_eq!(slot.wants_pause(100), Some(false), "a record fewer does not");
    }
}
