//! The tenant's rows of the read model, as JSON objects with the names of their columns. A thin skin over
//! `pursight_read_model::reader`: names a row by what the command line needs it for.

use pursight_read_model::ReadModel;
use pursight_schemas::Topic;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::error::CliError;

/// Which sources.
#[derive(Debug, Clone, Default)]
pub struct SourceFilter {
    /// Symbol of the kind.
    pub source_type: Option<String>,
    /// Symbol of the environment.
    pub environment: Option<String>,
    /// `ACTIVE`, `PAUSED`, `DELETED`; without it all that are not deleted.
    pub state: Option<String>,
    /// A label.
    pub tag: Option<String>,
    /// Part of the name.
    pub search: Option<String>,
    /// Sources with this principal's star.
    pub favorite_of: Option<String>,
    /// At most so many.
    pub limit: i64,
}

/// Which objects.
#[derive(Debug, Clone, Default)]
pub struct ObjectFilter {
    /// Schema.
    pub schema: Option<String>,
    /// Symbol of the kind.
    pub kind: Option<String>,
    /// Part of the name.
    pub search: Option<String>,
    /// Dropped ones too.
    pub dropped: bool,
    /// At most so many.
    pub limit: i64,
}

/// One tenant's rows.
pub struct Rows {
    model: ReadModel,
    tenant: String,
}

impl Rows {
    /// Of `tenant`.
    pub fn new(model: ReadModel, tenant: &str) -> Self {
        Self { model, tenant: tenant.to_owned() }
    }

    /// Sources, by name.
    pub async fn sources(&self, filter: &SourceFilter) -> Result<Vec<Json>, CliError> {
        let _ = (filter, &self.model, &self.tenant);
        Err(later())
    }

    /// A source's wide row, by id or name: a living one first, else the one deleted last.
    pub async fn source(&self, source: &str) -> Result<Option<Json>, CliError> {
        let _ = source;
        Err(later())
    }

    /// A source's registered spec.
    pub async fn spec(&self, source_id: Uuid) -> Result<Option<Json>, CliError> {
        let _ = source_id;
        Err(later())
    }

    /// Changes of a source's registration, newest first.
    pub async fn history(&self, source_id: Uuid, limit: i64) -> Result<Vec<Json>, CliError> {
        let _ = (source_id, limit);
        Err(later())
    }

    /// The test that a run made.
    pub async fn connection_test(&self, run_id: Uuid) -> Result<Option<Json>, CliError> {
        let _ = run_id;
        Err(later())
    }

    /// A run, over all its streams.
    pub async fn run(&self, run_id: Uuid) -> Result<Option<Json>, CliError> {
        let _ = run_id;
        Err(later())
    }

    /// Objects of a source, by name.
    pub async fn objects(&self, source_id: Uuid, filter: &ObjectFilter) -> Result<Vec<Json>, CliError> {
        let _ = (source_id, filter);
        Err(later())
    }

    /// One object with its columns, constraints and indexes, by `schema.name` or id.
    pub async fn object(&self, source_id: Uuid, name: &str) -> Result<Option<Json>, CliError> {
        let _ = (source_id, name);
        Err(later())
    }

    /// Changes of a source's objects, newest first.
    pub async fn changes(&self, source_id: Uuid, run: Option<Uuid>, limit: i64) -> Result<Vec<Json>, CliError> {
        let _ = (source_id, run, limit);
        Err(later())
    }

    /// A source's last measurement.
    pub async fn statistics(&self, source_id: Uuid) -> Result<Option<Json>, CliError> {
        let _ = source_id;
        Err(later())
    }

    /// Its largest objects.
    pub async fn largest(&self, source_id: Uuid, limit: i64) -> Result<Vec<Json>, CliError> {
        let _ = (source_id, limit);
        Err(later())
    }

    /// A command's latest state.
    pub async fn command(&self, command_id: Uuid) -> Result<Option<Json>, CliError> {
        let _ = command_id;
        Err(later())
    }

    /// The newest commands.
    pub async fn commands(&self, state: Option<&str>, limit: i64) -> Result<Vec<Json>, CliError> {
        let _ = (state, limit);
        Err(later())
    }

    /// The newest dead letters.
    pub async fn dead_letters(&self, limit: i64) -> Result<Vec<Json>, CliError> {
        let _ = limit;
        Err(later())
    }

    /// The audit row of a record, of whatever tenant.
    pub async fn audit(&self, partition: i32, offset: i64) -> Result<Option<Json>, CliError> {
        let _ = (partition, offset);
        Err(later())
    }

    /// The next offset that will be folded of a partition.
    pub async fn folded(&self, topic: Topic, partition: i32) -> Result<Option<i64>, CliError> {
        let _ = (topic, partition);
        Err(later())
    }
}

fn later() -> CliError {
    CliError::failed("the read model's reader is not wired yet", "wait for it")
}
