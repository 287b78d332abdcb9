//! One owned partition inside the loop: its buffer, its claim and what its handler is doing.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use pursight_schemas::Topic;
use tokio::task::AbortHandle;

use crate::ahead::Ahead;
use crate::failure::Failure;
use crate::handler::Claim;
use crate::message::{Line, Record};
use crate::retry::Delays;

/// Records buffered for a partition before it is paused, as multiples of the batch size.
const BUFFERED_BATCHES: usize = 4;

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
    pub(crate) buffer: VecDeque<Record>,
    /// What the handler has, or gets again.
    pub(crate) batch: Vec<Record>,
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
    pub(crate) began: Instant,
    pub(crate) task: Option<AbortHandle>,
}

impl Slot {
    pub(crate) fn new(claim: Claim) -> Self {
        Self {
            claim,
            phase: Phase::Claiming,
            buffer: VecDeque::new(),
            batch: Vec::new(),
            singly: 0,
            panicked_before: false,
            paused: false,
            next: 0,
            ahead: Ahead::default(),
            delays: Delays::ours(),
            attempt: 1,
            began: Instant::now(),
            task: None,
        }
    }

    pub(crate) fn key(&self) -> (Topic, i32) {
        (self.claim.topic, self.claim.partition)
    }

    /// Whether something that it depends on has been away for longer than a moment.
    pub(crate) fn waits(&self) -> bool {
        match self.phase {
            Phase::Waiting(_) => self.attempt > 3,
            Phase::TakingOver | Phase::Beginning => self.began.elapsed() > TAKES_OVER_WITHIN,
            Phase::Claiming | Phase::Idle | Phase::Busy => false,
        }
    }

    /// Whether the loop must come round for it although nothing wakes it.
    pub(crate) fn is_due_soon(&self) -> bool {
        matches!(self.phase, Phase::Claiming | Phase::Beginning | Phase::Waiting(_))
    }

    /// Takes the next batch out of the buffer, unless one is waiting to be handled again.
    pub(crate) fn fill(&mut self, most: usize) {
        if self.batch.is_empty() {
            let most = if self.singly > 0 { 1 } else { most };
            let count = most.min(self.buffer.len());
            self.batch.extend(self.buffer.drain(..count));
        }
    }

    /// The batch is done: the next one follows.
    pub(crate) fn done(&mut self) {
        if let Some(last) = self.batch.last() {
            self.next = last.offset + 1;
        }
        self.singly = self.singly.saturating_sub(self.batch.len());
        self.batch.clear();
        self.panicked_before = false;
        self.delays = Delays::ours();
        self.attempt = 1;
        self.phase = Phase::Idle;
    }

    /// Puts the batch back, to be handled record by record.
    pub(crate) fn split(&mut self) {
        self.singly = self.batch.len();
        for record in self.batch.drain(..).rev() {
            self.buffer.push_front(record);
        }
        self.phase = Phase::Idle;
    }

    /// The same again after a while.
    pub(crate) fn again(&mut self) {
        self.attempt += 1;
        self.phase = Phase::Waiting(Instant::now() + self.delays.next_delay());
    }

    /// Whether delivery should be paused, or gone on with, given the buffer.
    pub(crate) fn wants_pause(&self, batch: usize) -> Option<bool> {
        let (high, low) = (batch.max(50) * BUFFERED_BATCHES, batch.max(50));
        match self.paused {
            false if self.buffer.len() > high => Some(true),
            true if self.buffer.len() < low => Some(false),
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
