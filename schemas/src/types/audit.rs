//! Who did what: the record of the audit topic.
//! Plain data without behaviour; `schemas/avro/audit` is the contract that these structs mirror.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::common::{Actor, Coordinates, EventMeta};
use super::record;
use super::symbols;

/// What became of a record on the command topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum AuditDecision {
    /// `ACCEPTED`.
    #[serde(rename = "ACCEPTED")]
    Accepted,
    /// `REJECTED`.
    #[serde(rename = "REJECTED")]
    Rejected,
    /// `REPEATED`.
    #[serde(rename = "REPEATED")]
    Repeated,
    /// `REFUSED_UNVERIFIED`.
    #[serde(rename = "REFUSED_UNVERIFIED")]
    RefusedUnverified,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(AuditDecision { Accepted = "ACCEPTED", Rejected = "REJECTED", Repeated = "REPEATED", RefusedUnverified = "REFUSED_UNVERIFIED", Unknown = "UNKNOWN" });

/// One line of the audit trail.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CommandAudited", default)]
pub struct CommandAudited {
    /// Whose and when.
    pub meta: EventMeta,
    /// Where it could be read.
    pub command_id: Option<Uuid>,
    /// Where it could be read.
    pub command_type: Option<String>,
    /// Where it was verified.
    pub actor: Option<Actor>,
    /// What became of it.
    pub decision: AuditDecision,
    /// Why not.
    pub code: Option<String>,
    /// Hash of the whole record value.
    pub payload_sha256: String,
    /// Where it lies.
    pub record: Coordinates,
}

record!(CommandAudited, "io.pursight.audit.CommandAudited");
