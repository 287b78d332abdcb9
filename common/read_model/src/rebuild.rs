//! A second schema beside the live one: made empty, compared with the live one row by row, put in its place. What is
//! folded into it, and from where, is the projection's. Runs as the owner, never behind a pooler.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use pursight_schemas::Topic;
use serde_json::Value;
use sqlx::postgres::{PgConnection, PgTransaction};
use sqlx::{AssertSqlSafe, Connection, Row};

use crate::error::ReadModelError;
use crate::model::ReadModel;
use crate::position::{self, Position};

/// Not made by the fold: migrations' own table, and what the operator writes.
const NOT_FOLDED: [&str; 2] = ["_sqlx_migrations", "reader_login"];
/// Folded from topics that are not kept for ever: rows whose records are gone are carried over, and of work items only
/// those are compared that both schemas have.
const EXPIRING: [&str; 2] = ["dead_letter", "work_item"];
/// Of its rows not everything is compared.
const POSITIONS: &str = "projection_position";
/// Outside the comparison altogether.
const NOT_COMPARED: &str = "dead_letter";
/// Rows are only ever added to these, and the fold looks none of them up: to make their keys and indexes at the end, all at
/// once, takes a fraction of the time.
const ONLY_ADDED_TO: [&str; 2] = ["audit", "data_source_change"];
/// Of the other tables, what the fold never looks into: made at the end likewise. One that is not named here costs time only.
const FOR_READERS: [&str; 12] = [
    "command_by_follow_up_run",
    "command_by_source",
    "command_by_time",
    "connection_test_by_source",
    "data_source_by_display",
    "data_source_by_name",
    "data_source_name_is_taken_once",
    "run_by_source",
    "schema_change_by_object",
    "schema_change_by_run",
    "schema_change_by_time",
    "work_item_by_source",
];
/// Added to a transaction that waits for others, or reads whole tables.
const PATIENT: &str = "; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0";
/// Only one rebuild of a database at a time.
const LOCK: i64 = 0x7075_7273_6967_6874;

/// One table, hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableHash {
    /// Which.
    pub table: String,
    /// How many rows.
    pub rows: i64,
    /// SHA-256 over the rows as `COPY ... TO STDOUT (FORMAT binary)` writes them, in the order of the primary key.
    pub sha256: String,
}

/// A row that is not the same in both schemas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Table.
    pub table: String,
    /// Primary key, as JSON.
    pub key: String,
    /// Columns that differ; all of them where one side has no such row.
    pub columns: Vec<String>,
    /// Which side lacks the row, if one does.
    pub missing_in: Option<&'static str>,
}

/// The live schema and the one beside it.
pub struct Beside {
    live: ReadModel,
    /// The one that is being rebuilt.
    pub model: ReadModel,
    /// Holds the lock that keeps other rebuilds away.
    guard: PgConnection,
    /// Statements that make the keys and indexes that are not there yet, by table.
    indexes: BTreeMap<String, Vec<String>>,
}

impl Beside {
    /// Makes the schema beside the live one, empty. `None`: another rebuild is under way.
    ///
    /// # Errors
    /// Missing rights, or the server does not answer.
    pub async fn make(live: &ReadModel) -> Result<Option<Self>, ReadModelError> {
        let during = ReadModelError::during;
        let model = live.beside(&format!("{}_rebuild", live.schema()))?;
        let (options, _) = crate::connect::options(&live.options)?;
        let mut guard = PgConnection::connect_with(&options).await.map_err(during("connecting to the read model"))?;
        let alone: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut guard)
            .await
            .map_err(during("asking whether another rebuild is under way"))?;
        if !alone {
            return Ok(None);
        }
        drop_schema(&mut guard, model.schema()).await?;
        drop_schema(&mut guard, &before(live)).await?;
        model.migrate().await?;
        let indexes = take_indexes(&mut guard, model.schema()).await?;
        Ok(Some(Self { live: live.clone(), model, guard, indexes }))
    }

    /// Makes the keys and indexes that a fold of many records did without, of two tables at a time. A key finds what was
    /// folded twice.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn index(&mut self) -> Result<(), ReadModelError> {
        let model = &self.model;
        let make = |statements: Vec<String>| async move {
            let mut transaction = model.begin_with(PATIENT).await?;
            let made = sqlx::raw_sql(AssertSqlSafe(statements.join("; "))).execute(&mut *transaction).await;
            made.map_err(ReadModelError::during("making the indexes"))?;
            model.commit(transaction).await
        };
        let tables = std::mem::take(&mut self.indexes);
        stream::iter(tables.into_values()).map(make).buffer_unordered(2).try_collect().await
    }

    /// Stops the live fold: no position moves until this ends. Readers go on.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn stop_live(&self) -> Result<Stopped, ReadModelError> {
        let during = ReadModelError::during;
        let mut transaction = self.live.begin_with(PATIENT).await?;
        sqlx::query("LOCK TABLE projection_position IN EXCLUSIVE MODE")
            .execute(&mut *transaction)
            .await
            .map_err(during("stopping the live fold"))?;
        let positions = position::load_all(&mut transaction).await?;
        let (live, rebuilt) = (self.live.schema().to_owned(), self.model.schema().to_owned());
        Ok(Stopped { transaction, positions, live, rebuilt, model: self.model.clone() })
    }

    /// Removes the schema that was replaced (or, if none was, the rebuilt one) and lets others rebuild.
    ///
    /// # Errors
    /// The server does not answer, or a reader holds the old tables for long.
    pub async fn clean_up(mut self, remove_rebuilt: bool) -> Result<(), ReadModelError> {
        drop_schema(&mut self.guard, &before(&self.live)).await?;
        if remove_rebuilt {
            drop_schema(&mut self.guard, self.model.schema()).await?;
        }
        self.model.close().await;
        self.guard.close().await.map_err(ReadModelError::during("ending a rebuild"))
    }
}

fn before(live: &ReadModel) -> String {
    format!("{}_before", live.schema())
}

/// Schemas' names were checked when their models were made: they need no quotes.
async fn drop_schema(connection: &mut PgConnection, schema: &str) -> Result<(), ReadModelError> {
    let text = format!("SET client_min_messages = warning; DROP SCHEMA IF EXISTS {schema} CASCADE");
    let dropped = sqlx::raw_sql(AssertSqlSafe(text)).execute(connection).await;
    dropped.map(drop).map_err(ReadModelError::during("removing a schema"))
}

/// Removes the keys and indexes that a fold can do without. Returns the statements that make them again, by table.
async fn take_indexes(
    connection: &mut PgConnection,
    schema: &str,
) -> Result<BTreeMap<String, Vec<String>>, ReadModelError> {
    let found = sqlx::query_as::<_, (String, String, String)>(
        "SELECT
            c.relname::TEXT,
            CASE WHEN k.oid IS NULL THEN format('DROP INDEX %I.%I', n.nspname, x.relname)
                ELSE format('ALTER TABLE %I.%I DROP CONSTRAINT %I', n.nspname, c.relname, k.conname) END,
            CASE WHEN k.oid IS NULL THEN pg_get_indexdef(x.oid)
                ELSE format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, c.relname, k.conname,
                    pg_get_constraintdef(k.oid)) END
        FROM pg_index i
        JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_class x ON x.oid = i.indexrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_constraint k ON k.conrelid = c.oid AND k.conindid = x.oid
        WHERE n.nspname = $1 AND (c.relname = ANY ($2) OR x.relname = ANY ($3))
        ORDER BY x.relname",
    )
    .bind(schema)
    .bind(ONLY_ADDED_TO.as_slice())
    .bind(FOR_READERS.as_slice())
    .fetch_all(&mut *connection)
    .await
    .map_err(ReadModelError::during("listing the indexes"))?;
    let mut away = Vec::new();
    let mut again: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (table, remove, make) in found {
        away.push(remove);
        again.entry(table).or_default().push(make);
    }
    sqlx::raw_sql(AssertSqlSafe(away.join("; ")))
        .execute(connection)
        .await
        .map_err(ReadModelError::during("removing the indexes"))?;
    Ok(again)
}

/// The live fold stands still until this is let go or swapped.
pub struct Stopped {
    transaction: PgTransaction<'static>,
    /// Where it stands.
    pub positions: Vec<Position>,
    live: String,
    rebuilt: String,
    model: ReadModel,
}

impl Stopped {
    /// Whether the live schema is one that nothing was ever folded into.
    pub fn is_empty(&self) -> bool {
        self.positions.iter().all(|position| position.next_offset == 0)
    }

    /// Hashes every folded table of the rebuilt schema and, unless it is empty, of the live one. Returns the hashes of the
    /// rebuilt tables, the first `named` differences and how many tables differ.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn compare(&mut self, named: usize) -> Result<(Vec<TableHash>, Vec<Difference>), ReadModelError> {
        let mut hashes = Vec::new();
        let mut differences = Vec::new();
        // Side by side, each over a session of its own.
        let mut beside = self.model.begin_with(PATIENT).await?;
        for (table, key) in self.tables().await? {
            if table == NOT_COMPARED {
                continue;
            }
            let restricted = EXPIRING.contains(&table.as_str());
            let both = restricted.then_some(self.rebuilt.as_str());
            let (rebuilt, live) = futures::future::try_join(
                hash(&mut beside, &self.rebuilt, &table, &key, None),
                hash(&mut self.transaction, &self.live, &table, &key, both),
            )
            .await?;
            if live != rebuilt && differences.len() < named {
                let more = named - differences.len();
                differences.extend(self.differences(&table, &key, restricted, more).await?);
            }
            hashes.push(rebuilt);
        }
        beside.rollback().await.map_err(ReadModelError::during("hashing the tables"))?;
        Ok((hashes, differences))
    }

    /// Tables of the rebuilt schema that the fold writes, with their primary keys.
    async fn tables(&mut self) -> Result<Vec<(String, Vec<String>)>, ReadModelError> {
        let rows = sqlx::query(
            "SELECT c.relname::TEXT, array_agg(a.attname::TEXT ORDER BY array_position(i.indkey::INT2[], a.attnum))
            FROM pg_class c
            JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
            WHERE c.relnamespace = $1::regnamespace AND c.relkind = 'r' AND c.relname <> ALL ($2)
            GROUP BY c.relname ORDER BY c.relname",
        )
        .bind(&self.rebuilt)
        .bind(NOT_FOLDED.as_slice())
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(ReadModelError::during("listing the tables"))?;
        let read = |row: sqlx::postgres::PgRow| Ok((row.try_get(0)?, row.try_get(1)?));
        rows.into_iter().map(read).collect::<Result<_, _>>().map_err(ReadModelError::during("listing the tables"))
    }

    async fn differences(
        &mut self,
        table: &str,
        key: &[String],
        restricted: bool,
        limit: usize,
    ) -> Result<Vec<Difference>, ReadModelError> {
        let (live, rebuilt) = (&self.live, &self.rebuilt);
        let join = if restricted { "JOIN" } else { "FULL JOIN" };
        let key_of = key.iter().map(|one| format!("'{one}', {one}")).collect::<Vec<_>>().join(", ");
        let (l, r) = (row_of(table, "l"), row_of(table, "r"));
        let (l_text, r_text) = (text_of(table, "l"), text_of(table, "r"));
        // A whole-row reference is not null where the row exists: every table has a primary key.
        let text = format!(
            "SELECT jsonb_build_object({key_of})::TEXT,
                CASE WHEN l.{0} IS NOT NULL THEN {l} END, CASE WHEN r.{0} IS NOT NULL THEN {r} END
            FROM {live}.{table} l {join} {rebuilt}.{table} r USING ({1})
            WHERE l.{0} IS NULL OR r.{0} IS NULL OR {l_text} IS DISTINCT FROM {r_text}
            ORDER BY {1} LIMIT {limit}",
            key[0],
            key.join(", "),
        );
        let rows = sqlx::query_as::<_, (String, Option<Value>, Option<Value>)>(AssertSqlSafe(text))
            .fetch_all(&mut *self.transaction)
            .await
            .map_err(ReadModelError::during("finding the rows that differ"))?;
        let difference = |(key, live, rebuilt): (String, Option<Value>, Option<Value>)| Difference {
            table: table.to_owned(),
            key,
            columns: columns(live.as_ref(), rebuilt.as_ref()),
            missing_in: match (live, rebuilt) {
                (None, _) => Some("the live schema"),
                (_, None) => Some("the rebuilt schema"),
                _ => None,
            },
        };
        Ok(rows.into_iter().map(difference).collect())
    }

    /// Lets the live fold go on as if nothing had been.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn let_go(self) -> Result<(), ReadModelError> {
        self.transaction.rollback().await.map_err(ReadModelError::during("letting the live fold go on"))
    }

    /// Puts the rebuilt schema in the place of the live one, with everything that is not in the log any more.
    ///
    /// # Errors
    /// The server refuses; then nothing has changed.
    pub async fn swap(mut self) -> Result<(), ReadModelError> {
        let (live, rebuilt) = (self.live.clone(), self.rebuilt.clone());
        let mut text = format!(
            "INSERT INTO {rebuilt}.reader_login (login, tenant_id) SELECT login, tenant_id FROM {live}.reader_login;
            UPDATE {rebuilt}.projection_position r
            SET epoch = l.epoch, cluster_id = l.cluster_id, topic_id = l.topic_id,
                next_offset = GREATEST(r.next_offset, l.next_offset),
                newest_record_at = GREATEST(r.newest_record_at, l.newest_record_at)
            FROM {live}.projection_position l WHERE l.topic = r.topic AND l.partition = r.partition;"
        );
        for table in EXPIRING {
            let columns = self.columns_of(table).await?.join(", ");
            text.push_str(&format!(
                "INSERT INTO {rebuilt}.{table} ({columns}) SELECT {columns} FROM {live}.{table} ON CONFLICT DO NOTHING;"
            ));
        }
        text.push_str(&format!(
            "ALTER SCHEMA {live} RENAME TO {live}_before; ALTER SCHEMA {rebuilt} RENAME TO {live};"
        ));
        let during = ReadModelError::during;
        sqlx::raw_sql(AssertSqlSafe(text))
            .execute(&mut *self.transaction)
            .await
            .map_err(during("swapping the schemas"))?;
        self.transaction.commit().await.map_err(during("swapping the schemas"))
    }

    async fn columns_of(&mut self, table: &str) -> Result<Vec<String>, ReadModelError> {
        sqlx::query_scalar(
            "SELECT a.attname::TEXT FROM pg_attribute a
            WHERE a.attrelid = ($1 || '.' || $2)::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        )
        .bind(&self.rebuilt)
        .bind(table)
        .fetch_all(&mut *self.transaction)
        .await
        .map_err(ReadModelError::during("listing the columns"))
    }
}

/// Hashes a table, or of it the rows whose keys another schema has too.
async fn hash(
    connection: &mut PgConnection,
    schema: &str,
    table: &str,
    key: &[String],
    only_keys_of: Option<&str>,
) -> Result<TableHash, ReadModelError> {
    let same = |other: &str| key.iter().map(|one| format!("t.{one} = {other}.{one}")).collect::<Vec<_>>().join(" AND ");
    let restriction = only_keys_of
        .map(|other| format!(" WHERE EXISTS (SELECT FROM {other}.{table} o WHERE {})", same("o")))
        .unwrap_or_default();
    let row = if table == POSITIONS { row_of(table, "t") } else { "t.*".to_owned() };
    let text = format!(
        "COPY (SELECT {row} FROM {schema}.{table} t{restriction} ORDER BY {}) TO STDOUT (FORMAT binary)",
        key.join(", ")
    );
    let during = ReadModelError::during;
    let mut digest = pursight_schemas::hash::Rolling::new();
    // One message bears one row, says the protocol; the last one bears the end of the format.
    let mut count = -1;
    let mut rows = connection.copy_out_raw(&text).await.map_err(during("hashing a table"))?;
    while let Some(row) = rows.try_next().await.map_err(during("hashing a table"))? {
        digest.update(&row);
        count += 1;
    }
    Ok(TableHash { table: table.to_owned(), rows: count, sha256: digest.sha256() })
}

/// What is compared of a row: all of it as text, which costs the server half of what its JSON does. Both schemas have the
/// same columns in the same order, since the same migrations made them, and are read under the same settings.
fn text_of(table: &str, alias: &str) -> String {
    if table == POSITIONS { format!("({})::TEXT", row_of(table, alias)) } else { format!("({alias})::TEXT") }
}

/// A row as it is shown, as JSON. Of a position, how often it was taken over and the log's own ids say nothing about the fold;
/// nor does how far it is on a topic whose records expire.
fn row_of(table: &str, alias: &str) -> String {
    match table {
        POSITIONS => {
            let expiring = Topic::ALL.into_iter().filter(|topic| topic.retention_ms() >= 0);
            let expiring: Vec<String> = expiring.map(|topic| format!("'{}'", topic.short())).collect();
            format!(
                "CASE WHEN {alias}.topic IN ({}) THEN to_jsonb({alias}.topic)
                    ELSE to_jsonb({alias}) - '{{epoch,cluster_id,topic_id}}'::TEXT[] END",
                expiring.join(", ")
            )
        }
        _ => format!("to_jsonb({alias})"),
    }
}

fn columns(live: Option<&Value>, rebuilt: Option<&Value>) -> Vec<String> {
    let empty = serde_json::Map::new();
    let live = live.and_then(Value::as_object).unwrap_or(&empty);
    let rebuilt = rebuilt.and_then(Value::as_object).unwrap_or(&empty);
    let mut names: Vec<String> = live.keys().chain(rebuilt.keys()).cloned().collect();
    names.sort();
    names.dedup();
    names.retain(|name| live.get(name) != rebuilt.get(name));
    names
}
