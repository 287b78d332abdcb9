//! A made-up server whose misbehaviour is scripted, and a worker over the in-memory log that reads it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pursight_connectors::postgres::catalog::{CatalogObject, Listed, Listing, Pace, PageItem, Visibility, glob};
use pursight_discovery::Worker as Discovery;
use pursight_discovery::inspect::{Inspector, Paging, Reader};
use pursight_discovery::memory::Memory as LastKnown;
use pursight_engine::cancel::Cancellations;
use pursight_engine::memory::Memory;
use pursight_engine::{Barrier, Failure, Handler, Inbox, Mark, Runs, Seal, Settings, Status, Worker};
use pursight_schemas::{Event, Micros, ObjectKind, Problem, ScopeFilter, Topic, WorkItem, codec};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub const NOW: i64 = 1_000_000_000;

/// What the next call of a kind does instead of answering.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// The session breaks; another one may do.
    Killed,
    /// It will never work.
    Refused,
    /// No answer ever.
    Hangs,
}

#[derive(Default)]
pub struct Script {
    /// By database.
    pub objects: Vec<CatalogObject>,
    pub databases: Vec<String>,
    pub opens: VecDeque<Fault>,
    pub listings: VecDeque<Fault>,
    /// After so many pages of a session: the fault.
    pub pages: VecDeque<(usize, Fault)>,
    pub unreadable: Vec<String>,
    /// Locked for so many readings.
    pub locked: Vec<(String, usize)>,
    pub sessions: usize,
    pub open_now: usize,
    pub most_open: usize,
    pub details: usize,
}

#[derive(Clone, Default)]
pub struct Server(pub Arc<Mutex<Script>>);

impl Server {
    pub fn with<T>(&self, act: impl FnOnce(&mut Script) -> T) -> T {
        act(&mut self.0.lock().expect("no test panics with it"))
    }
}

async fn act(fault: Option<Fault>) -> Result<(), Problem> {
    let problem = |code: &str, retryable| Problem { code: code.into(), retryable, ..Problem::default() };
    match fault {
        None => Ok(()),
        Some(Fault::Killed) => Err(problem("CONNECTION_REFUSED", true)),
        Some(Fault::Refused) => Err(problem("AUTHENTICATION_FAILED", false)),
        Some(Fault::Hangs) => std::future::pending().await,
    }
}

#[async_trait]
impl Inspector for Server {
    async fn open(&self, work: &WorkItem, database: Option<&str>, _left: Duration) -> Result<Box<dyn Reader>, Problem> {
        let fault = self.with(|script| script.opens.pop_front());
        act(fault).await?;
        self.with(|script| {
            script.sessions += 1;
            script.open_now += 1;
            script.most_open = script.most_open.max(script.open_now);
        });
        let database = database.or(work.spec.database.as_deref()).unwrap_or("db").to_owned();
        Ok(Box::new(Session { server: self.clone(), database }))
    }
}

struct Session {
    server: Server,
    database: String,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.server.with(|script| script.open_now -= 1);
    }
}

fn listed(object: &CatalogObject) -> Listed {
    let CatalogObject { kind, schema, name, native_id, .. } = object.clone();
    Listed { kind, schema, name, native_id, parent: None }
}

#[async_trait]
impl Reader for Session {
    fn database(&self) -> &str {
        &self.database
    }

    async fn databases(&self) -> Result<Vec<String>, Problem> {
        Ok(self.server.with(|script| script.databases.clone()))
    }

    async fn sight(&self) -> Result<(Visibility, String), Problem> {
        Ok((Visibility::default(), self.server.with(|script| format!("{:?}", script.objects))))
    }

    async fn listing(&self, scope: &ScopeFilter) -> Result<Listing, Problem> {
        let fault = self.server.with(|script| script.listings.pop_front());
        act(fault).await?;
        let objects = self.server.with(|script| script.objects.clone());
        let mine = objects.iter().filter(|object| object.catalog == self.database);
        let objects = mine.filter(|object| glob::in_scope(scope, &object.schema, &object.name)).map(listed).collect();
        Ok(Listing { catalog: self.database.clone(), objects, complete: true })
    }

    async fn schemas(&self) -> Result<Vec<String>, Problem> {
        Ok(vec!["s".into()])
    }

    fn pages<'a>(&'a self, objects: Vec<Listed>, _pace: Pace) -> Box<dyn Paging + 'a> {
        let fault = self.server.with(|script| script.pages.pop_front());
        Box::new(Pages { session: self, left: objects.into(), fault, read: 0 })
    }

    fn cost(&self) -> (i64, i64) {
        (1, 10)
    }
}

struct Pages<'a> {
    session: &'a Session,
    left: VecDeque<Listed>,
    fault: Option<(usize, Fault)>,
    read: usize,
}

#[async_trait]
impl Paging for Pages<'_> {
    async fn next(&mut self) -> Result<Option<Vec<PageItem>>, Problem> {
        if let Some((_, fault)) = self.fault.filter(|(after, _)| *after == self.read) {
            act(Some(fault)).await?;
        }
        let Some(next) = self.left.pop_front() else { return Ok(None) };
        self.read += 1;
        Ok(Some(vec![self.session.server.with(|script| {
            script.details += 1;
            if script.unreadable.contains(&next.name) {
                return PageItem::Unreadable(next, Problem { code: "MISSING_GRANT".into(), ..Problem::default() });
            }
            if let Some((_, left)) = script.locked.iter_mut().find(|(name, left)| *name == next.name && *left > 0) {
                *left -= 1;
                let problem = Problem { code: "STATEMENT_TIMEOUT".into(), retryable: true, ..Problem::default() };
                return PageItem::Unreadable(next, problem);
            }
            let is =
                |object: &&CatalogObject| object.native_id == next.native_id && object.catalog == self.session.database;
            match script.objects.iter().find(is) {
                Some(object) => PageItem::Object(Box::new(object.clone())),
                None => PageItem::Vanished(next),
            }
        })]))
    }
}

/// Folds what lies on the log into the last known state: what a projection does.
struct Folding {
    log: Memory,
    known: Arc<LastKnown>,
    folded: Mutex<usize>,
}

impl Folding {
    fn fold(&self) {
        let mut folded = self.folded.lock().expect("no test panics with it");
        let events = events(&self.log, Topic::Schema);
        self.known.fold(&events[*folded..]);
        *folded = events.len();
    }
}

#[async_trait]
impl Barrier for Folding {
    async fn passed(&self, _marks: &[Mark]) -> Result<(), Failure> {
        self.fold();
        Ok(())
    }
}

struct Plain;

impl Seal for Plain {
    fn seal(&self, _tenant: &str, _id: &str, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        Ok(bytes.to_vec())
    }
}

pub fn events(log: &Memory, topic: Topic) -> Vec<Event> {
    log.records(topic).iter().map(|record| Event::decode(&record.value).expect("our own record")).collect()
}

/// A discovery worker over an in-memory log.
pub struct Rig {
    pub log: Memory,
    pub server: Server,
    pub cancellations: Arc<Cancellations>,
    projection: Arc<Folding>,
    stop: CancellationToken,
    process: Option<std::thread::JoinHandle<Result<(), Failure>>>,
    runs: u128,
    _runtime: tokio::runtime::Runtime,
}

impl Rig {
    pub fn new(objects: Vec<CatalogObject>) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let (log, server, cancellations) = (Memory::default(), Server::default(), Arc::new(Cancellations::default()));
        server.with(|script| script.objects = objects);
        cancellations.set_caught_up();
        let known = Arc::new(LastKnown::default());
        let projection = Arc::new(Folding { log: log.clone(), known: Arc::clone(&known), folded: Mutex::new(0) });
        let barrier: Arc<dyn Barrier> = Arc::<Folding>::clone(&projection);
        let runner = Arc::new(Discovery::new(Arc::new(server.clone()), known));
        let handler: Arc<dyn Handler> =
            Arc::new(Runs::new(runner, Arc::clone(&cancellations), barrier, "test", || NOW));
        let inbox = Inbox::default();
        let end = log.log(inbox.waker());
        let settings =
            Settings { worker: "discovery", prefix: "test".into(), parallel: 4, batch: 500, seal: Arc::new(Plain) };
        let worker = Worker::new(end, inbox, handler, settings, Status::default(), runtime.handle().clone());
        let stop = CancellationToken::new();
        let stopping = stop.clone();
        let process = Some(std::thread::spawn(move || worker.run(&stopping)));
        Self { log, server, cancellations, projection, stop, process, runs: 0, _runtime: runtime }
    }

    /// Asks for a run; its id.
    pub fn ask(&mut self, change: impl FnOnce(&mut WorkItem)) -> Uuid {
        self.projection.fold();
        self.runs += 1;
        let run_id = Uuid::from_u128(self.runs);
        let deadline = Micros(NOW + 60_000_000);
        let mut work = WorkItem { run_id, answers_command: true, deadline, ..WorkItem::default() };
        work.meta.tenant_id = "acme".into();
        work.meta.source_id = Some(Uuid::from_u128(7));
        work.meta.command_id = Some(run_id);
        change(&mut work);
        let key = Uuid::from_u128(7).to_string();
        let mark =
            self.log.append(Topic::WorkDiscovery, &key, codec::encode(&work).expect("a record"), vec![], Micros(0));
        if self.runs == 1 {
            self.log.assign(&[(Topic::WorkDiscovery, mark.partition)]);
        }
        run_id
    }

    /// Asks for a run and waits for its end: its schema events in words, and its outcome.
    pub fn run(&mut self, change: impl FnOnce(&mut WorkItem)) -> (Vec<String>, Event) {
        let run_id = self.ask(change);
        (self.words(run_id), self.outcome(run_id))
    }

    /// The outcome of a run, once it is there.
    pub fn outcome(&self, run_id: Uuid) -> Event {
        eventually("the run ends", || {
            let of_run = |event: &Event| event.meta().command_id == Some(run_id);
            let ended = |event: &Event| !matches!(event, Event::CommandProgressed(_));
            events(&self.log, Topic::Outcome).into_iter().find(|event| of_run(event) && ended(event))
        })
    }

    /// What a run wrote to the schema topic, once it has ended.
    pub fn words(&self, run_id: Uuid) -> Vec<String> {
        drop(self.outcome(run_id));
        let all = events(&self.log, Topic::Schema);
        all.iter().filter(|event| event.meta().command_id == Some(run_id)).map(word).collect()
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.stop.cancel();
        let ended = self.process.take().map(std::thread::JoinHandle::join);
        if !std::thread::panicking() {
            ended.expect("it ran").expect("it did not panic").expect("it ended well");
        }
    }
}

fn word(event: &Event) -> String {
    match event {
        Event::SchemaObjectObserved(event) => format!("observed {}.{}", event.object.catalog, event.object.name),
        Event::SchemaChanged(event) => format!("changed {} {}", event.object.name, event.changes[0].kind.symbol()),
        Event::ObjectUnreadable(event) => format!("unreadable {}", event.object.name),
        Event::ObjectDropped(event) => format!("dropped {}", event.object.name),
        Event::DiscoveryFailed(event) => format!("DiscoveryFailed {}", event.problem.code),
        other => pursight_schemas::json::short(other.full_name()).to_owned(),
    }
}

/// Waits for something to come true.
pub fn eventually<T>(what: &str, look: impl Fn() -> Option<T>) -> T {
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "{what} did not come true");
        std::thread::yield_now();
    }
}

/// A table of a database.
pub fn table(database: &str, name: &str, native: u32) -> CatalogObject {
    CatalogObject {
        kind: ObjectKind::Table,
        catalog: database.into(),
        schema: "s".into(),
        name: name.into(),
        native_id: native.to_string(),
        ..CatalogObject::default()
    }
}
