//! The closed lists that several topics share.
//! Plain data without behaviour; `schemas/avro/common` is the contract that these structs mirror.

use serde::{Deserialize, Serialize};

use super::symbols;

/// What kind of principal acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum ActorType {
    /// `USER`.
    #[serde(rename = "USER")]
    User,
    /// `SERVICE`.
    #[serde(rename = "SERVICE")]
    Service,
    /// `SYSTEM`.
    #[serde(rename = "SYSTEM")]
    System,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(ActorType { User = "USER", Service = "SERVICE", System = "SYSTEM", Unknown = "UNKNOWN" });

/// How much of TLS a connection demands; UNKNOWN means DEFAULT.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum TlsMode {
    /// `DEFAULT`.
    #[serde(rename = "DEFAULT")]
    Default,
    /// `DISABLE`.
    #[serde(rename = "DISABLE")]
    Disable,
    /// `REQUIRE`.
    #[serde(rename = "REQUIRE")]
    Require,
    /// `VERIFY_CA`.
    #[serde(rename = "VERIFY_CA")]
    VerifyCa,
    /// `VERIFY_FULL`.
    #[serde(rename = "VERIFY_FULL")]
    VerifyFull,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(TlsMode { Default = "DEFAULT", Disable = "DISABLE", Require = "REQUIRE", VerifyCa = "VERIFY_CA", VerifyFull = "VERIFY_FULL", Unknown = "UNKNOWN" });

/// A cloud that hosts a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum CloudProvider {
    /// `AWS`.
    #[serde(rename = "AWS")]
    Aws,
    /// `AZURE`.
    #[serde(rename = "AZURE")]
    Azure,
    /// `GCP`.
    #[serde(rename = "GCP")]
    Gcp,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(CloudProvider { Aws = "AWS", Azure = "AZURE", Gcp = "GCP", Unknown = "UNKNOWN" });

/// How a source in a cloud authenticates us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum CloudAuth {
    /// `PASSWORD`.
    #[serde(rename = "PASSWORD")]
    Password,
    /// `IDENTITY`.
    #[serde(rename = "IDENTITY")]
    Identity,
    /// `SERVICE_ACCOUNT`.
    #[serde(rename = "SERVICE_ACCOUNT")]
    ServiceAccount,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(CloudAuth { Password = "PASSWORD", Identity = "IDENTITY", ServiceAccount = "SERVICE_ACCOUNT", Unknown = "UNKNOWN" });

/// Which server of several to talk to; UNKNOWN means ANY.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum ReplicaTarget {
    /// `ANY`.
    #[serde(rename = "ANY")]
    Any,
    /// `PRIMARY`.
    #[serde(rename = "PRIMARY")]
    Primary,
    /// `PREFER_STANDBY`.
    #[serde(rename = "PREFER_STANDBY")]
    PreferStandby,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(ReplicaTarget { Any = "ANY", Primary = "PRIMARY", PreferStandby = "PREFER_STANDBY", Unknown = "UNKNOWN" });

/// The kinds of schema object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum ObjectKind {
    /// `TABLE`.
    #[serde(rename = "TABLE")]
    Table,
    /// `VIEW`.
    #[serde(rename = "VIEW")]
    View,
    /// `MATERIALIZED_VIEW`.
    #[serde(rename = "MATERIALIZED_VIEW")]
    MaterializedView,
    /// `FOREIGN_TABLE`.
    #[serde(rename = "FOREIGN_TABLE")]
    ForeignTable,
    /// `SEQUENCE`.
    #[serde(rename = "SEQUENCE")]
    Sequence,
    /// `ROUTINE`.
    #[serde(rename = "ROUTINE")]
    Routine,
    /// `TRIGGER`.
    #[serde(rename = "TRIGGER")]
    Trigger,
    /// `TYPE`.
    #[serde(rename = "TYPE")]
    Type,
    /// `COLLECTION`.
    #[serde(rename = "COLLECTION")]
    Collection,
    /// `KEYSPACE`.
    #[serde(rename = "KEYSPACE")]
    Keyspace,
    /// `OTHER`.
    #[serde(rename = "OTHER")]
    Other,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(ObjectKind { Table = "TABLE", View = "VIEW", MaterializedView = "MATERIALIZED_VIEW", ForeignTable = "FOREIGN_TABLE", Sequence = "SEQUENCE", Routine = "ROUTINE", Trigger = "TRIGGER", Type = "TYPE", Collection = "COLLECTION", Keyspace = "KEYSPACE", Other = "OTHER", Unknown = "UNKNOWN" });

/// Who can mend a problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum ProblemCategory {
    /// `CONFIG`.
    #[serde(rename = "CONFIG")]
    Config,
    /// `PERMISSION`.
    #[serde(rename = "PERMISSION")]
    Permission,
    /// `TRANSIENT`.
    #[serde(rename = "TRANSIENT")]
    Transient,
    /// `PERMANENT`.
    #[serde(rename = "PERMANENT")]
    Permanent,
    /// `INTERNAL`.
    #[serde(rename = "INTERNAL")]
    Internal,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(ProblemCategory { Config = "CONFIG", Permission = "PERMISSION", Transient = "TRANSIENT", Permanent = "PERMANENT", Internal = "INTERNAL", Unknown = "UNKNOWN" });

/// The kinds of data source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum SourceType {
    /// `POSTGRESQL`.
    #[serde(rename = "POSTGRESQL")]
    Postgresql,
    /// `MYSQL`.
    #[serde(rename = "MYSQL")]
    Mysql,
    /// `MARIADB`.
    #[serde(rename = "MARIADB")]
    Mariadb,
    /// `MONGODB`.
    #[serde(rename = "MONGODB")]
    Mongodb,
    /// `REDIS`.
    #[serde(rename = "REDIS")]
    Redis,
    /// `SQLSERVER`.
    #[serde(rename = "SQLSERVER")]
    Sqlserver,
    /// `SNOWFLAKE`.
    #[serde(rename = "SNOWFLAKE")]
    Snowflake,
    /// `BIGQUERY`.
    #[serde(rename = "BIGQUERY")]
    Bigquery,
    /// `COSMOSDB`.
    #[serde(rename = "COSMOSDB")]
    Cosmosdb,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(SourceType { Postgresql = "POSTGRESQL", Mysql = "MYSQL", Mariadb = "MARIADB", Mongodb = "MONGODB", Redis = "REDIS", Sqlserver = "SQLSERVER", Snowflake = "SNOWFLAKE", Bigquery = "BIGQUERY", Cosmosdb = "COSMOSDB", Unknown = "UNKNOWN" });

/// Where a source runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Location {
    /// `ON_PREM`.
    #[serde(rename = "ON_PREM")]
    OnPrem,
    /// `CLOUD`.
    #[serde(rename = "CLOUD")]
    Cloud,
    /// `HYBRID`.
    #[serde(rename = "HYBRID")]
    Hybrid,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(Location { OnPrem = "ON_PREM", Cloud = "CLOUD", Hybrid = "HYBRID", Unknown = "UNKNOWN" });

/// What a source is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Environment {
    /// `PRODUCTION`.
    #[serde(rename = "PRODUCTION")]
    Production,
    /// `STAGING`.
    #[serde(rename = "STAGING")]
    Staging,
    /// `DEVELOPMENT`.
    #[serde(rename = "DEVELOPMENT")]
    Development,
    /// `TEST`.
    #[serde(rename = "TEST")]
    Test,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(Environment { Production = "PRODUCTION", Staging = "STAGING", Development = "DEVELOPMENT", Test = "TEST", Unknown = "UNKNOWN" });

/// How much depends on a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Criticality {
    /// `LOW`.
    #[serde(rename = "LOW")]
    Low,
    /// `MEDIUM`.
    #[serde(rename = "MEDIUM")]
    Medium,
    /// `HIGH`.
    #[serde(rename = "HIGH")]
    High,
    /// `CRITICAL`.
    #[serde(rename = "CRITICAL")]
    Critical,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(Criticality { Low = "LOW", Medium = "MEDIUM", High = "HIGH", Critical = "CRITICAL", Unknown = "UNKNOWN" });

/// How sensitive the content is declared to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum DataClassification {
    /// `PUBLIC`.
    #[serde(rename = "PUBLIC")]
    Public,
    /// `INTERNAL`.
    #[serde(rename = "INTERNAL")]
    Internal,
    /// `CONFIDENTIAL`.
    #[serde(rename = "CONFIDENTIAL")]
    Confidential,
    /// `RESTRICTED`.
    #[serde(rename = "RESTRICTED")]
    Restricted,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(DataClassification { Public = "PUBLIC", Internal = "INTERNAL", Confidential = "CONFIDENTIAL", Restricted = "RESTRICTED", Unknown = "UNKNOWN" });

/// How hard a discovery may press the server; UNKNOWN means BALANCED.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Strategy {
    /// `CONSERVATIVE`.
    #[serde(rename = "CONSERVATIVE")]
    Conservative,
    /// `BALANCED`.
    #[serde(rename = "BALANCED")]
    Balanced,
    /// `AGGRESSIVE`.
    #[serde(rename = "AGGRESSIVE")]
    Aggressive,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(Strategy { Conservative = "CONSERVATIVE", Balanced = "BALANCED", Aggressive = "AGGRESSIVE", Unknown = "UNKNOWN" });

/// SOFT can be restored, PURGE removes the secrets too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum DeleteMode {
    /// `SOFT`.
    #[serde(rename = "SOFT")]
    Soft,
    /// `PURGE`.
    #[serde(rename = "PURGE")]
    Purge,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(DeleteMode { Soft = "SOFT", Purge = "PURGE", Unknown = "UNKNOWN" });
