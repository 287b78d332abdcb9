//! The loop over the in-memory log: order, retries, poison, panics, lost partitions, aborted transactions.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, and one handler panics on purpose")]

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pursight_engine::log::{Committed, Happening, Log, NotCommitted, Transaction};
use pursight_engine::memory::{Memory, MemoryLog};
use pursight_engine::{
    Claim, Failure, Handler, Inbox, Line, Mark, Outgoing, Record, Seal, Settings, State, Status, Worker,
};
use pursight_schemas::topics::partition_of;
use pursight_schemas::{Micros, Topic};
use tokio_util::sync::CancellationToken;

struct NoSeal;

impl Seal for NoSeal {
    fn seal(&self, _tenant: &str, _id: &str, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(bytes.to_vec())
    }
}

/// Copies each record to the source topic; what it does with certain values is the subject of each test.
#[derive(Default)]
struct Copier {
    failures: AtomicU32,
    away: AtomicBool,
    panics: AtomicU32,
    lost: Mutex<Vec<i32>>,
    gate: Mutex<Option<tokio::sync::oneshot::Receiver<()>>>,
}

#[async_trait]
impl Handler for Copier {
    async fn handle(&self, batch: &[Record], claim: &Claim) -> Result<Vec<Line>, Failure> {
        let gate = self.gate.lock().unwrap().take();
        if let Some(gate) = gate {
            let _ = gate.await;
        }
        let mut events = Vec::new();
        for record in batch {
            match record.value.as_slice() {
                b"panic" => {
                    self.panics.fetch_add(1, Ordering::SeqCst);
                    panic!("as the test wants");
                }
                b"poison" => return Err(Failure::Poison { code: "UNDECODABLE", what: "as the test wants".into() }),
                b"flaky" if self.failures.fetch_add(1, Ordering::SeqCst) < 3 => {
                    return Err(Failure::transient("the test wants a retry", std::io::Error::other("away")));
                }
                b"dependent" if self.away.load(Ordering::SeqCst) => {
                    return Err(Failure::transient("the test's dependency is away", std::io::Error::other("away")));
                }
                b"fatal" => return Err(Failure::fatal("as the test wants", "nothing")),
                value => events.push(Outgoing {
                    topic: Topic::Source,
                    partition: Some(record.partition),
                    key: "t".into(),
                    value: value.to_vec(),
                    headers: Vec::new(),
                }),
            }
        }
        let next = batch.last().unwrap().offset + 1;
        claim.commit(events, Some(next), String::new()).await?;
        Ok(batch.iter().map(|_| Line { outcome: "COPIED", ..Line::default() }).collect())
    }

    fn lost(&self, _topic: Topic, partition: i32) {
        self.lost.lock().unwrap().push(partition);
    }
}

struct Rig<H = Copier> {
    memory: Memory,
    handler: Arc<H>,
    status: Status,
    stop: CancellationToken,
    thread: Option<JoinHandle<Result<(), Failure>>>,
    _runtime: tokio::runtime::Runtime,
}

impl<H: Handler> Rig<H> {
    fn start(handler: H) -> Self {
        Self::over(Memory::default(), handler, |log| log)
    }

    /// With something between the worker and its log.
    fn over<L: Log + 'static>(memory: Memory, handler: H, between: impl FnOnce(MemoryLog) -> L) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (handler, status, stop) = (Arc::new(handler), Status::default(), CancellationToken::new());
        let inbox = Inbox::default();
        let log = between(memory.log(inbox.waker()));
        let settings =
            Settings { worker: "copier", prefix: "test".into(), parallel: 4, batch: 500, seal: Arc::new(NoSeal) };
        let shared: Arc<dyn Handler> = Arc::<H>::clone(&handler);
        let worker = Worker::new(log, inbox, shared, settings, status.clone(), runtime.handle().clone());
        let stopping = stop.clone();
        let thread = Some(std::thread::spawn(move || worker.run(&stopping)));
        Self { memory, handler, status, stop, thread, _runtime: runtime }
    }

    fn send(&self, value: &str) -> i32 {
        self.memory.append(Topic::Command, "tenant", value.as_bytes().to_vec(), Vec::new(), Micros(0)).partition
    }

    fn end(mut self) -> Result<(), Failure> {
        self.stop.cancel();
        self.thread.take().unwrap().join().unwrap()
    }
}

impl Rig {
    fn copied(&self) -> Vec<String> {
        let text = |record: &Record| String::from_utf8(record.value.clone()).unwrap();
        self.memory.records(Topic::Source).iter().map(text).collect()
    }
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < until, "{what} did not come true");
        std::thread::yield_now();
    }
}

/// When it is told to, a record comes in right after the worker has looked.
struct Late {
    log: MemoryLog,
    memory: Memory,
    looks: Arc<AtomicU32>,
    told: Arc<AtomicBool>,
}

impl Log for Late {
    fn poll(&mut self) -> Vec<Happening> {
        let found = self.log.poll();
        self.looks.fetch_add(1, Ordering::SeqCst);
        if self.told.swap(false, Ordering::SeqCst) {
            self.memory.append(Topic::Command, "tenant", b"late".to_vec(), Vec::new(), Micros(0));
        }
        found
    }

    fn committed(&mut self, topic: Topic, partition: i32) -> Result<Committed, Failure> {
        self.log.committed(topic, partition)
    }

    fn begin(&mut self, topic: Topic, partition: i32, offset: i64) -> Result<bool, Failure> {
        self.log.begin(topic, partition, offset)
    }

    fn pause(&mut self, topic: Topic, partition: i32, paused: bool) {
        self.log.pause(topic, partition, paused);
    }

    fn transact(&mut self, transaction: &Transaction<'_>) -> Result<Vec<Mark>, NotCommitted> {
        self.log.transact(transaction)
    }

    fn leave(&mut self) {
        self.log.leave();
    }
}

#[test]
fn what_comes_in_right_after_a_look_is_not_left_until_the_next_idle_one() {
    let (memory, looks, told) = (Memory::default(), Arc::new(AtomicU32::new(0)), Arc::new(AtomicBool::new(false)));
    let rig = Rig::over(memory.clone(), Copier::default(), |log| Late {
        log,
        memory,
        looks: Arc::clone(&looks),
        told: Arc::clone(&told),
    });
    rig.memory.assign(&[(Topic::Command, partition_of(b"tenant", Topic::Command.partitions()))]);
    let start = Instant::now();
    for sent in 0..10 {
        eventually("the last one is copied", || rig.copied().len() == sent);
        // Until the worker has nothing else to be woken by.
        for _ in 0..5 {
            let before = looks.load(Ordering::SeqCst);
            rig.memory.wake();
            eventually("it looks", || looks.load(Ordering::SeqCst) > before);
        }
        told.store(true, Ordering::SeqCst);
        rig.memory.wake();
    }
    eventually("all are copied", || rig.copied().len() == 10);
    // An idle worker looks every 500 ms: left until then, ten records would take five seconds.
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    rig.end().unwrap();
}

#[test]
fn records_are_copied_once_and_in_order() {
    let rig = Rig::start(Copier::default());
    let partition = (0..200).map(|at| rig.send(&at.to_string())).last().unwrap();
    rig.memory.assign(&[(Topic::Command, partition)]);
    eventually("all are copied", || rig.copied().len() == 200);
    assert_eq!(rig.copied(), (0..200).map(|at| at.to_string()).collect::<Vec<_>>());
    assert_eq!(rig.memory.committed(Topic::Command, partition).0, 200);
    rig.end().unwrap();
}

/// Two records at a time; the first batch goes on only when the record behind it has been shown.
#[derive(Default)]
struct Waiting {
    shown: Mutex<Vec<Vec<u8>>>,
    is_shown: tokio::sync::Notify,
}

#[async_trait]
impl Handler for Waiting {
    fn batch_size(&self) -> usize {
        2
    }

    fn prepares(&self) -> bool {
        true
    }

    fn prepare(&self, records: &[Record], _claim: &Claim) {
        self.shown.lock().unwrap().extend(records.iter().map(|record| record.value.clone()));
        self.is_shown.notify_one();
        panic!("of no account");
    }

    async fn handle(&self, batch: &[Record], claim: &Claim) -> Result<Vec<Line>, Failure> {
        if batch.len() == 2 {
            self.is_shown.notified().await;
        }
        claim.commit(Vec::new(), Some(batch.last().unwrap().offset + 1), String::new()).await?;
        Ok(batch.iter().map(|_| Line::default()).collect())
    }
}

#[test]
fn what_comes_next_is_shown_while_the_batch_before_it_is_handled() {
    let rig = Rig::start(Waiting::default());
    let partition = ["one", "two", "three"].map(|value| rig.send(value))[0];
    rig.memory.assign(&[(Topic::Command, partition)]);
    eventually("all are handled", || rig.memory.committed(Topic::Command, partition).0 == 3);
    assert_eq!(*rig.handler.shown.lock().unwrap(), [b"three"]);
    rig.end().unwrap();
}

#[test]
fn a_transient_failure_is_retried_in_place_and_nothing_is_skipped() {
    let rig = Rig::start(Copier::default());
    let partition = rig.send("flaky");
    rig.send("after");
    rig.memory.assign(&[(Topic::Command, partition)]);
    eventually("both are copied", || rig.copied() == ["flaky", "after"]);
    assert_eq!(rig.handler.failures.load(Ordering::SeqCst), 4);
    rig.end().unwrap();
}

#[test]
fn readiness_says_what_a_partition_waits_for() {
    let rig = Rig::start(Copier { away: AtomicBool::new(true), ..Copier::default() });
    let partition = rig.send("dependent");
    rig.memory.assign(&[(Topic::Command, partition)]);
    let waits = format!("command partition {partition} waits for a dependency: the test's dependency is away");
    eventually("it says so", || rig.status.get().0 == State::Waiting(waits.clone()));
    rig.handler.away.store(false, Ordering::SeqCst);
    eventually("it is copied", || rig.copied() == ["dependent"]);
    eventually("it is ready", || rig.status.get().0 == State::Ready);
    rig.end().unwrap();
}

#[test]
fn poison_becomes_a_dead_letter_and_its_neighbours_go_through() {
    let rig = Rig::start(Copier::default());
    let partition = rig.send("before");
    rig.send("poison");
    rig.send("after");
    rig.memory.assign(&[(Topic::Command, partition)]);
    eventually("the neighbours are copied", || rig.copied() == ["before", "after"]);
    let dead = rig.memory.records(Topic::DeadLetter);
    assert_eq!(dead.len(), 1);
    let header = |name: &str| dead[0].header(&format!("pursight-dlq-{name}")).unwrap().to_owned();
    assert_eq!(
        (header("topic"), header("partition"), header("offset"), header("code"), header("worker"), header("attempts")),
        (
            "test.command.v1".into(),
            partition.to_string(),
            "1".into(),
            "UNDECODABLE".into(),
            "copier".into(),
            "1".into()
        )
    );
    assert_eq!(
        (header("first-failed-at"), header("version")),
        ("1970-01-01T00:00:00.000000Z".into(), env!("CARGO_PKG_VERSION").into())
    );
    assert_eq!(dead[0].value, b"poison");
    rig.end().unwrap();
}

#[test]
fn a_message_that_panics_twice_alone_is_a_dead_letter() {
    let rig = Rig::start(Copier::default());
    let partition = rig.send("before");
    rig.send("panic");
    rig.send("after");
    rig.memory.assign(&[(Topic::Command, partition)]);
    eventually("the neighbours are copied", || rig.copied() == ["before", "after"]);
    assert_eq!(rig.memory.records(Topic::DeadLetter)[0].header("pursight-dlq-code"), Some("PANIC"));
    assert_eq!(rig.handler.panics.load(Ordering::SeqCst), 3, "once in the batch, twice alone");
    rig.end().unwrap();
}

#[test]
fn an_aborted_transaction_is_decided_again_from_the_committed_offset() {
    let rig = Rig::start(Copier::default());
    rig.memory.abort_next(2);
    let partition = rig.send("one");
    rig.memory.assign(&[(Topic::Command, partition)]);
    eventually("it is copied", || rig.copied() == ["one"]);
    assert_eq!(*rig.handler.lost.lock().unwrap(), [partition, partition], "staged state is dropped at each abort");
    assert_eq!(rig.memory.committed(Topic::Command, partition).0, 1);
    rig.end().unwrap();
}

#[test]
fn what_arrives_while_an_aborted_batch_waits_does_not_overtake_it() {
    let rig = Rig::start(Copier::default());
    rig.memory.abort_next(1);
    let partition = rig.send("one");
    rig.memory.assign(&[(Topic::Command, partition)]);
    eventually("the abort is known", || !rig.handler.lost.lock().unwrap().is_empty());
    rig.send("two");
    eventually("both are copied", || rig.copied().len() >= 2);
    assert_eq!(rig.copied(), ["one", "two"]);
    assert_eq!(rig.memory.committed(Topic::Command, partition).0, 2);
    rig.end().unwrap();
}

#[test]
fn a_commit_after_the_partition_was_lost_writes_nothing() {
    let (open, gate) = tokio::sync::oneshot::channel();
    let rig = Rig::start(Copier { gate: Mutex::new(Some(gate)), ..Copier::default() });
    let partition = rig.send("late");
    rig.memory.assign(&[(Topic::Command, partition)]);
    eventually("the handler has it", || rig.handler.gate.lock().unwrap().is_none());
    rig.memory.revoke(&[(Topic::Command, partition)]);
    eventually("the loss is known", || !rig.handler.lost.lock().unwrap().is_empty());
    drop(open);
    rig.memory.assign(&[(Topic::Command, partition)]);
    eventually("the next owner copies it", || !rig.copied().is_empty());
    assert_eq!(rig.copied(), ["late"]);
    rig.end().unwrap();
}

#[test]
fn a_fatal_failure_stops_the_worker_and_commits_nothing() {
    let mut rig = Rig::start(Copier::default());
    let partition = rig.send("fatal");
    rig.memory.assign(&[(Topic::Command, partition)]);
    let error = rig.thread.take().unwrap().join().unwrap().unwrap_err();
    assert!(matches!(error, Failure::Fatal { .. }));
    assert!(matches!(rig.status.get().0, State::Failed(_)));
    assert_eq!(rig.memory.committed(Topic::Command, partition).0, 0);
}

#[test]
fn a_flood_of_poison_stops_the_worker() {
    let mut rig = Rig::start(Copier::default());
    let partition = (0..30).map(|_| rig.send("poison")).last().unwrap();
    rig.memory.assign(&[(Topic::Command, partition)]);
    let error = rig.thread.take().unwrap().join().unwrap().unwrap_err();
    assert!(error.to_string().contains("too many records"), "{error}");
    assert_eq!(rig.memory.records(Topic::DeadLetter).len(), 21);
}
