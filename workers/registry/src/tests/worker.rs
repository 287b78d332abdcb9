//! The worker in the engine's loop over the in-memory log, with real signatures.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pursight_attestation::{Claims, HEADER, NewKey, Permission, Publisher, SigningKey, TrustedKeys, create_keys};
use pursight_engine::memory::Memory;
use pursight_engine::{Barrier, Failure, Inbox, Mark, Record, Seal, State, Status, Worker};
use pursight_read_model::decider::{Query, Snapshot};
use pursight_schemas::topics::partition_of;
use pursight_schemas::{AuditDecision, CommandAudited, Event, Micros, Topic, codec, json};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::model::Model;
use super::{NOW, TENANT, bytes, id, rules, spec};
use crate::{Ledger, Ports, Registry, Settings};

/// Folds what lies in the log, unless it is held back.
struct Projection {
    memory: Memory,
    state: Mutex<Folded>,
}

#[derive(Default)]
struct Folded {
    model: Model,
    held: bool,
    back: i64,
    blind: bool,
}

impl Projection {
    fn with<T>(&self, act: impl FnOnce(&mut Folded) -> T) -> T {
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

struct Rig {
    memory: Memory,
    projection: Arc<Projection>,
    status: Status,
    stop: CancellationToken,
    thread: Option<JoinHandle<Result<(), Failure>>>,
    key: SigningKey,
    stranger: SigningKey,
    permissions: Vec<Permission>,
    next: u128,
    _runtime: tokio::runtime::Runtime,
    _folder: tempfile::TempDir,
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
    fn start(overlay: usize) -> Self {
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
        let settings = pursight_engine::Settings { worker: "registry", prefix: "test".into(), parallel: 4, seal };
        let worker = Worker::new(log, inbox, Arc::new(handler), settings, status.clone(), runtime.handle().clone());
        let stopping = stop.clone();
        let thread = Some(std::thread::spawn(move || worker.run(&stopping)));
        let (next, permissions) = (500, Permission::ALL.to_vec());
        let rig = Self {
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
            _folder: folder,
        };
        rig.memory.assign(&[(Topic::Command, partition_of(TENANT.as_bytes(), 12))]);
        rig
    }

    fn attestation(&self, key: &SigningKey, tenant: &str, command: Uuid, value: &[u8]) -> String {
        let publisher = Publisher {
            issuer: "tests".into(),
            tenant: tenant.into(),
            subject: "ada".into(),
            permissions: self.permissions.clone(),
        };
        key.sign(&Claims::of(publisher, command, value, NOW).unwrap())
    }

    /// Sends a command with a fresh id.
    fn send(&mut self, name: &str, body: Value) -> Uuid {
        self.next += 1;
        self.send_as(id(self.next), name, body);
        id(self.next)
    }

    fn send_as(&self, command: Uuid, name: &str, body: Value) {
        let value = bytes(command, name, &body);
        let header = self.attestation(&self.key, TENANT, command, &value);
        self.raw(value, vec![(HEADER.to_owned(), header.into_bytes())]);
    }

    fn raw(&self, value: Vec<u8>, headers: Vec<(String, Vec<u8>)>) {
        self.memory.append(Topic::Command, TENANT, value, headers, NOW);
    }

    fn events(&self, topic: Topic) -> Vec<Event> {
        let records = self.memory.records(topic);
        let events = records.iter().map(|record| Event::decode(&record.value).unwrap());
        events.filter(|event| !matches!(event, Event::OwnershipTaken(_))).collect()
    }

    fn audits(&self) -> Vec<CommandAudited> {
        self.memory.records(Topic::Audit).iter().map(|record| codec::decode(&record.value).unwrap()).collect()
    }

    /// Outcomes in short, in order.
    fn outcomes(&self) -> Vec<String> {
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

    fn dead_letters(&self) -> Vec<String> {
        let records = self.memory.records(Topic::DeadLetter);
        records.iter().map(|record| record.header("pursight-dlq-code").unwrap().to_owned()).collect()
    }

    fn settled(&self, audits: usize) {
        eventually(&format!("{audits} records are decided"), || self.audits().len() == audits);
    }

    fn end(mut self) {
        self.stop.cancel();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < until, "{what}: did not come true");
        std::thread::yield_now();
    }
}

fn create(name: &str) -> Value {
    json!({"spec": spec(name)})
}

#[test]
fn a_command_becomes_events_an_outcome_and_one_line_of_the_trail() {
    let mut rig = Rig::start(1_000);
    let body = json!({"spec": spec("orders"), "afterwards": "TEST", "meta": {"correlation_id": id(77)}});
    let command = rig.send("CreateDataSource", body);
    rig.settled(1);
    let marker = rig.memory.records(Topic::Source)[0].clone();
    let Event::OwnershipTaken(taken) = Event::decode(&marker.value).unwrap() else { panic!("no marker") };
    let record = rig.memory.records(Topic::Source)[1].clone();
    assert_eq!(record.key_text(), Some(TENANT));
    assert_eq!(record.header("pursight-owner"), Some(taken.meta.event_id.to_string().as_str()));
    assert!(record.header("pursight-decider").is_some());
    assert_eq!(record.header("ce_source"), Some("/pursight/registry"));
    let event = Event::decode(&record.value).unwrap();
    let meta = event.meta();
    assert_eq!((meta.command_id, meta.causation_id, meta.correlation_id), (Some(command), Some(command), Some(id(77))));
    assert_eq!((meta.sequence, meta.occurred_at, meta.actor.principal.as_str()), (1, NOW, "ada"));
    assert_eq!(meta.event_id, pursight_schemas::ids::command_event_id(command, 0));
    let work = rig.memory.records(Topic::WorkConnection)[0].clone();
    assert_eq!(work.key_text().map(str::to_owned), meta.source_id.map(|source| source.to_string()));
    assert_eq!(rig.outcomes(), ["CommandSucceeded"]);
    let audit = &rig.audits()[0];
    assert_eq!((audit.decision, audit.record.offset), (AuditDecision::Accepted, 0));
    assert_eq!(audit.record.topic, "test.command.v1");
    rig.end();
}

#[test]
fn later_commands_of_a_batch_see_earlier_ones() {
    let mut rig = Rig::start(1_000);
    rig.projection.with(|state| state.held = true);
    rig.send("CreateDataSource", json!({"source_id": id(1), "spec": spec("orders")}));
    rig.send("CreateDataSource", create("ORDERS"));
    rig.send("DeleteDataSource", json!({"source_id": id(1), "mode": "SOFT"}));
    rig.send("CreateDataSource", create("Orders"));
    rig.send("RestoreDataSource", json!({"source_id": id(1)}));
    rig.projection.with(|state| state.held = false);
    rig.settled(5);
    assert_eq!(
        rig.outcomes(),
        [
            "CommandSucceeded",
            "CommandRejected NAME_TAKEN",
            "CommandSucceeded",
            "CommandSucceeded",
            "CommandRejected NAME_TAKEN"
        ]
    );
    rig.end();
}

#[test]
fn what_the_read_model_has_not_folded_yet_is_known_all_the_same() {
    let mut rig = Rig::start(1_000);
    rig.send("CreateDataSource", create("first"));
    rig.settled(1);
    rig.projection.with(|state| state.held = true);
    let command = rig.send("CreateDataSource", create("orders"));
    rig.settled(2);
    rig.send("CreateDataSource", create("orders"));
    rig.settled(3);
    rig.send_as(command, "CreateDataSource", create("orders"));
    rig.settled(4);
    let source = rig.events(Topic::Source)[1].meta().source_id.unwrap();
    rig.send("BulkUpdateDataSources", json!({"filter": {}, "patch": {"owner": "ada"}}));
    rig.settled(5);
    rig.projection.with(|state| state.held = false);
    rig.send("PauseDataSource", json!({"source_id": source}));
    rig.settled(6);
    assert_eq!(rig.outcomes()[2], "CommandRejected NAME_TAKEN");
    assert_eq!(rig.audits()[3].decision, AuditDecision::Repeated);
    let Event::CommandSucceeded(bulk) = &rig.events(Topic::Outcome)[3] else { panic!() };
    assert_eq!(bulk.result["changed"], "2");
    assert_eq!(rig.events(Topic::Source).last().unwrap().meta().sequence, 3);
    rig.end();
}

#[test]
fn a_repeat_changes_nothing_and_another_payload_is_a_dead_letter() {
    let mut rig = Rig::start(1_000);
    let command = rig.send("CreateDataSource", create("orders"));
    rig.send_as(command, "CreateDataSource", create("orders"));
    rig.settled(2);
    rig.send_as(command, "CreateDataSource", create("orders"));
    rig.send_as(command, "CreateDataSource", create("others"));
    rig.settled(4);
    assert_eq!((rig.outcomes().len(), rig.events(Topic::Source).len()), (1, 1));
    assert_eq!(rig.dead_letters(), ["PAYLOAD_MISMATCH"]);
    let decisions: Vec<AuditDecision> = rig.audits().iter().map(|audit| audit.decision).collect();
    use AuditDecision::{Accepted, RefusedUnverified, Repeated};
    assert_eq!(decisions, [Accepted, Repeated, Repeated, RefusedUnverified]);
    let ids: std::collections::BTreeSet<Uuid> = rig.audits().iter().map(|audit| audit.meta.event_id).collect();
    assert_eq!(ids.len(), 4, "every line of the trail has its own id");
    rig.end();
}

#[test]
fn what_may_not_be_believed_is_a_dead_letter_without_an_outcome() {
    let rig = Rig::start(1_000);
    let value = |tenant: &str| {
        let body = json!({"spec": spec("orders"), "meta": {"tenant_id": tenant}});
        bytes(id(1), "CreateDataSource", &body)
    };
    let signed = |key: &SigningKey, tenant: &str, value: &[u8]| {
        vec![(HEADER.to_owned(), rig.attestation(key, tenant, id(1), value).into_bytes())]
    };
    let ours = value(TENANT);
    let good = signed(&rig.key, TENANT, &ours);
    let with = |name: &str, text: &str| {
        let mut headers = good.clone();
        headers.push((name.to_owned(), text.as_bytes().to_vec()));
        headers
    };
    rig.raw(b"garbage".to_vec(), good.clone());
    rig.raw(Vec::new(), Vec::new());
    rig.raw(ours[..ours.len() - 3].to_vec(), good.clone());
    rig.raw(ours.clone(), Vec::new());
    rig.raw(ours.clone(), signed(&rig.stranger, TENANT, &ours));
    rig.raw(value(TENANT), signed(&rig.key, TENANT, b"\0\0\x0f\x42\x41"));
    rig.raw(ours.clone(), signed(&rig.key, "other", &ours));
    let foreign = value("other");
    rig.raw(foreign.clone(), signed(&rig.key, TENANT, &foreign));
    rig.raw(ours.clone(), with("ce_id", &id(2).to_string()));
    rig.raw(ours.clone(), with("ce_type", "io.pursight.command.CancelRun"));
    let reason = json!({"spec": spec("orders"), "meta": {"actor": {"principal": "ada", "reason": "x".repeat(2_000)}}});
    let long = bytes(id(1), "CreateDataSource", &reason);
    rig.raw(long.clone(), signed(&rig.key, TENANT, &long));
    rig.settled(11);
    assert_eq!(
        rig.dead_letters(),
        [
            "UNDECODABLE",
            "UNDECODABLE",
            "UNDECODABLE",
            "ATTESTATION_MISSING",
            "ATTESTATION_INVALID",
            "ATTESTATION_INVALID",
            "WRONG_TENANT",
            "WRONG_TENANT",
            "MISROUTED",
            "MISROUTED",
            "UNDECODABLE",
        ]
    );
    assert_eq!((rig.outcomes().len(), rig.events(Topic::Source).len()), (0, 0));
    assert!(rig.audits().iter().all(|audit| audit.decision == AuditDecision::RefusedUnverified));
    let letter = rig.memory.records(Topic::DeadLetter)[3].clone();
    assert_eq!(
        (letter.header("pursight-dlq-offset"), letter.header("pursight-dlq-worker")),
        (Some("3"), Some("registry"))
    );
    assert_eq!(letter.header("pursight-dlq-topic"), Some("test.command.v1"));
    assert!(!letter.value.windows(6).any(|window| window == b"orders"), "sealed");
    rig.send_as(id(1), "CreateDataSource", create("orders"));
    rig.settled(12);
    assert_eq!(rig.outcomes(), ["CommandSucceeded"], "a forger cannot use up a command's id");
    rig.end();
}

#[test]
fn a_record_on_the_wrong_partition_is_misrouted() {
    let rig = Rig::start(1_000);
    let value = bytes(id(1), "CreateDataSource", &json!({"spec": spec("orders"), "meta": {"tenant_id": "other"}}));
    let header = rig.attestation(&rig.key, "other", id(1), &value);
    let record = Record {
        topic: Topic::Command,
        partition: partition_of(TENANT.as_bytes(), 12),
        offset: 0,
        timestamp: NOW,
        key: b"other".to_vec(),
        value,
        headers: vec![(HEADER.to_owned(), header.into_bytes())],
    };
    let keys = TrustedKeys::load(rig._folder.path().join("trusted.json")).unwrap();
    assert_eq!(crate::admit::admit(&record, &keys).err().map(|refused| refused.code), Some("MISROUTED"));
    let rightly = Record { partition: partition_of(b"other", 12), ..record };
    assert!(crate::admit::admit(&rightly, &keys).is_ok());
    rig.end();
}

#[test]
fn a_publisher_without_the_permission_is_refused() {
    let mut rig = Rig::start(1_000);
    rig.permissions = vec![Permission::ScanView];
    rig.send("CreateDataSource", create("orders"));
    rig.settled(1);
    assert_eq!(rig.outcomes(), ["CommandRejected PERMISSION_DENIED"]);
    assert_eq!(rig.audits()[0].code.as_deref(), Some("PERMISSION_DENIED"));
    rig.end();
}

#[test]
fn an_aborted_transaction_leaves_nothing_behind() {
    let mut rig = Rig::start(1_000);
    rig.send("CreateDataSource", create("first"));
    rig.settled(1);
    rig.memory.abort_next(2);
    rig.send("CreateDataSource", create("orders"));
    rig.send("CreateDataSource", create("orders"));
    rig.settled(3);
    assert_eq!(rig.outcomes(), ["CommandSucceeded", "CommandSucceeded", "CommandRejected NAME_TAKEN"]);
    let owners: Vec<_> = rig
        .memory
        .records(Topic::Source)
        .iter()
        .map(|record| record.header("pursight-owner").unwrap().to_owned())
        .collect();
    assert_ne!(owners.first(), owners.last(), "ownership was taken anew");
    rig.end();
}

#[test]
fn decisions_wait_when_too_many_are_not_folded() {
    let mut rig = Rig::start(3);
    rig.send("CreateDataSource", create("first"));
    rig.settled(1);
    rig.projection.with(|state| state.held = true);
    rig.send("CreateDataSource", create("second"));
    rig.settled(2);
    rig.send("CreateDataSource", create("third"));
    let status = rig.status.clone();
    eventually("the partition waits", || matches!(status.get().0, State::Waiting(_)));
    assert_eq!(rig.audits().len(), 2);
    rig.projection.with(|state| state.held = false);
    rig.settled(3);
    rig.end();
}

#[test]
fn an_older_read_model_is_waited_for() {
    let mut rig = Rig::start(1_000);
    rig.send("CreateDataSource", create("orders"));
    rig.settled(1);
    rig.send("CreateDataSource", create("second"));
    rig.settled(2);
    rig.projection.with(|state| state.back = 2);
    rig.send("CreateDataSource", create("orders"));
    let status = rig.status.clone();
    eventually("the partition waits", || matches!(status.get().0, State::Waiting(_)));
    assert_eq!(rig.audits().len(), 2);
    rig.projection.with(|state| state.back = 0);
    rig.settled(3);
    assert_eq!(rig.outcomes()[2], "CommandRejected NAME_TAKEN");
    rig.end();
}

#[test]
fn a_command_that_panics_is_answered_once() {
    let mut rig = Rig::start(1_000);
    rig.projection.with(|state| state.blind = true);
    let command = rig.send("CreateDataSource", create("orders"));
    rig.settled(1);
    rig.projection.with(|state| state.blind = false);
    rig.send_as(command, "CreateDataSource", create("orders"));
    rig.send("CreateDataSource", create("orders"));
    rig.settled(3);
    assert_eq!(rig.outcomes(), ["CommandAccepted", "CommandDeadLettered", "CommandSucceeded"]);
    assert_eq!(rig.dead_letters(), ["PANIC"]);
    assert_eq!(rig.audits()[1].decision, AuditDecision::Repeated);
    rig.end();
}

#[test]
fn the_same_log_is_decided_byte_for_byte_the_same() {
    let decided = |batches: usize| {
        let mut rig = Rig::start(1_000);
        let sends: Vec<(&str, Value)> = vec![
            ("CreateDataSource", json!({"source_id": id(1), "spec": spec("orders"), "afterwards": "DISCOVER"})),
            ("CreateDataSource", create("Orders")),
            ("UpdateDataSource", json!({"source_id": id(1), "patch": {"name": "shop", "tags": ["b", "a"]}})),
            ("TestConnection", json!({"source_id": id(1)})),
            ("BulkUpdateDataSources", json!({"filter": {}, "patch": {"properties": {"z": "1", "a": "2"}}})),
            ("SetFavorite", json!({"source_id": id(1), "favorite": true})),
            ("DeleteDataSource", json!({"source_id": id(1), "mode": "PURGE"})),
        ];
        let count = sends.len();
        for (at, (name, body)) in sends.into_iter().enumerate() {
            rig.send(name, body);
            if batches > 1 {
                rig.settled(at + 1);
            }
        }
        rig.raw(b"garbage".to_vec(), Vec::new());
        rig.settled(count + 1);
        let mut all: BTreeMap<Topic, Vec<(Vec<u8>, Vec<u8>)>> = BTreeMap::new();
        for topic in Topic::ALL.into_iter().filter(|topic| *topic != Topic::Command) {
            let records = rig.memory.records(topic).into_iter();
            // Markers are of the process that took over, not of a decision.
            let records = records.filter(|record| !record.key.is_empty()).map(|record| (record.key, record.value));
            all.insert(topic, records.collect());
        }
        rig.end();
        all
    };
    let once = decided(1);
    assert_eq!(once, decided(1));
    assert_eq!(once, decided(2), "however the log was cut into batches");
    assert!(once[&Topic::Source].len() > 3 && once[&Topic::WorkDiscovery].len() == 1);
}

#[test]
fn a_bulk_change_is_one_decision() {
    let mut rig = Rig::start(100_000);
    for number in 1..=10 {
        rig.send("CreateDataSource", json!({"source_id": id(number), "spec": spec(&format!("s{number}"))}));
    }
    let ids: Vec<Uuid> = (1..=10).map(id).collect();
    rig.send("BulkUpdateDataSources", json!({"source_ids": ids, "patch": {"environment": "PRODUCTION"}}));
    rig.send("BulkUpdateDataSources", json!({"source_ids": [id(1), id(99)], "patch": {"environment": "TEST"}}));
    rig.settled(12);
    assert_eq!(rig.events(Topic::Source).len(), 20);
    assert_eq!(rig.outcomes()[11], "CommandRejected UNKNOWN_SOURCE");
    rig.end();
}

#[test]
fn times_come_from_the_record() {
    let rig = Rig::start(1_000);
    let body = json!({"source_id": id(9), "meta": {"deadline": "2026-03-01T08:59:59Z"}});
    rig.send_as(id(1), "PauseDataSource", body);
    rig.settled(1);
    assert_eq!(rig.outcomes(), ["CommandAccepted", "CommandFailed DEADLINE_EXCEEDED"]);
    let at: Vec<Micros> = rig.events(Topic::Outcome).iter().map(|event| event.meta().occurred_at).collect();
    let sequences: Vec<i64> = rig.events(Topic::Outcome).iter().map(|event| event.meta().sequence).collect();
    assert_eq!((at, sequences), (vec![NOW, NOW], vec![0, 1]));
    rig.end();
}
