//! Rebuilding: equal while events flow, and loud about a row that somebody changed.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use futures::TryStreamExt;
use pursight_engine::{Claim, Failure, Handler, Record};
use pursight_projection::rebuild::{LogReader, Options, RebuildError, run};
use pursight_projection::{LogIdentity, Projection};
use pursight_read_model::testing::TestDatabase;
use pursight_schemas::hash::sha256_hex;
use pursight_schemas::*;
use sqlx::AssertSqlSafe;

use crate::log::{Log, created, meta, one_of_everything, spec};

const ALL: Options = Options { check_only: false, named: 10 };

/// A log that ends where it ends; some topics have lost their beginning.
struct Reader {
    log: Log,
    expired: Vec<Topic>,
    reads: AtomicUsize,
}

impl Reader {
    fn of(log: Log) -> Self {
        Self { log, expired: Vec::new(), reads: AtomicUsize::new(0) }
    }
}

#[async_trait]
impl LogReader for Reader {
    async fn ends(&self) -> Result<Vec<(Topic, i32, i64)>, Failure> {
        let end =
            |(topic, records): (&Topic, &Vec<Record>)| (*topic, 0, records.last().map_or(0, |last| last.offset + 1));
        Ok(self.log.records.iter().map(end).collect())
    }

    async fn read(
        &self,
        topic: Topic,
        partition: i32,
        from: i64,
        until: i64,
        limit: usize,
    ) -> Result<Vec<Record>, Failure> {
        self.reads.fetch_add(1, Ordering::Relaxed);
        if partition != 0 || self.expired.contains(&topic) {
            return Ok(Vec::new());
        }
        let records = self.log.records.get(&topic).into_iter().flatten();
        Ok(records
            .filter(|record| record.offset >= from && record.offset < until)
            .take(limit.min(7))
            .cloned()
            .collect())
    }
}

fn long_log() -> Log {
    let mut log = one_of_everything();
    for source in 2..40 {
        log.source(created(source, 1, &format!("Source {source}")));
        for sequence in 2..12 {
            let name = format!("Source {source} v{sequence}");
            log.source(DataSourceUpdated {
                meta: meta(source, sequence, sequence),
                spec: spec(&name),
                name_key: name.to_lowercase(),
                changed: vec![],
            });
        }
        log.outcome(CommandSucceeded {
            meta: meta(source, 0, 4),
            command_type: "CreateDataSource".into(),
            ..CommandSucceeded::default()
        });
    }
    log
}

#[tokio::test]
async fn a_rebuild_is_equal_takes_the_place_and_the_fold_goes_on_in_it() {
    let (database, model) = TestDatabase::migrated().await;
    sqlx::raw_sql("INSERT INTO reader_login VALUES ('somebody', 'acme')").execute(model.pool()).await.unwrap();
    let mut log = long_log();
    let projection = Projection::new(model.clone(), LogIdentity::default());
    let claim = Claim::detached(Topic::Source, 0);
    log.fold(&model, 5).await;
    projection.take_over(&claim).await.unwrap();
    let (before, keys) = (oid(&model).await, keys(&model).await);
    assert!(keys.len() > 30, "{keys:?}");
    let mut reader = Reader::of(long_log());
    // Work items and dead letters have expired in the log; their rows must not be lost.
    reader.expired = vec![Topic::WorkDiscovery, Topic::DeadLetter];
    let report = run(Arc::new(reader), &model, ALL, &|_| {}).await.unwrap();
    assert!(report.swapped && !report.was_empty && report.records > 400, "{report:?}");
    let runs = report.tables.iter().find(|table| table.table == "run").unwrap();
    assert_eq!((runs.rows, runs.sha256.as_str()), (3, copied(&model, "run", "tenant_id, run_id").await.as_str()));
    assert_ne!(oid(&model).await, before, "another table has taken the place");
    assert_eq!(self::keys(&model).await, keys, "with all of its keys and indexes");
    for table in ["work_item", "dead_letter", "reader_login"] {
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!("SELECT count(*) FROM {table}")))
            .fetch_one(model.pool())
            .await
            .unwrap();
        assert_eq!(count, 1, "{table}");
    }
    let schemas: Vec<String> =
        sqlx::query_scalar("SELECT nspname::TEXT FROM pg_namespace WHERE nspname LIKE 'pursight%'")
            .fetch_all(model.pool())
            .await
            .unwrap();
    assert_eq!(schemas, ["pursight"]);
    model.check_migrations().await.unwrap();
    // The projection that had the partition goes on without noticing: epochs were kept.
    let mut more = Log::default();
    more.records.insert(Topic::Source, log.records.remove(&Topic::Source).unwrap());
    more.source(DataSourcePaused { meta: meta(2, 12, 99) });
    let last = more.records[&Topic::Source].last().unwrap().clone();
    projection.handle(&[last], &claim).await.unwrap();
    database.remove().await;
}

/// The hash of a table as anybody can take it: of what `psql -c 'COPY (SELECT ...) TO STDOUT (FORMAT binary)'` prints.
async fn copied(model: &pursight_read_model::ReadModel, table: &str, key: &str) -> String {
    let mut connection = model.pool().acquire().await.unwrap();
    let copy = format!("COPY (SELECT * FROM {table} ORDER BY {key}) TO STDOUT (FORMAT binary)");
    let printed: Vec<_> = connection.copy_out_raw(&copy).await.unwrap().try_collect().await.unwrap();
    sha256_hex(&printed.concat())
}

/// Every index and every constraint, as the server prints it.
async fn keys(model: &pursight_read_model::ReadModel) -> Vec<String> {
    sqlx::query_scalar(
        "SELECT indexdef FROM pg_indexes WHERE schemaname = 'pursight'
        UNION ALL
        SELECT format('%s %s %s', c.relname, k.conname, pg_get_constraintdef(k.oid)) FROM pg_constraint k
        JOIN pg_class c ON c.oid = k.conrelid WHERE c.relnamespace = 'pursight'::regnamespace
        ORDER BY 1",
    )
    .fetch_all(model.pool())
    .await
    .unwrap()
}

async fn oid(model: &pursight_read_model::ReadModel) -> i64 {
    sqlx::query_scalar("SELECT 'data_source'::regclass::oid::BIGINT").fetch_one(model.pool()).await.unwrap()
}

#[tokio::test]
async fn a_rebuild_is_equal_while_events_flow() {
    let (database, model) = TestDatabase::migrated().await;
    let reader = Arc::new(Reader::of(long_log()));
    let log = long_log();
    for (topic, records) in &log.records {
        let projection = Projection::new(model.clone(), LogIdentity::default());
        crate::log::fold_topic(&projection, *topic, &records[..records.len().min(3)], 3).await.unwrap();
    }
    let flowing = tokio::spawn({
        let model = model.clone();
        async move { log.fold(&model, 1).await }
    });
    let report = run(reader.clone(), &model, ALL, &|_| {}).await.unwrap();
    flowing.await.unwrap();
    assert!(report.swapped);
    // And once more at the end, where everything has been folded.
    let report = run(reader.clone(), &model, Options { check_only: true, ..ALL }, &|_| {}).await.unwrap();
    assert!(!report.swapped);
    let sources = report.tables.iter().find(|table| table.table == "data_source").unwrap();
    assert_eq!(sources.rows, 39);
    database.remove().await;
}

#[tokio::test]
async fn a_row_changed_by_hand_is_named_and_nothing_is_replaced() {
    let (database, model) = TestDatabase::migrated().await;
    long_log().fold(&model, 100).await;
    let before = oid(&model).await;
    let reader = Arc::new(Reader::of(long_log()));
    for (damage, table, says) in [
        ("UPDATE data_source SET owner = 'mallory' WHERE name = 'Orders'", "data_source", "differs in owner"),
        ("DELETE FROM schema_column", "schema_column", "is missing in the live schema"),
        (
            "INSERT INTO favorite VALUES ('acme', 'mallory', '00000000-0000-0000-0000-000000000001', now())",
            "favorite",
            "is missing in the rebuilt schema",
        ),
        ("UPDATE work_item SET kind = 'TEST'", "work_item", "differs in kind"),
        (
            "UPDATE projection_position SET chain_hash = 'x' WHERE topic = 'audit'",
            "projection_position",
            "differs in chain_hash",
        ),
    ] {
        sqlx::raw_sql(damage).execute(model.pool()).await.unwrap();
        let error = run(reader.clone(), &model, ALL, &|_| {}).await.unwrap_err();
        let RebuildError::Differs(differences) = &error else { panic!("{error}") };
        let found = differences.iter().find(|difference| difference.table == table).unwrap();
        assert!(found.key.contains("tenant_id") || found.key.contains("topic"), "{found:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
    assert_eq!(oid(&model).await, before);
    database.remove().await;
}

#[tokio::test]
async fn an_empty_read_model_is_filled_to_the_end_of_the_log() {
    let (database, model) = TestDatabase::migrated().await;
    let mut reader = Reader::of(long_log());
    reader.expired = vec![Topic::DeadLetter];
    let report = run(Arc::new(reader), &model, ALL, &|_| {}).await.unwrap();
    assert!(report.swapped && report.was_empty);
    assert!(model.has_passed(&[(Topic::DeadLetter, 0, 0)]).await.unwrap(), "what has expired is not waited for");
    let sources: i64 = sqlx::query_scalar("SELECT count(*) FROM data_source").fetch_one(model.pool()).await.unwrap();
    assert_eq!(sources, 39);
    database.remove().await;
}
