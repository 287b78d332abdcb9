//! A second schema beside the live one: made empty, compared with the live one row by row, put in its place. What is
//! folded into it, and from where, is the projection's. Runs as the owner, never behind a pooler.

mod compare;
mod indexes;

use sqlx::postgres::{PgConnection, PgTransaction};
use sqlx::{AssertSqlSafe, Connection};

pub use self::compare::{Difference, TableHash};
use self::indexes::Indexes;
use crate::error::ReadModelError;
use crate::model::ReadModel;
use crate::position::{self, Position};

/// Folded from topics that are not kept for ever: rows whose records are gone are carried over, and of work items only
/// those are compared that both schemas have.
const EXPIRING: [&str; 2] = ["dead_letter", "work_item"];
/// Added to a transaction that waits for others, or reads whole tables. These are read along their keys, in whose order they
/// are wanted: nobody has counted yet what lies in a new table, and a planner that does not know sorts all of it, in files
/// and with helpers that wait for one another.
const PATIENT: &str = "; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0; \
                       SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off; \
                       SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL maintenance_work_mem = '128MB'";
/// Only one rebuild of a database at a time.
const LOCK: i64 = 0x7075_7273_6967_6874;

/// The live schema and the one beside it.
pub struct Beside {
    live: ReadModel,
    /// The one that is being rebuilt.
    pub model: ReadModel,
    /// Holds the lock that keeps other rebuilds away.
    guard: PgConnection,
    /// Keys and indexes that are not there yet.
    indexes: Indexes,
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
        let indexes = Indexes::take(&mut guard, model.schema()).await?;
        Ok(Some(Self { live: live.clone(), model, guard, indexes }))
    }

    /// Makes the keys and indexes that a fold of many records did without, of two tables at a time. A key finds what was
    /// folded twice.
    ///
    /// # Errors
    /// The server refuses.
    pub async fn index(&mut self) -> Result<(), ReadModelError> {
        std::mem::take(&mut self.indexes).make(&self.model).await
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
