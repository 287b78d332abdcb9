//! The tenant's rows of the read model, as JSON objects with the names of their columns: `pursight_read_model::reader`
//! with errors that say what to do.

use pursight_read_model::reader::{ObjectFilter, SourceFilter, Tenant};
use pursight_read_model::{ReadModel, ReadModelError};
use pursight_schemas::Topic;
use serde_json::Value as Json;
use uuid::Uuid;

use crate::context::database_error;
use crate::error::CliError;

/// One tenant's rows.
pub struct Rows {
    model: ReadModel,
    tenant: Tenant,
}

fn said<T>(answer: Result<T, ReadModelError>) -> Result<T, CliError> {
    answer.map_err(|error| database_error(&error))
}

impl Rows {
    /// Of `tenant`.
    ///
    /// # Errors
    /// A text that can name no tenant.
    pub fn new(model: ReadModel, tenant: &str) -> Result<Self, CliError> {
        let tenant =
            model.tenant(tenant).map_err(|error| CliError::usage(error.to_string(), "correct PURSIGHT_TENANT"))?;
        Ok(Self { model, tenant })
    }

    /// Sources, by name.
    pub async fn sources(&self, filter: &SourceFilter) -> Result<Vec<Json>, CliError> {
        said(self.tenant.sources(filter).await)
    }

    /// A source's wide row, by id or name: a living one first, else the one deleted last.
    pub async fn source(&self, source: &str) -> Result<Option<Json>, CliError> {
        said(self.tenant.source(source).await)
    }

    /// A source's registered spec.
    pub async fn spec(&self, source_id: Uuid) -> Result<Option<Json>, CliError> {
        said(self.tenant.spec(source_id).await)
    }

    /// Changes of a source's registration, newest first.
    pub async fn history(&self, source_id: Uuid, limit: i64) -> Result<Vec<Json>, CliError> {
        said(self.tenant.history(source_id, limit).await)
    }

    /// The test that a run made.
    pub async fn connection_test(&self, run_id: Uuid) -> Result<Option<Json>, CliError> {
        said(self.tenant.connection_test(run_id).await)
    }

    /// A run, over all its streams.
    pub async fn run(&self, run_id: Uuid) -> Result<Option<Json>, CliError> {
        said(self.tenant.run(run_id).await)
    }

    /// Objects of a source, by name.
    pub async fn objects(&self, source_id: Uuid, filter: &ObjectFilter) -> Result<Vec<Json>, CliError> {
        said(self.tenant.objects(source_id, filter).await)
    }

    /// One object with its columns, constraints and indexes, by `schema.name` or id.
    pub async fn object(&self, source_id: Uuid, name: &str) -> Result<Option<Json>, CliError> {
        said(self.tenant.object(source_id, name).await)
    }

    /// Changes of a source's objects, newest first.
    pub async fn changes(&self, source_id: Uuid, run: Option<Uuid>, limit: i64) -> Result<Vec<Json>, CliError> {
        said(self.tenant.changes(source_id, run, limit).await)
    }

    /// A source's last measurement.
    pub async fn statistics(&self, source_id: Uuid) -> Result<Option<Json>, CliError> {
        said(self.tenant.statistics(source_id).await)
    }

    /// Its largest objects.
    pub async fn largest(&self, source_id: Uuid, limit: i64) -> Result<Vec<Json>, CliError> {
        said(self.tenant.largest(source_id, limit).await)
    }

    /// A command's latest state.
    pub async fn command(&self, command_id: Uuid) -> Result<Option<Json>, CliError> {
        said(self.tenant.command(command_id).await)
    }

    /// The newest commands.
    pub async fn commands(&self, state: Option<&str>, limit: i64) -> Result<Vec<Json>, CliError> {
        said(self.tenant.commands(state, None, limit).await)
    }

    /// The tenant's newest dead letters, or with `all` those of everybody.
    pub async fn dead_letters(&self, all: bool, limit: i64) -> Result<Vec<Json>, CliError> {
        said(if all { self.model.dead_letters(limit).await } else { self.tenant.dead_letters(limit).await })
    }

    /// The audit row of a record, of whatever tenant.
    pub async fn audit(&self, partition: i32, offset: i64) -> Result<Option<Json>, CliError> {
        said(self.model.audit_row(partition, offset).await)
    }

    /// Whether a record has been folded.
    pub async fn has_folded(&self, topic: Topic, partition: i32, offset: i64) -> Result<bool, CliError> {
        said(self.model.has_passed(&[(topic, partition, offset)]).await)
    }
}
