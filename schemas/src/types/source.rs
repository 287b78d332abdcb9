//! What was decided about sources: the records of the source topic.
//! Plain data without behaviour; `schemas/avro/source` is the contract that these structs mirror.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::common::EventMeta;
use super::kinds::DeleteMode;
use super::record;
use super::spec::DataSourceSpec;

/// A source exists.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DataSourceCreated", default)]
pub struct DataSourceCreated {
    /// Whose and when.
    pub meta: EventMeta,
    /// Its configuration.
    pub spec: DataSourceSpec,
    /// Case-folded name, unique among live sources of the tenant.
    pub name_key: String,
}

record!(DataSourceCreated, "io.pursight.source.DataSourceCreated");

/// A source changed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DataSourceUpdated", default)]
pub struct DataSourceUpdated {
    /// Whose and when.
    pub meta: EventMeta,
    /// Its configuration afterwards.
    pub spec: DataSourceSpec,
    /// Case-folded name.
    pub name_key: String,
    /// Names of the changed fields.
    pub changed: Vec<String>,
}

record!(DataSourceUpdated, "io.pursight.source.DataSourceUpdated");

/// A source ended; its name is free.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DataSourceDeleted", default)]
pub struct DataSourceDeleted {
    /// Whose and when.
    pub meta: EventMeta,
    /// SOFT or PURGE.
    pub mode: DeleteMode,
}

record!(DataSourceDeleted, "io.pursight.source.DataSourceDeleted");

/// A softly deleted source is back.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DataSourceRestored", default)]
pub struct DataSourceRestored {
    /// Whose and when.
    pub meta: EventMeta,
    /// Its configuration.
    pub spec: DataSourceSpec,
    /// Case-folded name.
    pub name_key: String,
}

record!(DataSourceRestored, "io.pursight.source.DataSourceRestored");

/// No runs until resumed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DataSourcePaused", default)]
pub struct DataSourcePaused {
    /// Whose and when.
    pub meta: EventMeta,
}

record!(DataSourcePaused, "io.pursight.source.DataSourcePaused");

/// Runs again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DataSourceResumed", default)]
pub struct DataSourceResumed {
    /// Whose and when.
    pub meta: EventMeta,
}

record!(DataSourceResumed, "io.pursight.source.DataSourceResumed");

/// A principal's star; no new version of the source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "FavoriteSet", default)]
pub struct FavoriteSet {
    /// No source, sequence 0.
    pub meta: EventMeta,
    /// The source.
    pub source_id: Uuid,
    /// Whose star.
    pub principal: String,
    /// Set or taken away.
    pub favorite: bool,
}

record!(FavoriteSet, "io.pursight.source.FavoriteSet");

/// Marker: a worker owns this partition from here on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "OwnershipTaken", default)]
pub struct OwnershipTaken {
    /// Of the system.
    pub meta: EventMeta,
    /// Which worker.
    pub worker: String,
}

record!(OwnershipTaken, "io.pursight.source.OwnershipTaken");
