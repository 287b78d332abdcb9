//! What is in a source and what changed: the records of the schema topic.
//! Plain data without behaviour; `schemas/avro/schema` is the contract that these structs mirror.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::common::{EventMeta, ObjectRef, Problem};
use super::kinds::Strategy;
use super::object::{Change, Column, Constraint, Index, Partitioning};
use super::record;
use super::spec::ScopeFilter;

/// A run began.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DiscoveryStarted", default)]
pub struct DiscoveryStarted {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// From 1; a new owner of a broken run takes the next.
    pub attempt: i32,
    /// How hard it presses.
    pub strategy: Strategy,
    /// What it looks at.
    pub scope: ScopeFilter,
}

record!(DiscoveryStarted, "io.pursight.schema.DiscoveryStarted");

/// An object as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "SchemaObjectObserved", default)]
pub struct SchemaObjectObserved {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// Which.
    pub object: ObjectRef,
    /// Owning role.
    pub owner: Option<String>,
    /// Comment.
    pub comment: Option<String>,
    /// In order.
    pub columns: Vec<Column>,
    /// By name.
    pub constraints: Vec<Constraint>,
    /// By name.
    pub indexes: Vec<Index>,
    /// Of a partitioned table.
    pub partitions: Option<Partitioning>,
    /// Of a view, routine, trigger or type; at most 64 KiB.
    pub definition: Option<String>,
    /// What it needs.
    pub depends_on: Vec<ObjectRef>,
    /// SHA-256, lower-case hex.
    pub content_hash: String,
    /// Of the object, as major.minor.patch.
    pub version: String,
    /// Paths that were cut.
    pub truncated: Vec<String>,
}

record!(SchemaObjectObserved, "io.pursight.schema.SchemaObjectObserved");

/// How an object differs from what was known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "SchemaChanged", default)]
pub struct SchemaChanged {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// Which.
    pub object: ObjectRef,
    /// Content hash before.
    pub from_hash: Option<String>,
    /// Content hash after.
    pub to_hash: Option<String>,
    /// By path, then kind.
    pub changes: Vec<Change>,
}

record!(SchemaChanged, "io.pursight.schema.SchemaChanged");

/// It exists, its details could not be read; the known content stays.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "ObjectUnreadable", default)]
pub struct ObjectUnreadable {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// Which.
    pub object: ObjectRef,
    /// Why.
    pub problem: Problem,
}

record!(ObjectUnreadable, "io.pursight.schema.ObjectUnreadable");

/// A complete listing lacks it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "ObjectDropped", default)]
pub struct ObjectDropped {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// Which.
    pub object: ObjectRef,
    /// Dropped schema or table that took it along.
    pub entailed_by: Vec<String>,
}

record!(ObjectDropped, "io.pursight.schema.ObjectDropped");

/// Too much is missing at once; nothing was dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DeletionHeld", default)]
pub struct DeletionHeld {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// What is missing.
    pub objects: Vec<ObjectRef>,
    /// Objects of the last complete listing.
    pub listed_before: i64,
    /// Objects of this one.
    pub listed_now: i64,
}

record!(DeletionHeld, "io.pursight.schema.DeletionHeld");

/// Terminal: the run read what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "SchemaSnapshotCompleted", default)]
pub struct SchemaSnapshotCompleted {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// Over the content hashes of all objects.
    pub root_hash: String,
    /// Of the filter.
    pub scope_hash: String,
    /// Of what the role may see.
    pub visibility_hash: String,
    /// Of the catalog rows; null: it was not taken.
    pub fingerprint: Option<String>,
    /// Objects by kind, changes by outcome.
    pub counts: BTreeMap<String, i64>,
    /// Nothing of the listing was cut.
    pub complete: bool,
    /// Objects without details.
    pub unreadable: i64,
    /// Statements sent.
    pub queries: i64,
    /// Rows received.
    pub rows_read: i64,
    /// Microseconds.
    pub duration_us: i64,
}

record!(SchemaSnapshotCompleted, "io.pursight.schema.SchemaSnapshotCompleted");

/// Terminal: not possible.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DiscoveryFailed", default)]
pub struct DiscoveryFailed {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// Why.
    pub problem: Problem,
}

record!(DiscoveryFailed, "io.pursight.schema.DiscoveryFailed");

/// Terminal: ended early.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DiscoveryCancelled", default)]
pub struct DiscoveryCancelled {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
}

record!(DiscoveryCancelled, "io.pursight.schema.DiscoveryCancelled");
