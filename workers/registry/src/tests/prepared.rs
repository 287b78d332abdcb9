//! Admissions and look-ups ahead of their turn.

use std::sync::Arc;

use pursight_attestation::{HEADER, TrustedKeys};
use pursight_engine::{Failure, Record};
use pursight_read_model::decider::{Query, Snapshot};
use pursight_schemas::topics::partition_of;
use pursight_schemas::{Command, DataSourceCreated, Event, EventMeta, Topic};
use serde_json::json;

use super::rig::{Rig, create, eventually};
use super::{NOW, TENANT, bytes, id};
use crate::admit::admit;
use crate::lookup::{self, Known, Ledger};
use crate::owned::Owned;
use crate::prepared::{Batch, Prepared};
use crate::state::{Effect, Lifecycle, Source};

fn records(rig: &Rig) -> Vec<Record> {
    let record = |offset| {
        let command = id(u128::try_from(offset).unwrap());
        let value = bytes(command, "CreateDataSource", &create("orders"));
        let header = rig.attestation(&rig.key, TENANT, command, &value);
        Record {
            topic: Topic::Command,
            partition: partition_of(TENANT.as_bytes(), 12),
            offset,
            timestamp: NOW,
            key: TENANT.as_bytes().to_vec(),
            value,
            headers: vec![(HEADER.to_owned(), header.into_bytes())],
        }
    };
    (7..12).map(record).collect()
}

fn prepare(prepared: &Prepared, records: &[Record], epoch: u64, keys: &TrustedKeys) {
    let Some(tell) = prepared.begin(records[0].partition, records[0].offset, epoch) else { return };
    let admissions = records.iter().map(|record| (record.offset, admit(record, keys))).collect();
    drop(tell.send(Batch { admissions, known: None }));
}

/// Offsets, and whether they were believed.
fn take(prepared: &Prepared, records: &[Record], epoch: u64, keys: &TrustedKeys) -> Vec<(i64, bool)> {
    let (taken, _) = run(prepared.take(records, epoch, keys));
    taken.iter().map(|(record, admission)| (record.offset, admission.is_ok())).collect()
}

#[test]
fn what_was_prepared_is_used_once_and_only_under_the_same_claim() {
    let rig = Rig::prepared(1_000);
    let trusted = TrustedKeys::load(rig.folder.path().join("trusted.json")).unwrap();
    // With these nothing is believed: what is, was prepared.
    let strangers = TrustedKeys::load(rig.folder.path().join("nobody.json")).unwrap();
    let records = records(&rig);
    let prepared = Prepared::default();
    prepare(&prepared, &records[..2], 5, &trusted);
    prepare(&prepared, &records[2..4], 5, &trusted);
    assert_eq!(take(&prepared, &records[..1], 4, &strangers), [(7, false)], "another claim");
    assert_eq!(take(&prepared, &records[1..3], 5, &strangers), [(8, true), (9, true)]);
    assert_eq!(take(&prepared, &records[..3], 5, &strangers), [(7, false), (8, false), (9, false)], "used up");
    assert_eq!(take(&prepared, &records[3..], 5, &strangers), [(10, true), (11, false)], "the rest in its turn");
    prepare(&prepared, &records, 6, &trusted);
    prepare(&prepared, &records, 5, &trusted);
    prepared.forget(records[0].partition);
    assert_eq!(take(&prepared, &records[..1], 6, &strangers), [(7, false)], "forgotten");
    drop(prepared.begin(records[0].partition, 7, 7));
    assert_eq!(take(&prepared, &records[..1], 7, &strangers), [(7, false)], "who prepared it panicked");
    assert!(take(&prepared, &[], 7, &trusted).is_empty());
    rig.end();
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

fn command(at: u128, name: &str, body: &serde_json::Value) -> Command {
    Command::decode(&bytes(id(at), name, body)).unwrap()
}

/// What is asked in the turn of these commands.
fn question(commands: &[Command], owned: &Owned) -> Query {
    lookup::question(partition_of(TENANT.as_bytes(), 12), commands.iter(), &owned.overlay)
}

fn ask_ahead(ledger: &dyn Ledger, commands: &[Command]) -> Option<Known> {
    let commands: Vec<_> = commands.iter().map(Some).collect();
    run(Known::ask_ahead(ledger, partition_of(TENANT.as_bytes(), 12), &commands))
}

/// The source of a command that creates one, laid over the read model at an offset.
fn lay(owned: &mut Owned, source: uuid::Uuid, name: &str, offset: i64) {
    let after =
        Source { id: source, version: 1, state: Lifecycle::Active, name_key: name.to_owned(), spec: Arc::default() };
    owned.overlay.apply(TENANT, &Effect::Source { before: None, after }, offset);
}

#[test]
fn an_answer_ahead_of_its_turn_is_used_for_its_own_question_alone() {
    let rig = Rig::prepared(1_000);
    let rename = |to: &str| json!({"source_id": id(9), "patch": {"name": to}});
    let commands = [command(1, "CreateDataSource", &create("a")), command(2, "UpdateDataSource", &rename("b"))];
    let meta = EventMeta { tenant_id: TENANT.into(), source_id: Some(id(8)), sequence: 1, ..EventMeta::default() };
    let created = DataSourceCreated { meta, name_key: "orders".into(), ..DataSourceCreated::default() };
    rig.memory.append(Topic::Source, TENANT, Event::from(created).encode().unwrap(), Vec::new(), NOW);
    let known = ask_ahead(rig.projection.as_ref(), &commands).unwrap();
    assert_eq!(known.folded, (1, 0));
    let mut owned = Owned::new(id(100), known.folded);
    assert!(known.answers(&question(&commands, &owned), &owned));
    assert!(!known.answers(&question(&commands[..1], &owned), &owned), "fewer commands");
    let other = [commands[0].clone(), command(3, "UpdateDataSource", &rename("b"))];
    assert!(!known.answers(&question(&other, &owned), &owned), "another command");
    let other = [commands[0].clone(), command(2, "UpdateDataSource", &rename("c"))];
    assert!(!known.answers(&question(&other, &owned), &owned), "a name that was not asked for");

    let (source, outcome) = known.folded;
    for seen in [(source + 1, outcome), (source, outcome + 1)] {
        let owned = Owned::new(id(100), seen);
        assert!(!known.answers(&question(&commands, &owned), &owned), "older than what was seen");
    }
    // Decided since: its name is asked for in its turn.
    lay(&mut owned, id(9), "newer", source);
    assert!(known.answers(&question(&commands, &owned), &owned), "the overlay tells who has the name");
    lay(&mut owned, id(9), "forgotten", source - 1);
    assert!(!known.answers(&question(&commands, &owned), &owned), "the overlay is about to forget it");
    rig.end();
}

#[test]
fn an_answer_is_not_used_when_it_is_old() {
    let rig = Rig::prepared(1_000);
    let commands = [command(1, "CreateDataSource", &create("a"))];
    let known = ask_ahead(rig.projection.as_ref(), &commands).unwrap();
    let owned = Owned::new(id(100), known.folded);
    eventually("it grows old", || !known.answers(&question(&commands, &owned), &owned));
    rig.end();
}

/// Never answers.
struct Hanging;

#[async_trait::async_trait]
impl Ledger for Hanging {
    async fn look_up(&self, _query: &Query) -> Result<Snapshot, Failure> {
        std::future::pending().await
    }
}

#[test]
fn nobody_waits_for_an_answer_ahead_of_its_turn() {
    let rig = Rig::prepared(1_000);
    let commands = [command(1, "CreateDataSource", &create("a"))];
    assert!(ask_ahead(&Hanging, &commands).is_none());
    rig.projection.with(|state| state.failures = [true].into());
    assert!(ask_ahead(rig.projection.as_ref(), &commands).is_none(), "away");
    let by_filter = command(2, "BulkUpdateDataSources", &json!({"filter": {}, "patch": {"owner": "ada"}}));
    assert!(
        ask_ahead(rig.projection.as_ref(), std::slice::from_ref(&by_filter)).is_none(),
        "it depends on what is decided before"
    );
    let until = [commands[0].clone(), by_filter];
    let known = ask_ahead(rig.projection.as_ref(), &until).unwrap();
    let owned = Owned::new(id(100), known.folded);
    assert!(known.answers(&question(&until[..1], &owned), &owned), "what comes before it is asked for alone");
    rig.end();
}
