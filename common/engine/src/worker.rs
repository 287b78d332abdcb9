//! The loop, written once: receive a batch of one partition, let the handler decide, write its events and the offset in
//! one transaction, log one line a message.
//!
//! One OS thread polls the log and makes every transaction, so a partition cannot be revoked between the check of its
//! claim and the commit: revocations arrive on this thread too. Handlers run beside it on the async runtime and ask for
//! commits through their [`Claim`]; a claim of an earlier epoch is answered with [`Failure::Lost`].

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use fail::fail_point;
use pursight_schemas::Topic;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use crate::ahead::Ahead;
use crate::call;
use crate::dead_letter::Brake;
use crate::failure::{Class, Failure};
use crate::handler::{Claim, Commit, Committed, Handler, Seal};
pub use crate::inbox::{Inbox, Waker};
use crate::line::{self, Untold};
use crate::log::{Happening, Log, NotCommitted, Transaction, no_offset};
use crate::metrics;
use crate::slot::{Ended, Phase, Slot};
use crate::status::{AWAY, State, Status};

/// Longest sleep of the loop while a partition waits for a time to come.
const TICK: Duration = Duration::from_millis(50);
/// Longest sleep while none does: handlers and the log wake the loop.
const IDLE: Duration = Duration::from_millis(500);
/// Handlers may finish for this long after the stop; then they are dropped and their partitions handed over.
const DRAIN: Duration = Duration::from_secs(5);

/// What the loop is told by handlers and by the log.
#[derive(Debug)]
pub(crate) enum Ask {
    /// A handler wants a transaction.
    Commit(Commit),
    /// A handler's call ended.
    Ended { topic: Topic, partition: i32, epoch: u64, ended: Ended },
    /// These partitions must be taken over anew.
    Astray(Vec<(Topic, i32)>),
    /// The log has something.
    Woken,
}

/// What one worker's loop needs to know.
#[derive(Clone)]
pub struct Settings {
    /// Worker's name.
    pub worker: &'static str,
    /// Prefix of all topics.
    pub prefix: String,
    /// Partitions handled side by side at most.
    pub parallel: usize,
    /// Most records of a batch, if the handler does not want fewer.
    pub batch: usize,
    /// Seals dead letters.
    pub seal: Arc<dyn Seal>,
}

/// One worker over one log.
pub struct Worker<L: Log> {
    pub(crate) log: L,
    pub(crate) handler: Arc<dyn Handler>,
    pub(crate) settings: Settings,
    status: Status,
    pub(crate) runtime: Handle,
    inbox: Receiver<Ask>,
    pub(crate) outbox: Sender<Ask>,
    pub(crate) slots: HashMap<(Topic, i32), Slot>,
    epoch: u64,
    pub(crate) brake: Brake,
    /// Handled, and not in the log of this process yet.
    pub(crate) untold: Vec<Untold>,
    away: Option<Instant>,
    pub(crate) looked_ahead: Instant,
    /// When the handler was last asked whether it went astray; `None` while it is being asked.
    pub(crate) looked: Option<Instant>,
}

impl<L: Log> Worker<L> {
    /// A worker that is ready to run; handlers are executed on `runtime`.
    pub fn new(
        log: L,
        inbox: Inbox,
        handler: Arc<dyn Handler>,
        settings: Settings,
        status: Status,
        runtime: Handle,
    ) -> Self {
        let Inbox { sender: outbox, receiver: inbox } = inbox;
        let (slots, brake) = (HashMap::new(), Brake::default());
        let now = Instant::now();
        Self {
            log,
            handler,
            settings,
            status,
            runtime,
            inbox,
            outbox,
            slots,
            epoch: 0,
            brake,
            untold: Vec::new(),
            away: None,
            looked_ahead: now,
            looked: Some(now),
        }
    }

    /// Runs until told to stop, then drains.
    ///
    /// # Errors
    /// A fatal failure: nothing more was committed, a person must look.
    pub fn run(mut self, stop: &CancellationToken) -> Result<(), Failure> {
        let ended = self.turn_until(stop);
        line::write_all(&self.settings, &mut self.untold);
        self.slots.values_mut().for_each(Slot::abort);
        if let Err(failure) = &ended {
            self.status.set(State::Failed(failure.to_string()));
        }
        self.log.leave();
        ended
    }

    fn turn_until(&mut self, stop: &CancellationToken) -> Result<(), Failure> {
        let mut stopped_at: Option<Instant> = None;
        loop {
            self.status.beat();
            // In this order: a wake-up taken out after the log was looked at would be lost.
            while let Ok(ask) = self.inbox.try_recv() {
                self.asked(ask)?;
            }
            fail_point!(&format!("engine::before-poll::{}", self.settings.worker));
            for happening in self.log.poll() {
                self.happened(happening)?;
            }
            if stop.is_cancelled() {
                let since = *stopped_at.get_or_insert_with(Instant::now);
                self.status.set(State::Draining);
                if since.elapsed() >= DRAIN || !self.slots.values().any(|slot| matches!(slot.phase, Phase::Busy)) {
                    return Ok(());
                }
            } else {
                self.advance()?;
                self.report();
            }
            // The next batches are under way meanwhile.
            line::write_all(&self.settings, &mut self.untold);
            let soon = self.slots.values().any(|slot| slot.is_due_soon());
            match self.inbox.recv_timeout(if soon { TICK } else { IDLE }) {
                Ok(ask) => self.asked(ask)?,
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
        }
    }

    fn report(&mut self) {
        let waiting = self.slots.values().find_map(|slot| Some((&slot.claim, slot.waits()?)));
        let state = match (self.away, waiting) {
            (Some(_), _) => State::Waiting(AWAY.to_owned()),
            (None, Some((claim, why))) => State::Waiting(format!(
                "{} partition {} waits for a dependency: {why}",
                claim.topic.short(),
                claim.partition
            )),
            (None, None) => State::Ready,
        };
        self.status.set(state);
    }

    fn happened(&mut self, happening: Happening) -> Result<(), Failure> {
        if !matches!(happening, Happening::Away(_)) {
            self.away = None;
        }
        match happening {
            Happening::Record(record) => {
                let batch = self.batch_size();
                if let Some(slot) = self.slots.get_mut(&(record.topic, record.partition)) {
                    slot.push(record);
                    if slot.wants_pause(batch) == Some(true) {
                        slot.paused = true;
                        self.log.pause(slot.claim.topic, slot.claim.partition, true);
                    }
                }
            }
            Happening::Assigned(partitions) => {
                for (topic, partition) in partitions {
                    let claim = self.claim(topic, partition);
                    self.slots.insert((topic, partition), Slot::new(claim));
                }
                metrics::partitions(self.settings.worker, self.slots.len());
            }
            Happening::Revoked(partitions) => {
                for key in partitions {
                    if let Some(mut slot) = self.slots.remove(&key) {
                        slot.abort();
                        self.handler.lost(key.0, key.1);
                    }
                }
                metrics::partitions(self.settings.worker, self.slots.len());
            }
            Happening::Away(reason) => {
                if self.away.is_none() {
                    tracing::warn!(worker = self.settings.worker, reason, "broker cannot be reached, trying again");
                }
                self.away = Some(Instant::now());
            }
            Happening::Back => tracing::info!(worker = self.settings.worker, "broker is back"),
            Happening::Fatal(failure) => return Err(failure),
        }
        Ok(())
    }

    fn batch_size(&self) -> usize {
        self.handler.batch_size().min(self.settings.batch)
    }

    pub(crate) fn claim(&mut self, topic: Topic, partition: i32) -> Claim {
        self.epoch += 1;
        let (epoch, requests) = (self.epoch, self.outbox.clone());
        Claim { topic, partition, epoch, committed_metadata: String::new(), handed_over: false, requests }
    }

    fn asked(&mut self, ask: Ask) -> Result<(), Failure> {
        match ask {
            Ask::Woken => Ok(()),
            Ask::Astray(partitions) => {
                self.astray(&partitions);
                Ok(())
            }
            Ask::Commit(commit) => self.commit(commit),
            Ask::Ended { topic, partition, epoch, ended } => {
                let current = self.slots.get(&(topic, partition)).is_some_and(|slot| slot.claim.epoch == epoch);
                if current { self.ended((topic, partition), ended) } else { Ok(()) }
            }
        }
    }

    /// Writes what a handler asked for, if the partition is still its own.
    fn commit(&mut self, commit: Commit) -> Result<(), Failure> {
        let Commit { topic, partition, epoch, events, next, metadata, answer } = commit;
        let result = match self.slots.get(&(topic, partition)) {
            Some(slot) if slot.claim.epoch == epoch => {
                let next = next.unwrap_or(slot.next);
                match self.transact((topic, partition), next, &metadata, &events) {
                    Ok(committed) => Ok(committed),
                    Err(NotCommitted::Aborted(_)) => Err(Failure::Lost),
                    Err(NotCommitted::Fatal(failure)) => return Err(failure),
                }
            }
            _ => Err(Failure::Lost),
        };
        // A handler that was dropped meanwhile does not wait for the answer.
        drop(answer.send(result));
        Ok(())
    }

    pub(crate) fn transact(
        &mut self,
        key: (Topic, i32),
        next: i64,
        metadata: &str,
        events: &[crate::Outgoing],
    ) -> Result<Committed, NotCommitted> {
        let mut left = Ahead { own: metadata.to_owned(), ..Ahead::default() };
        if let Some(slot) = self.slots.get(&key) {
            left.ended.extend(slot.ahead.ended.range(next..));
        }
        let metadata = left.text();
        let transaction = Transaction { topic: key.0, partition: key.1, next, metadata: &metadata, events };
        match self.log.transact(&transaction) {
            Ok(marks) => {
                metrics::transaction(self.settings.worker, "committed");
                if let Some(slot) = self.slots.get_mut(&key) {
                    slot.next = next;
                    slot.ahead = left;
                }
                Ok(Committed { marks })
            }
            Err(error) => {
                metrics::transaction(self.settings.worker, "aborted");
                tracing::warn!(worker = self.settings.worker, topic = key.0.short(), partition = key.1, %error, "transaction not committed");
                Err(error)
            }
        }
    }

    /// Moves every partition on that can be moved on.
    fn advance(&mut self) -> Result<(), Failure> {
        self.look_after();
        let now = Instant::now();
        for slot in self.slots.values_mut() {
            if matches!(slot.phase, Phase::Waiting(until) if until <= now) {
                slot.phase = if slot.batch.is_empty() { Phase::Claiming } else { Phase::Idle };
            }
        }
        self.look_ahead()?;
        let claiming: Vec<_> =
            self.slots.values().filter(|slot| matches!(slot.phase, Phase::Claiming)).map(Slot::key).collect();
        for key in claiming {
            // A look-up that failed has blocked this thread for seconds: the log must be served before the next one.
            if !self.take_over(key)? {
                break;
            }
        }
        let beginning: Vec<_> =
            self.slots.values().filter(|slot| matches!(slot.phase, Phase::Beginning)).map(Slot::key).collect();
        for key in beginning {
            self.begin(key)?;
        }
        let batch = self.batch_size();
        let mut busy = self.slots.values().filter(|slot| matches!(slot.phase, Phase::Busy)).count();
        let (handler, runtime, outbox) = (&self.handler, &self.runtime, &self.outbox);
        for slot in self.slots.values_mut() {
            if !matches!(slot.phase, Phase::Idle) || busy >= self.settings.parallel {
                continue;
            }
            slot.fill(batch);
            if slot.wants_pause(batch) == Some(false) {
                slot.paused = false;
                self.log.pause(slot.claim.topic, slot.claim.partition, false);
            }
            if !slot.batch.is_empty() {
                call::handle(slot, handler, runtime, outbox);
                call::prepare(slot, batch, handler, runtime);
                busy += 1;
            }
        }
        Ok(())
    }

    /// Begins to take a partition over; `false` when the log does not answer.
    fn take_over(&mut self, key: (Topic, i32)) -> Result<bool, Failure> {
        match self.log.committed(key.0, key.1) {
            Ok(committed) => {
                self.away = None;
                let Some(slot) = self.slots.get_mut(&key) else { return Ok(true) };
                let Some(next) = committed.next else {
                    return Err(no_offset(self.settings.worker, &key.0.name(&self.settings.prefix), key.1));
                };
                slot.next = next;
                slot.ahead = Ahead::parse(&committed.metadata);
                slot.claim.committed_metadata.clone_from(&slot.ahead.own);
                slot.claim.handed_over = committed.handed_over;
                call::take_over(slot, &self.handler, &self.runtime, &self.outbox);
                Ok(true)
            }
            Err(failure) if failure.class() == Class::Transient => {
                self.away = Some(Instant::now());
                if let Some(slot) = self.slots.get_mut(&key) {
                    slot.again(failure.to_string());
                }
                Ok(false)
            }
            Err(failure) => Err(failure),
        }
    }
}
