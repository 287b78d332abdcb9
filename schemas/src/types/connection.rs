//! What a connection test found: the records of the connection topic.
//! Plain data without behaviour; `schemas/avro/connection` is the contract that these structs mirror.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::common::{EventMeta, Problem};
use super::record;
use super::spec::SecretRef;
use super::symbols;
use crate::time::Micros;

/// How a test ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum TestResult {
    /// `OK`.
    #[serde(rename = "OK")]
    Ok,
    /// `FAILED`.
    #[serde(rename = "FAILED")]
    Failed,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(TestResult { Ok = "OK", Failed = "FAILED", Unknown = "UNKNOWN" });

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum StepResult {
    /// `OK`.
    #[serde(rename = "OK")]
    Ok,
    /// `FAILED`.
    #[serde(rename = "FAILED")]
    Failed,
    /// `SKIPPED`.
    #[serde(rename = "SKIPPED")]
    Skipped,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(StepResult { Ok = "OK", Failed = "FAILED", Skipped = "SKIPPED", Unknown = "UNKNOWN" });

/// One step of a connection test.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "TestStep", default)]
pub struct TestStep {
    /// Secret, egress, tcp, tls, login, database, read_only or rights.
    pub name: String,
    /// How it ended.
    pub result: StepResult,
    /// Microseconds.
    pub duration_us: i64,
    /// Why it failed, or a warning.
    pub problem: Option<Problem>,
}

/// What the server says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "ServerInfo", default)]
pub struct ServerInfo {
    /// Name.
    pub product: String,
    /// Version.
    pub version: String,
    /// Negotiated protocol.
    pub tls_version: Option<String>,
    /// Negotiated cipher suite.
    pub cipher: Option<String>,
    /// End of its certificate.
    pub certificate_not_after: Option<Micros>,
    /// A standby or read-only server.
    pub read_only: Option<bool>,
}

/// A connection test ended.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "ConnectionTested", default)]
pub struct ConnectionTested {
    /// Whose and when.
    pub meta: EventMeta,
    /// The run.
    pub run_id: Uuid,
    /// OK or FAILED.
    pub result: TestResult,
    /// In order.
    pub steps: Vec<TestStep>,
    /// Null when it was not reached.
    pub server: Option<ServerInfo>,
    /// Median of five pings, microseconds.
    pub latency_us: Option<i64>,
}

record!(ConnectionTested, "io.pursight.connection.ConnectionTested");

/// Stored secrets of a source were destroyed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "SecretsRevoked", default)]
pub struct SecretsRevoked {
    /// Whose and when.
    pub meta: EventMeta,
    /// Which.
    pub refs: Vec<SecretRef>,
}

record!(SecretsRevoked, "io.pursight.connection.SecretsRevoked");
