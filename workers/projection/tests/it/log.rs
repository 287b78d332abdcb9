//! A log made by hand: events as workers write them, with offsets, headers and timestamps.

use std::collections::BTreeMap;

use pursight_engine::{Claim, Failure, Handler, Outgoing, Record, TraceParent};
use pursight_projection::{LogIdentity, Projection};
use pursight_read_model::ReadModel;
use pursight_schemas::*;
use uuid::Uuid;

pub const TENANT: &str = "acme";
pub const OWNER: Uuid = Uuid::from_u128(0xACE);

/// Partition 0 of every topic.
#[derive(Default)]
pub struct Log {
    pub records: BTreeMap<Topic, Vec<Record>>,
}

impl Log {
    /// A log whose registry has taken over.
    pub fn new() -> Self {
        let mut log = Self::default();
        for topic in [Topic::Source, Topic::Outcome] {
            let meta = EventMeta { event_id: OWNER, ..EventMeta::default() };
            log.put(topic, OwnershipTaken { meta, worker: "registry".into() }.into(), Some(OWNER));
        }
        log
    }

    /// Appends an event under an owner. Offsets leave room for control records.
    pub fn put(&mut self, topic: Topic, event: Event, owner: Option<Uuid>) {
        let trace = TraceParent::of(None, event.meta().event_id);
        let key = event.meta().tenant_id.clone();
        let worker = if owner.is_some() { "registry" } else { "runner" };
        let mut out = Outgoing::event(topic, &key, &event, worker, &trace).unwrap();
        if let Some(owner) = owner {
            out = out.with_header("pursight-owner", owner.to_string());
        }
        self.put_raw(topic, out, event.meta().occurred_at);
    }

    /// Appends a record.
    pub fn put_raw(&mut self, topic: Topic, out: Outgoing, timestamp: Micros) {
        let records = self.records.entry(topic).or_default();
        let offset =
            records.last().map_or(0, |last: &Record| last.offset + 1 + i64::from(records.len().is_multiple_of(3)));
        records.push(Record {
            topic,
            partition: 0,
            offset,
            timestamp,
            key: out.key.into_bytes(),
            value: out.value,
            headers: out.headers.into_iter().map(|(name, value)| (name, value.into_bytes())).collect(),
        });
    }

    /// Appends an event of the registry about a source.
    pub fn source(&mut self, event: impl Into<Event>) {
        self.put(Topic::Source, event.into(), Some(OWNER));
    }

    /// Appends an outcome of the registry.
    pub fn outcome(&mut self, event: impl Into<Event>) {
        self.put(Topic::Outcome, event.into(), Some(OWNER));
    }

    /// Appends an event of a runner.
    pub fn run(&mut self, topic: Topic, event: impl Into<Event>) {
        self.put(topic, event.into(), None);
    }

    /// Folds everything, in batches of `size`.
    pub async fn fold(&self, model: &ReadModel, size: usize) {
        let projection = Projection::new(model.clone(), LogIdentity::default());
        for (topic, records) in &self.records {
            fold_topic(&projection, *topic, records, size).await.unwrap();
        }
    }
}

/// Takes over a topic's partition 0 and folds its records from the stored position.
pub async fn fold_topic(
    projection: &Projection,
    topic: Topic,
    records: &[Record],
    size: usize,
) -> Result<Vec<&'static str>, Failure> {
    let claim = Claim::detached(topic, 0);
    let start = projection.take_over(&claim).await?.unwrap_or_default();
    let rest: Vec<Record> = records.iter().filter(|record| record.offset >= start).cloned().collect();
    let mut words = Vec::new();
    for batch in rest.chunks(size) {
        words.extend(projection.handle(batch, &claim).await?.into_iter().map(|line| line.outcome));
    }
    Ok(words)
}

/// A moment; `second` counts from an arbitrary one.
pub fn at(second: i64) -> Micros {
    Micros(1_780_000_000_000_000).plus_seconds(second)
}

/// What every event carries, for a source of `TENANT`.
pub fn meta(source: u128, sequence: i64, second: i64) -> EventMeta {
    EventMeta {
        event_id: Uuid::from_u128(
            (source << 64) | (u128::try_from(second).unwrap() << 8) | u128::try_from(sequence).unwrap(),
        ),
        tenant_id: TENANT.into(),
        source_id: Some(Uuid::from_u128(source)),
        sequence,
        occurred_at: at(second),
        command_id: Some(Uuid::from_u128(0xC0 + source)),
        causation_id: None,
        correlation_id: None,
        actor: Actor { principal: "ann".into(), kind: ActorType::User, ..Actor::default() },
    }
}

/// A configuration.
pub fn spec(name: &str) -> DataSourceSpec {
    DataSourceSpec {
        name: name.into(),
        source_type: SourceType::Postgresql,
        location: Location::OnPrem,
        hosts: vec![HostPort { host: "db.example".into(), port: Some(5432) }],
        tags: vec!["a".into(), "b,c".into()],
        ..DataSourceSpec::default()
    }
}

/// A creation.
pub fn created(source: u128, sequence: i64, name: &str) -> DataSourceCreated {
    DataSourceCreated { meta: meta(source, sequence, 1), spec: spec(name), name_key: name.to_lowercase() }
}

/// An object of a source.
pub fn object(source: u128, name: &str) -> ObjectRef {
    let id = ids::object_id(Uuid::from_u128(source), ObjectKind::Table, "db", "public", name, None);
    ObjectRef {
        catalog: "db".into(),
        schema: "public".into(),
        name: name.into(),
        kind: ObjectKind::Table,
        object_id: id,
        native_id: Some("17".into()),
    }
}

/// What discovery saw of an object with one column.
pub fn observed(source: u128, run: u128, sequence: i64, name: &str) -> SchemaObjectObserved {
    SchemaObjectObserved {
        meta: meta(source, sequence, 20 + sequence),
        run_id: Uuid::from_u128(run),
        object: object(source, name),
        columns: vec![Column { name: "id".into(), ordinal: 1, data_type: "bigint".into(), ..Column::default() }],
        constraints: vec![Constraint {
            name: "pk".into(),
            kind: ConstraintKind::PrimaryKey,
            columns: vec!["id".into()],
            ..Constraint::default()
        }],
        indexes: vec![Index {
            name: "pk".into(),
            unique: true,
            columns: vec!["id".into()],
            method: "btree".into(),
            definition: "…".into(),
        }],
        content_hash: format!("hash of {name}"),
        version: "1.0.0".into(),
        ..SchemaObjectObserved::default()
    }
}

/// The beginning of a discovery.
pub fn started(source: u128, run: u128, second: i64) -> DiscoveryStarted {
    DiscoveryStarted {
        meta: meta(source, 0, second),
        run_id: Uuid::from_u128(run),
        attempt: 1,
        ..DiscoveryStarted::default()
    }
}

/// The complete end of a discovery.
pub fn completed(source: u128, run: u128, sequence: i64, second: i64) -> SchemaSnapshotCompleted {
    SchemaSnapshotCompleted {
        meta: meta(source, sequence, second),
        run_id: Uuid::from_u128(run),
        complete: true,
        root_hash: "root".into(),
        scope_hash: "scope".into(),
        visibility_hash: "visibility".into(),
        ..SchemaSnapshotCompleted::default()
    }
}

/// One of everything, for tests that look at every table.
pub fn one_of_everything() -> Log {
    let mut log = Log::new();
    log.source(created(1, 1, "Orders"));
    let star = FavoriteSet {
        meta: EventMeta { source_id: None, ..meta(1, 0, 2) },
        source_id: Uuid::from_u128(1),
        principal: "ann".into(),
        favorite: true,
    };
    log.source(star);
    let command = |second| meta(1, 0, second);
    log.outcome(CommandAccepted {
        meta: command(1),
        command_type: "CreateDataSource".into(),
        payload_sha256: "p".into(),
    });
    log.outcome(CommandSucceeded {
        meta: command(2),
        command_type: "CreateDataSource".into(),
        version: Some(1),
        ..CommandSucceeded::default()
    });
    let work = WorkItem {
        meta: meta(1, 0, 3),
        run_id: Uuid::from_u128(0xD1),
        kind: WorkKind::Discover,
        version: 1,
        deadline: Micros(i64::MAX),
        ..WorkItem::default()
    };
    log.run(Topic::WorkDiscovery, work);
    let tested = ConnectionTested {
        meta: meta(1, 0, 10),
        run_id: Uuid::from_u128(0xE1),
        result: TestResult::Failed,
        steps: vec![TestStep {
            name: "tcp".into(),
            result: StepResult::Failed,
            duration_us: 7,
            problem: Some(Problem { code: "CONNECTION_REFUSED".into(), ..Problem::default() }),
        }],
        ..ConnectionTested::default()
    };
    log.run(Topic::Connection, tested);
    log.run(Topic::Schema, started(1, 0xD1, 20));
    log.run(Topic::Schema, observed(1, 0xD1, 1, "orders"));
    let change = Change {
        kind: ChangeKind::ObjectAdded,
        severity: Severity::Minor,
        certainty: Certainty::Certain,
        ..Change::default()
    };
    log.run(
        Topic::Schema,
        SchemaChanged {
            meta: meta(1, 2, 22),
            run_id: Uuid::from_u128(0xD1),
            object: object(1, "orders"),
            changes: vec![change],
            ..SchemaChanged::default()
        },
    );
    log.run(Topic::Schema, completed(1, 0xD1, 3, 23));
    let figures = ObjectStatistics {
        object_id: object(1, "orders").object_id,
        size_bytes: Some(8192),
        rows: Some(3),
        quality: "estimate".into(),
    };
    log.run(
        Topic::Statistics,
        ObjectStatisticsObserved { meta: meta(1, 0, 30), run_id: Uuid::from_u128(0xF1), objects: vec![figures] },
    );
    let collected = StatisticsCollected {
        meta: meta(1, 1, 31),
        run_id: Uuid::from_u128(0xF1),
        size_bytes: Some(9),
        object_count: 1,
        counters: BTreeMap::from([("blks_hit".into(), 5)]),
        ..StatisticsCollected::default()
    };
    log.run(Topic::Statistics, collected);
    let audited = CommandAudited {
        meta: command(1),
        decision: AuditDecision::Accepted,
        payload_sha256: "p".into(),
        ..CommandAudited::default()
    };
    log.run(Topic::Audit, audited);
    log.put_raw(Topic::DeadLetter, dead_letter(), at(40));
    log
}

fn dead_letter() -> Outgoing {
    let headers = [
        ("topic", "pursight.command.v1"),
        ("partition", "3"),
        ("offset", "77"),
        ("code", "UNDECODABLE"),
        ("attempts", "1"),
        ("worker", "registry"),
        ("version", "0.1.0"),
        ("first-failed-at", "2026-01-01T00:00:00Z"),
    ];
    Outgoing {
        topic: Topic::DeadLetter,
        partition: None,
        key: TENANT.into(),
        value: b"sealed-canary".to_vec(),
        headers: headers.map(|(name, value)| (format!("pursight-dlq-{name}"), value.to_owned())).to_vec(),
    }
}
