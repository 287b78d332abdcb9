//! How a run reaches the log: numbers its events, keeps transactions small, remembers where they lie.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pursight_schemas::{CommandProgressed, Event, Micros, Topic, WorkItem, ids};
use tokio::sync::Mutex;

use crate::failure::Failure;
use crate::handler::{Barrier, Claim};
use crate::message::{Mark, Outgoing, Record};
use crate::runner::{Place, RunPort};
use crate::runs::left_until;
use crate::trace::TraceParent;

/// Largest transaction of a run.
const MAX_EVENTS: usize = 500;
const MAX_BYTES: usize = 512 * 1024;
/// Progress is told at most this often.
const PROGRESS_EVERY: Duration = Duration::from_secs(1);

/// Everything about a run that does not change while it lasts, and its counters.
pub(crate) struct Shared {
    place: Place,
    claim: Claim,
    record: Record,
    trace: TraceParent,
    work: WorkItem,
    attempt: i32,
    metadata: String,
    now: fn() -> i64,
    sequence: i64,
    outcomes: i64,
    marks: Vec<Mark>,
    told: Option<Instant>,
}

impl Shared {
    #[expect(clippy::too_many_arguments, reason = "a private constructor whose arguments are all different things")]
    pub(crate) fn new(
        place: Place,
        claim: Claim,
        record: Record,
        trace: TraceParent,
        work: &WorkItem,
        attempt: i32,
        metadata: String,
        now: fn() -> i64,
    ) -> Self {
        let work = work.clone();
        Self {
            place,
            claim,
            record,
            trace,
            work,
            attempt,
            metadata,
            now,
            sequence: 0,
            outcomes: 0,
            marks: Vec::new(),
            told: None,
        }
    }

    /// Numbers and dates an event of the results topic.
    pub(crate) fn numbered(&mut self, mut event: Event) -> Result<Outgoing, Failure> {
        let sequence = self.sequence;
        self.sequence += 1;
        let meta = event.meta_mut();
        *meta = self.work.meta.clone();
        meta.event_id = ids::run_event_id(self.work.run_id, self.attempt, sequence);
        meta.sequence = sequence;
        meta.occurred_at = Micros((self.now)());
        meta.causation_id = Some(self.work.meta.event_id);
        let key = self.record.key_text().unwrap_or_default().to_owned();
        let outgoing = Outgoing::event(self.place.results, &key, &event, self.place.worker, &self.trace)?;
        Ok(outgoing.on_partition(self.record.partition))
    }

    /// Numbers and dates an event of the outcome topic.
    pub(crate) fn outcome(&mut self, mut event: Event) -> Result<Outgoing, Failure> {
        let position = self.outcomes;
        self.outcomes += 1;
        let meta = event.meta_mut();
        *meta = self.work.meta.clone();
        meta.event_id = ids::run_outcome_id(self.work.run_id, self.attempt, position);
        meta.sequence = position;
        meta.occurred_at = Micros((self.now)());
        meta.causation_id = Some(self.work.meta.event_id);
        Ok(Outgoing::event(Topic::Outcome, &self.work.meta.tenant_id, &event, self.place.worker, &self.trace)?)
    }

    async fn commit(&mut self, events: Vec<Outgoing>, next: Option<i64>) -> Result<(), Failure> {
        let metadata = if next.is_some() { String::new() } else { self.metadata.clone() };
        let committed = self.claim.commit(events, next, metadata).await?;
        for mark in committed.marks {
            match self.marks.iter_mut().find(|known| (known.topic, known.partition) == (mark.topic, mark.partition)) {
                Some(known) => known.offset = known.offset.max(mark.offset),
                None => self.marks.push(mark),
            }
        }
        Ok(())
    }
}

/// A handle to the shared part; the run has one, the engine keeps one for the end.
#[derive(Clone)]
pub(crate) struct Port {
    shared: Arc<Mutex<Shared>>,
    barrier: Arc<dyn Barrier>,
    deadline: Micros,
    now: fn() -> i64,
}

impl Port {
    pub(crate) fn new(shared: Shared, barrier: Arc<dyn Barrier>) -> Self {
        let (deadline, now) = (shared.work.deadline, shared.now);
        Self { shared: Arc::new(Mutex::new(shared)), barrier, deadline, now }
    }

    pub(crate) fn left(&self) -> Duration {
        left_until(self.deadline, (self.now)())
    }

    /// Leaves a trace of the start for the next owner.
    pub(crate) async fn begin(&self) -> Result<(), Failure> {
        self.shared.lock().await.commit(Vec::new(), None).await
    }

    /// Writes the last events, the outcome where a command waits for it, and moves past the work item.
    pub(crate) async fn end(&mut self, events: Vec<Event>, outcome: Option<Event>) -> Result<(), Failure> {
        let mut shared = self.shared.lock().await;
        let mut outgoing = Vec::with_capacity(events.len() + 1);
        for event in events {
            outgoing.push(shared.numbered(event)?);
        }
        // All but what fits the last transaction goes first, the terminal event last and with the outcome.
        while outgoing.len() > MAX_EVENTS || size(&outgoing) > MAX_BYTES && outgoing.len() > 1 {
            let take = fitting(&outgoing[..outgoing.len() - 1]);
            let rest = outgoing.split_off(take);
            shared.commit(std::mem::replace(&mut outgoing, rest), None).await?;
        }
        if let Some(outcome) = outcome.filter(|_| shared.work.answers_command) {
            let outcome = shared.outcome(outcome)?;
            outgoing.push(outcome);
        }
        let next = shared.record.offset + 1;
        shared.commit(outgoing, Some(next)).await
    }
}

fn size(events: &[Outgoing]) -> usize {
    events.iter().map(|event| event.value.len()).sum()
}

/// How many of the first events fit one transaction; at least one.
fn fitting(events: &[Outgoing]) -> usize {
    let mut bytes = 0;
    let fits = |event: &&Outgoing| {
        bytes += event.value.len();
        bytes <= MAX_BYTES
    };
    events.iter().take(MAX_EVENTS).take_while(fits).count().max(1)
}

#[async_trait]
impl RunPort for Port {
    async fn publish(&mut self, events: Vec<Event>) -> Result<(), Failure> {
        let mut shared = self.shared.lock().await;
        let mut outgoing = Vec::with_capacity(events.len());
        for event in events {
            outgoing.push(shared.numbered(event)?);
        }
        while !outgoing.is_empty() {
            let rest = outgoing.split_off(fitting(&outgoing));
            shared.commit(std::mem::replace(&mut outgoing, rest), None).await?;
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), Failure> {
        let marks = self.shared.lock().await.marks.clone();
        self.barrier.passed(&marks).await
    }

    async fn progress(&mut self, done: i64, total: Option<i64>, message: &str) -> Result<(), Failure> {
        let mut shared = self.shared.lock().await;
        if !shared.work.answers_command || shared.told.is_some_and(|told| told.elapsed() < PROGRESS_EVERY) {
            return Ok(());
        }
        shared.told = Some(Instant::now());
        let command_type = shared.work.command_type.clone();
        let event = CommandProgressed {
            command_type,
            done,
            total,
            message: message.to_owned(),
            ..CommandProgressed::default()
        };
        let outgoing = shared.outcome(event.into())?;
        shared.commit(vec![outgoing], None).await
    }

    fn time_left(&self) -> Duration {
        self.left()
    }
}
