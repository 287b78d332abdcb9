//! What publishers ask for: the records of the command topic.
//! Plain data without behaviour; `schemas/avro/command` is the contract that these structs mirror.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::common::CommandMeta;
use super::kinds::{DeleteMode, Environment, SourceType, Strategy};
use super::record;
use super::spec::{DataSourcePatch, DataSourceSpec, ScopeFilter};
use super::symbols;

/// What follows a creation; UNKNOWN means NOTHING.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Afterwards {
    /// `NOTHING`.
    #[serde(rename = "NOTHING")]
    Nothing,
    /// `TEST`.
    #[serde(rename = "TEST")]
    Test,
    /// `DISCOVER`.
    #[serde(rename = "DISCOVER")]
    Discover,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(Afterwards { Nothing = "NOTHING", Test = "TEST", Discover = "DISCOVER", Unknown = "UNKNOWN" });

/// The sources a bulk update is for; an empty part does not restrict.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "BulkFilter", default)]
pub struct BulkFilter {
    /// Kinds of source.
    pub types: Vec<SourceType>,
    /// Environments.
    pub environments: Vec<Environment>,
    /// At least one of these.
    pub tags: Vec<String>,
    /// Glob on the name.
    pub name_glob: Option<String>,
}

/// Registers a source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CreateDataSource", default)]
pub struct CreateDataSource {
    /// Who asks.
    pub meta: CommandMeta,
    /// UUIDv7 of the publisher; null: UUIDv5 of the command id.
    pub source_id: Option<Uuid>,
    /// Its configuration.
    pub spec: DataSourceSpec,
    /// A run to start at once.
    pub afterwards: Afterwards,
}

record!(CreateDataSource, "io.pursight.command.CreateDataSource");

/// Changes a source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "UpdateDataSource", default)]
pub struct UpdateDataSource {
    /// Who asks.
    pub meta: CommandMeta,
    /// The source.
    pub source_id: Uuid,
    /// New values.
    pub patch: DataSourcePatch,
    /// Optional fields to empty.
    pub clear: Vec<String>,
}

record!(UpdateDataSource, "io.pursight.command.UpdateDataSource");

/// Ends a source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DeleteDataSource", default)]
pub struct DeleteDataSource {
    /// Who asks.
    pub meta: CommandMeta,
    /// The source.
    pub source_id: Uuid,
    /// SOFT or PURGE.
    pub mode: DeleteMode,
}

record!(DeleteDataSource, "io.pursight.command.DeleteDataSource");

/// Brings a softly deleted source back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "RestoreDataSource", default)]
pub struct RestoreDataSource {
    /// Who asks.
    pub meta: CommandMeta,
    /// The source.
    pub source_id: Uuid,
}

record!(RestoreDataSource, "io.pursight.command.RestoreDataSource");

/// No runs until resumed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "PauseDataSource", default)]
pub struct PauseDataSource {
    /// Who asks.
    pub meta: CommandMeta,
    /// The source.
    pub source_id: Uuid,
}

record!(PauseDataSource, "io.pursight.command.PauseDataSource");

/// Ends a pause.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "ResumeDataSource", default)]
pub struct ResumeDataSource {
    /// Who asks.
    pub meta: CommandMeta,
    /// The source.
    pub source_id: Uuid,
}

record!(ResumeDataSource, "io.pursight.command.ResumeDataSource");

/// One change for many sources, all or nothing, at most 500.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "BulkUpdateDataSources", default)]
pub struct BulkUpdateDataSources {
    /// Who asks.
    pub meta: CommandMeta,
    /// The sources, or.
    pub source_ids: Vec<Uuid>,
    /// Which ones.
    pub filter: Option<BulkFilter>,
    /// New values.
    pub patch: DataSourcePatch,
    /// Optional fields to empty.
    pub clear: Vec<String>,
}

record!(BulkUpdateDataSources, "io.pursight.command.BulkUpdateDataSources");

/// A star of the acting principal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "SetFavorite", default)]
pub struct SetFavorite {
    /// Who asks.
    pub meta: CommandMeta,
    /// The source.
    pub source_id: Uuid,
    /// Set or taken away.
    pub favorite: bool,
}

record!(SetFavorite, "io.pursight.command.SetFavorite");

/// Tests a source, or a draft before it is saved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "TestConnection", default)]
pub struct TestConnection {
    /// Who asks.
    pub meta: CommandMeta,
    /// The source, or.
    pub source_id: Option<Uuid>,
    /// An unsaved one.
    pub draft: Option<DataSourceSpec>,
}

record!(TestConnection, "io.pursight.command.TestConnection");

/// Reads what is in a source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DiscoverSchema", default)]
pub struct DiscoverSchema {
    /// Who asks.
    pub meta: CommandMeta,
    /// The source.
    pub source_id: Uuid,
    /// UNKNOWN means BALANCED.
    pub strategy: Strategy,
    /// Null: the source's own.
    pub scope: Option<ScopeFilter>,
    /// Observe unchanged objects again.
    pub full: bool,
}

record!(DiscoverSchema, "io.pursight.command.DiscoverSchema");

/// Measures a source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CollectStatistics", default)]
pub struct CollectStatistics {
    /// Who asks.
    pub meta: CommandMeta,
    /// The source.
    pub source_id: Uuid,
    /// Count rows instead of estimating.
    pub exact: bool,
}

record!(CollectStatistics, "io.pursight.command.CollectStatistics");

/// Ends a run early.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CancelRun", default)]
pub struct CancelRun {
    /// Who asks.
    pub meta: CommandMeta,
    /// The run.
    pub run_id: Uuid,
}

record!(CancelRun, "io.pursight.command.CancelRun");

/// Lets held deletions happen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "ConfirmDeletions", default)]
pub struct ConfirmDeletions {
    /// Who asks.
    pub meta: CommandMeta,
    /// The source.
    pub source_id: Uuid,
    /// The run that held them.
    pub run_id: Uuid,
}

record!(ConfirmDeletions, "io.pursight.command.ConfirmDeletions");
