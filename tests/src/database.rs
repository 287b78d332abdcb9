//! Plain SQL against a server, from synchronous tests.

use anyhow::{Context as _, Result};
use serde_json::Value as Json;
use tokio::runtime::Runtime;
use tokio_postgres::{Client, NoTls};

/// One connection.
pub struct Sql {
    runtime: Runtime,
    client: Client,
}

impl Sql {
    /// Connects to a URL.
    ///
    /// # Errors
    /// The server says no.
    pub fn open(url: &str) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let (client, connection) =
            runtime.block_on(tokio_postgres::connect(url, NoTls)).context("cannot connect to a test database")?;
        runtime.spawn(async move {
            // Ends with the client.
            let _ = connection.await;
        });
        Ok(Self { runtime, client })
    }

    /// Runs statements.
    ///
    /// # Errors
    /// The server says no.
    pub fn run(&self, statements: &str) -> Result<()> {
        self.runtime.block_on(self.client.batch_execute(statements)).with_context(|| statements.to_owned())
    }

    /// The rows of a query, each as JSON.
    ///
    /// # Errors
    /// The server says no.
    pub fn rows(&self, query: &str) -> Result<Vec<Json>> {
        let wrapped = format!("SELECT to_jsonb(q)::text FROM ({query}) q");
        let rows = self.runtime.block_on(self.client.query(&wrapped, &[])).with_context(|| query.to_owned())?;
        rows.iter().map(|row| Ok(serde_json::from_str(row.try_get::<_, &str>(0)?)?)).collect()
    }

    /// The only row of a query.
    ///
    /// # Errors
    /// There are more or none.
    pub fn row(&self, query: &str) -> Result<Json> {
        let mut rows = self.rows(query)?;
        anyhow::ensure!(rows.len() == 1, "{} rows instead of one: {query}", rows.len());
        rows.pop().context("one row")
    }
}

/// The same server's URL for another database.
///
/// # Errors
/// The URL has no database.
pub fn with_database(url: &str, database: &str) -> Result<String> {
    let (server, _) = url.rsplit_once('/').context("a database URL ends in /<database>")?;
    Ok(format!("{server}/{database}"))
}
