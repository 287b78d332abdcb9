//! The parts of a history made by hand: records, events and rows, each as the product writes it.

use std::collections::BTreeMap;

use pursight_schemas::{
    Command, CommandMeta, CommandSucceeded, CreateDataSource, DataSourceDeleted, DataSourceSpec, DeleteMode, Event,
    EventMeta, Topic,
};
use uuid::Uuid;

use crate::checks::sound::sha256;
use crate::history::{PositionSample, Recorded, RowHash};

pub(super) const TENANT: &str = "acme";
pub(super) const PARTITION: i32 = 4;
pub(super) const OWNER: Uuid = Uuid::from_u128(0xa1);
pub(super) const CREATE: Uuid = Uuid::from_u128(0xc1);
pub(super) const DISCOVER: Uuid = Uuid::from_u128(0xc3);
pub(super) const DELETE: Uuid = Uuid::from_u128(0xc5);
pub(super) const SOURCE: Uuid = Uuid::from_u128(0x51);

/// A command that is being decided.
#[derive(Clone, Copy)]
pub(super) struct Decided {
    pub(super) id: Uuid,
    pub(super) kind: &'static str,
    pub(super) sha256: &'static str,
}

pub(super) fn success(meta: EventMeta, of: Decided, version: Option<i64>) -> Event {
    CommandSucceeded {
        source_id: meta.source_id.or(Some(SOURCE)),
        meta,
        command_type: of.kind.to_owned(),
        version,
        payload_sha256: Some(of.sha256.to_owned()),
        ..CommandSucceeded::default()
    }
    .into()
}

pub(super) fn meta(command_id: Uuid) -> CommandMeta {
    CommandMeta { command_id, tenant_id: TENANT.to_owned(), ..CommandMeta::default() }
}

pub(super) fn event_meta(event_id: Uuid, sequence: i64) -> EventMeta {
    EventMeta { event_id, tenant_id: TENANT.to_owned(), sequence, ..EventMeta::default() }
}

pub(super) fn run_meta(event_id: Uuid, sequence: i64) -> EventMeta {
    EventMeta { source_id: Some(SOURCE), command_id: Some(DISCOVER), ..event_meta(event_id, sequence) }
}

pub(super) fn spec(name: &str) -> DataSourceSpec {
    DataSourceSpec { name: name.to_owned(), ..DataSourceSpec::default() }
}

pub(super) fn create(id: Uuid, name: &str) -> Command {
    CreateDataSource { meta: meta(id), spec: spec(name), ..CreateDataSource::default() }.into()
}

pub(super) fn aborted() -> Event {
    let id = Uuid::from_u128(0xdead);
    DataSourceDeleted { meta: event_meta(id, 9), mode: DeleteMode::Soft }.into()
}

/// An event of the registry.
pub(super) fn event_record(topic: Topic, offset: i64, owner: Uuid, event: &Event) -> Recorded {
    assert!(topic.carries(event.full_name()), "{topic:?} does not carry {}", event.full_name());
    let headers = vec![
        ("ce_source".to_owned(), "/pursight/registry".to_owned()),
        ("pursight-owner".to_owned(), owner.to_string()),
    ];
    let key = event.meta().tenant_id.clone();
    Recorded { partition: PARTITION, offset, timestamp_ms: 1, key, headers, value: event.encode().unwrap() }
}

pub(super) fn by_runner(record: Recorded) -> Recorded {
    Recorded { headers: vec![("ce_source".to_owned(), "/pursight/discovery".to_owned())], ..record }
}

/// A dead letter of a record of the command topic.
pub(super) fn letter(offset: i64, code: &str) -> Recorded {
    let (offset_text, partition) = (offset.to_string(), PARTITION.to_string());
    let headers = [
        ("topic", "test.command.v1"),
        ("partition", &partition),
        ("offset", &offset_text),
        ("code", code),
        ("first-failed-at", "2026-01-01T00:00:00Z"),
        ("attempts", "1"),
        ("worker", "registry"),
        ("version", "0.1.0"),
    ];
    let headers = headers.map(|(name, value)| (format!("pursight-dlq-{name}"), value.to_owned())).to_vec();
    Recorded { partition: PARTITION, offset: 0, timestamp_ms: 1, key: TENANT.to_owned(), headers, value: vec![1] }
}

/// The read model of the good history: a row for each thing.
pub(super) fn rows(records: &BTreeMap<Topic, Vec<Recorded>>) -> Vec<RowHash> {
    let row = |table: &str, id: String| RowHash { table: table.to_owned(), hash: sha256(id.as_bytes()), id };
    let mut rows = vec![row("data_source", SOURCE.to_string()), row("data_source", Uuid::from_u128(0x52).to_string())];
    rows.extend((1..=6).map(|at| row("command", format!("c{at}"))));
    rows.extend((0..records[&Topic::Audit].len()).map(|at| row("audit", at.to_string())));
    rows.extend((0..records[&Topic::DeadLetter].len()).map(|at| row("dead_letter", at.to_string())));
    rows
}

/// Where the read model stood in the sources' partition.
pub(super) fn sample(at_ms: i64, epoch: i64, next_offset: i64) -> PositionSample {
    PositionSample { at_ms, topic: "source".to_owned(), partition: PARTITION, epoch, next_offset, group: None }
}
