//! The handle that everybody holds: a pool, a schema, and how a transaction begins. Knows no table.

use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::{PgPool, PgTransaction};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::connect::{self, DatabaseOptions};
use crate::error::ReadModelError;

/// Logins at once. The pool gives a login up after some seconds and throws away what it has cost: where each is slow, as
/// after the restart of a busy server, all at once would hinder one another for ever.
const LOGINS: usize = 2;
/// Longest wait for one's turn to log in.
const TURN: Duration = Duration::from_secs(5);

/// Added to a transaction whose statements look rows up by their keys, many at once. The planner does not know how fast a
/// table grows, and a plan that it made for a small one reads all of it, again and again. With this, and with look-ups
/// written as `LATERAL (... OFFSET 0)`, each key is one descent into an index at any size: an index that only shares its
/// first column with the key must seem as bad as it is, so entries that are walked past have a price.
pub(crate) const BY_KEY: &str = "; SET LOCAL enable_seqscan = off; SET LOCAL plan_cache_mode = force_custom_plan; \
                                 SET LOCAL cpu_index_tuple_cost = 1";

/// The read model of one database and schema.
#[derive(Clone)]
pub struct ReadModel {
    pub(crate) pool: PgPool,
    pub(crate) schema: String,
    pub(crate) begin: String,
    pub(crate) options: DatabaseOptions,
    logins: Arc<Semaphore>,
}

impl ReadModel {
    /// Checks the settings and asks the server once.
    ///
    /// # Errors
    /// Settings that cannot be used, or a server that does not answer.
    pub async fn connect(options: &DatabaseOptions) -> Result<Self, ReadModelError> {
        let model = Self::lazy(options)?;
        model.ping().await?;
        Ok(model)
    }

    /// Checks the settings; connects when first asked.
    ///
    /// # Errors
    /// Settings that cannot be used.
    pub fn lazy(options: &DatabaseOptions) -> Result<Self, ReadModelError> {
        let (connect, begin) = connect::options(options)?;
        let pool = connect::pool(options, connect);
        Ok(Self {
            pool,
            schema: options.schema.clone(),
            begin,
            options: options.clone(),
            logins: Arc::new(Semaphore::new(LOGINS)),
        })
    }

    /// The same database, another schema, a pool of its own. What is written need not reach the disk before what takes the
    /// schema into use does.
    ///
    /// # Errors
    /// A name that is no plain lower-case one.
    pub fn beside(&self, schema: &str) -> Result<Self, ReadModelError> {
        let mut options = self.options.clone().with_schema(schema);
        // So many read side by side when the rows of both are compared.
        options.max_connections = options.max_connections.max(4);
        let mut model = Self::lazy(&options)?;
        model.begin.push_str("; SET LOCAL synchronous_commit = off");
        Ok(model)
    }

    /// Whether the server answers; for readiness.
    ///
    /// # Errors
    /// The server does not answer within the acquire timeout.
    pub async fn ping(&self) -> Result<(), ReadModelError> {
        let during = ReadModelError::during;
        let mut connection = match self.pool.acquire().await {
            Err(sqlx::Error::PoolTimedOut) => Err(self.reason().await),
            acquired => acquired,
        }
        .map_err(during("connecting to the read model"))?;
        connection.ping().await.map_err(during("asking the read model for a sign of life"))
    }

    /// What a login meets: the pool tries again for as long as it may, and then says only that.
    async fn reason(&self) -> sqlx::Error {
        match timeout(TURN, self.pool.connect_options().connect()).await {
            Ok(Err(error)) => error,
            _ => sqlx::Error::PoolTimedOut,
        }
    }

    /// The schema's name.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The pool, for statements of this crate and for tests.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Begins a transaction with our session's settings.
    ///
    /// # Errors
    /// No connection, or the server refuses.
    pub async fn begin(&self) -> Result<PgTransaction<'static>, ReadModelError> {
        self.begin_with("").await
    }

    /// Begins a transaction and sets `more` (statements that begin with a semicolon) in the same round trip.
    pub(crate) async fn begin_with(&self, more: &str) -> Result<PgTransaction<'static>, ReadModelError> {
        let text = format!("{}{more}", self.begin);
        let (pool, logins) = (self.pool.clone(), Arc::clone(&self.logins));
        // In a task of its own, which goes on if the caller gives up: the driver rolls back only what it has seen begin,
        // and the next to get the connection would go on in an open transaction with somebody else's settings.
        let begun = tokio::spawn(async move {
            let turn = timeout(TURN, async { if pool.num_idle() == 0 { logins.acquire().await.ok() } else { None } });
            let _turn = turn.await.map_err(|_| sqlx::Error::PoolTimedOut)?;
            pool.begin_with(AssertSqlSafe(text)).await
        });
        let begun = begun.await.unwrap_or(Err(sqlx::Error::WorkerCrashed));
        begun.map_err(ReadModelError::during("beginning a transaction on the read model"))
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
