//! The worker in the engine's loop over the in-memory log, with real signatures and a read model that can be held back.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pursight_attestation::{Claims, HEADER, NewKey, Permission, Publisher, SigningKey, TrustedKeys, create_keys};
use pursight_engine::memory::Memory;
use pursight_engine::{Barrier, Failure, Inbox, Mark, Record, Seal, Status, Worker};
use pursight_read_model::decider::{Query, Snapshot};
use pursight_schemas::topics::partition_of;
use pursight_schemas::{CommandAudited, Event, Topic, codec, json};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::model::Model;
use super::{NOW, TENANT, bytes, id, rules, spec};
use crate::{Ledger, Ports, Registry, Settings};

/// Folds what lies in the log, unless it is held back.
pub struct Projection {
    pub memory: Memory,
    state: Mutex<Folded>,
}

#[derive(Default)]
pub struct Folded {
    pub model: Model,
    pub held: bool,
    pub back: i64,
    pub blind: bool,
    /// It goes on only when somebody waits for it.
    pub lazy: bool,
    /// Which of the next questions fail.
    pub failures: VecDeque<bool>,
}

impl Projection {
    /// Changes how it behaves before it folds anything.
    pub fn set(&self, act: impl FnOnce(&mut Folded)) {
        act(&mut self.state.lock().unwrap());
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut Folded) -> T) -> T {
        let mut state = self.state.lock().unwrap();
        if !state.held {
            let partition = partition_of(TENANT.as_bytes(), 12);
            for (topic, outcome) in [(Topic::Source, false), (Topic::Outcome, true)] {
                let model = &mut state.model;
                let next = if outcome { &mut model.outcome_next } else { &mut model.source_next };
                let from = usize::try_from(*next).unwrap();
                let records = self.memory.records(topic);
                let records: Vec<&Record> = records.iter().filter(|record| record.partition == partition).collect();
                *next = i64::try_from(records.len()).unwrap();
                for record in &records[from.min(records.len())..] {
                    model.fold(&Event::decode(&record.value).unwrap());
                }
            }
        }
        act(&mut state)
    }
}

#[async_trait]
impl Ledger for Projection {
    async fn look_up(&self, query: &Query) -> Result<Snapshot, Failure> {
        if self.state.lock().unwrap().failures.pop_front() == Some(true) {
            return Err(Failure::transient("asking the read model", std::io::Error::other("as the test wants")));
        }
        Ok(self.with(|state| {
            let mut snapshot = state.model.answer(query);
            snapshot.source_next -= state.back;
            if state.blind {
                snapshot.names.clear();
            }
            snapshot
        }))
    }
}

#[async_trait]
impl Barrier for Projection {
    async fn passed(&self, marks: &[Mark]) -> Result<(), Failure> {
        self.set(|state| state.held &= !state.lazy);
        loop {
            let passed = self.with(|state| {
                marks.iter().all(|mark| match mark.topic {
                    Topic::Source => state.model.source_next > mark.offset,
                    _ => state.model.outcome_next > mark.offset,
                })
            });
            if passed {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    }
}

struct Rot13;

impl Seal for Rot13 {
    fn seal(&self, tenant: &str, id: &str, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut sealed = format!("{tenant} {id} ").into_bytes();
        sealed.extend(bytes.iter().map(|byte| byte.wrapping_add(13)));
        Ok(sealed)
    }
}

pub struct Rig {
    pub memory: Memory,
    pub projection: Arc<Projection>,
    pub status: Status,
    stop: CancellationToken,
    thread: Option<JoinHandle<Result<(), Failure>>>,
    pub key: SigningKey,
    pub stranger: SigningKey,
    pub permissions: Vec<Permission>,
    next: u128,
    _runtime: tokio::runtime::Runtime,
    pub folder: tempfile::TempDir,
}

fn key(folder: &std::path::Path, name: &str, trusted: &str, tenants: &[&str]) -> SigningKey {
    let private = folder.join(name);
    let new = NewKey {
        issuer: "tests".into(),
        tenants: tenants.iter().map(|one| (*one).to_owned()).collect(),
        permissions: Permission::ALL.to_vec(),
    };
    create_keys(&new, &private, &folder.join(trusted)).unwrap();
    SigningKey::load(private).unwrap()
}

impl Rig {
    /// A worker that owns the tenant's partition.
    pub fn start(overlay: usize) -> Self {
        let rig = Self::prepared(overlay);
        rig.assign();
        rig
    }

    /// Gives the tenant's partition to the worker.
    pub fn assign(&self) {
        self.memory.assign(&[(Topic::Command, partition_of(TENANT.as_bytes(), 12))]);
    }

    /// A worker that owns nothing yet.
    pub fn prepared(overlay: usize) -> Self {
        Self::in_batches(overlay, 500)
    }

    /// The same, with batches of at most so many records.
    pub fn in_batches(overlay: usize, batch: usize) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let signing = key(folder.path(), "key.pem", "trusted.json", &[TENANT, "other"]);
        let stranger = key(folder.path(), "stranger.pem", "nobody.json", &[TENANT]);
        let memory = Memory::default();
        let projection = Arc::new(Projection { memory: memory.clone(), state: Mutex::default() });
        let ports = Ports {
            keys: Arc::new(TrustedKeys::load(folder.path().join("trusted.json")).unwrap()),
            ledger: Arc::clone(&projection) as Arc<dyn Ledger>,
            barrier: Arc::clone(&projection) as Arc<dyn Barrier>,
            seal: Arc::new(Rot13),
            now: || NOW.0,
            new_id: Uuid::now_v7,
        };
        let handler = Registry::new(ports, Settings { prefix: "test".into(), rules: rules(), overlay });
        let (status, stop, inbox) = (Status::default(), CancellationToken::new(), Inbox::default());
        let log = memory.log(inbox.waker());
        let seal = Arc::new(Rot13);
        let settings =
            pursight_engine::Settings { worker: "registry", prefix: "test".into(), parallel: 4, batch, seal };
        let worker = Worker::new(log, inbox, Arc::new(handler), settings, status.clone(), runtime.handle().clone());
        let stopping = stop.clone();
        let thread = Some(std::thread::spawn(move || worker.run(&stopping)));
        let (next, permissions) = (500, Permission::ALL.to_vec());
        Self {
            memory,
            projection,
            status,
            stop,
            thread,
            key: signing,
            stranger,
            permissions,
            next,
            _runtime: runtime,
            folder,
        }
    }

    pub fn attestation(&self, key: &SigningKey, tenant: &str, command: Uuid, value: &[u8]) -> String {
        let publisher = Publisher {
            issuer: "tests".into(),
            tenant: tenant.into(),
            subject: "ada".into(),
            permissions: self.permissions.clone(),
        };
        key.sign(&Claims::of(publisher, command, value, NOW).unwrap())
    }

    /// Sends a command with a fresh id.
    pub fn send(&mut self, name: &str, body: Value) -> Uuid {
        self.next += 1;
        self.send_as(id(self.next), name, body);
        id(self.next)
    }

    pub fn send_as(&self, command: Uuid, name: &str, body: Value) {
        let value = bytes(command, name, &body);
        let header = self.attestation(&self.key, TENANT, command, &value);
        self.raw(value, vec![(HEADER.to_owned(), header.into_bytes())]);
    }

    pub fn raw(&self, value: Vec<u8>, headers: Vec<(String, Vec<u8>)>) {
        self.memory.append(Topic::Command, TENANT, value, headers, NOW);
    }

    pub fn events(&self, topic: Topic) -> Vec<Event> {
        let records = self.memory.records(topic);
        let events = records.iter().map(|record| Event::decode(&record.value).unwrap());
        events.filter(|event| !matches!(event, Event::OwnershipTaken(_))).collect()
    }

    pub fn audits(&self) -> Vec<CommandAudited> {
        self.memory.records(Topic::Audit).iter().map(|record| codec::decode(&record.value).unwrap()).collect()
    }

    /// Outcomes in short, in order.
    pub fn outcomes(&self) -> Vec<String> {
        let short = |event: &Event| {
            let code = match event {
                Event::CommandRejected(no) => format!(" {}", no.violations[0].code),
                Event::CommandFailed(no) => format!(" {}", no.problem.code),
                _ => String::new(),
            };
            format!("{}{code}", json::short(event.full_name()))
        };
        self.events(Topic::Outcome).iter().map(short).collect()
    }

    pub fn dead_letters(&self) -> Vec<String> {
        let records = self.memory.records(Topic::DeadLetter);
        records.iter().map(|record| record.header("pursight-dlq-code").unwrap().to_owned()).collect()
    }

    pub fn settled(&self, audits: usize) {
        eventually(&format!("{audits} records are decided"), || self.audits().len() == audits);
    }

    pub fn end(mut self) {
        self.stop.cancel();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

pub fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < until, "{what}: did not come true");
        std::thread::yield_now();
    }
}

pub fn create(name: &str) -> Value {
    json!({"spec": spec(name)})
}
