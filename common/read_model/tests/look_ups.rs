//! Look-ups by key touch the rows that they name and no others, in tables that no planner knows anything about: rows that
//! were added since the last ANALYZE, or before the first. One wrong index makes each key cost a walk past the whole source.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::ops::RangeInclusive;

use pursight_read_model::decider::Query;
use pursight_read_model::fold::{Batch, Wanted};
use pursight_read_model::testing::TestDatabase;
use pursight_read_model::{DatabaseOptions, ReadModel};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;
use uuid::Uuid;

/// Rows of each table.
const ROWS: u32 = 4_000;
/// Keys looked up.
const KEYS: u128 = 40;

const DATA_SOURCE: &str = "data_source SELECT 'acme', :id, 1, 'ACTIVE', 'source ' || n, 'source ' || n, 'POSTGRESQL',
    'ON_PREM', 'TEST', 'LOW', 'PUBLIC', NULL, '{}'::TEXT[], '{}'::JSONB, now(), 'ada', now(), 'ada', NULL, NULL::UUID, :id";
const COMMAND: &str = "command (tenant_id, command_id, command_type, state, principal, actor_type, run_ids, updated_at,
    outcome_partition, recorded_at)
    SELECT 'acme', :id, 'X', 'ACCEPTED', 'ada', 'USER', '{}'::UUID[], now(), 0, now()";

fn mine(number: u128) -> (String, Uuid) {
    ("acme".to_owned(), Uuid::from_u128(number))
}

fn object(number: u128) -> (String, Uuid, Uuid) {
    ("acme".to_owned(), Uuid::from_u128(1), Uuid::from_u128(number))
}

/// Fills a table: `:id` is an id that is the row's number, `:one` the id 1.
async fn fill(model: &ReadModel, statement: &str, rows: RangeInclusive<u32>) {
    let text = statement.replace(":id", "lpad(to_hex(n), 32, '0')::UUID").replace(":one", "lpad('1', 32, '0')::UUID");
    let text = format!("INSERT INTO {text} FROM generate_series({}, {}) n", rows.start(), rows.end());
    sqlx::query(AssertSqlSafe(text)).execute(model.pool()).await.unwrap();
}

/// Rows of a table that this session has fetched of late, by whatever way.
async fn fetched(connection: &mut PgConnection, table: &str) -> i64 {
    sqlx::query_scalar(
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables
        WHERE schemaname = current_schema() AND relname = $1",
    )
    .bind(table)
    .fetch_one(connection)
    .await
    .unwrap()
}

#[tokio::test]
async fn the_fold_fetches_only_the_rows_that_it_names() {
    let (database, model) = TestDatabase::migrated().await;
    let filled = [
        DATA_SOURCE,
        COMMAND,
        "run (tenant_id, run_id, source_id, kind, state, attempt, sequence, principal, started_at, objects_observed,
            objects_changed, objects_dropped, objects_held)
        SELECT 'acme', :id, :one, 'DISCOVER', 'RUNNING', 1, 1, 'ada', now(), 0, 0, 0, 0",
        "schema_object (tenant_id, source_id, object_id, catalog, schema, name, kind, state, depends_on, truncated,
            column_count, in_scope, listed, entailed_by, first_run_id, last_run_id, first_seen_at, observed_at)
        SELECT 'acme', :one, :id, 'shop', 'public', 'table ' || n, 'TABLE', 'LIVE', '[]'::JSONB, '{}'::TEXT[],
            1, true, true, '{}'::TEXT[], :id, :id, now(), now()",
        "schema_column SELECT 'acme', :one, :id, 1, 'id', 1, 'bigint', 'INTEGER', false",
        "schema_constraint SELECT 'acme', :one, :id, 1, 'key', 'PRIMARY_KEY', '[]'::JSONB",
        "schema_index SELECT 'acme', :one, :id, 1, 'by_id', true, '[]'::JSONB, 'btree', 'x'",
        "favorite SELECT 'acme', 'user ' || n, :one, now()",
    ];
    for statement in filled {
        fill(&model, statement, 1..=ROWS).await;
    }
    let mut transaction = model.begin_fold().await.unwrap();
    let tables = filled.map(|statement| statement.split(' ').next().unwrap());
    let mut before = Vec::new();
    for table in tables {
        before.push(fetched(&mut transaction, table).await);
    }
    let wanted = Wanted {
        sources: (1..=KEYS).map(mine).collect(),
        commands: (1..=KEYS).map(mine).collect(),
        runs: (1..=KEYS).map(mine).collect(),
        objects: (1..=KEYS).map(object).collect(),
        marked: [mine(1)].into(),
    };
    let prior = wanted.load(&mut transaction).await.unwrap();
    let found = [prior.sources.len(), prior.commands.len(), prior.runs.len(), prior.objects.len()];
    let keys = usize::try_from(KEYS).unwrap();
    assert_eq!(found, [keys; 4]);
    let batch = Batch {
        favorites_gone: (1..=KEYS).map(|n| ("acme".to_owned(), format!("user {n}"), Uuid::from_u128(1))).collect(),
        parts_of: (1..=KEYS).map(object).collect(),
        ..Batch::default()
    };
    batch.write(&mut transaction).await.unwrap();
    for (table, before) in tables.into_iter().zip(before) {
        let fetched = fetched(&mut transaction, table).await - before;
        assert!(fetched <= 2 * i64::try_from(KEYS).unwrap(), "{fetched} rows of {table} fetched for {KEYS} keys");
    }
    transaction.rollback().await.unwrap();
    model.close().await;
    database.remove().await;
}

#[tokio::test]
async fn nothing_is_compiled_however_dear_it_looks() {
    let (database, model) = TestDatabase::migrated().await;
    let pooled = DatabaseOptions { pgbouncer: true, ..database.options() };
    let pooled = ReadModel::connect(&pooled).await.unwrap();
    for mut transaction in
        [model.begin().await.unwrap(), model.begin_fold().await.unwrap(), pooled.begin_fold().await.unwrap()]
    {
        let jit: String = sqlx::query_scalar("SHOW jit").fetch_one(&mut *transaction).await.unwrap();
        assert_eq!(jit, "off");
        transaction.rollback().await.unwrap();
    }
    pooled.close().await;
    model.close().await;
    database.remove().await;
}

/// Pages of the indexes of a table that were read in all, by a model with one session, until now.
async fn index_pages(model: &ReadModel, table: &str) -> i64 {
    sqlx::query("SELECT pg_stat_force_next_flush()").execute(model.pool()).await.unwrap();
    let pages = "SELECT SUM(idx_blks_read + idx_blks_hit)::BIGINT FROM pg_statio_user_indexes
        WHERE schemaname = current_schema() AND relname = $1";
    sqlx::query_scalar(pages).bind(table).fetch_one(model.pool()).await.unwrap()
}

#[tokio::test]
async fn what_the_registry_asks_is_one_descent_for_each_key_in_a_session_that_knew_the_tables_small() {
    let (database, projection) = TestDatabase::migrated().await;
    let options = DatabaseOptions { max_connections: 1, ..database.options() };
    let model = ReadModel::connect(&options).await.unwrap();
    let query = Query {
        names: (1..=KEYS).map(|n| ("acme".to_owned(), format!("source {n}"))).collect(),
        sources: (1..=KEYS).map(mine).collect(),
        commands: (1..=KEYS).map(mine).collect(),
        runs: vec![mine(1)],
        ..Query::default()
    };
    for rows in [1..=1, 2..=ROWS] {
        for statement in [DATA_SOURCE, COMMAND] {
            fill(&projection, statement, rows.clone()).await;
        }
        model.look_up(&query).await.unwrap();
    }
    // The height of an index is for the planner what the session saw when it last used it: the right ones seem high now.
    let before = [index_pages(&model, "data_source").await, index_pages(&model, "command").await];
    let found = model.look_up(&query).await.unwrap();
    let keys = usize::try_from(KEYS).unwrap();
    assert_eq!([found.sources.len(), found.names.len(), found.commands.len()], [keys; 3]);
    // A descent reads two pages here, a walk past the tenant's rows some thirty; names and sources are both in one table.
    for (table, keys, before) in [("data_source", 2 * KEYS, before[0]), ("command", KEYS, before[1])] {
        let pages = index_pages(&model, table).await - before;
        assert!(pages <= 4 * i64::try_from(keys).unwrap(), "{pages} pages of indexes of {table} read for {keys} keys");
    }
    projection.close().await;
    model.close().await;
    database.remove().await;
}
