//! The worker in the engine's loop over the in-memory log: one result and one outcome for each piece of work.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pursight_connection::Worker;
use pursight_connection::connect::{Server, Vault};
use pursight_connectors::postgres::{SessionOptions, TestReport};
use pursight_engine::cancel::Cancellations;
use pursight_engine::memory::Memory;
use pursight_engine::{Barrier, Failure, Handler, Inbox, Mark, Runs, Seal, Settings, Status};
use pursight_schemas::{
    Cancel, DataSourceSpec, Event, Micros, ScopeFilter, SecretRef, SourceType, StepResult, TestResult, Topic, WorkItem,
    WorkKind, codec,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const NOW: i64 = 1_000_000_000;
const RUN: Uuid = Uuid::from_u128(42);

struct Plain;

impl Seal for Plain {
    fn seal(&self, _tenant: &str, _id: &str, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(bytes.to_vec())
    }
}

struct AtOnce;

#[async_trait]
impl Barrier for AtOnce {
    async fn passed(&self, _marks: &[Mark]) -> Result<(), Failure> {
        Ok(())
    }
}

/// A fake server: fine, or silent for ever when its source is called `silent`.
#[derive(Default)]
struct FakeServer(Mutex<Vec<String>>);

#[async_trait]
impl Server for FakeServer {
    async fn test(&self, tenant: &str, spec: &DataSourceSpec, _: &ScopeFilter, _: &SessionOptions) -> TestReport {
        self.0.lock().unwrap().push(format!("{tenant}/{}", spec.name));
        if spec.name == "silent" {
            std::future::pending::<()>().await;
        }
        let mut steps = pursight_connectors::untaken_steps();
        for step in &mut steps {
            step.result = StepResult::Ok;
        }
        TestReport { steps, server: None, latency_us: Some(99) }
    }
}

/// A fake vault whose store is away for its first call.
#[derive(Default)]
struct FakeVault(Mutex<Vec<String>>);

#[async_trait]
impl Vault for FakeVault {
    async fn destroy(&self, tenant: &str, reference: &SecretRef) -> Result<(), Failure> {
        let mut calls = self.0.lock().unwrap();
        calls.push(format!("{tenant} {}", reference.uri));
        if calls.len() == 1 {
            return Err(Failure::transient("destroying a sealed secret", std::io::Error::other("away")));
        }
        Ok(())
    }
}

struct Rig {
    memory: Memory,
    server: Arc<FakeServer>,
    vault: Arc<FakeVault>,
    cancellations: Arc<Cancellations>,
    stop: CancellationToken,
    worker: Option<std::thread::JoinHandle<Result<(), Failure>>>,
    _runtime: tokio::runtime::Runtime,
}

impl Rig {
    fn start() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (server, vault) = (Arc::<FakeServer>::default(), Arc::<FakeVault>::default());
        let cancellations = Arc::new(Cancellations::default());
        cancellations.set_caught_up();
        let memory = Memory::default();
        let inbox = Inbox::default();
        let log = memory.log(inbox.waker());
        let runner = Arc::new(Worker::new(server.clone(), vault.clone()));
        let handler: Arc<dyn Handler> =
            Arc::new(Runs::new(runner, cancellations.clone(), Arc::new(AtOnce), "test", || NOW));
        let settings =
            Settings { worker: "connection", prefix: "test".into(), parallel: 4, batch: 500, seal: Arc::new(Plain) };
        let handle = runtime.handle().clone();
        let worker = pursight_engine::Worker::new(log, inbox, handler, settings, Status::default(), handle);
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let worker = Some(std::thread::spawn(move || worker.run(&stopping)));
        memory.assign(&(0..12).map(|partition| (Topic::WorkConnection, partition)).collect::<Vec<_>>());
        Self { memory, server, vault, cancellations, stop, worker, _runtime: runtime }
    }

    fn give(&self, kind: WorkKind, change: impl FnOnce(&mut WorkItem)) {
        let mut work = WorkItem { run_id: RUN, kind, deadline: Micros(NOW + 30_000_000), ..WorkItem::default() };
        work.meta.tenant_id = "acme".into();
        work.meta.command_id = Some(RUN);
        work.answers_command = true;
        work.command_type = "io.pursight.command.TestConnection".into();
        work.spec.source_type = SourceType::Postgresql;
        work.spec.name = "orders".into();
        change(&mut work);
        // The key of a draft, which has no source, is its run.
        let key = work.meta.source_id.unwrap_or(RUN).to_string();
        self.memory.append(Topic::WorkConnection, &key, codec::encode(&work).unwrap(), Vec::new(), Micros(0));
    }

    /// The events of a topic, once there are so many.
    fn wait(&self, topic: Topic, count: usize) -> Vec<Event> {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let records = self.memory.records(topic);
            if records.len() >= count {
                return records.iter().map(|record| Event::decode(&record.value).unwrap()).collect();
            }
            assert!(Instant::now() < until, "only {} of {count} on {topic:?}", records.len());
            std::thread::yield_now();
        }
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
        if let Some(worker) = self.worker.take() {
            assert!(worker.join().is_ok_and(|ended| ended.is_ok()), "the worker ended well");
        }
    }
}

#[test]
fn a_draft_is_tested_under_the_key_of_its_run() {
    let rig = Rig::start();
    rig.give(WorkKind::Test, |_| {});
    let outcomes = rig.wait(Topic::Outcome, 1);
    let [Event::CommandSucceeded(done)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(done.result["test"], "OK");
    let results = rig.wait(Topic::Connection, 1);
    let [Event::ConnectionTested(tested)] = &results[..] else { panic!("{results:?}") };
    assert_eq!((tested.result, tested.run_id, tested.meta.source_id), (TestResult::Ok, RUN, None));
    assert_eq!((tested.meta.sequence, tested.latency_us, tested.steps.len()), (0, Some(99), 8));
    assert_eq!(rig.memory.records(Topic::Connection)[0].key_text(), Some(RUN.to_string().as_str()));
    assert_eq!(*rig.server.0.lock().unwrap(), ["acme/orders"]);
}

#[test]
fn a_cancelled_test_ends_with_its_event_and_is_cancelled() {
    let rig = Rig::start();
    rig.give(WorkKind::Test, |work| work.spec.name = "silent".into());
    let until = Instant::now() + Duration::from_secs(20);
    while rig.server.0.lock().unwrap().is_empty() {
        assert!(Instant::now() < until, "the test began");
        std::thread::yield_now();
    }
    let mut cancel = Cancel { run_id: Some(RUN), ..Cancel::default() };
    cancel.meta.occurred_at = Micros(NOW);
    cancel.meta.actor.principal = "ann".into();
    rig.cancellations.add(&cancel);
    let outcomes = rig.wait(Topic::Outcome, 1);
    let [Event::CommandCancelled(cancelled)] = &outcomes[..] else { panic!("{outcomes:?}") };
    assert_eq!(cancelled.by.principal, "ann");
    let results = rig.wait(Topic::Connection, 1);
    assert!(matches!(&results[..], [Event::ConnectionTested(tested)] if tested.result == TestResult::Failed));
}

#[test]
fn a_purge_is_repeated_until_the_store_answers() {
    let rig = Rig::start();
    rig.give(WorkKind::RevokeSecrets, |work| {
        work.answers_command = false;
        work.meta.source_id = Some(Uuid::from_u128(7));
        work.spec.credential = Some(SecretRef { uri: "sealed://acme/a".into(), version: None });
    });
    let results = rig.wait(Topic::Connection, 1);
    assert!(matches!(&results[..], [Event::SecretsRevoked(revoked)] if revoked.refs.len() == 1));
    assert_eq!(*rig.vault.0.lock().unwrap(), ["acme sealed://acme/a", "acme sealed://acme/a"]);
    assert!(rig.memory.records(Topic::Outcome).is_empty(), "nobody asked");
}

#[test]
fn work_of_another_kind_is_a_dead_letter_and_the_next_item_is_done() {
    let rig = Rig::start();
    rig.give(WorkKind::Classify, |_| {});
    rig.give(WorkKind::Test, |_| {});
    let outcomes = rig.wait(Topic::Outcome, 2);
    assert!(matches!(&outcomes[..], [Event::CommandDeadLettered(_), Event::CommandSucceeded(_)]), "{outcomes:?}");
    assert_eq!(rig.memory.records(Topic::DeadLetter).len(), 1);
}
