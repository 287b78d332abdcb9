//! The handle that everybody holds: a pool, a schema, and how a transaction begins. Knows no table.

use sqlx::postgres::{PgPool, PgTransaction};
use sqlx::{AssertSqlSafe, Connection};

use crate::connect::{self, DatabaseOptions};
use crate::error::ReadModelError;

/// The read model of one database and schema.
#[derive(Clone)]
pub struct ReadModel {
    pub(crate) pool: PgPool,
    pub(crate) schema: String,
    pub(crate) begin: String,
    pub(crate) options: DatabaseOptions,
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
        Ok(Self { pool, schema: options.schema.clone(), begin, options: options.clone() })
    }

    /// The same database, another schema, a pool of its own.
    ///
    /// # Errors
    /// A name that is no plain lower-case one.
    pub fn beside(&self, schema: &str) -> Result<Self, ReadModelError> {
        Self::lazy(&self.options.clone().with_schema(schema))
    }

    /// Whether the server answers; for readiness.
    ///
    /// # Errors
    /// The server does not answer within the acquire timeout.
    pub async fn ping(&self) -> Result<(), ReadModelError> {
        let during = ReadModelError::during;
        let mut connection = self.pool.acquire().await.map_err(during("connecting to the read model"))?;
        connection.ping().await.map_err(during("asking the read model for a sign of life"))
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
        let pool = self.pool.clone();
        // In a task of its own, which goes on if the caller gives up: the driver rolls back only what it has seen begin,
        // and the next to get the connection would go on in an open transaction with somebody else's settings.
        let begun = tokio::spawn(async move { pool.begin_with(AssertSqlSafe(text)).await }).await;
        begun
            .unwrap_or(Err(sqlx::Error::WorkerCrashed))
            .map_err(ReadModelError::during("beginning a transaction on the read model"))
    }

    /// Closes every connection.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}

#[cfg(all(test, feature = "testing"))]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::time::Duration;

    use sqlx::postgres::PgConnection;
    use tokio::time::timeout;

    use super::*;
    use crate::testing::TestDatabase;

    #[tokio::test]
    async fn a_caller_that_gives_up_leaves_no_transaction_open() {
        let database = TestDatabase::create().await;
        let mut options = database.options();
        (options.max_connections, options.application_name) = (1, "gives up".to_owned());
        let model = ReadModel::connect(&options).await.unwrap();
        let gave_up = timeout(Duration::from_millis(50), model.begin_with("; SELECT pg_sleep(0.5)")).await;
        assert!(gave_up.is_err());
        // It is the only connection: whoever has it has the one that was given up.
        let mut next = model.pool().acquire().await.unwrap();
        sqlx::query("SELECT 1").execute(&mut *next).await.unwrap();
        let mut other = PgConnection::connect(&database.admin_url()).await.unwrap();
        let states = "SELECT state FROM pg_stat_activity WHERE application_name = 'gives up'";
        let state: String = sqlx::query_scalar(states).fetch_one(&mut other).await.unwrap();
        assert_eq!(state, "idle");
        drop(next);
        model.close().await;
        other.close().await.unwrap();
        database.remove().await;
    }
}
