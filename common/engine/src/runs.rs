//! Turns a [`Runner`] into a [`Handler`]: reads a work item, starts or restarts the run, lets it work under its deadline
//! and the cancellations, and ends it with exactly one terminal event and, where it answers a command, one outcome.
//! Takes one item of a partition at a time; several partitions run side by side.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pursight_schemas::{
    Actor, CommandCancelled, CommandDeadLettered, CommandFailed, CommandSucceeded, Coordinates, Event, Micros, Problem,
    ProblemCategory, Topic, WorkItem, codec,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::cancel::Cancellations;
use crate::failure::Failure;
use crate::handler::{Barrier, Claim, Handler};
use crate::message::{Line, Outgoing, Record};
use crate::run_port::{Port, Shared};
use crate::runner::{Ending, Outcome, Run, Runner, Stop};
use crate::trace::TraceParent;

/// A run that was started this often by different owners, and ended none of them well, is not started again.
const MAX_STARTS: i32 = 3;

/// What an owner leaves for the next one, in the metadata of the committed offset.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Checkpoint {
    run_id: Uuid,
    attempt: i32,
    /// Owners that started it; retries by one owner do not count.
    starts: i32,
}

/// A runner in the engine.
pub struct Runs<R> {
    runner: Arc<R>,
    cancellations: Arc<Cancellations>,
    barrier: Arc<dyn Barrier>,
    prefix: String,
    now: fn() -> i64,
    checkpoints: Mutex<HashMap<(Topic, i32), (Checkpoint, bool)>>,
}

impl<R: Runner> Runs<R> {
    /// A handler around `runner`. `now` is the clock of observations, microseconds since 1970.
    pub fn new(
        runner: Arc<R>,
        cancellations: Arc<Cancellations>,
        barrier: Arc<dyn Barrier>,
        prefix: &str,
        now: fn() -> i64,
    ) -> Self {
        Self { runner, cancellations, barrier, prefix: prefix.to_owned(), now, checkpoints: Mutex::default() }
    }

    fn checkpoints(&self) -> MutexGuard<'_, HashMap<(Topic, i32), (Checkpoint, bool)>> {
        self.checkpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next attempt of a run: what earlier ones published stays, numbered apart.
    fn next_attempt(&self, claim: &Claim, run_id: Uuid) -> Checkpoint {
        let next = self.coming_attempt(claim, run_id);
        self.checkpoints().insert((claim.topic(), claim.partition()), (next.clone(), true));
        next
    }

    fn coming_attempt(&self, claim: &Claim, run_id: Uuid) -> Checkpoint {
        match self.checkpoints().get(&(claim.topic(), claim.partition())) {
            Some((last, mine)) if last.run_id == run_id => {
                Checkpoint { run_id, attempt: last.attempt + 1, starts: last.starts + i32::from(!mine) }
            }
            _ => Checkpoint { run_id, attempt: 1, starts: 1 },
        }
    }

    /// Why a run must not begin, or begin again, if there is a reason.
    fn stopped_before(&self, work: &WorkItem) -> Option<Stop> {
        let by = self.cancellations.by(work.run_id, work.meta.source_id, work.meta.occurred_at);
        let late = left_until(work.deadline, (self.now)()).is_zero();
        by.map(|by| Stop::Cancelled { by }).or(late.then_some(Stop::Deadline))
    }

    /// What the partition's last owner left. It may be this process, or one that had the partition in between and went
    /// further: then its attempt counts, or two of them would number their events alike.
    fn inherit(&self, claim: &Claim) {
        let Ok(mut left) = serde_json::from_str::<Checkpoint>(claim.committed_metadata()) else { return };
        // Only a start that its owner did not outlive counts: workers come and go, and a long run must not die of that.
        left.starts -= i32::from(claim.handed_over());
        let mut all = self.checkpoints();
        let key = (claim.topic(), claim.partition());
        let known = all.get(&key).is_some_and(|(mine, _)| mine.run_id == left.run_id && mine.attempt >= left.attempt);
        if !known {
            all.insert(key, (left, false));
        }
    }

    async fn execute(&self, work: WorkItem, record: &Record, claim: &Claim) -> Result<&'static str, Failure> {
        let checkpoint = self.next_attempt(claim, work.run_id);
        let asked_at = work.meta.occurred_at;
        let (run_id, source) = (work.run_id, work.meta.source_id);
        let metadata = serde_json::to_string(&checkpoint).unwrap_or_default();
        let attempt = checkpoint.attempt;
        let trace = TraceParent::of(record.header("traceparent"), work.meta.event_id);
        let shared =
            Shared::new(self.runner.place(), claim.clone(), record.clone(), trace, &work, attempt, metadata, self.now);
        let mut port = Port::new(shared, Arc::clone(&self.barrier));
        if checkpoint.starts > MAX_STARTS {
            return self.dead(&work, record, &mut port).await;
        }
        if let Some(stop) = self.stopped_before(&work) {
            return self.stop(&work, &stop, &mut port).await;
        }
        let left = port.left();
        port.begin().await?;
        let token = tokio_util::sync::CancellationToken::new();
        let guard = token.clone().drop_guard();
        let mut run = Run { work: work.clone(), attempt, cancelled: token, port: Box::new(port.clone()) };
        let ended = tokio::select! {
            ending = self.runner.run(&mut run) => Ok(ending?),
            by = self.cancellations.cancelled(run_id, source, asked_at) => Err(Stop::Cancelled { by }),
            () = tokio::time::sleep(left) => Err(Stop::Deadline),
        };
        drop(guard);
        drop(run);
        match ended {
            Ok(ending) => self.finish(&work, ending, &mut port).await,
            Err(stop) => self.stop(&work, &stop, &mut port).await,
        }
    }

    fn line(&self, work: &WorkItem) -> Line {
        Line {
            tenant_id: work.meta.tenant_id.clone(),
            source_id: work.meta.source_id,
            command_id: work.meta.command_id,
            message_type: format!("{}/{}", self.runner.place().worker, work.kind),
            correlation_id: work.meta.correlation_id,
            ..Line::default()
        }
    }

    async fn finish(&self, work: &WorkItem, ending: Ending, port: &mut Port) -> Result<&'static str, Failure> {
        let Ending { events, outcome } = ending;
        let meta = work.meta.clone();
        let command_type = work.command_type.clone();
        let (event, word): (Event, _) = match outcome {
            Outcome::Succeeded { result, preview } => {
                let (source_id, version) = (meta.source_id, meta.source_id.map(|_| work.version));
                (
                    CommandSucceeded { meta, command_type, source_id, version, result, preview, payload_sha256: None }
                        .into(),
                    "SUCCEEDED",
                )
            }
            Outcome::Failed(problem) => (CommandFailed { meta, command_type, problem }.into(), "FAILED"),
        };
        port.end(events, Some(event)).await?;
        Ok(word)
    }

    async fn stop(&self, work: &WorkItem, stop: &Stop, port: &mut Port) -> Result<&'static str, Failure> {
        let (event, word) = outcome_of(work, stop);
        port.end(self.runner.stopped(work, stop), Some(event)).await?;
        Ok(word)
    }

    async fn dead(&self, work: &WorkItem, record: &Record, port: &mut Port) -> Result<&'static str, Failure> {
        let dead_letter =
            Coordinates { topic: record.topic.name(&self.prefix), partition: record.partition, offset: record.offset };
        let problem = Problem {
            code: "INTERNAL".into(),
            category: ProblemCategory::Internal,
            message: format!(
                "the run was started {MAX_STARTS} times and its worker ended each time before the run did"
            ),
            remedy: Some("look at the workers' logs of that time, then ask for the run again".into()),
            retryable: true,
            ..Problem::default()
        };
        let event = CommandDeadLettered {
            meta: work.meta.clone(),
            command_type: work.command_type.clone(),
            dead_letter,
            problem,
        };
        port.end(self.runner.stopped(work, &Stop::Cancelled { by: Actor::default() }), Some(event.into())).await?;
        Ok(crate::line::DEAD_LETTER)
    }
}

/// What a run that was stopped from outside is answered, and in one word.
fn outcome_of(work: &WorkItem, stop: &Stop) -> (Event, &'static str) {
    let (meta, command_type) = (work.meta.clone(), work.command_type.clone());
    match stop {
        Stop::Cancelled { by } => (CommandCancelled { meta, command_type, by: by.clone() }.into(), "CANCELLED"),
        Stop::Deadline => {
            (CommandFailed { meta, command_type, problem: deadline_problem() }.into(), "DEADLINE_EXCEEDED")
        }
    }
}

/// What a run whose time is up is answered.
pub fn deadline_problem() -> Problem {
    Problem {
        code: "DEADLINE_EXCEEDED".into(),
        category: ProblemCategory::Transient,
        message: "the run did not end before its deadline".into(),
        remedy: Some("ask again with a later deadline, a smaller scope or a stronger strategy".into()),
        retryable: true,
        ..Problem::default()
    }
}

#[async_trait]
impl<R: Runner> Handler for Runs<R> {
    fn batch_size(&self) -> usize {
        1
    }

    async fn take_over(&self, claim: &Claim) -> Result<Option<i64>, Failure> {
        self.cancellations.caught_up().await;
        self.inherit(claim);
        Ok(None)
    }

    async fn handle(&self, batch: &[Record], claim: &Claim) -> Result<Vec<Line>, Failure> {
        let mut lines = Vec::with_capacity(batch.len());
        for record in batch {
            let work: WorkItem = codec::decode(&record.value)
                .map_err(|error| Failure::Poison { code: "UNDECODABLE", what: crate::line::chain(&error) })?;
            let mut line = self.line(&work);
            line.outcome = Box::pin(self.execute(work, record, claim)).await?;
            lines.push(line);
        }
        Ok(lines)
    }

    fn looks_ahead(&self) -> bool {
        true
    }

    fn ends_early(&self, record: &Record, claim: &Claim) -> Option<(Line, Vec<Outgoing>)> {
        let work: WorkItem = codec::decode(&record.value).ok()?;
        let stop = self.stopped_before(&work)?;
        let attempt = self.coming_attempt(claim, work.run_id).attempt;
        let trace = TraceParent::of(record.header("traceparent"), work.meta.event_id);
        let (claim, place) = (claim.clone(), self.runner.place());
        let mut shared = Shared::new(place, claim, record.clone(), trace, &work, attempt, String::new(), self.now);
        let mut outgoing = Vec::new();
        for event in self.runner.stopped(&work, &stop) {
            outgoing.push(shared.numbered(event).ok()?);
        }
        let (outcome, word) = outcome_of(&work, &stop);
        if work.answers_command {
            outgoing.push(shared.outcome(outcome).ok()?);
        }
        Some((Line { outcome: word, ..self.line(&work) }, outgoing))
    }

    fn poisoned(&self, record: &Record, code: &str) -> Vec<Outgoing> {
        let Ok(work) = codec::decode::<WorkItem>(&record.value) else { return Vec::new() };
        if !work.answers_command {
            return Vec::new();
        }
        let dead_letter =
            Coordinates { topic: record.topic.name(&self.prefix), partition: record.partition, offset: record.offset };
        let problem = Problem {
            code: "INTERNAL".into(),
            category: ProblemCategory::Internal,
            message: format!("the work could not be handled ({code})"),
            ..Problem::default()
        };
        let mut meta = work.meta.clone();
        meta.event_id = pursight_schemas::ids::run_outcome_id(work.run_id, 0, 0);
        meta.occurred_at = Micros(record.timestamp.0);
        let event: Event = CommandDeadLettered { meta, command_type: work.command_type, dead_letter, problem }.into();
        let trace = TraceParent::of(record.header("traceparent"), work.meta.event_id);
        Outgoing::event(Topic::Outcome, &work.meta.tenant_id, &event, self.runner.place().worker, &trace)
            .into_iter()
            .collect()
    }
}

/// Time until a deadline, by a clock.
pub(crate) fn left_until(deadline: Micros, now: i64) -> Duration {
    Duration::from_micros(u64::try_from(deadline.0.saturating_sub(now)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use pursight_schemas::Event;

    use super::*;
    use crate::runner::Place;

    struct Idle;

    #[async_trait]
    impl Runner for Idle {
        fn place(&self) -> Place {
            Place { worker: "discovery", work: Topic::WorkDiscovery, results: Topic::Schema }
        }

        async fn run(&self, _run: &mut Run) -> Result<Ending, Failure> {
            Err(Failure::Lost)
        }

        fn stopped(&self, _work: &WorkItem, _stop: &Stop) -> Vec<Event> {
            Vec::new()
        }
    }

    struct Never;

    #[async_trait]
    impl Barrier for Never {
        async fn passed(&self, _marks: &[crate::message::Mark]) -> Result<(), Failure> {
            Err(Failure::Lost)
        }
    }

    fn inherited(runs: &Runs<Idle>, run_id: Uuid, attempt: i32, starts: i32) -> Checkpoint {
        inherit(runs, run_id, attempt, starts, false)
    }

    fn handed_over(runs: &Runs<Idle>, run_id: Uuid, attempt: i32, starts: i32) -> Checkpoint {
        inherit(runs, run_id, attempt, starts, true)
    }

    fn inherit(runs: &Runs<Idle>, run_id: Uuid, attempt: i32, starts: i32, handed_over: bool) -> Checkpoint {
        let mut claim = Claim::detached(Topic::WorkDiscovery, 3);
        claim.handed_over = handed_over;
        claim.committed_metadata = serde_json::to_string(&Checkpoint { run_id, attempt, starts }).unwrap_or_default();
        runs.inherit(&claim);
        runs.next_attempt(&claim, run_id)
    }

    #[test]
    fn an_attempt_is_never_numbered_twice() {
        let runs = Runs::new(Arc::new(Idle), Arc::default(), Arc::new(Never), "test", || 0);
        let run_id = Uuid::from_u128(1);
        assert_eq!(
            runs.next_attempt(&Claim::detached(Topic::WorkDiscovery, 3), run_id),
            Checkpoint { run_id, attempt: 1, starts: 1 }
        );
        // Claimed again after an abort: the same owner goes on.
        assert_eq!(inherited(&runs, run_id, 1, 1), Checkpoint { run_id, attempt: 2, starts: 1 });
        // Another owner had the partition in between and made the third attempt.
        assert_eq!(inherited(&runs, run_id, 3, 2), Checkpoint { run_id, attempt: 4, starts: 3 });
        // That owner gave the partition up in peace: its start does not count, its attempt does.
        assert_eq!(handed_over(&runs, run_id, 5, 3), Checkpoint { run_id, attempt: 6, starts: 3 });
        // Another run begins anew.
        assert_eq!(runs.next_attempt(&Claim::detached(Topic::WorkDiscovery, 3), Uuid::from_u128(2)).attempt, 1);
    }
}
