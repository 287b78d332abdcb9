//! Keys and indexes that a fold of many records does without: made at the end, all at once, they take a fraction of the time.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use sqlx::AssertSqlSafe;
use sqlx::postgres::PgConnection;

use super::PATIENT;
use crate::error::ReadModelError;
use crate::model::ReadModel;

/// Rows are only ever added to these, and the fold looks none of them up: all of their keys and indexes are made at the end.
const ONLY_ADDED_TO: [&str; 2] = ["audit", "data_source_change"];
/// Of the other tables, what the fold never looks into. One that is not named here costs time only.
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

/// Statements that make what was removed, by table.
#[derive(Default)]
pub(super) struct Indexes(BTreeMap<String, Vec<String>>);

impl Indexes {
    /// Removes the keys and indexes that a fold can do without.
    pub(super) async fn take(connection: &mut PgConnection, schema: &str) -> Result<Self, ReadModelError> {
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
        Ok(Self(again))
    }

    /// Makes them, of two tables at a time, those that are only added to first: they have the most rows.
    pub(super) async fn make(self, model: &ReadModel) -> Result<(), ReadModelError> {
        let make = |statements: Vec<String>| async move {
            let mut transaction = model.begin_with(PATIENT).await?;
            let made = sqlx::raw_sql(AssertSqlSafe(statements.join("; "))).execute(&mut *transaction).await;
            made.map_err(ReadModelError::during("making the indexes"))?;
            model.commit(transaction).await
        };
        let mut tables: Vec<_> = self.0.into_iter().collect();
        tables.sort_by_key(|(table, _)| !ONLY_ADDED_TO.contains(&table.as_str()));
        stream::iter(tables).map(|(_, statements)| make(statements)).buffer_unordered(2).try_collect().await
    }
}
