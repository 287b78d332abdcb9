//! Types that several topics share: who, what, where.
//! Plain data without behaviour; `schemas/avro/common` is the contract that these structs mirror.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::kinds::{ActorType, ObjectKind, ProblemCategory};
use crate::time::Micros;

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Actor", default)]
pub struct Actor {
    /// Name of the user or service.
    pub principal: String,
    /// What kind of principal it is.
    #[serde(rename = "type")]
    pub kind: ActorType,
    /// The person for whom a service acts.
    pub on_behalf_of: Option<String>,
    /// Why, in the actor's words.
    pub reason: Option<String>,
}

/// What every command carries.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CommandMeta", default)]
pub struct CommandMeta {
    /// Made by the publisher; the idempotency key.
    pub command_id: Uuid,
    /// The tenant; equal to the record key and to the attestation's `org`.
    pub tenant_id: String,
    /// Who asks.
    pub actor: Actor,
    /// Joins commands and events of one undertaking.
    pub correlation_id: Option<Uuid>,
    /// The source's `sequence` that the publisher last saw; makes the change conditional.
    pub expected_version: Option<i64>,
    /// When the command is of no more use.
    pub deadline: Option<Micros>,
    /// Decide and answer with what would happen, change nothing.
    pub dry_run: bool,
}

/// What every event carries.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "EventMeta", default)]
pub struct EventMeta {
    /// UUIDv5 of what caused it and its position.
    pub event_id: Uuid,
    /// The tenant; empty for the system's own markers.
    pub tenant_id: String,
    /// The data source.
    pub source_id: Option<Uuid>,
    /// Position within the source or within (run, attempt).
    pub sequence: i64,
    /// For the registry the command's append time, for runners the moment of the observation.
    pub occurred_at: Micros,
    /// The command behind it.
    pub command_id: Option<Uuid>,
    /// The message that led to it directly.
    pub causation_id: Option<Uuid>,
    /// Taken over from the command.
    pub correlation_id: Option<Uuid>,
    /// Who asked.
    pub actor: Actor,
}

/// Names one schema object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "ObjectRef", default)]
pub struct ObjectRef {
    /// The database.
    pub catalog: String,
    /// The schema.
    pub schema: String,
    /// The object's name.
    pub name: String,
    /// What it is.
    pub kind: ObjectKind,
    /// Stays through a rename.
    pub object_id: Uuid,
    /// The engine's own id.
    pub native_id: Option<String>,
}

/// What went wrong with a customer's server, for a person to act on.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Problem", default)]
pub struct Problem {
    /// Stable, upper snake case.
    pub code: String,
    /// Who can mend it.
    pub category: ProblemCategory,
    /// What was tried and what happened; never a driver's text.
    pub message: String,
    /// What to do.
    pub remedy: Option<String>,
    /// The statements to run, where that is the remedy.
    pub remedy_sql: Option<String>,
    /// Step of the connection test.
    pub step: Option<String>,
    /// The server's own code.
    pub native_code: Option<String>,
    /// Trying again later may help.
    pub retryable: bool,
}

/// One reason for a refusal.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Violation", default)]
pub struct Violation {
    /// JSON pointer into the command.
    pub path: String,
    /// Stable, upper snake case.
    pub code: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// One record of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Coordinates", default)]
pub struct Coordinates {
    /// Full topic name.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
}

/// Sessions of a server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Connections", default)]
pub struct Connections {
    /// Clients connected.
    pub used: i64,
    /// Clients allowed.
    pub max: i64,
}
