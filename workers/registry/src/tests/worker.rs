//! The worker in the engine's loop: what is visible when, what survives aborts and waits, what is the same again.

use std::collections::BTreeMap;

use pursight_engine::State;
use pursight_schemas::{AuditDecision, DataSourceCreated, Event, EventMeta, Micros, Topic};
use serde_json::{Value, json};
use uuid::Uuid;

use super::rig::{Rig, create, eventually};
use super::{NOW, TENANT, id, spec};

type KeyAndValue = (Vec<u8>, Vec<u8>);

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
        let mut all: BTreeMap<Topic, Vec<KeyAndValue>> = BTreeMap::new();
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

#[test]
fn nothing_is_decided_before_the_read_model_has_passed_the_markers() {
    let mut rig = Rig::prepared(1_000);
    let meta = EventMeta { tenant_id: TENANT.into(), source_id: Some(id(1)), sequence: 1, ..EventMeta::default() };
    let created = DataSourceCreated { meta, name_key: "orders".into(), ..DataSourceCreated::default() };
    // An earlier owner's event that the read model has not folded yet.
    rig.memory.append(Topic::Source, TENANT, Event::from(created).encode().unwrap(), Vec::new(), NOW);
    rig.projection.set(|state| (state.held, state.lazy) = (true, true));
    rig.assign();
    rig.send("CreateDataSource", create("orders"));
    rig.settled(1);
    assert_eq!(rig.outcomes(), ["CommandRejected NAME_TAKEN"]);
    rig.end();
}

/// With small batches each is prepared while the one before is decided, and depends on what that decides.
#[test]
fn the_same_is_decided_however_it_is_cut_into_batches() {
    let decided = |batch: usize, held: bool| {
        let rig = Rig::in_batches(1_000, batch);
        let source = |at: usize| id(u128::try_from(at % 5 + 1).unwrap());
        let name = |at: usize| ["orders", "shop", "ledger"][at % 3];
        for at in 0..60 {
            let (kind, body) = match at * 7 % 11 {
                0..=3 => ("CreateDataSource", {
                    let mut body = create(name(at));
                    body["source_id"] = json!(source(at));
                    body
                }),
                4..=6 => ("UpdateDataSource", json!({"source_id": source(at), "patch": {"name": name(at / 2)}})),
                7 | 8 => ("DeleteDataSource", json!({"source_id": source(at), "mode": "SOFT"})),
                _ => ("RestoreDataSource", json!({"source_id": source(at)})),
            };
            rig.send_as(id(1_000 + u128::try_from(at).unwrap()), kind, body);
        }
        rig.assign();
        // Taken over: from here on the read model may stand still.
        eventually("something is decided", || !rig.audits().is_empty());
        rig.projection.set(|state| state.held = held);
        rig.settled(60);
        let (outcomes, sources) = (rig.outcomes(), rig.events(Topic::Source).len());
        rig.end();
        (outcomes, sources)
    };
    let whole = decided(500, false);
    let told = |outcome: &str| whole.0.iter().any(|one| one == outcome);
    assert!(told("CommandSucceeded") && told("CommandRejected NAME_TAKEN") && told("CommandRejected SOURCE_DELETED"));
    for (batch, held) in [(1, false), (3, false), (3, true), (7, true)] {
        assert_eq!(decided(batch, held), whole, "batches of {batch}, the projection held: {held}");
    }
}

#[test]
fn half_a_batch_is_not_decided_twice() {
    let mut rig = Rig::prepared(1_000);
    rig.send("CreateDataSource", create("orders"));
    // Chooses by filter: it has a question of its own, and that fails the first time.
    rig.send("BulkUpdateDataSources", json!({"filter": {}, "patch": {"owner": "ada"}}));
    rig.projection.with(|state| state.failures = [false, true].into());
    rig.assign();
    rig.settled(2);
    rig.send("CreateDataSource", create("third"));
    rig.settled(3);
    assert!(rig.audits().iter().all(|audit| audit.decision == AuditDecision::Accepted));
    assert_eq!(rig.events(Topic::Source).len(), 3);
    rig.end();
}

#[test]
fn a_partition_that_moves_takes_its_state_along() {
    let mut rig = Rig::start(1_000);
    rig.send("CreateDataSource", create("orders"));
    rig.settled(1);
    rig.memory.revoke(&[(Topic::Command, pursight_schemas::topics::partition_of(TENANT.as_bytes(), 12))]);
    rig.assign();
    rig.send("CreateDataSource", create("orders"));
    rig.settled(2);
    assert_eq!(rig.outcomes(), ["CommandSucceeded", "CommandRejected NAME_TAKEN"]);
    let owner = |at: usize| rig.memory.records(Topic::Outcome)[at].header("pursight-owner").map(str::to_owned);
    assert_eq!((owner(0) == owner(1), owner(1) == owner(3), owner(2) == owner(3)), (true, false, true));
    rig.end();
}
