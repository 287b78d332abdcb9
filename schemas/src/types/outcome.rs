//! What became of a command: the records of the outcome topic.
//! Plain data without behaviour; `schemas/avro/outcome` is the contract that these structs mirror.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::common::{Actor, Coordinates, EventMeta, Problem, Violation};
use super::record;

/// The command is valid and its work was given out.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CommandAccepted", default)]
pub struct CommandAccepted {
    /// Whose and when.
    pub meta: EventMeta,
    /// Avro full name of the command.
    pub command_type: String,
    /// Hash of the whole record value.
    pub payload_sha256: String,
}

record!(CommandAccepted, "io.pursight.outcome.CommandAccepted");

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CommandProgressed", default)]
pub struct CommandProgressed {
    /// Whose and when.
    pub meta: EventMeta,
    /// Avro full name of the command.
    pub command_type: String,
    /// Units done.
    pub done: i64,
    /// Units in all, where known.
    pub total: Option<i64>,
    /// For people.
    pub message: String,
}

record!(CommandProgressed, "io.pursight.outcome.CommandProgressed");

/// Terminal: done.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CommandSucceeded", default)]
pub struct CommandSucceeded {
    /// Whose and when.
    pub meta: EventMeta,
    /// Avro full name of the command.
    pub command_type: String,
    /// The source.
    pub source_id: Option<Uuid>,
    /// Its sequence afterwards.
    pub version: Option<i64>,
    /// What came of it.
    pub result: BTreeMap<String, String>,
    /// What a dry run would have done.
    pub preview: Vec<String>,
    /// Hash of the whole record value.
    pub payload_sha256: Option<String>,
}

record!(CommandSucceeded, "io.pursight.outcome.CommandSucceeded");

/// Terminal: understood and refused, nothing happened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CommandRejected", default)]
pub struct CommandRejected {
    /// Whose and when.
    pub meta: EventMeta,
    /// Avro full name of the command.
    pub command_type: String,
    /// All reasons.
    pub violations: Vec<Violation>,
    /// Hash of the whole record value.
    pub payload_sha256: Option<String>,
}

record!(CommandRejected, "io.pursight.outcome.CommandRejected");

/// Terminal: tried and not possible.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CommandFailed", default)]
pub struct CommandFailed {
    /// Whose and when.
    pub meta: EventMeta,
    /// Avro full name of the command.
    pub command_type: String,
    /// Why.
    pub problem: Problem,
}

record!(CommandFailed, "io.pursight.outcome.CommandFailed");

/// Terminal: a CancelRun took effect.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CommandCancelled", default)]
pub struct CommandCancelled {
    /// Whose and when.
    pub meta: EventMeta,
    /// Avro full name of the command.
    pub command_type: String,
    /// Who cancelled.
    pub by: Actor,
}

record!(CommandCancelled, "io.pursight.outcome.CommandCancelled");

/// Terminal: the work could not be handled at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CommandDeadLettered", default)]
pub struct CommandDeadLettered {
    /// Whose and when.
    pub meta: EventMeta,
    /// Avro full name of the command.
    pub command_type: String,
    /// The work item.
    pub dead_letter: Coordinates,
    /// Why.
    pub problem: Problem,
}

record!(CommandDeadLettered, "io.pursight.outcome.CommandDeadLettered");
