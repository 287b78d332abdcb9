//! A history made by hand: a source that is created, renamed and deleted, a run in two attempts, and everything that a
//! publisher can get wrong. Small enough to be read, whole enough to hold.

use std::collections::BTreeMap;

use pursight_schemas::{
    AuditDecision, Command, CommandAccepted, CommandAudited, CommandRejected, CommandSucceeded, Coordinates,
    DataSourceCreated, DataSourceDeleted, DataSourcePatch, DataSourceUpdated, DeleteDataSource, DeleteMode,
    DiscoverSchema, DiscoveryStarted, Event, EventMeta, OwnershipTaken, SchemaSnapshotCompleted, Topic,
    UpdateDataSource, WorkItem,
};
use uuid::Uuid;

use super::parts::{
    CREATE, DELETE, DISCOVER, Decided, OWNER, PARTITION, SOURCE, TENANT, aborted, by_runner, create, event_meta,
    event_record, letter, meta, rows, run_meta, sample, spec, success,
};
use crate::checks::sound::sha256;
use crate::history::{
    Act, GroupEnd, History, OPERATION_HEADER, Operation, PartitionEnd, Plan, PositionSample, Recorded, Sent, Shape,
};

/// A history under construction.
pub(super) struct Made {
    records: BTreeMap<Topic, Vec<Recorded>>,
    operations: Vec<Operation>,
    /// Number of the next event of each command.
    positions: BTreeMap<Uuid, usize>,
    owner: Uuid,
}

impl Made {
    pub(super) fn new() -> Self {
        let (records, operations, positions) = (BTreeMap::new(), Vec::new(), BTreeMap::new());
        let mut made = Self { records, operations, positions, owner: Uuid::nil() };
        made.take_over(OWNER);
        made
    }

    /// What is described above.
    pub(super) fn good() -> Self {
        let mut made = Self::new();
        let create = create(CREATE, "Orders");
        made.create(CREATE, SOURCE, "Orders");
        made.repeat(&create);
        made.refused(&self::create(CREATE, "Other"), Shape::Command, "PAYLOAD_MISMATCH");
        let update = UpdateDataSource {
            meta: meta(Uuid::from_u128(0xc2)),
            source_id: SOURCE,
            patch: DataSourcePatch { name: Some("Sales".to_owned()), ..DataSourcePatch::default() },
            ..UpdateDataSource::default()
        };
        let update = made.first(&update.into());
        let changed = vec!["name".to_owned()];
        made.source_event(update, 2, |meta| {
            DataSourceUpdated { meta, spec: spec("Sales"), name_key: "sales".to_owned(), changed }.into()
        });
        made.succeeded(update, 2);
        made.run();
        let reject = made.first(&self::create(Uuid::from_u128(0xc4), "Sales"));
        made.rejected(reject);
        let delete = DeleteDataSource { meta: meta(DELETE), source_id: SOURCE, mode: DeleteMode::Soft };
        let delete = made.first(&delete.into());
        made.source_event(delete, 3, |meta| DataSourceDeleted { meta, mode: DeleteMode::Soft }.into());
        made.registry(Topic::Control, delete, |meta| {
            pursight_schemas::Cancel { meta, run_id: None, source_id: Some(SOURCE) }.into()
        });
        made.succeeded(delete, 3);
        // The name is free again, and the next owner decides that.
        made.take_over(Uuid::from_u128(0xa2));
        made.create(Uuid::from_u128(0xc6), Uuid::from_u128(0x52), "SALES");
        let other = self::create(Uuid::from_u128(0xc7), "Never");
        made.refused(&other, Shape::Unsigned, "ATTESTATION_MISSING");
        made.refused(&other, Shape::Altered, "ATTESTATION_INVALID");
        made.garbage();
        made
    }

    /// The history, with the read model and all positions as they should be.
    pub(super) fn history(self) -> History {
        let mut records = self.records;
        for topic in Topic::ALL {
            records.entry(topic).or_default();
        }
        let mut uncommitted = records.clone();
        // One aborted record that was never decided again.
        let aborted = event_record(Topic::Source, 90, OWNER, &aborted());
        uncommitted.entry(Topic::Source).or_default().push(aborted);
        let live = rows(&records);
        let end =
            |topic: &Topic| PartitionEnd { topic: topic.short().to_owned(), partition: PARTITION, low: 0, high: 100 };
        let group = |at_ms, next_offset| PositionSample {
            topic: "command".to_owned(),
            group: Some("test-registry".to_owned()),
            ..sample(at_ms, 0, next_offset)
        };
        let groups = vec![GroupEnd {
            group: "test-registry".to_owned(),
            topic: "command".to_owned(),
            partition: PARTITION,
            offset: Some(11),
        }];
        let mut history = History {
            plan: Plan { prefix: "test".to_owned(), tenants: vec![TENANT.to_owned()], ..Plan::default() },
            operations: self.operations,
            acts: vec![Act {
                at_ms: 1,
                act: "kill".to_owned(),
                target: "registry-1".to_owned(),
                pid: Some(7),
                more: serde_json::Map::new(),
            }],
            records,
            uncommitted,
            positions: vec![
                sample(1, 1, 0),
                sample(2, 1, 4),
                sample(3, 2, 4),
                sample(4, 2, 9),
                group(1, 0),
                group(5, 11),
            ],
            ends: crate::history::Ends { partitions: Topic::ALL.iter().map(end).collect(), groups },
            rebuilt: live.clone(),
            live,
        };
        history.sort();
        history
    }

    fn push(&mut self, topic: Topic, mut record: Recorded) -> i64 {
        let all = self.records.entry(topic).or_default();
        record.offset = i64::try_from(all.len()).unwrap();
        all.push(record);
        i64::try_from(all.len()).unwrap() - 1
    }

    /// A new owner of the partition writes its markers.
    pub(super) fn take_over(&mut self, owner: Uuid) {
        self.owner = owner;
        let marker = OwnershipTaken { meta: event_meta(owner, 0), worker: "registry".to_owned() };
        let marker = OwnershipTaken { meta: EventMeta { tenant_id: String::new(), ..marker.meta }, ..marker };
        for topic in [Topic::Source, Topic::Outcome] {
            let record = event_record(topic, 0, owner, &marker.clone().into());
            self.push(topic, record);
        }
    }

    /// A record of the command topic, acknowledged; returns where it lies.
    fn send(&mut self, value: Vec<u8>, shape: Shape, command_id: Option<Uuid>) -> i64 {
        let n = u64::try_from(self.operations.len()).unwrap();
        let mut headers = vec![(OPERATION_HEADER.to_owned(), n.to_string())];
        if shape != Shape::Unsigned {
            headers.push(("pursight-attestation".to_owned(), "…".to_owned()));
        }
        let attested = match shape {
            Shape::Unsigned => None,
            Shape::Altered => Some(sha256(b"another value")),
            _ => Some(sha256(&value)),
        };
        let value_sha256 = sha256(&value);
        let record =
            Recorded { partition: PARTITION, offset: 0, timestamp_ms: 1, key: TENANT.to_owned(), headers, value };
        let offset = self.push(Topic::Command, record);
        self.operations.push(Operation {
            n,
            publisher: 0,
            kind: "test".to_owned(),
            shape,
            command_id,
            tenant: TENANT.to_owned(),
            key: TENANT.to_owned(),
            partition: PARTITION,
            value_sha256,
            payload_sha256: attested,
            invoked_at_ms: i64::try_from(n).unwrap(),
            ended_at_ms: i64::try_from(n).unwrap() + 1,
            result: Sent::Ok,
            offset: Some(offset),
        });
        offset
    }

    fn command(&mut self, command: &Command, shape: Shape) -> i64 {
        self.send(command.encode().unwrap(), shape, Some(command.meta().command_id))
    }

    /// The first record of a command: it will be decided.
    pub(super) fn first(&mut self, command: &Command) -> Decided {
        let offset = self.command(command, Shape::Command);
        self.audit(offset, AuditDecision::Accepted);
        let sha256 = sha256(&command.encode().unwrap());
        Decided { id: command.meta().command_id, kind: command.full_name(), sha256: Box::leak(sha256.into_boxed_str()) }
    }

    /// The same command again.
    pub(super) fn repeat(&mut self, command: &Command) {
        let offset = self.command(command, Shape::Command);
        self.audit(offset, AuditDecision::Repeated);
    }

    /// A record that must not be believed, with its dead letter.
    pub(super) fn refused(&mut self, command: &Command, shape: Shape, code: &str) {
        let offset = self.command(command, shape);
        self.dead_letter(offset, code);
    }

    fn garbage(&mut self) {
        let offset = self.send(b"no record".to_vec(), Shape::Garbage, None);
        self.dead_letter(offset, "UNDECODABLE");
    }

    fn dead_letter(&mut self, offset: i64, code: &str) {
        self.audit(offset, AuditDecision::RefusedUnverified);
        self.push(Topic::DeadLetter, letter(offset, code));
    }

    fn audit(&mut self, offset: i64, decision: AuditDecision) {
        let record = Coordinates { topic: "test.command.v1".to_owned(), partition: PARTITION, offset };
        let id = Uuid::new_v5(&Uuid::NAMESPACE_OID, format!("audit/{offset}").as_bytes());
        let event = CommandAudited { meta: event_meta(id, 0), decision, record, ..CommandAudited::default() };
        let record = event_record(Topic::Audit, 0, self.owner, &event.into());
        self.push(Topic::Audit, record);
    }

    /// The next event of a decision.
    pub(super) fn registry(&mut self, topic: Topic, of: Decided, event: impl FnOnce(EventMeta) -> Event) {
        let position = self.positions.entry(of.id).or_default();
        let id = Uuid::new_v5(&of.id, position.to_string().as_bytes());
        *position += 1;
        let meta = EventMeta { command_id: Some(of.id), ..event_meta(id, 0) };
        let record = event_record(topic, 0, self.owner, &event(meta));
        self.push(topic, record);
    }

    /// An event of [`SOURCE`].
    pub(super) fn source_event(&mut self, of: Decided, sequence: i64, event: impl FnOnce(EventMeta) -> Event) {
        self.registry(Topic::Source, of, |meta| event(EventMeta { source_id: Some(SOURCE), sequence, ..meta }));
    }

    pub(super) fn succeeded(&mut self, of: Decided, version: i64) {
        self.outcome(of, |meta| success(meta, of, Some(version)));
    }

    pub(super) fn outcome(&mut self, of: Decided, event: impl FnOnce(EventMeta) -> Event) {
        self.registry(Topic::Outcome, of, event);
    }

    pub(super) fn rejected(&mut self, of: Decided) {
        // The trail said ACCEPTED when the record was sent.
        let audits = self.records.get_mut(&Topic::Audit).unwrap();
        let last = audits.pop().unwrap();
        let Event::CommandAudited(line) = last.event().unwrap() else { panic!("an audit line") };
        let line = CommandAudited { decision: AuditDecision::Rejected, ..*line };
        audits.push(Recorded { value: Event::from(line).encode().unwrap(), ..last });
        self.rejected_late(of);
    }

    /// A refusal when other things were written before.
    pub(super) fn rejected_late(&mut self, of: Decided) {
        let payload_sha256 = Some(of.sha256.to_owned());
        self.outcome(of, |meta| {
            CommandRejected { meta, command_type: of.kind.to_owned(), payload_sha256, ..CommandRejected::default() }
                .into()
        });
    }

    /// A source is created.
    pub(super) fn create(&mut self, id: Uuid, source: Uuid, name: &str) {
        let of = self.first(&create(id, name));
        self.registry(Topic::Source, of, |meta| {
            let meta = EventMeta { source_id: Some(source), sequence: 1, ..meta };
            DataSourceCreated { meta, spec: spec(name), name_key: name.to_lowercase() }.into()
        });
        self.outcome(of, |meta| success(EventMeta { source_id: Some(source), ..meta }, of, Some(1)));
    }

    /// A discovery whose first attempt broke off.
    fn run(&mut self) {
        let command = DiscoverSchema { meta: meta(DISCOVER), source_id: SOURCE, ..DiscoverSchema::default() };
        let of = self.first(&command.into());
        self.registry(Topic::WorkDiscovery, of, |meta| {
            WorkItem { meta, run_id: of.id, answers_command: true, ..WorkItem::default() }.into()
        });
        self.outcome(of, |meta| {
            let payload_sha256 = of.sha256.to_owned();
            CommandAccepted { meta, command_type: of.kind.to_owned(), payload_sha256 }.into()
        });
        for (attempt, sequence) in [(1, 0), (2, 0)] {
            self.of_run(attempt, sequence, |meta| {
                DiscoveryStarted { meta, run_id: DISCOVER, attempt, ..DiscoveryStarted::default() }.into()
            });
        }
        self.of_run(2, 1, |meta| {
            SchemaSnapshotCompleted { meta, run_id: DISCOVER, ..SchemaSnapshotCompleted::default() }.into()
        });
        let end = success(run_meta(Uuid::new_v5(&DISCOVER, b"outcome/2/0"), 0), of, Some(2));
        let Event::CommandSucceeded(end) = end else { panic!("a success") };
        let end = CommandSucceeded { payload_sha256: None, ..*end };
        let record = by_runner(event_record(Topic::Outcome, 0, self.owner, &end.into()));
        self.push(Topic::Outcome, record);
    }

    fn of_run(&mut self, attempt: i32, sequence: i64, event: impl FnOnce(EventMeta) -> Event) {
        let id = Uuid::new_v5(&DISCOVER, format!("{attempt}/{sequence}").as_bytes());
        let record = by_runner(event_record(Topic::Schema, 0, self.owner, &event(run_meta(id, sequence))));
        self.push(Topic::Schema, record);
    }
}
