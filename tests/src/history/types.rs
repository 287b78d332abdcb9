//! The lines of the history's files. Plain data: what they mean together is the checks' business.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pursight_schemas::Event;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use uuid::Uuid;

/// Header in which every record of a publisher names its operation, so that a record whose answer was lost is known.
pub const OPERATION_HEADER: &str = "test-operation";

/// What was intended: `plan.json`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Seed of everything random.
    pub seed: u64,
    /// Prefix of the topics.
    pub prefix: String,
    /// Tenants.
    pub tenants: Vec<String>,
    /// Operations of all publishers.
    pub operations: u64,
    /// Publishers.
    pub publishers: u32,
    /// How long it was meant to take.
    pub minutes: f64,
    /// Fail points that every process got.
    #[serde(default)]
    pub failpoints: String,
    /// Versions of everything.
    #[serde(default)]
    pub versions: BTreeMap<String, String>,
    /// Whatever else the run wants to keep.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// What kind of record a publisher sent. Only the first is a command; the publisher knows, and the checks believe it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shape {
    /// Readable, verified and rightly routed.
    Command,
    /// Bytes that are no record of ours.
    Garbage,
    /// A command without an attestation.
    Unsigned,
    /// Signed by a key that nobody trusts.
    Forged,
    /// A sound attestation, of another value under the same command id.
    Altered,
    /// A sound attestation, of another command id.
    OtherCommand,
    /// Expired, or not valid yet.
    Untimely,
    /// Signed for another tenant than the record's key, or by a key that may not speak for it.
    OtherTenant,
    /// On another partition than that of its key, or with headers that name another command.
    Misrouted,
}

impl Shape {
    /// Whether it is a command.
    pub fn is_command(self) -> bool {
        self == Self::Command
    }

    /// Code of its dead letter.
    pub fn code(self) -> Option<&'static str> {
        match self {
            Self::Command => None,
            Self::Garbage => Some("UNDECODABLE"),
            Self::Unsigned => Some("ATTESTATION_MISSING"),
            Self::Forged | Self::Altered | Self::OtherCommand | Self::Untimely => Some("ATTESTATION_INVALID"),
            Self::OtherTenant => Some("WRONG_TENANT"),
            Self::Misrouted => Some("MISROUTED"),
        }
    }
}

/// What a publisher was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sent {
    /// Acknowledged.
    Ok,
    /// Refused: it was never written.
    Fail,
    /// Nothing, or something that leaves it open.
    Unknown,
}

/// One thing that a publisher did: a line of `operations.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Its number, also in the record's header [`OPERATION_HEADER`].
    pub n: u64,
    /// Which publisher.
    pub publisher: u32,
    /// For people: the record's short name, or what else it is.
    pub kind: String,
    /// What kind of record it is.
    pub shape: Shape,
    /// Id of the command, where the value holds one.
    pub command_id: Option<Uuid>,
    /// Tenant that it is sent for.
    pub tenant: String,
    /// Key of the record.
    pub key: String,
    /// Partition that it was sent to.
    pub partition: i32,
    /// SHA-256 of the value.
    pub value_sha256: String,
    /// What the attestation says is the SHA-256 of the value.
    pub payload_sha256: Option<String>,
    /// Milliseconds since 1970.
    pub invoked_at_ms: i64,
    /// Milliseconds since 1970.
    pub ended_at_ms: i64,
    /// What it was told.
    pub result: Sent,
    /// Where the broker said that it lies.
    pub offset: Option<i64>,
}

/// One act of the nemesis, or the start of a process: a line of `nemesis.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// `kill`, `stop`, `continue`, `start`, `broker-restart`, …
    pub act: String,
    /// Process or server.
    pub target: String,
    /// Its process id, where it has one.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Whatever else is known.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

/// A record as it lies on the broker: a line of `records/` and `uncommitted/`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// Timestamp, milliseconds since 1970.
    pub timestamp_ms: i64,
    /// Key as text.
    pub key: String,
    /// Headers in order, as text.
    pub headers: Vec<(String, String)>,
    /// Value.
    #[serde(serialize_with = "write_base64", deserialize_with = "read_base64")]
    pub value: Vec<u8>,
}

impl Recorded {
    /// The last header of a name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The event in it.
    ///
    /// # Errors
    /// It is none.
    pub fn event(&self) -> Result<Event> {
        Ok(Event::decode(&self.value)?)
    }

    /// Number of the operation that it says it is of.
    pub fn operation(&self) -> Option<u64> {
        self.header(OPERATION_HEADER)?.parse().ok()
    }
}

/// How far something was at a moment: a line of `positions.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PositionSample {
    /// Milliseconds since 1970.
    pub at_ms: i64,
    /// Short name of the topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Of the read model's position; 0 for a group's.
    #[serde(default)]
    pub epoch: i64,
    /// First record that is still to be handled.
    pub next_offset: i64,
    /// Consumer group whose committed offset it is; absent: the read model's position.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
}

/// Where everything stood at the end: `ends.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ends {
    /// Every partition of every topic.
    pub partitions: Vec<PartitionEnd>,
    /// Every committed offset of every group.
    pub groups: Vec<GroupEnd>,
}

/// First and last offset of a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartitionEnd {
    /// Short name of the topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// First offset that is still there.
    pub low: i64,
    /// Offset that the next record will get.
    pub high: i64,
}

/// A group's committed offset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupEnd {
    /// Which group.
    pub group: String,
    /// Short name of the topic.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Committed offset; absent: none.
    pub offset: Option<i64>,
}

/// A row of the read model: a line of `live.jsonl` and `rebuilt.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RowHash {
    /// Table.
    pub table: String,
    /// Primary key, as JSON text.
    pub id: String,
    /// SHA-256 of the whole row.
    pub hash: String,
}

/// Bytes as they stand in the files.
pub fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes out of the files.
///
/// # Errors
/// It is no base64.
pub fn from_base64(text: &str) -> Result<Vec<u8>> {
    STANDARD.decode(text).context("no base64")
}

fn write_base64<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&to_base64(bytes))
}

fn read_base64<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    from_base64(&text).map_err(serde::de::Error::custom)
}
