//! The port to the customer's database: sessions, the catalog readings that a run needs, and how often a reading is
//! tried again. Owns nothing of what the readings mean. A fake stands beside the real one in the tests.

use std::time::Duration;

use async_trait::async_trait;
use pursight_connectors::Connectors;
use pursight_connectors::postgres::catalog::{self, Listed, Listing, Pace, PageItem, Pages, Visibility, caps};
use pursight_connectors::postgres::{PgSession, SessionOptions};
use pursight_schemas::{Problem, ScopeFilter, WorkItem};

/// Opens sessions on the databases of a run's source.
#[async_trait]
pub trait Inspector: Send + Sync + 'static {
    /// A session on `database`, or on the one that the source names.
    ///
    /// # Errors
    /// What the customer's server said.
    async fn open(&self, work: &WorkItem, database: Option<&str>, left: Duration) -> Result<Box<dyn Reader>, Problem>;
}

/// What a run reads of one database. A problem that is `retryable` may go away on another session.
#[async_trait]
pub trait Reader: Send + Sync {
    /// The database that is open.
    fn database(&self) -> &str;

    /// Every database of the server that the role may open.
    ///
    /// # Errors
    /// What the server said; so for all of these.
    async fn databases(&self) -> Result<Vec<String>, Problem>;

    /// What the role may see, and the fingerprint of the catalog rows.
    ///
    /// # Errors
    /// What the server said.
    async fn sight(&self) -> Result<(Visibility, String), Problem>;

    /// Everything in scope.
    ///
    /// # Errors
    /// What the server said.
    async fn listing(&self, scope: &ScopeFilter) -> Result<Listing, Problem>;

    /// Names of the schemas that exist.
    ///
    /// # Errors
    /// What the server said.
    async fn schemas(&self) -> Result<Vec<String>, Problem>;

    /// Reads the details of these objects.
    fn pages<'a>(&'a self, objects: Vec<Listed>, pace: Pace) -> Box<dyn Paging + 'a>;

    /// Statements sent and rows received so far.
    fn cost(&self) -> (i64, i64);
}

/// A reading of details under way.
#[async_trait]
pub trait Paging: Send {
    /// The next page, or none at the end.
    ///
    /// # Errors
    /// When the session is of no more use.
    async fn next(&mut self) -> Result<Option<Vec<PageItem>>, Problem>;
}

/// The real port.
#[derive(Clone)]
pub struct Postgres(pub Connectors);

#[async_trait]
impl Inspector for Postgres {
    async fn open(&self, work: &WorkItem, database: Option<&str>, left: Duration) -> Result<Box<dyn Reader>, Problem> {
        let options = SessionOptions::of_run(work.run_id, left);
        let session = self.0.postgres_session(&work.meta.tenant_id, &work.spec, database, &options);
        Ok(Box::new(Box::pin(session).await.map_err(|problem| *problem)?))
    }
}

#[async_trait]
impl Reader for PgSession {
    fn database(&self) -> &str {
        Self::database(self)
    }

    async fn databases(&self) -> Result<Vec<String>, Problem> {
        catalog::databases(self).await
    }

    async fn sight(&self) -> Result<(Visibility, String), Problem> {
        Ok((catalog::visibility(self).await?, catalog::fingerprint(self).await?.0))
    }

    async fn listing(&self, scope: &ScopeFilter) -> Result<Listing, Problem> {
        catalog::listing(self, scope, caps::OBJECTS).await
    }

    async fn schemas(&self) -> Result<Vec<String>, Problem> {
        catalog::schemas(self).await
    }

    fn pages<'a>(&'a self, objects: Vec<Listed>, pace: Pace) -> Box<dyn Paging + 'a> {
        Box::new(Pages::new(self, Self::database(self), objects, pace))
    }

    fn cost(&self) -> (i64, i64) {
        let counts = self.counts();
        (counts.queries, counts.rows_read)
    }
}

#[async_trait]
impl Paging for Pages<'_> {
    async fn next(&mut self) -> Result<Option<Vec<PageItem>>, Problem> {
        Pages::next(self).await
    }
}
