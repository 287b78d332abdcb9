//! What an object is made of, as far as two versions of it can differ: the input of hash and diff.
//! Owns the conversions from a catalog reading and to and from the event; must not know SQL, runs or the log. Identity
//! (object ids) is given from outside.

use pursight_schemas::{Column, Constraint, Index, ObjectKind, ObjectRef, Partitioning, SchemaObjectObserved};
use uuid::Uuid;

/// One object's content. Lists have no order of their own; `native_id` is not part of the content hash, but says
/// whether two contents belong to the same physical object.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// What it is.
    pub kind: ObjectKind,
    /// The database.
    pub catalog: String,
    /// The schema.
    pub schema: String,
    /// The name.
    pub name: String,
    /// The engine's own id, where it has one.
    pub native_id: Option<String>,
    /// Owning role.
    pub owner: Option<String>,
    /// Comment.
    pub comment: Option<String>,
    /// Columns.
    pub columns: Vec<Column>,
    /// Constraints.
    pub constraints: Vec<Constraint>,
    /// Indexes.
    pub indexes: Vec<Index>,
    /// Of a partitioned table; only strategy and key are content.
    pub partitions: Option<Partitioning>,
    /// Of a view, routine, trigger, type or sequence.
    pub definition: Option<String>,
    /// What it needs; compared by kind and names.
    pub depends_on: Vec<ObjectRef>,
    /// Paths that were cut on reading.
    pub truncated: Vec<String>,
}

impl Content {
    /// What an event said.
    pub fn observed(event: SchemaObjectObserved) -> Self {
        Self {
            kind: event.object.kind,
            catalog: event.object.catalog,
            schema: event.object.schema,
            name: event.object.name,
            native_id: event.object.native_id,
            owner: event.owner,
            comment: event.comment,
            columns: event.columns,
            constraints: event.constraints,
            indexes: event.indexes,
            partitions: event.partitions,
            definition: event.definition,
            depends_on: event.depends_on,
            truncated: event.truncated,
        }
    }

    /// The event that says it, apart from its `meta`.
    pub fn into_event(
        self,
        run_id: Uuid,
        object_id: Uuid,
        content_hash: String,
        version: String,
    ) -> SchemaObjectObserved {
        let object = self.object(object_id);
        SchemaObjectObserved {
            run_id,
            object,
            owner: self.owner,
            comment: self.comment,
            columns: self.columns,
            constraints: self.constraints,
            indexes: self.indexes,
            partitions: self.partitions,
            definition: self.definition,
            depends_on: self.depends_on,
            content_hash,
            version,
            truncated: self.truncated,
            ..SchemaObjectObserved::default()
        }
    }

    /// Its reference under an id.
    pub fn object(&self, object_id: Uuid) -> ObjectRef {
        ObjectRef {
            catalog: self.catalog.clone(),
            schema: self.schema.clone(),
            name: self.name.clone(),
            kind: self.kind,
            object_id,
            native_id: self.native_id.clone(),
        }
    }

    /// The same content without what is no content: positions, families, counts, ids of others, the order of lists.
    #[must_use]
    pub fn normal(mut self) -> Self {
        for column in &mut self.columns {
            column.ordinal = 0;
            column.type_family.clear();
        }
        for needed in &mut self.depends_on {
            needed.object_id = Uuid::nil();
            needed.native_id = None;
        }
        if let Some(partitions) = &mut self.partitions {
            partitions.count = 0;
            partitions.bounds.clear();
        }
        self.definition = self.definition.map(|text| plain_text(&text));
        self.columns.sort_by(|a, b| a.name.cmp(&b.name));
        self.constraints.sort_by(|a, b| a.name.cmp(&b.name));
        self.indexes.sort_by(|a, b| a.name.cmp(&b.name));
        self.depends_on.sort_by(|a, b| needed_key(a).cmp(&needed_key(b)));
        self.truncated.clear();
        self
    }
}

/// What makes a dependency the same one.
pub fn needed_key(needed: &ObjectRef) -> (ObjectKind, &str, &str, &str) {
    (needed.kind, &needed.catalog, &needed.schema, &needed.name)
}

/// A definition with line ends as LF and without trailing blanks, on each line and at the end.
pub fn plain_text(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.split('\n').map(|line| line.trim_end_matches([' ', '\t'])).collect();
    lines.join("\n").trim_end_matches('\n').to_owned()
}
