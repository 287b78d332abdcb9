//! Everything that is configured about a source.
//! Plain data without behaviour; `schemas/avro/common` is the contract that these structs mirror.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::kinds::{
    CloudAuth, CloudProvider, Criticality, DataClassification, Environment, Location, ReplicaTarget, SourceType,
    TlsMode,
};

/// One address of a server.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "HostPort", default)]
pub struct HostPort {
    /// Name or address.
    pub host: String,
    /// Null: the type's default.
    pub port: Option<i32>,
}

/// Where a secret is kept, never the secret.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "SecretRef", default)]
pub struct SecretRef {
    /// `sealed://`, `aws-sm://`, `env://` or `file://`.
    pub uri: String,
    /// A version, where the store has versions.
    pub version: Option<String>,
}

/// What a connection demands of TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "TlsPolicy", default)]
pub struct TlsPolicy {
    /// UNKNOWN means DEFAULT.
    pub mode: TlsMode,
    /// Certificate authority to trust instead of the system's roots (PEM).
    pub ca: Option<SecretRef>,
    /// Client certificate (PEM).
    pub client_certificate: Option<SecretRef>,
    /// Its private key (PEM).
    pub client_key: Option<SecretRef>,
    /// Name to verify instead of the host.
    pub server_name: Option<String>,
}

/// Sessions that may be open at once; never above what the strategy allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "PoolPolicy", default)]
pub struct PoolPolicy {
    /// Sessions kept.
    pub size: i32,
    /// Further sessions under load.
    pub max_overflow: i32,
    /// Wait for a session, milliseconds.
    pub timeout_ms: i32,
    /// Age at which a session is replaced, seconds.
    pub recycle_s: i32,
}

impl Default for PoolPolicy {
    fn default() -> Self {
        Self { size: 2, max_overflow: 0, timeout_ms: 30000, recycle_s: 300 }
    }
}

/// The cloud around a source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "CloudContext", default)]
pub struct CloudContext {
    /// Which cloud.
    pub provider: CloudProvider,
    /// Its region.
    pub region: Option<String>,
    /// Account, subscription or project.
    pub account: Option<String>,
    /// How we authenticate.
    pub auth: CloudAuth,
    /// Role to assume.
    pub role: Option<String>,
    /// Key of a service account.
    pub service_account: Option<SecretRef>,
    /// Further facts, never secrets.
    pub properties: BTreeMap<String, String>,
}

/// Several servers that are one source.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Replica", default)]
pub struct Replica {
    /// Name of the set.
    pub replica_set: Option<String>,
    /// MongoDB's read preference.
    pub read_preference: Option<String>,
    /// MongoDB's authentication database.
    pub auth_source: Option<String>,
    /// Hosts come from an SRV record.
    pub srv: bool,
    /// Which server to talk to.
    pub target: ReplicaTarget,
}

/// Globs on `schema.object`; an empty include means everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "ScopeFilter", default)]
pub struct ScopeFilter {
    /// What is in scope.
    pub include: Vec<String>,
    /// What of that is not.
    pub exclude: Vec<String>,
}

/// Everything that is configured about a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename = "DataSourceSpec", default)]
pub struct DataSourceSpec {
    /// Unique per tenant by its case-folded form.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// Kind of server.
    pub source_type: SourceType,
    /// Where it runs.
    pub location: Location,
    /// Tried in order.
    pub hosts: Vec<HostPort>,
    /// Database to open.
    pub database: Option<String>,
    /// Role to log in as.
    pub username: Option<String>,
    /// Where its password is kept.
    pub credential: Option<SecretRef>,
    /// What the connection demands.
    pub tls: TlsPolicy,
    /// The cloud around it.
    pub cloud: Option<CloudContext>,
    /// Several servers.
    pub replica: Option<Replica>,
    /// Sessions.
    pub pool: PoolPolicy,
    /// Driver options from the type's allow-list.
    pub options: BTreeMap<String, String>,
    /// What it is used for.
    pub environment: Environment,
    /// How much depends on it.
    pub criticality: Criticality,
    /// How sensitive it is declared to be.
    pub data_classification: DataClassification,
    /// Scheduled probes.
    pub monitoring_enabled: bool,
    /// Claim: it is backed up.
    pub backup_enabled: bool,
    /// Claim: it is encrypted at rest.
    pub encryption_enabled: bool,
    /// Who answers for it.
    pub owner: Option<String>,
    /// Labels.
    pub tags: Vec<String>,
    /// Further facts, never secrets.
    pub properties: BTreeMap<String, String>,
    /// Ids in other systems.
    pub external_refs: BTreeMap<String, String>,
    /// What discovery looks at.
    pub scope: ScopeFilter,
}

impl Default for DataSourceSpec {
    fn default() -> Self {
        Self {
            name: Default::default(),
            description: Default::default(),
            source_type: Default::default(),
            location: Default::default(),
            hosts: Default::default(),
            database: Default::default(),
            username: Default::default(),
            credential: Default::default(),
            tls: Default::default(),
            cloud: Default::default(),
            replica: Default::default(),
            pool: Default::default(),
            options: Default::default(),
            environment: Default::default(),
            criticality: Default::default(),
            data_classification: Default::default(),
            monitoring_enabled: true,
            backup_enabled: false,
            encryption_enabled: false,
            owner: Default::default(),
            tags: Default::default(),
            properties: Default::default(),
            external_refs: Default::default(),
            scope: Default::default(),
        }
    }
}

/// A change to a spec: null leaves a field as it is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "DataSourcePatch", default)]
pub struct DataSourcePatch {
    /// See DataSourceSpec.
    pub name: Option<String>,
    /// See DataSourceSpec.
    pub description: Option<String>,
    /// See DataSourceSpec.
    pub source_type: Option<SourceType>,
    /// See DataSourceSpec.
    pub location: Option<Location>,
    /// See DataSourceSpec.
    pub hosts: Option<Vec<HostPort>>,
    /// See DataSourceSpec.
    pub database: Option<String>,
    /// See DataSourceSpec.
    pub username: Option<String>,
    /// See DataSourceSpec.
    pub credential: Option<SecretRef>,
    /// See DataSourceSpec.
    pub tls: Option<TlsPolicy>,
    /// See DataSourceSpec.
    pub cloud: Option<CloudContext>,
    /// See DataSourceSpec.
    pub replica: Option<Replica>,
    /// See DataSourceSpec.
    pub pool: Option<PoolPolicy>,
    /// See DataSourceSpec.
    pub options: Option<BTreeMap<String, String>>,
    /// See DataSourceSpec.
    pub environment: Option<Environment>,
    /// See DataSourceSpec.
    pub criticality: Option<Criticality>,
    /// See DataSourceSpec.
    pub data_classification: Option<DataClassification>,
    /// See DataSourceSpec.
    pub monitoring_enabled: Option<bool>,
    /// See DataSourceSpec.
    pub backup_enabled: Option<bool>,
    /// See DataSourceSpec.
    pub encryption_enabled: Option<bool>,
    /// See DataSourceSpec.
    pub owner: Option<String>,
    /// See DataSourceSpec.
    pub tags: Option<Vec<String>>,
    /// See DataSourceSpec.
    pub properties: Option<BTreeMap<String, String>>,
    /// See DataSourceSpec.
    pub external_refs: Option<BTreeMap<String, String>>,
    /// See DataSourceSpec.
    pub scope: Option<ScopeFilter>,
}
