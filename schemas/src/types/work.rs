//! What runners are asked to do: the records of the work topics.
//! Plain data without behaviour; `schemas/avro/work` is the contract that these structs mirror.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::common::EventMeta;
use super::kinds::Strategy;
use super::record;
use super::spec::{DataSourceSpec, ScopeFilter};
use super::symbols;
use crate::time::Micros;

/// What a runner is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum WorkKind {
    /// `TEST`.
    #[serde(rename = "TEST")]
    Test,
    /// `DISCOVER`.
    #[serde(rename = "DISCOVER")]
    Discover,
    /// `STATISTICS`.
    #[serde(rename = "STATISTICS")]
    Statistics,
    /// `CONFIRM_DELETIONS`.
    #[serde(rename = "CONFIRM_DELETIONS")]
    ConfirmDeletions,
    /// `CLASSIFY`.
    #[serde(rename = "CLASSIFY")]
    Classify,
    /// `REVOKE_SECRETS`: the source was purged, its sealed secrets go too.
    #[serde(rename = "REVOKE_SECRETS")]
    RevokeSecrets,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(WorkKind { Test = "TEST", Discover = "DISCOVER", Statistics = "STATISTICS", ConfirmDeletions = "CONFIRM_DELETIONS", Classify = "CLASSIFY", RevokeSecrets = "REVOKE_SECRETS", Unknown = "UNKNOWN" });

/// One run to execute.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "WorkItem", default)]
pub struct WorkItem {
    /// Who asked.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// The run's end is the command's outcome.
    pub answers_command: bool,
    /// Avro full name of the command behind it.
    pub command_type: String,
    /// What to do.
    pub kind: WorkKind,
    /// Snapshot of the source, without secrets.
    pub spec: DataSourceSpec,
    /// The source's sequence of that snapshot.
    pub version: i64,
    /// How hard to press.
    pub strategy: Strategy,
    /// Null: the spec's.
    pub scope: Option<ScopeFilter>,
    /// Observe unchanged objects again.
    pub full: bool,
    /// Count instead of estimating.
    pub exact: bool,
    /// List and count only.
    pub dry_run: bool,
    /// When the run must have ended.
    pub deadline: Micros,
    /// The run whose held deletions are confirmed.
    pub confirms: Option<Uuid>,
}

record!(WorkItem, "io.pursight.work.WorkItem");
