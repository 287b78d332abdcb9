//! What the loop does when a handler's call has ended: go on, try again, start over, give up, or stop.
//! The classes of failure are decided in `failure.rs`; here is what follows from them.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fail::fail_point;
use futures::FutureExt as _;
use pursight_schemas::Topic;

use crate::dead_letter::{Why, dead_letter};
use crate::failure::{Class, Failure};
use crate::line::{self, Untold};
use crate::log::{Log, NotCommitted};
use crate::metrics;
use crate::slot::{Ended, Phase, Slot};
use crate::worker::{Ask, Worker};

/// Handlers are asked this often whether they went astray.
const LOOK_AFTER: Duration = Duration::from_secs(2);
const PANICKED: &str = "its handler panicked";

impl<L: Log> Worker<L> {
    pub(crate) fn ended(&mut self, key: (Topic, i32), ended: Ended) -> Result<(), Failure> {
        match ended {
            Ended::TookOver(Ok(start)) => self.took_over(key, start),
            Ended::Handled(Ok(lines)) => {
                let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
                let (attempt, took) = (slot.attempt, slot.began.elapsed());
                metrics::batch(self.settings.worker, took);
                let records = slot.done();
                let mut stop = false;
                for line in &lines {
                    stop |= self.brake.count(line.outcome == line::DEAD_LETTER);
                }
                self.untold.push(Untold { records, lines, attempt, took });
                if stop { Err(too_many_dead_letters()) } else { Ok(()) }
            }
            Ended::Handled(Err(Failure::Lost)) => {
                fail_point!("planted::no-rewind-after-an-abort", |_| self.ended(key, Ended::Handled(Ok(Vec::new()))));
                self.restart(key);
                Ok(())
            }
            Ended::TookOver(Err(Failure::Lost)) => {
                self.restart(key);
                Ok(())
            }
            Ended::TookOver(Err(failure)) | Ended::Handled(Err(failure)) => self.failed(key, failure),
            Ended::Panicked => self.panicked(key),
        }
    }

    fn took_over(&mut self, key: (Topic, i32), start: Option<i64>) -> Result<(), Failure> {
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        slot.next = start.unwrap_or(slot.next);
        slot.phase = Phase::Beginning;
        slot.attempt = 1;
        self.begin(key)
    }

    /// Has the log deliver from where the partition stands; again at the next turn if it is not ready yet.
    pub(crate) fn begin(&mut self, key: (Topic, i32)) -> Result<(), Failure> {
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        if self.log.begin(key.0, key.1, slot.next)? {
            // After an abort the log went on delivering: what came lies behind what comes again, and is in that too.
            slot.empty();
            slot.phase = Phase::Idle;
        }
        Ok(())
    }

    /// Asks the handler, beside the loop, whether it went astray.
    pub(crate) fn look_after(&mut self) {
        if self.looked.is_none_or(|looked| looked.elapsed() < LOOK_AFTER) {
            return;
        }
        self.looked = None;
        let (handler, outbox) = (Arc::clone(&self.handler), self.outbox.clone());
        self.runtime.spawn(async move {
            let astray = AssertUnwindSafe(handler.astray()).catch_unwind().await;
            // The loop may have ended: then nobody wants to know.
            drop(outbox.send(Ask::Astray(astray.unwrap_or_default())));
        });
    }

    /// Takes partitions over anew of which the handler says that it went astray.
    pub(crate) fn astray(&mut self, partitions: &[(Topic, i32)]) {
        self.looked = Some(Instant::now());
        // What is under way notices by itself.
        let idle = |slot: &&Slot| matches!(slot.phase, Phase::Idle) && partitions.contains(&slot.key());
        let astray: Vec<_> = self.slots.values().filter(idle).map(Slot::key).collect();
        astray.into_iter().for_each(|key| self.restart(key));
    }

    /// Forgets everything about an owned partition and claims it anew, from the committed offset.
    pub(crate) fn restart(&mut self, key: (Topic, i32)) {
        self.handler.lost(key.0, key.1);
        let claim = self.claim(key.0, key.1);
        if let Some(slot) = self.slots.get_mut(&key) {
            slot.abort();
            let delays = std::mem::replace(&mut slot.delays, crate::retry::Delays::ours());
            let attempt = slot.attempt;
            *slot = Slot::new(claim);
            (slot.delays, slot.attempt) = (delays, attempt);
            slot.again("nothing could be committed");
        }
    }

    fn failed(&mut self, key: (Topic, i32), failure: Failure) -> Result<(), Failure> {
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        match failure.class() {
            Class::Transient => {
                metrics::retry(self.settings.worker);
                if slot.attempt == 1 {
                    let error = line::chain(&failure);
                    tracing::warn!(
                        worker = self.settings.worker,
                        topic = key.0.short(),
                        partition = key.1,
                        error,
                        "will be tried again"
                    );
                }
                slot.again(failure.to_string());
                Ok(())
            }
            Class::Poison if slot.batch.len() > 1 => {
                slot.split();
                Ok(())
            }
            Class::Poison => match failure {
                Failure::Poison { code, .. } => self.give_up(key, code),
                other => Err(other),
            },
            Class::Fatal => Err(failure),
        }
    }

    fn panicked(&mut self, key: (Topic, i32)) -> Result<(), Failure> {
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        tracing::error!(
            worker = self.settings.worker,
            topic = key.0.short(),
            partition = key.1,
            records = slot.batch.len(),
            "handler panicked"
        );
        match (slot.batch.len(), slot.panicked_before) {
            (0, _) => {
                slot.again(PANICKED);
                Ok(())
            }
            (1, true) => self.give_up(key, "PANIC"),
            (1, false) => {
                slot.panicked_before = true;
                slot.again(PANICKED);
                Ok(())
            }
            _ => {
                slot.split();
                Ok(())
            }
        }
    }

    /// Writes the dead letter of the record at the front, and goes on behind it.
    fn give_up(&mut self, key: (Topic, i32), code: &'static str) -> Result<(), Failure> {
        let Some(slot) = self.slots.get(&key) else { return Ok(()) };
        let Some(record) = slot.batch.first().cloned() else { return Ok(()) };
        let topic = record.topic.name(&self.settings.prefix);
        let (attempts, first_failed_at) = (slot.attempt, record.timestamp);
        let why = Why { code, worker: self.settings.worker, topic: &topic, attempts, first_failed_at };
        let mut events = vec![dead_letter(&record, why, self.settings.seal.as_ref())?];
        events.extend(self.handler.poisoned(&record, code));
        match self.transact(key, record.offset + 1, "", &events) {
            Ok(_) => {}
            Err(NotCommitted::Aborted(_)) => {
                self.restart(key);
                return Ok(());
            }
            Err(NotCommitted::Fatal(failure)) => return Err(failure),
        }
        line::write_dead(&self.settings, &record, code, attempts);
        if let Some(slot) = self.slots.get_mut(&key) {
            drop(slot.done());
        }
        if self.brake.count(true) { Err(too_many_dead_letters()) } else { Ok(()) }
    }
}

fn too_many_dead_letters() -> Failure {
    Failure::fatal(
        "too many records in a row could not be handled",
        "compare this version with the one before; look at `pursight dead-letter list`",
    )
}
