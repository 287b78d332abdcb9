//! The parts of a schema object and of a change to it.
//! Plain data without behaviour; `schemas/avro/schema` is the contract that these structs mirror.

use serde::{Deserialize, Serialize};

use super::symbols;

/// The kinds of constraint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum ConstraintKind {
    /// `PRIMARY_KEY`.
    #[serde(rename = "PRIMARY_KEY")]
    PrimaryKey,
    /// `UNIQUE`.
    #[serde(rename = "UNIQUE")]
    Unique,
    /// `FOREIGN_KEY`.
    #[serde(rename = "FOREIGN_KEY")]
    ForeignKey,
    /// `CHECK`.
    #[serde(rename = "CHECK")]
    Check,
    /// `EXCLUSION`.
    #[serde(rename = "EXCLUSION")]
    Exclusion,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(ConstraintKind { PrimaryKey = "PRIMARY_KEY", Unique = "UNIQUE", ForeignKey = "FOREIGN_KEY", Check = "CHECK", Exclusion = "EXCLUSION", Unknown = "UNKNOWN" });

/// The kinds of schema change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum ChangeKind {
    /// `OBJECT_ADDED`.
    #[serde(rename = "OBJECT_ADDED")]
    ObjectAdded,
    /// `OBJECT_DROPPED`.
    #[serde(rename = "OBJECT_DROPPED")]
    ObjectDropped,
    /// `OBJECT_RENAMED`.
    #[serde(rename = "OBJECT_RENAMED")]
    ObjectRenamed,
    /// `OBJECT_RECREATED`.
    #[serde(rename = "OBJECT_RECREATED")]
    ObjectRecreated,
    /// `COLUMN_ADDED`.
    #[serde(rename = "COLUMN_ADDED")]
    ColumnAdded,
    /// `COLUMN_DROPPED`.
    #[serde(rename = "COLUMN_DROPPED")]
    ColumnDropped,
    /// `COLUMN_RENAMED`.
    #[serde(rename = "COLUMN_RENAMED")]
    ColumnRenamed,
    /// `COLUMN_TYPE_WIDENED`.
    #[serde(rename = "COLUMN_TYPE_WIDENED")]
    ColumnTypeWidened,
    /// `COLUMN_TYPE_NARROWED`.
    #[serde(rename = "COLUMN_TYPE_NARROWED")]
    ColumnTypeNarrowed,
    /// `COLUMN_TYPE_CHANGED`.
    #[serde(rename = "COLUMN_TYPE_CHANGED")]
    ColumnTypeChanged,
    /// `NULLABILITY_LOOSENED`.
    #[serde(rename = "NULLABILITY_LOOSENED")]
    NullabilityLoosened,
    /// `NULLABILITY_TIGHTENED`.
    #[serde(rename = "NULLABILITY_TIGHTENED")]
    NullabilityTightened,
    /// `DEFAULT_CHANGED`.
    #[serde(rename = "DEFAULT_CHANGED")]
    DefaultChanged,
    /// `COMMENT_CHANGED`.
    #[serde(rename = "COMMENT_CHANGED")]
    CommentChanged,
    /// `GENERATED_CHANGED`.
    #[serde(rename = "GENERATED_CHANGED")]
    GeneratedChanged,
    /// `IDENTITY_CHANGED`.
    #[serde(rename = "IDENTITY_CHANGED")]
    IdentityChanged,
    /// `COLLATION_CHANGED`.
    #[serde(rename = "COLLATION_CHANGED")]
    CollationChanged,
    /// `OWNER_CHANGED`.
    #[serde(rename = "OWNER_CHANGED")]
    OwnerChanged,
    /// `PRIMARY_KEY_CHANGED`.
    #[serde(rename = "PRIMARY_KEY_CHANGED")]
    PrimaryKeyChanged,
    /// `UNIQUE_ADDED`.
    #[serde(rename = "UNIQUE_ADDED")]
    UniqueAdded,
    /// `UNIQUE_DROPPED`.
    #[serde(rename = "UNIQUE_DROPPED")]
    UniqueDropped,
    /// `FOREIGN_KEY_ADDED`.
    #[serde(rename = "FOREIGN_KEY_ADDED")]
    ForeignKeyAdded,
    /// `FOREIGN_KEY_DROPPED`.
    #[serde(rename = "FOREIGN_KEY_DROPPED")]
    ForeignKeyDropped,
    /// `FOREIGN_KEY_CHANGED`.
    #[serde(rename = "FOREIGN_KEY_CHANGED")]
    ForeignKeyChanged,
    /// `CHECK_ADDED`.
    #[serde(rename = "CHECK_ADDED")]
    CheckAdded,
    /// `CHECK_DROPPED`.
    #[serde(rename = "CHECK_DROPPED")]
    CheckDropped,
    /// `CHECK_CHANGED`.
    #[serde(rename = "CHECK_CHANGED")]
    CheckChanged,
    /// `EXCLUSION_ADDED`.
    #[serde(rename = "EXCLUSION_ADDED")]
    ExclusionAdded,
    /// `EXCLUSION_DROPPED`.
    #[serde(rename = "EXCLUSION_DROPPED")]
    ExclusionDropped,
    /// `EXCLUSION_CHANGED`.
    #[serde(rename = "EXCLUSION_CHANGED")]
    ExclusionChanged,
    /// `INDEX_ADDED`.
    #[serde(rename = "INDEX_ADDED")]
    IndexAdded,
    /// `INDEX_DROPPED`.
    #[serde(rename = "INDEX_DROPPED")]
    IndexDropped,
    /// `INDEX_CHANGED`.
    #[serde(rename = "INDEX_CHANGED")]
    IndexChanged,
    /// `PARTITIONING_CHANGED`.
    #[serde(rename = "PARTITIONING_CHANGED")]
    PartitioningChanged,
    /// `DEFINITION_CHANGED`.
    #[serde(rename = "DEFINITION_CHANGED")]
    DefinitionChanged,
    /// `DEPENDENCY_CHANGED`.
    #[serde(rename = "DEPENDENCY_CHANGED")]
    DependencyChanged,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(ChangeKind { ObjectAdded = "OBJECT_ADDED", ObjectDropped = "OBJECT_DROPPED", ObjectRenamed = "OBJECT_RENAMED", ObjectRecreated = "OBJECT_RECREATED", ColumnAdded = "COLUMN_ADDED", ColumnDropped = "COLUMN_DROPPED", ColumnRenamed = "COLUMN_RENAMED", ColumnTypeWidened = "COLUMN_TYPE_WIDENED", ColumnTypeNarrowed = "COLUMN_TYPE_NARROWED", ColumnTypeChanged = "COLUMN_TYPE_CHANGED", NullabilityLoosened = "NULLABILITY_LOOSENED", NullabilityTightened = "NULLABILITY_TIGHTENED", DefaultChanged = "DEFAULT_CHANGED", CommentChanged = "COMMENT_CHANGED", GeneratedChanged = "GENERATED_CHANGED", IdentityChanged = "IDENTITY_CHANGED", CollationChanged = "COLLATION_CHANGED", OwnerChanged = "OWNER_CHANGED", PrimaryKeyChanged = "PRIMARY_KEY_CHANGED", UniqueAdded = "UNIQUE_ADDED", UniqueDropped = "UNIQUE_DROPPED", ForeignKeyAdded = "FOREIGN_KEY_ADDED", ForeignKeyDropped = "FOREIGN_KEY_DROPPED", ForeignKeyChanged = "FOREIGN_KEY_CHANGED", CheckAdded = "CHECK_ADDED", CheckDropped = "CHECK_DROPPED", CheckChanged = "CHECK_CHANGED", ExclusionAdded = "EXCLUSION_ADDED", ExclusionDropped = "EXCLUSION_DROPPED", ExclusionChanged = "EXCLUSION_CHANGED", IndexAdded = "INDEX_ADDED", IndexDropped = "INDEX_DROPPED", IndexChanged = "INDEX_CHANGED", PartitioningChanged = "PARTITIONING_CHANGED", DefinitionChanged = "DEFINITION_CHANGED", DependencyChanged = "DEPENDENCY_CHANGED", Unknown = "UNKNOWN" });

/// How much a change matters to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Severity {
    /// `PATCH`.
    #[serde(rename = "PATCH")]
    Patch,
    /// `MINOR`.
    #[serde(rename = "MINOR")]
    Minor,
    /// `MAJOR`.
    #[serde(rename = "MAJOR")]
    Major,
    /// `SECURITY`.
    #[serde(rename = "SECURITY")]
    Security,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(Severity { Patch = "PATCH", Minor = "MINOR", Major = "MAJOR", Security = "SECURITY", Unknown = "UNKNOWN" });

/// Known from native ids, or guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum Certainty {
    /// `CERTAIN`.
    #[serde(rename = "CERTAIN")]
    Certain,
    /// `SUSPECTED`.
    #[serde(rename = "SUSPECTED")]
    Suspected,
    /// Not stated, or a symbol newer than this code.
    #[default]
    #[serde(rename = "UNKNOWN", other)]
    Unknown,
}

symbols!(Certainty { Certain = "CERTAIN", Suspected = "SUSPECTED", Unknown = "UNKNOWN" });

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Column", default)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Position, from 1.
    pub ordinal: i32,
    /// As the engine prints it.
    #[serde(rename = "type")]
    pub data_type: String,
    /// Engine-neutral family.
    pub type_family: String,
    /// Accepts NULL.
    pub nullable: bool,
    /// Default expression.
    pub default: Option<String>,
    /// Generation expression.
    pub generated: Option<String>,
    /// ALWAYS or BY DEFAULT.
    pub identity: Option<String>,
    /// When it is not the type's own.
    pub collation: Option<String>,
    /// Comment.
    pub comment: Option<String>,
}

/// What a foreign key points at.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "ConstraintTarget", default)]
pub struct ConstraintTarget {
    /// `schema.table`.
    pub object: String,
    /// Its columns.
    pub columns: Vec<String>,
}

/// One constraint.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Constraint", default)]
pub struct Constraint {
    /// Its name.
    pub name: String,
    /// What it demands.
    pub kind: ConstraintKind,
    /// Its columns.
    pub columns: Vec<String>,
    /// Of a foreign key.
    pub references: Option<ConstraintTarget>,
    /// As the engine prints it.
    pub definition: Option<String>,
}

/// One index.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Index", default)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// Enforces uniqueness.
    pub unique: bool,
    /// Columns or expressions.
    pub columns: Vec<String>,
    /// Access method.
    pub method: String,
    /// As the engine prints it.
    pub definition: String,
}

/// How a table is cut.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Partitioning", default)]
pub struct Partitioning {
    /// RANGE, LIST or HASH.
    pub strategy: String,
    /// Partition key as the engine prints it.
    pub key: String,
    /// Leaf and inner partitions, at any depth.
    pub count: i64,
    /// At most 1 000, sorted.
    pub bounds: Vec<String>,
}

/// One difference between two versions of an object.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename = "Change", default)]
pub struct Change {
    /// What changed.
    pub kind: ChangeKind,
    /// How much it matters.
    pub severity: Severity,
    /// `columns/name/type`.
    pub path: String,
    /// Value before.
    pub before: Option<String>,
    /// Value after.
    pub after: Option<String>,
    /// Known or guessed.
    pub certainty: Certainty,
}
