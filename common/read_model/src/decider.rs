//! What the registry asks before it decides: names, sources, receipts and runs of one batch, and how far the read model
//! has folded, all from one snapshot because it is one statement. Knows nothing of commands or of what is decided.

use std::collections::BTreeMap;

use pursight_schemas::{DataSourceSpec, Topic};
use serde::Deserialize;
use sqlx::types::Json;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::model::{BY_KEY, ReadModel};

/// What is to be looked up. Every key names its tenant: a partition holds many.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Partition of the source and of the outcome topic.
    pub partition: i32,
    /// Folded names that may be claimed. Those of [`Query::sources`] are looked up unasked.
    pub names: Vec<(String, String)>,
    /// Sources.
    pub sources: Vec<(String, Uuid)>,
    /// Commands that may have been decided before.
    pub commands: Vec<(String, Uuid)>,
    /// Runs, by their own ids.
    pub runs: Vec<(String, Uuid)>,
    /// Tenants whose live sources are counted.
    pub tenants: Vec<String>,
    /// Live sources by what they are; answered as [`Snapshot::sources`].
    pub filter: Option<Filter>,
}

/// Chooses live sources of one tenant; an empty part does not restrict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Whose.
    pub tenant: String,
    /// Symbols of source types.
    pub types: Vec<String>,
    /// Symbols of environments.
    pub environments: Vec<String>,
    /// At least one of these tags.
    pub tags: Vec<String>,
    /// `LIKE` pattern over the folded name, `\` escapes.
    pub name_like: Option<String>,
    /// Most rows.
    pub limit: i64,
}

/// A source as it stands in the read model.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct SourceRow {
    /// Whose.
    pub tenant_id: String,
    /// Which.
    pub source_id: Uuid,
    /// `sequence` of its last event.
    pub version: i64,
    /// `ACTIVE`, `PAUSED`, `DELETED` or `PURGED`.
    pub state: String,
    /// Folded name; of a deleted source the one it had.
    pub name_key: String,
    /// Everything configured.
    pub spec: DataSourceSpec,
}

/// Who has a name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct NameRow {
    /// Whose.
    pub tenant_id: String,
    /// The folded name that was asked for.
    pub name_key: String,
    /// Its live source; `None`: it is free.
    pub source_id: Option<Uuid>,
}

/// What became of a command so far.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct CommandRow {
    /// Whose.
    pub tenant_id: String,
    /// Which.
    pub command_id: Uuid,
    /// Hash of its payload.
    pub payload_sha256: Option<String>,
}

/// A run that some command asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RunRow {
    /// Whose.
    pub tenant_id: String,
    /// Which.
    pub run_id: Uuid,
    /// The command that asked for it; for all but follow-up runs the run has its id.
    pub command_id: Uuid,
    /// Avro full name of that command.
    pub command_type: String,
    /// It was refused and never began.
    pub rejected: bool,
    /// It has come to its end.
    pub ended: bool,
}

/// The answer, all of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Next offset of the source topic's partition that will be folded; 0 if none was.
    pub source_next: i64,
    /// The same of the outcome topic's partition.
    pub outcome_next: i64,
    /// One row for each name asked for.
    pub names: Vec<NameRow>,
    /// Sources that exist.
    pub sources: Vec<SourceRow>,
    /// Commands that have an outcome or were accepted.
    pub commands: Vec<CommandRow>,
    /// Runs that are known.
    pub runs: Vec<RunRow>,
    /// Live sources by tenant.
    pub live: BTreeMap<String, i64>,
}

struct Answer {
    source_next: i64,
    outcome_next: i64,
    names: Json<Vec<NameRow>>,
    sources: Json<Vec<SourceRow>>,
    commands: Json<Vec<CommandRow>>,
    runs: Json<Vec<RunRow>>,
    live: Json<BTreeMap<String, i64>>,
}

fn split<T: Clone>(pairs: &[(String, T)]) -> (Vec<String>, Vec<T>) {
    pairs.iter().cloned().unzip()
}

impl ReadModel {
    /// Looks up everything that a batch may need.
    ///
    /// # Errors
    /// The server does not answer, or what it holds cannot be read.
    pub async fn look_up(&self, query: &Query) -> Result<Snapshot, ReadModelError> {
        const DURING: &str = "looking up what a batch of commands needs";
        let mut transaction = self.begin_with(BY_KEY).await?;
        let (source_tenants, source_ids) = split(&query.sources);
        let (name_tenants, name_keys) = split(&query.names);
        let (command_tenants, command_ids) = split(&query.commands);
        let (run_tenants, run_ids) = split(&query.runs);
        let none = Filter::default();
        let filter = query.filter.as_ref().unwrap_or(&none);
        let answer = sqlx::query_file_as!(
            Answer,
            "src/decider.sql",
            Topic::Source.short(),
            Topic::Outcome.short(),
            query.partition,
            &source_tenants,
            &source_ids,
            &name_tenants,
            &name_keys,
            &command_tenants,
            &command_ids,
            &run_tenants,
            &run_ids,
            &query.tenants,
            // Without a filter no tenant has this name.
            query.filter.as_ref().map(|filter| filter.tenant.as_str()),
            &filter.types,
            &filter.environments,
            &filter.tags,
            filter.name_like.as_deref(),
            filter.limit,
        );
        let answer = answer.fetch_one(&mut *transaction).await.map_err(ReadModelError::during(DURING))?;
        transaction.commit().await.map_err(ReadModelError::during(DURING))?;
        Ok(Snapshot {
            source_next: answer.source_next,
            outcome_next: answer.outcome_next,
            names: answer.names.0,
            sources: answer.sources.0,
            commands: answer.commands.0,
            runs: answer.runs.0,
            live: answer.live.0,
        })
    }
}
