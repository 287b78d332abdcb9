//! What a discovery asks before it compares: everything known of a source, and the last contents of some of its objects.
//! Plain rows; what they mean for a diff is the worker's.

use pursight_schemas::{Column, Constraint, Index, ObjectKind, ObjectRef, SchemaObjectObserved};
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::model::ReadModel;

/// One object as it was last known, without its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownObject {
    /// Names and ids.
    pub object: ObjectRef,
    /// Of the stored content; `None` where none was ever read.
    pub content_hash: Option<String>,
    /// Version; `None` where no content was ever read.
    pub version: Option<String>,
    /// Not dropped.
    pub live: bool,
    /// Within the scope of the last complete listing.
    pub in_scope: bool,
    /// It was in the last complete listing.
    pub listed: bool,
    /// Its details could not be read last time.
    pub unreadable: bool,
    /// The run that held its deletion.
    pub held_by_run: Option<Uuid>,
}

/// The last run that listed everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastComplete {
    /// Which run.
    pub run_id: Uuid,
    /// Its root hash.
    pub root_hash: String,
    /// Of its filter.
    pub scope_hash: String,
    /// Of what its role could see.
    pub visibility_hash: String,
    /// Of the catalog rows, where it was taken.
    pub fingerprint: Option<String>,
}

/// Everything that is known of a source, of one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Base {
    /// All objects ever seen, by id.
    pub objects: Vec<KnownObject>,
    /// The last run that listed everything.
    pub last_complete: Option<LastComplete>,
}

impl ReadModel {
    /// What is known of a source; one snapshot.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn discovery_base(&self, tenant_id: &str, source_id: Uuid) -> Result<Base, ReadModelError> {
        let during = ReadModelError::during;
        let one_moment = "; SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY";
        let mut transaction = self.begin_with(one_moment).await?;
        let rows = sqlx::query!(
            "SELECT object_id, catalog, schema, name, kind, native_id, content_hash, version, state, in_scope, listed,
                unreadable IS NOT NULL AS \"unreadable!\", held_by_run
            FROM schema_object WHERE tenant_id = $1 AND source_id = $2 ORDER BY object_id",
            tenant_id,
            source_id,
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(during("reading what is known of a source"))?;
        let last = sqlx::query!(
            "SELECT run_id, root_hash, scope_hash, visibility_hash, fingerprint FROM run
            WHERE tenant_id = $1 AND source_id = $2 AND kind = 'DISCOVER' AND complete
            ORDER BY ended_at DESC, run_id LIMIT 1",
            tenant_id,
            source_id,
        )
        .fetch_optional(&mut *transaction)
        .await
        .map_err(during("reading a source's last complete discovery"))?;
        transaction.commit().await.map_err(during("reading what is known of a source"))?;
        let objects = rows.into_iter().map(|row| KnownObject {
            object: ObjectRef {
                catalog: row.catalog,
                schema: row.schema,
                name: row.name,
                kind: ObjectKind::from_symbol(&row.kind),
                object_id: row.object_id,
                native_id: row.native_id,
            },
            content_hash: row.content_hash,
            version: row.version,
            live: row.state == "LIVE",
            in_scope: row.in_scope,
            listed: row.listed,
            unreadable: row.unreadable,
            held_by_run: row.held_by_run,
        });
        let last_complete = last.map(|row| LastComplete {
            run_id: row.run_id,
            root_hash: row.root_hash.unwrap_or_default(),
            scope_hash: row.scope_hash.unwrap_or_default(),
            visibility_hash: row.visibility_hash.unwrap_or_default(),
            fingerprint: row.fingerprint,
        });
        Ok(Base { objects: objects.collect(), last_complete })
    }

    /// The last contents of some objects, by id; those without any are left out. `meta` and `run_id` are empty.
    ///
    /// # Errors
    /// The server does not answer.
    pub async fn discovery_contents(
        &self,
        tenant_id: &str,
        source_id: Uuid,
        object_ids: &[Uuid],
    ) -> Result<Vec<SchemaObjectObserved>, ReadModelError> {
        let during = ReadModelError::during;
        let mut transaction = self.begin().await?;
        let rows = sqlx::query_as!(
            ContentRow,
            r#"SELECT o.object_id, o.catalog, o.schema, o.name, o.kind, o.native_id, o.owner, o.comment, o.definition,
                o.partitions, o.depends_on, o.truncated, o.content_hash AS "content_hash!", o.version AS "version!",
                (SELECT jsonb_agg(jsonb_build_object('name', c.name, 'ordinal', c.ordinal, 'type', c.data_type,
                        'type_family', c.type_family, 'nullable', c.nullable, 'default', c.default_value,
                        'generated', c.generated, 'identity', c.identity, 'collation', c.collation_name,
                        'comment', c.comment) ORDER BY c.position)
                    FROM schema_column c
                    WHERE c.tenant_id = o.tenant_id AND c.source_id = o.source_id AND c.object_id = o.object_id) AS columns,
                (SELECT jsonb_agg(jsonb_build_object('name', c.name, 'kind', c.kind, 'columns', c.columns,
                        'references', CASE WHEN c.referenced_object IS NOT NULL THEN jsonb_build_object(
                            'object', c.referenced_object, 'columns', c.referenced_columns) END,
                        'definition', c.definition) ORDER BY c.position)
                    FROM schema_constraint c
                    WHERE c.tenant_id = o.tenant_id AND c.source_id = o.source_id AND c.object_id = o.object_id) AS constraints,
                (SELECT jsonb_agg(jsonb_build_object('name', i.name, 'unique', i.is_unique, 'columns', i.columns,
                        'method', i.method, 'definition', i.definition) ORDER BY i.position)
                    FROM schema_index i
                    WHERE i.tenant_id = o.tenant_id AND i.source_id = o.source_id AND i.object_id = o.object_id) AS indexes
            FROM schema_object o
            WHERE o.tenant_id = $1 AND o.source_id = $2 AND o.object_id = ANY ($3) AND o.state = 'LIVE'
              AND o.content_hash IS NOT NULL
            ORDER BY o.object_id"#,
            tenant_id,
            source_id,
            object_ids,
        )
        .fetch_all(&mut *transaction)
        .await
        .map_err(during("reading the contents of objects"))?;
        transaction.commit().await.map_err(during("reading the contents of objects"))?;
        rows.into_iter().map(ContentRow::into_event).collect()
    }
}

/// An object's row with its parts gathered.
struct ContentRow {
    object_id: Uuid,
    catalog: String,
    schema: String,
    name: String,
    kind: String,
    native_id: Option<String>,
    owner: Option<String>,
    comment: Option<String>,
    definition: Option<String>,
    partitions: Option<Value>,
    depends_on: Value,
    truncated: Vec<String>,
    content_hash: String,
    version: String,
    columns: Option<Value>,
    constraints: Option<Value>,
    indexes: Option<Value>,
}

impl ContentRow {
    fn into_event(self) -> Result<SchemaObjectObserved, ReadModelError> {
        Ok(SchemaObjectObserved {
            object: ObjectRef {
                catalog: self.catalog,
                schema: self.schema,
                name: self.name,
                kind: ObjectKind::from_symbol(&self.kind),
                object_id: self.object_id,
                native_id: self.native_id,
            },
            owner: self.owner,
            comment: self.comment,
            columns: read::<Vec<Column>>(self.columns)?.unwrap_or_default(),
            constraints: read::<Vec<Constraint>>(self.constraints)?.unwrap_or_default(),
            indexes: read::<Vec<Index>>(self.indexes)?.unwrap_or_default(),
            partitions: read(self.partitions)?,
            definition: self.definition,
            depends_on: read(Some(self.depends_on))?.unwrap_or_default(),
            content_hash: self.content_hash,
            version: self.version,
            truncated: self.truncated,
            ..SchemaObjectObserved::default()
        })
    }
}

fn read<T: DeserializeOwned>(value: Option<Value>) -> Result<Option<T>, ReadModelError> {
    let read = value.map(serde_json::from_value).transpose();
    read.map_err(|error| ReadModelError::Content(format!("a part of an object that cannot be read ({error})")))
}
