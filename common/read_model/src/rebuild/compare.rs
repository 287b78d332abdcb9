//! Whether two schemas hold the same rows: a hash for each table, and where hashes differ, the rows that do.

use futures::{StreamExt, TryStreamExt, stream};
use pursight_schemas::Topic;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Row};

use super::{EXPIRING, PATIENT, Stopped};
use crate::error::ReadModelError;
use crate::model::ReadModel;

/// Not made by the fold: migrations' own table, and what the operator writes.
const NOT_FOLDED: [&str; 2] = ["_sqlx_migrations", "reader_login"];
/// Of its rows not everything is compared.
const POSITIONS: &str = "projection_position";
/// Outside the comparison altogether.
const NOT_COMPARED: &str = "dead_letter";

/// Tables that are hashed side by side: a session waits for its reader as often as it works.
const AT_ONCE: usize = 2;

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

impl Stopped {
    /// Hashes every folded table of both schemas. Returns the hashes of the rebuilt tables and the first `named` differences.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn compare(&mut self, named: usize) -> Result<(Vec<TableHash>, Vec<Difference>), ReadModelError> {
        let tables: Vec<_> = self.tables().await?.into_iter().filter(|(table, _)| table != NOT_COMPARED).collect();
        let this = &*self;
        let both: Vec<_> = stream::iter(&tables)
            .map(|(table, key)| this.hash_both(table, key))
            .buffered(AT_ONCE)
            .try_collect()
            .await?;
        let mut differences = Vec::new();
        for ((table, key), (live, rebuilt)) in tables.iter().zip(&both) {
            if live != rebuilt && differences.len() < named {
                let more = named - differences.len();
                differences.extend(self.differences(table, key, is_restricted(table), more).await?);
            }
        }
        Ok((both.into_iter().map(|(_, rebuilt)| rebuilt).collect(), differences))
    }

    /// A table's hash in the live schema and in the rebuilt one, side by side, each over a session of its own: nobody can
    /// change a row meanwhile.
    async fn hash_both(&self, table: &str, key: &[String]) -> Result<(TableHash, TableHash), ReadModelError> {
        let (live, rebuilt) = (&self.live, &self.rebuilt);
        let restriction = is_restricted(table).then_some(rebuilt.as_str());
        futures::future::try_join(
            hash(&self.model, live, table, key, restriction),
            hash(&self.model, rebuilt, table, key, None),
        )
        .await
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
        let (l_bytes, r_bytes) = (bytes_of(table, "l"), bytes_of(table, "r"));
        // A whole-row reference is not null where the row exists: every table has a primary key.
        let text = format!(
            "SELECT jsonb_build_object({key_of})::TEXT,
                CASE WHEN l.{0} IS NOT NULL THEN {l} END, CASE WHEN r.{0} IS NOT NULL THEN {r} END
            FROM {live}.{table} l {join} {rebuilt}.{table} r USING ({1})
            WHERE l.{0} IS NULL OR r.{0} IS NULL OR {l_bytes} IS DISTINCT FROM {r_bytes}
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
}

/// Whether of a table only those rows are compared that both schemas have.
fn is_restricted(table: &str) -> bool {
    EXPIRING.contains(&table)
}

/// Hashes a table, or of it the rows whose keys another schema has too.
async fn hash(
    model: &ReadModel,
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
    let mut transaction = model.begin_with(PATIENT).await?;
    let mut rows = transaction.copy_out_raw(&text).await.map_err(during("hashing a table"))?;
    while let Some(row) = rows.try_next().await.map_err(during("hashing a table"))? {
        digest.update(&row);
        count += 1;
    }
    drop(rows);
    transaction.rollback().await.map_err(during("hashing a table"))?;
    Ok(TableHash { table: table.to_owned(), rows: count, sha256: digest.sha256() })
}

/// What tells two rows apart: the bytes that are hashed of them. Both schemas have the same columns in the same order, since
/// the same migrations made them.
fn bytes_of(table: &str, alias: &str) -> String {
    if table == POSITIONS { format!("jsonb_send({})", row_of(table, alias)) } else { format!("record_send({alias})") }
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
