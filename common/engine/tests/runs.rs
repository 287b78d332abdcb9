//! Runs over the in-memory log: numbering, the end, deadlines, cancellation, and what a broken run leaves behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pursight_engine::cancel::Cancellations;
use pursight_engine::memory::Memory;
use pursight_engine::{
    Barrier, Ending, Failure, Handler, Inbox, Mark, Outcome, Place, Run, Runner, Runs, Seal, Settings, Status, Stop,
    Worker,
};
use pursight_schemas::{
    Cancel, CommandSucceeded, DiscoveryCancelled, DiscoveryFailed, DiscoveryStarted, Event, Micros,
    SchemaSnapshotCompleted, Topic, WorkItem, codec,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const NOW: i64 = 1_000_000_000;

struct Plain;

impl Seal for Plain {
    fn seal(&self, _tenant: &str, _id: &str, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(bytes.to_vec())
    }
}

#[derive(Default)]
struct Passed(Mutex<Vec<Mark>>);

#[async_trait]
impl Barrier for Passed {
    async fn passed(&self, marks: &[Mark]) -> Result<(), Failure> {
        self.0.lock().unwrap().extend_from_slice(marks);
        Ok(())
    }
}

/// Publishes a start, then does what the item's strategy-free `exact` flag says: hang, or end.
#[derive(Default)]
struct Discoverer {
    transient: AtomicI32,
    attempts: Mutex<Vec<i32>>,
}

#[async_trait]
impl Runner for Discoverer {
    fn place(&self) -> Place {
        Place { worker: "discovery", work: Topic::WorkDiscovery, results: Topic::Schema }
    }

    async fn run(&self, run: &mut Run) -> Result<Ending, Failure> {
        self.attempts.lock().unwrap().push(run.attempt());
        let run_id = run.work().run_id;
        run.publish(vec![DiscoveryStarted { run_id, attempt: run.attempt(), ..DiscoveryStarted::default() }.into()])
            .await?;
        run.settle().await?;
        if run.work().exact {
            std::future::pending::<()>().await;
        }
        if self.transient.fetch_sub(1, Ordering::SeqCst) > 0 {
            return Err(Failure::transient("the test wants a retry", std::io::Error::other("away")));
        }
        let terminal = SchemaSnapshotCompleted { run_id, complete: true, ..SchemaSnapshotCompleted::default() };
        let outcome =
            Outcome::Succeeded { result: [("objects".to_owned(), "0".to_owned())].into(), preview: Vec::new() };
        Ok(Ending { events: vec![terminal.into()], outcome })
    }

    fn stopped(&self, work: &WorkItem, stop: &Stop) -> Vec<Event> {
        let run_id = work.run_id;
        match stop {
            Stop::Cancelled { .. } => vec![DiscoveryCancelled { run_id, ..DiscoveryCancelled::default() }.into()],
            Stop::Deadline => vec![DiscoveryFailed { run_id, ..DiscoveryFailed::default() }.into()],
        }
    }
}

struct Rig {
    memory: Memory,
    runner: Arc<Discoverer>,
    cancellations: Arc<Cancellations>,
    barrier: Arc<Passed>,
    stop: CancellationToken,
    runtime: tokio::runtime::Runtime,
}

impl Rig {
    fn new(transient: i32) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let runner = Arc::new(Discoverer { transient: AtomicI32::new(transient), ..Discoverer::default() });
        let cancellations = Arc::new(Cancellations::default());
        cancellations.set_caught_up();
        Self {
            memory: Memory::default(),
            runner,
            cancellations,
            barrier: Arc::default(),
            stop: CancellationToken::new(),
            runtime,
        }
    }

    /// A process: its own handler over the shared log.
    fn process(&self) -> (std::thread::JoinHandle<Result<(), Failure>>, CancellationToken) {
        let inbox = Inbox::default();
        let log = self.memory.log(inbox.waker());
        let barrier: Arc<dyn Barrier> = Arc::<Passed>::clone(&self.barrier);
        let handler: Arc<dyn Handler> =
            Arc::new(Runs::new(Arc::clone(&self.runner), Arc::clone(&self.cancellations), barrier, "test", || NOW));
        let settings =
            Settings { worker: "discovery", prefix: "test".into(), parallel: 4, batch: 500, seal: Arc::new(Plain) };
        let worker = Worker::new(log, inbox, handler, settings, Status::default(), self.runtime.handle().clone());
        let stop = self.stop.child_token();
        let stopping = stop.clone();
        (std::thread::spawn(move || worker.run(&stopping)), stop)
    }

    fn ask(&self, hang: bool, deadline: i64) -> (Uuid, i32) {
        let run_id = Uuid::from_u128(42);
        let mut work =
            WorkItem { run_id, answers_command: true, exact: hang, deadline: Micros(deadline), ..WorkItem::default() };
        work.meta.tenant_id = "acme".into();
        work.meta.source_id = Some(Uuid::from_u128(7));
        work.meta.command_id = Some(run_id);
        let key = Uuid::from_u128(7).to_string();
        (
            run_id,
            self.memory
                .append(Topic::WorkDiscovery, &key, codec::encode(&work).unwrap(), Vec::new(), Micros(0))
                .partition,
        )
    }

    fn events(&self, topic: Topic) -> Vec<Event> {
        self.memory.records(topic).iter().map(|record| Event::decode(&record.value).unwrap()).collect()
    }

    fn names(&self, topic: Topic) -> Vec<&'static str> {
        self.events(topic).iter().map(|event| pursight_schemas::json::short(event.full_name())).collect()
    }
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < until, "{what} did not come true");
        std::thread::yield_now();
    }
}

#[test]
fn a_run_ends_in_one_terminal_event_and_one_outcome() {
    let rig = Rig::new(0);
    let (run_id, partition) = rig.ask(false, NOW + 60_000_000);
    let (process, _) = rig.process();
    rig.memory.assign(&[(Topic::WorkDiscovery, partition)]);
    eventually("it ends", || !rig.events(Topic::Outcome).is_empty());
    assert_eq!(rig.names(Topic::Schema), ["DiscoveryStarted", "SchemaSnapshotCompleted"]);
    let sequences: Vec<i64> = rig.events(Topic::Schema).iter().map(|event| event.meta().sequence).collect();
    assert_eq!(sequences, [0, 1]);
    let Event::CommandSucceeded(outcome) = &rig.events(Topic::Outcome)[0] else {
        unreachable!("{:?}", rig.names(Topic::Outcome))
    };
    let CommandSucceeded { meta, result, .. } = outcome.as_ref();
    assert_eq!((meta.command_id, meta.tenant_id.as_str(), result["objects"].as_str()), (Some(run_id), "acme", "0"));
    assert_eq!(rig.memory.committed(Topic::WorkDiscovery, partition), (1, String::new()));
    let waited = rig.barrier.0.lock().unwrap().clone();
    assert_eq!(waited, [Mark { topic: Topic::Schema, partition, offset: 0 }], "it waited for its own start");
    rig.stop.cancel();
    process.join().unwrap().unwrap();
}

#[test]
fn a_run_past_its_deadline_is_ended_for_its_runner() {
    let rig = Rig::new(0);
    let (_, partition) = rig.ask(true, NOW + 50_000);
    let (process, _) = rig.process();
    rig.memory.assign(&[(Topic::WorkDiscovery, partition)]);
    eventually("it ends", || !rig.events(Topic::Outcome).is_empty());
    assert_eq!(rig.names(Topic::Schema), ["DiscoveryStarted", "DiscoveryFailed"]);
    let Event::CommandFailed(outcome) = &rig.events(Topic::Outcome)[0] else { unreachable!() };
    assert_eq!(outcome.problem.code, "DEADLINE_EXCEEDED");
    rig.stop.cancel();
    process.join().unwrap().unwrap();
}

#[test]
fn a_cancelled_run_ends_at_once_and_says_by_whom() {
    let rig = Rig::new(0);
    let (run_id, partition) = rig.ask(true, NOW + 60_000_000);
    let (process, _) = rig.process();
    rig.memory.assign(&[(Topic::WorkDiscovery, partition)]);
    eventually("it has started", || !rig.events(Topic::Schema).is_empty());
    let mut cancel = Cancel { run_id: Some(run_id), ..Cancel::default() };
    cancel.meta.actor.principal = "ada".into();
    rig.cancellations.add(&cancel);
    eventually("it ends", || !rig.events(Topic::Outcome).is_empty());
    assert_eq!(rig.names(Topic::Schema), ["DiscoveryStarted", "DiscoveryCancelled"]);
    let Event::CommandCancelled(outcome) = &rig.events(Topic::Outcome)[0] else { unreachable!() };
    assert_eq!(outcome.by.principal, "ada");
    rig.stop.cancel();
    process.join().unwrap().unwrap();
}

#[test]
fn a_retry_is_the_next_attempt_and_numbers_its_events_anew() {
    let rig = Rig::new(2);
    let (_, partition) = rig.ask(false, NOW + 60_000_000);
    let (process, _) = rig.process();
    rig.memory.assign(&[(Topic::WorkDiscovery, partition)]);
    eventually("it ends", || !rig.events(Topic::Outcome).is_empty());
    assert_eq!(*rig.runner.attempts.lock().unwrap(), [1, 2, 3]);
    let ids: std::collections::HashSet<Uuid> =
        rig.events(Topic::Schema).iter().map(|event| event.meta().event_id).collect();
    assert_eq!(ids.len(), 4, "three starts and one end, each with an id of its own");
    assert_eq!(rig.names(Topic::Outcome), ["CommandSucceeded"]);
    rig.stop.cancel();
    process.join().unwrap().unwrap();
}

#[test]
fn a_run_that_killed_three_owners_is_not_started_again() {
    let rig = Rig::new(0);
    let (_, partition) = rig.ask(true, NOW + 600_000_000);
    for started in 1..=3 {
        let (process, stop) = rig.process();
        rig.memory.assign(&[(Topic::WorkDiscovery, partition)]);
        eventually("it has started", || rig.events(Topic::Schema).len() == started);
        rig.memory.revoke(&[(Topic::WorkDiscovery, partition)]);
        stop.cancel();
        process.join().unwrap().unwrap();
    }
    let (process, _) = rig.process();
    rig.memory.assign(&[(Topic::WorkDiscovery, partition)]);
    eventually("it is given up", || !rig.events(Topic::Outcome).is_empty());
    assert_eq!(rig.names(Topic::Outcome), ["CommandDeadLettered"]);
    assert_eq!(
        rig.names(Topic::Schema),
        ["DiscoveryStarted", "DiscoveryStarted", "DiscoveryStarted", "DiscoveryCancelled"]
    );
    rig.stop.cancel();
    process.join().unwrap().unwrap();
}

#[test]
fn a_run_that_waits_for_its_turn_ends_at_once_and_only_once() {
    let rig = Rig::new(0);
    let (first, partition) = rig.ask(true, NOW + 60_000_000);
    let again = |run: u128, deadline: i64| {
        let run_id = Uuid::from_u128(run);
        let mut work = WorkItem { run_id, answers_command: true, deadline: Micros(deadline), ..WorkItem::default() };
        work.meta.tenant_id = "acme".into();
        work.meta.command_id = Some(run_id);
        let key = Uuid::from_u128(7).to_string();
        rig.memory.append(Topic::WorkDiscovery, &key, codec::encode(&work).unwrap(), Vec::new(), Micros(0));
        run_id
    };
    let (cancelled, late, last) = (again(43, NOW + 60_000_000), again(44, NOW - 1), again(45, NOW + 60_000_000));
    let outcomes = || -> Vec<(Uuid, &'static str)> {
        let named =
            |event: &Event| (event.meta().command_id.unwrap(), pursight_schemas::json::short(event.full_name()));
        rig.events(Topic::Outcome).iter().map(named).collect()
    };
    let (process, stop) = rig.process();
    rig.memory.assign(&[(Topic::WorkDiscovery, partition)]);
    eventually("the late one ends behind the one that hangs", || outcomes() == [(late, "CommandFailed")]);
    rig.cancellations.add(&Cancel { run_id: Some(cancelled), ..Cancel::default() });
    eventually("the cancelled one ends too", || outcomes().len() == 2);
    assert_eq!(rig.memory.committed(Topic::WorkDiscovery, partition).0, 0, "the first one still runs");

    // Another owner begins the first one anew, and neither of the others.
    rig.memory.revoke(&[(Topic::WorkDiscovery, partition)]);
    stop.cancel();
    process.join().unwrap().unwrap();
    let (process, _) = rig.process();
    rig.memory.assign(&[(Topic::WorkDiscovery, partition)]);
    eventually("the first one is begun again", || *rig.runner.attempts.lock().unwrap() == [1, 2]);
    rig.cancellations.add(&Cancel { run_id: Some(first), ..Cancel::default() });
    eventually("the last one ends", || outcomes().len() == 4);
    let wanted = [
        (late, "CommandFailed"),
        (cancelled, "CommandCancelled"),
        (first, "CommandCancelled"),
        (last, "CommandSucceeded"),
    ];
    assert_eq!(outcomes(), wanted);
    eventually("nothing is left", || rig.memory.committed(Topic::WorkDiscovery, partition) == (4, String::new()));
    rig.stop.cancel();
    process.join().unwrap().unwrap();
}

#[test]
fn runs_that_are_late_when_they_come_end_once() {
    let rig = Rig::new(0);
    let (process, _) = rig.process();
    let mut partition = None;
    let mut sent = 0;
    // For longer than the pause between two looks at those who wait, so that some come just when they are looked at.
    let until = Instant::now() + Duration::from_millis(1_500);
    while Instant::now() < until {
        let (_, to) = rig.ask(false, NOW - 1);
        if partition.replace(to).is_none() {
            rig.memory.assign(&[(Topic::WorkDiscovery, to)]);
        }
        sent += 1;
        eventually("it has been dealt with", || rig.memory.committed(Topic::WorkDiscovery, to).0 == sent);
    }
    let ends = rig.memory.records(Topic::Outcome).len();
    assert_eq!(i64::try_from(ends).unwrap(), sent, "one outcome each");
    rig.stop.cancel();
    process.join().unwrap().unwrap();
}
