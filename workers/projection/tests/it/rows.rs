//! What the rows say after a story has been folded.

use pursight_projection::{LogIdentity, Projection};
use pursight_read_model::ReadModel;
use pursight_read_model::testing::TestDatabase;
use pursight_schemas::*;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use crate::log::{
    Log, TENANT, at, completed, created, fold_topic, meta, object, observed, one_of_everything, spec, started,
};

/// All rows of a query as JSON.
async fn rows(model: &ReadModel, query: &str) -> Vec<Value> {
    let text = format!("SELECT to_jsonb(q) FROM ({query}) q");
    sqlx::query_scalar(AssertSqlSafe(text)).fetch_all(model.pool()).await.unwrap()
}

#[tokio::test]
async fn a_sources_history_tells_each_field_with_before_after_and_actor() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    log.source(created(1, 1, "Orders"));
    let mut spec = spec("Orders two\0");
    spec.owner = Some("team".into());
    let meta2 = EventMeta {
        actor: Actor { principal: "bob".into(), reason: Some("moved".into()), ..Actor::default() },
        ..meta(1, 2, 5)
    };
    log.source(DataSourceUpdated { meta: meta2, spec: spec.clone(), name_key: "orders two".into(), changed: vec![] });
    log.source(DataSourcePaused { meta: meta(1, 3, 6) });
    log.source(DataSourceDeleted { meta: meta(1, 4, 7), mode: DeleteMode::Soft });
    log.source(created(2, 1, "Orders two"));
    log.source(DataSourceDeleted { meta: meta(2, 2, 8), mode: DeleteMode::Purge });
    log.source(DataSourceRestored { meta: meta(1, 5, 9), spec, name_key: "orders two".into() });
    log.fold(&model, 100).await;
    let changes = rows(&model, "SELECT version, field, before, after, principal, reason FROM data_source_change WHERE source_id = '00000000-0000-0000-0000-000000000001' AND version > 1 ORDER BY version, field").await;
    let told = |version: i64, field: &str, before: Value, after: Value, who: &str, reason: Value| json!({"version": version, "field": field, "before": before, "after": after, "principal": who, "reason": reason});
    assert_eq!(
        changes,
        [
            told(2, "name", json!("Orders"), json!("Orders two\u{fffd}"), "bob", json!("moved")),
            told(2, "owner", Value::Null, json!("team"), "bob", json!("moved")),
            told(3, "state", json!("ACTIVE"), json!("PAUSED"), "ann", Value::Null),
            told(4, "state", json!("PAUSED"), json!("DELETED"), "ann", Value::Null),
            told(5, "state", json!("DELETED"), json!("ACTIVE"), "ann", Value::Null),
        ]
    );
    let first = "SELECT string_agg(field, ' ' ORDER BY field) AS fields, bool_or(after IS NULL) AS blank FROM data_source_change WHERE source_id = '00000000-0000-0000-0000-000000000001' AND version = 1";
    assert_eq!(
        rows(&model, first).await,
        [json!({
            "fields": "backup_enabled criticality data_classification encryption_enabled environment hosts location \
                monitoring_enabled name pool source_type state tags tls",
            "blank": false,
        })],
        "what a new source says nothing about is no change"
    );
    let now = rows(
        &model,
        "SELECT state, version, tags, deleted_at, hosts -> 0 ->> 'host' AS host FROM v_source ORDER BY source_id",
    )
    .await;
    assert_eq!(
        now[0],
        json!({"state": "ACTIVE", "version": 5, "tags": ["a", "b,c"], "deleted_at": null, "host": "db.example"})
    );
    assert_eq!((&now[1]["state"], &now[1]["version"]), (&json!("PURGED"), &json!(2)));
    database.remove().await;
}

#[tokio::test]
async fn the_first_terminal_outcome_of_a_command_wins() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    let command_type = || "DiscoverSchema".to_owned();
    log.outcome(CommandAccepted { meta: meta(1, 0, 1), command_type: command_type(), payload_sha256: "hash".into() });
    log.run(
        Topic::Outcome,
        CommandProgressed {
            meta: meta(1, 0, 2),
            command_type: command_type(),
            done: 3,
            total: Some(9),
            message: "listing".into(),
        },
    );
    let projection = Projection::new(model.clone(), LogIdentity::default());
    fold_topic(&projection, Topic::Outcome, &log.records[&Topic::Outcome], 10).await.unwrap();
    let running =
        rows(&model, "SELECT state, progress_done, progress_total, run_ids, payload_sha256 FROM command").await;
    let run = Uuid::from_u128(0xC1);
    assert_eq!(
        running,
        [
            json!({"state": "RUNNING", "progress_done": 3, "progress_total": 9, "run_ids": [run], "payload_sha256": "hash"})
        ]
    );
    log.run(
        Topic::Outcome,
        CommandFailed {
            meta: meta(1, 0, 3),
            command_type: command_type(),
            problem: Problem { code: "CONNECT_TIMEOUT".into(), ..Problem::default() },
        },
    );
    log.run(
        Topic::Outcome,
        CommandSucceeded { meta: meta(1, 0, 4), command_type: command_type(), ..CommandSucceeded::default() },
    );
    let words = fold_topic(&projection, Topic::Outcome, &log.records[&Topic::Outcome], 10).await.unwrap();
    assert_eq!(words, ["folded", "repeated"]);
    let ended = rows(&model, "SELECT state, problem ->> 'code' AS code, result FROM command").await;
    assert_eq!(ended, [json!({"state": "FAILED", "code": "CONNECT_TIMEOUT", "result": null})]);
    database.remove().await;
}

#[tokio::test]
async fn old_commands_are_forgotten_by_record_time_wherever_batches_end() {
    let day = 86_400;
    for size in [1, 2, 100] {
        let (database, model) = TestDatabase::migrated().await;
        let mut log = Log::new();
        // The last one comes late, from a clock that stands far behind: it is forgotten when the next day begins.
        for (source, second) in [(1, 0), (2, 20 * day), (3, 45 * day), (4, day)] {
            let meta = meta(source, 0, second);
            log.outcome(CommandRejected { meta, command_type: "PauseDataSource".into(), ..CommandRejected::default() });
        }
        log.fold(&model, size).await;
        let left = rows(&model, "SELECT command_id FROM command ORDER BY command_id").await;
        assert_eq!(left, [2, 3, 4].map(|source| json!({"command_id": Uuid::from_u128(0xC0 + source)})), "{size}");
        database.remove().await;
    }
}

#[tokio::test]
async fn views_join_what_the_streams_say() {
    let (database, model) = TestDatabase::migrated().await;
    let log = one_of_everything();
    log.fold(&model, 3).await;
    let source = &rows(&model, "SELECT * FROM v_source").await[0];
    for (field, wanted) in [
        ("last_test_result", json!("FAILED")),
        ("last_test_code", json!("CONNECTION_REFUSED")),
        ("object_count", json!(1)),
        ("size_bytes", json!(9)),
        ("last_discovery_state", json!("SUCCEEDED")),
        ("deletions_held", json!(0)),
    ] {
        assert_eq!(source[field], wanted, "{field}");
    }
    let runs = rows(&model, "SELECT kind, state, result, attempt FROM v_run ORDER BY run_id").await;
    assert_eq!(
        runs,
        [
            json!({"kind": "DISCOVER", "state": "SUCCEEDED", "result": null, "attempt": 1}),
            json!({"kind": "TEST", "state": "SUCCEEDED", "result": "FAILED", "attempt": 1}),
            json!({"kind": "STATISTICS", "state": "SUCCEEDED", "result": null, "attempt": 1}),
        ]
    );
    assert_eq!(
        rows(&model, "SELECT kind, source_name, version_now FROM v_schema_history").await,
        [json!({"kind": "OBJECT_ADDED", "source_name": "Orders", "version_now": "1.0.0"})]
    );
    let dead = &rows(&model, "SELECT * FROM dead_letter").await[0];
    assert_eq!(
        (&dead["tenant_id"], &dead["code"], &dead["original_offset"], &dead["size_bytes"]),
        (&json!(TENANT), &json!("UNDECODABLE"), &json!(77), &json!(13))
    );
    assert!(!dead.to_string().contains("canary"));
    for table in ["schema_column", "schema_constraint", "schema_index", "object_statistics", "audit", "favorite"] {
        assert_eq!(rows(&model, &format!("SELECT * FROM {table}")).await.len(), 1, "{table}");
    }
    database.remove().await;
}

#[tokio::test]
async fn a_queued_run_is_seen_and_a_failed_one_takes_its_commands_word() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    let run_id = Uuid::from_u128(0xC1);
    log.run(
        Topic::WorkConnection,
        WorkItem { meta: meta(1, 0, 3), run_id, kind: WorkKind::Test, answers_command: true, ..WorkItem::default() },
    );
    log.fold(&model, 3).await;
    assert_eq!(rows(&model, "SELECT state, attempt FROM v_run").await, [json!({"state": "QUEUED", "attempt": 0})]);
    log.run(
        Topic::Outcome,
        CommandFailed {
            meta: meta(1, 0, 3),
            command_type: "TestConnection".into(),
            problem: Problem { code: "DEADLINE_EXCEEDED".into(), ..Problem::default() },
        },
    );
    log.fold(&model, 3).await;
    assert_eq!(
        rows(&model, "SELECT state, code FROM v_run").await,
        [json!({"state": "FAILED", "code": "DEADLINE_EXCEEDED"})]
    );
    database.remove().await;
}

#[tokio::test]
async fn objects_are_dropped_held_unreadable_and_out_of_scope_only_as_events_say() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    log.run(Topic::Schema, started(1, 0xD1, 20));
    for (sequence, name) in [(1, "a"), (2, "b"), (3, "c"), (4, "d")] {
        log.run(Topic::Schema, observed(1, 0xD1, sequence, name));
    }
    log.run(Topic::Schema, completed(1, 0xD1, 5, 30));
    let of = |name: &str| object(1, name);
    let run_id = Uuid::from_u128(0xD2);
    log.run(Topic::Schema, started(1, 0xD2, 40));
    log.run(
        Topic::Schema,
        ObjectUnreadable {
            meta: meta(1, 1, 41),
            run_id,
            object: of("a"),
            problem: Problem { code: "MISSING_GRANT".into(), ..Problem::default() },
        },
    );
    log.run(
        Topic::Schema,
        ObjectDropped { meta: meta(1, 2, 42), run_id, object: of("b"), entailed_by: vec!["public".into()] },
    );
    log.run(
        Topic::Schema,
        DeletionHeld { meta: meta(1, 3, 43), run_id, objects: vec![of("c")], listed_before: 4, listed_now: 2 },
    );
    log.run(Topic::Schema, completed(1, 0xD2, 4, 44));
    log.fold(&model, 100).await;
    let query = "SELECT o.name, state, held_by_run IS NOT NULL AS held, unreadable ->> 'code' AS code, content_hash, in_scope, (SELECT count(*) FROM schema_column c WHERE c.object_id = o.object_id) AS columns FROM schema_object o ORDER BY name";
    let object = |name: &str, state: &str, held: bool, code: Value, scope: bool, columns: i64| json!({"name": name, "state": state, "held": held, "code": code, "content_hash": format!("hash of {name}"), "in_scope": scope, "columns": columns});
    assert_eq!(
        rows(&model, query).await,
        [
            object("a", "LIVE", false, json!("MISSING_GRANT"), true, 1),
            object("b", "DROPPED", false, Value::Null, true, 0),
            object("c", "LIVE", true, Value::Null, true, 1),
            object("d", "LIVE", false, Value::Null, true, 1),
        ]
    );
    // A later complete listing that says nothing of them ends hold and mark; its narrower scope leaves "d" out.
    let mut narrow = started(1, 0xD3, 50);
    narrow.scope = ScopeFilter { include: vec!["public.?".into()], exclude: vec!["*.d".into()] };
    log.run(Topic::Schema, narrow);
    log.run(Topic::Schema, SchemaSnapshotCompleted { scope_hash: "narrow".into(), ..completed(1, 0xD3, 1, 51) });
    log.fold(&model, 100).await;
    assert_eq!(
        rows(&model, query).await,
        [
            object("a", "LIVE", false, Value::Null, true, 1),
            object("b", "DROPPED", false, Value::Null, true, 0),
            object("c", "LIVE", false, Value::Null, true, 1),
            object("d", "LIVE", false, Value::Null, false, 1),
        ]
    );
    assert_eq!(rows(&model, "SELECT objects_held, objects_dropped, listed_now FROM run WHERE run_id = '00000000-0000-0000-0000-0000000000d2'").await, [json!({"objects_held": 1, "objects_dropped": 1, "listed_now": 2})]);
    database.remove().await;
}

#[tokio::test]
async fn a_new_attempt_starts_its_run_over_and_nothing_follows_the_end() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    log.run(Topic::Schema, started(1, 0xD1, 20));
    log.run(Topic::Schema, observed(1, 0xD1, 1, "a"));
    log.run(Topic::Schema, DiscoveryStarted { attempt: 2, ..started(1, 0xD1, 30) });
    log.run(Topic::Schema, observed(1, 0xD1, 1, "a"));
    log.run(Topic::Schema, DiscoveryCancelled { meta: meta(1, 2, 40), run_id: Uuid::from_u128(0xD1) });
    log.run(Topic::Schema, completed(1, 0xD1, 3, 41));
    let projection = Projection::new(model.clone(), LogIdentity::default());
    let words = fold_topic(&projection, Topic::Schema, &log.records[&Topic::Schema], 2).await.unwrap();
    assert_eq!(words, ["folded", "folded", "folded", "folded", "folded", "repeated"]);
    let run = rows(&model, "SELECT state, attempt, objects_observed FROM run").await;
    assert_eq!(run, [json!({"state": "CANCELLED", "attempt": 2, "objects_observed": 1})]);
    database.remove().await;
}

#[tokio::test]
async fn names_may_be_swapped_within_one_batch_but_two_live_sources_never_share_one() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    log.source(created(9, 1, "Taken"));
    log.source(created(1, 1, "Other"));
    log.source(DataSourceDeleted { meta: meta(9, 2, 5), mode: DeleteMode::Soft });
    log.source(DataSourceUpdated {
        meta: meta(1, 2, 6),
        spec: spec("Taken"),
        name_key: "taken".into(),
        changed: vec!["name".into()],
    });
    log.fold(&model, 100).await;
    log.source(created(3, 1, "Taken"));
    let projection = Projection::new(model.clone(), LogIdentity::default());
    let failed = fold_topic(&projection, Topic::Source, &log.records[&Topic::Source], 10).await.unwrap_err();
    assert!(failed.to_string().contains("data_source_name_is_taken_once"), "{failed}");
    assert_eq!(at(0), at(0));
    database.remove().await;
}

#[tokio::test]
async fn a_cancelled_run_is_neither_a_failed_one_nor_a_test_of_the_source() {
    let (database, model) = TestDatabase::migrated().await;
    let mut log = Log::new();
    log.source(created(1, 1, "Orders"));
    let skipped = |name: &str| TestStep { name: name.into(), result: StepResult::Skipped, ..TestStep::default() };
    log.run(
        Topic::Connection,
        ConnectionTested {
            meta: meta(1, 0, 10),
            run_id: Uuid::from_u128(0xE1),
            result: TestResult::Failed,
            steps: vec![skipped("secret"), skipped("egress")],
            ..ConnectionTested::default()
        },
    );
    log.run(
        Topic::Statistics,
        StatisticsFailed {
            meta: meta(1, 0, 11),
            run_id: Uuid::from_u128(0xE2),
            problem: Problem { code: "CANCELLED".into(), ..Problem::default() },
        },
    );
    log.fold(&model, 100).await;
    let runs = rows(&model, "SELECT kind, state, code FROM v_run ORDER BY kind").await;
    assert_eq!(
        runs,
        [
            json!({"kind": "STATISTICS", "state": "CANCELLED", "code": null}),
            json!({"kind": "TEST", "state": "CANCELLED", "code": null}),
        ]
    );
    let source = rows(&model, "SELECT last_test_result FROM v_source").await;
    assert_eq!(source, [json!({"last_test_result": null})]);
    database.remove().await;
}
