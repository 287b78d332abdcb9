//! The port to the customer's database: a session, and the figures that a run asks it for. Owns nothing of what they
//! mean.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use pursight_connectors::Connectors;
use pursight_connectors::postgres::catalog;
use pursight_connectors::postgres::statistics::{self, DatabaseFigures, ObjectFigures};
use pursight_connectors::postgres::{PgSession, SessionOptions};
use pursight_schemas::{Connections, Problem, ScopeFilter, WorkItem};

/// Opens sessions on the databases of a run's source.
#[async_trait]
pub trait Meter: Send + Sync + 'static {
    /// A session on `database`, or on the one that the source names.
    ///
    /// # Errors
    /// What the customer's server said.
    async fn open(&self, work: &WorkItem, database: Option<&str>, left: Duration) -> Result<Box<dyn Gauge>, Problem>;
}

/// What a run asks of one database; every error is what the server said.
#[async_trait]
pub trait Gauge: Send + Sync {
    /// Every database of the server that the role may open.
    async fn databases(&self) -> Result<Vec<String>, Problem>;

    /// Size and counters of the database.
    async fn database(&self) -> Result<DatabaseFigures, Problem>;

    /// Estimates of everything in scope, and whether that is all there is.
    async fn objects(&self, scope: &ScopeFilter) -> Result<(Vec<ObjectFigures>, bool), Problem>;

    /// Times of one catalog query.
    async fn query_times(&self, samples: usize) -> Result<Vec<Duration>, Problem>;

    /// Sessions used and allowed.
    async fn connections(&self) -> Result<Connections, Problem>;

    /// Exact sizes by oid.
    async fn exact_sizes(&self, oids: &[u32]) -> Result<HashMap<u32, i64>, Problem>;

    /// Counted rows of one table.
    async fn exact_rows(&self, oid: u32) -> Result<Option<i64>, Problem>;

    /// Longest that a statement may take from now on.
    async fn limit_statements(&self, most: Duration) -> Result<(), Problem>;
}

/// The real port.
#[derive(Clone)]
pub struct Postgres(pub Connectors);

#[async_trait]
impl Meter for Postgres {
    async fn open(&self, work: &WorkItem, database: Option<&str>, left: Duration) -> Result<Box<dyn Gauge>, Problem> {
        let options = SessionOptions::of_run(work.run_id, left);
        let session = self.0.postgres_session(&work.meta.tenant_id, &work.spec, database, &options);
        Ok(Box::new(Box::pin(session).await.map_err(|problem| *problem)?))
    }
}

#[async_trait]
impl Gauge for PgSession {
    async fn databases(&self) -> Result<Vec<String>, Problem> {
        catalog::databases(self).await
    }

    async fn database(&self) -> Result<DatabaseFigures, Problem> {
        statistics::database(self).await
    }

    async fn objects(&self, scope: &ScopeFilter) -> Result<(Vec<ObjectFigures>, bool), Problem> {
        statistics::objects(self, scope).await
    }

    async fn query_times(&self, samples: usize) -> Result<Vec<Duration>, Problem> {
        statistics::query_times(self, samples).await
    }

    async fn connections(&self) -> Result<Connections, Problem> {
        Ok(catalog::facts(self).await?.connections)
    }

    async fn exact_sizes(&self, oids: &[u32]) -> Result<HashMap<u32, i64>, Problem> {
        statistics::exact_sizes(self, oids).await
    }

    async fn exact_rows(&self, oid: u32) -> Result<Option<i64>, Problem> {
        statistics::exact_rows(self, oid).await
    }

    async fn limit_statements(&self, most: Duration) -> Result<(), Problem> {
        statistics::limit_statements(self, most).await
    }
}
