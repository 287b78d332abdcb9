//! The limit of the projection: the same rows as the product's, into tables of the same columns and indexes, by one UNNEST
//! statement a table and batch, the position moved by compare-and-set in the same transaction.

use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, Utc};
use tokio::runtime::Runtime;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Row};
use uuid::Uuid;

/// Rows of one table of the product.
pub struct Table {
    name: &'static str,
    statement: String,
    columns: Vec<Column>,
    rows: usize,
    /// How often each row is written: a source once for each of its events.
    times: usize,
}

/// The values of one column, as the statement takes them.
#[derive(Clone)]
enum Column {
    Id(Vec<Option<Uuid>>),
    Long(Vec<Option<i64>>),
    Int(Vec<Option<i32>>),
    Flag(Vec<Option<bool>>),
    Time(Vec<Option<DateTime<Utc>>>),
    /// Text, and what is cast from it: JSON and lists.
    Text(Vec<Option<String>>),
}

impl Column {
    fn of(kind: &str, rows: &[Row], at: usize) -> Result<Self> {
        fn all<'r, T: tokio_postgres::types::FromSql<'r>>(rows: &'r [Row], at: usize) -> Result<Vec<Option<T>>> {
            rows.iter().map(|row| Ok(row.try_get(at)?)).collect()
        }
        Ok(match kind {
            "uuid" => Self::Id(all(rows, at)?),
            "bigint" => Self::Long(all(rows, at)?),
            "integer" => Self::Int(all(rows, at)?),
            "boolean" => Self::Flag(all(rows, at)?),
            "timestamp with time zone" => Self::Time(all(rows, at)?),
            _ => Self::Text(all(rows, at)?),
        })
    }

    /// The type of the array that is bound.
    fn array(&self) -> &'static str {
        match self {
            Self::Id(_) => "uuid[]",
            Self::Long(_) => "bigint[]",
            Self::Int(_) => "integer[]",
            Self::Flag(_) => "boolean[]",
            Self::Time(_) => "timestamptz[]",
            Self::Text(_) => "text[]",
        }
    }

    fn picked(&self, rows: &[usize]) -> Box<dyn ToSql + Sync> {
        fn some<T: Clone>(all: &[Option<T>], rows: &[usize]) -> Vec<Option<T>> {
            rows.iter().map(|at| all[*at].clone()).collect()
        }
        match self {
            Self::Id(all) => Box::new(some(all, rows)),
            Self::Long(all) => Box::new(some(all, rows)),
            Self::Int(all) => Box::new(some(all, rows)),
            Self::Flag(all) => Box::new(some(all, rows)),
            Self::Time(all) => Box::new(some(all, rows)),
            Self::Text(all) => Box::new(some(all, rows)),
        }
    }
}

/// What a batch of one table binds.
type Bound = Vec<Box<dyn ToSql + Sync>>;

/// A connection to the product's database that writes beside the product.
pub struct Upserts {
    runtime: Runtime,
    client: Client,
}

impl Upserts {
    /// Connects to the database of a system.
    pub fn open(url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls))?;
        runtime.spawn(async move {
            // Ends with the client.
            drop(connection.await);
        });
        let settings = "SET timezone = 'UTC'; SET synchronous_commit = off; DROP SCHEMA IF EXISTS bare CASCADE; CREATE SCHEMA bare;
            CREATE TABLE bare.position (topic text PRIMARY KEY, next bigint NOT NULL)";
        runtime.block_on(client.batch_execute(settings))?;
        Ok(Self { runtime, client })
    }

    /// Reads a table of the product, and makes an empty one of the same columns, indexes and constraints beside it.
    pub fn table(&self, name: &'static str, times: usize) -> Result<Table> {
        self.runtime.block_on(async {
            let make = format!("CREATE TABLE bare.{name} (LIKE pursight.{name} INCLUDING ALL)");
            self.client.batch_execute(&make).await?;
            let described = "SELECT a.attname::text, format_type(a.atttypid, NULL),
                    EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey))
                FROM pg_attribute a WHERE a.attrelid = $1::text::regclass AND a.attnum > 0 AND NOT a.attisdropped
                    AND a.attgenerated = '' ORDER BY a.attnum";
            let described = self.client.query(described, &[&format!("pursight.{name}")]).await?;
            let described: Vec<(String, String, bool)> =
                described.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))).collect::<Result<_>>()?;
            let plain = ["uuid", "bigint", "integer", "boolean", "timestamp with time zone", "text"];
            let is_plain = |kind: &str| plain.contains(&kind);
            let wanted: Vec<String> = described
                .iter()
                .map(|(column, kind, _)| if is_plain(kind) { format!("\"{column}\"") } else { format!("\"{column}\"::text") })
                .collect();
            let rows = self.client.query(&format!("SELECT {} FROM pursight.{name}", wanted.join(", ")), &[]).await?;
            let columns = described.iter().enumerate().map(|(at, (_, kind, _))| Column::of(kind, &rows, at));
            let columns = columns.collect::<Result<Vec<_>>>()?;
            let statement = statement(name, &described, &columns, times > 1, is_plain);
            Ok(Table { name, statement, columns, rows: rows.len(), times })
        })
    }

    /// Writes `events` events' worth of the tables' rows in transactions of `size` events each; returns the seconds.
    pub fn write(&self, topic: &str, tables: &[Table], events: usize, size: usize) -> Result<f64> {
        let mut batches: Vec<Vec<(usize, Bound)>> = Vec::new();
        let mut done = 0;
        while done < events {
            let after = (done + size).min(events);
            let of = |(at, table): (usize, &Table)| table.bound(done, after, events).map(|bound| (at, bound));
            batches.push(tables.iter().enumerate().filter_map(of).collect());
            done = after;
        }
        self.runtime.block_on(async {
            self.client.execute("INSERT INTO bare.position VALUES ($1, 0)", &[&topic]).await?;
            let mut statements = Vec::new();
            for table in tables {
                statements.push(self.client.prepare(&table.statement).await.context(table.name)?);
            }
            let moving = "UPDATE bare.position SET next = next + 1 WHERE topic = $1 AND next = $2";
            let moving = self.client.prepare(moving).await?;
            let start = Instant::now();
            for (next, batch) in batches.iter().enumerate() {
                self.client.batch_execute("BEGIN").await?;
                for (at, bound) in batch {
                    let bound: Vec<&(dyn ToSql + Sync)> = bound.iter().map(AsRef::as_ref).collect();
                    self.client.execute(&statements[*at], &bound).await?;
                }
                let moved = self.client.execute(&moving, &[&topic, &i64::try_from(next)?]).await?;
                ensure!(moved == 1, "somebody else moved the position");
                self.client.batch_execute("COMMIT").await?;
            }
            Ok(start.elapsed().as_secs_f64())
        })
    }
}

impl Table {
    /// The rows of the events from `from` to `to` of `all`, each once.
    fn bound(&self, from: usize, to: usize, all: usize) -> Option<Bound> {
        let writes = self.rows * self.times;
        let mut rows: Vec<usize> = (from * writes / all..to * writes / all).map(|at| at % self.rows).collect();
        rows.sort_unstable();
        rows.dedup();
        if rows.is_empty() {
            return None;
        }
        Some(self.columns.iter().map(|column| column.picked(&rows)).collect())
    }
}

fn statement(
    name: &str,
    described: &[(String, String, bool)],
    columns: &[Column],
    again: bool,
    is_plain: impl Fn(&str) -> bool,
) -> String {
    let names: Vec<String> = described.iter().map(|(column, ..)| format!("\"{column}\"")).collect();
    let read: Vec<String> = described
        .iter()
        .map(
            |(column, kind, _)| {
                if is_plain(kind) { format!("u.\"{column}\"") } else { format!("u.\"{column}\"::{kind}") }
            },
        )
        .collect();
    let bound: Vec<String> =
        columns.iter().enumerate().map(|(at, column)| format!("${}::{}", at + 1, column.array())).collect();
    let key: Vec<String> = described.iter().filter(|one| one.2).map(|(column, ..)| format!("\"{column}\"")).collect();
    let set: Vec<String> = described
        .iter()
        .filter(|one| !one.2)
        .map(|(column, ..)| format!("\"{column}\" = EXCLUDED.\"{column}\""))
        .collect();
    let (names, read, bound, key) = (names.join(", "), read.join(", "), bound.join(", "), key.join(", "));
    let conflict = if again { format!(" ON CONFLICT ({key}) DO UPDATE SET {}", set.join(", ")) } else { String::new() };
    format!("INSERT INTO bare.{name} ({names}) SELECT {read} FROM UNNEST({bound}) AS u ({names}){conflict}")
}
