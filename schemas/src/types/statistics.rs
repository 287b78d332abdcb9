//! How large and how quick a source is: the records of the statistics topic.
//! Plain data without behaviour; `schemas/avro/statistics` is the contract that these structs mirror.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::common::{Connections, EventMeta, Problem};
use super::record;

/// Figures of one object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "ObjectStatistics", default)]
pub struct ObjectStatistics {
    /// Which.
    pub object_id: Uuid,
    /// With indexes and toast.
    pub size_bytes: Option<i64>,
    /// Live rows.
    pub rows: Option<i64>,
    /// Exact, estimate or unavailable.
    pub quality: String,
}

/// Time of a fixed catalog query.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "QueryTime", default)]
pub struct QueryTime {
    /// Microseconds.
    pub p50: i64,
    /// Microseconds, nearest rank.
    pub p95: i64,
    /// Runs measured.
    pub samples: i32,
}

/// Figures of many objects.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "ObjectStatisticsObserved", default)]
pub struct ObjectStatisticsObserved {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// Figures.
    pub objects: Vec<ObjectStatistics>,
}

record!(ObjectStatisticsObserved, "io.pursight.statistics.ObjectStatisticsObserved");

/// Terminal: figures of the source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "StatisticsCollected", default)]
pub struct StatisticsCollected {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// All databases of the source.
    pub size_bytes: Option<i64>,
    /// Live tables, views, materialised and foreign tables in scope.
    pub object_count: i64,
    /// Sum over tables.
    pub row_estimate: Option<i64>,
    /// Since the last sample of the same server start.
    pub cache_hit_ratio_ppm: Option<i64>,
    /// Measured.
    pub query_time_us: Option<QueryTime>,
    /// Used and allowed.
    pub connections: Option<Connections>,
    /// Of each figure: exact, estimate or unavailable.
    pub quality: BTreeMap<String, String>,
    /// Raw server counters, for the next run's differences.
    pub counters: BTreeMap<String, i64>,
}

record!(StatisticsCollected, "io.pursight.statistics.StatisticsCollected");

/// Terminal: not possible.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "StatisticsFailed", default)]
pub struct StatisticsFailed {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// Why.
    pub problem: Problem,
}

record!(StatisticsFailed, "io.pursight.statistics.StatisticsFailed");
