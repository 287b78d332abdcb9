//! What the projection reads before it folds a batch, and what it writes afterwards, each as one call. Which rows these
//! are is decided elsewhere.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgConnection, PgTransaction};
use uuid::Uuid;

use crate::error::ReadModelError;
use crate::model::{BY_KEY, ReadModel};
use crate::table::{
    audit, command, connection_test, data_source, data_source_change, dead_letter, favorite, object_statistics, run,
    schema_change, schema_column, schema_constraint, schema_index, schema_object, source_statistics, work_item,
};

/// Keys of the rows that a batch may change.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Sources by tenant and id.
    pub sources: BTreeSet<(String, Uuid)>,
    /// Commands by tenant and id.
    pub commands: BTreeSet<(String, Uuid)>,
    /// Runs by tenant and id.
    pub runs: BTreeSet<(String, Uuid)>,
    /// Objects by tenant, source and id.
    pub objects: BTreeSet<(String, Uuid, Uuid)>,
    /// Sources whose held or unreadable objects are wanted.
    pub marked: BTreeSet<(String, Uuid)>,
}

/// The rows that were there.
#[derive(Debug, Default)]
pub struct Prior {
    /// Sources.
    pub sources: Vec<data_source::DataSource>,
    /// Commands.
    pub commands: Vec<command::CommandRow>,
    /// Runs.
    pub runs: Vec<run::RunRow>,
    /// Objects.
    pub objects: Vec<schema_object::SchemaObject>,
}

impl Wanted {
    /// Reads them.
    pub async fn load(&self, connection: &mut PgConnection) -> Result<Prior, ReadModelError> {
        let sources = pairs(&self.sources);
        let objects: Vec<_> = self.objects.iter().map(|key| (key.0.as_str(), key.1, key.2)).collect();
        let mut prior = Prior {
            sources: data_source::load(connection, &sources).await?,
            commands: command::load(connection, &pairs(&self.commands)).await?,
            runs: run::load(connection, &pairs(&self.runs)).await?,
            objects: schema_object::load(connection, &objects).await?,
        };
        prior.objects.extend(schema_object::load_marked(connection, &pairs(&self.marked)).await?);
        Ok(prior)
    }
}

/// A source whose scope is another one now: which objects lie in it, by `LIKE` patterns on `schema.name`.
#[derive(Debug)]
pub struct Rescope {
    /// Tenant.
    pub tenant_id: String,
    /// Source.
    pub source_id: Uuid,
    /// The complete run that says so.
    pub run_id: Uuid,
    /// Its scope; nothing is done if the complete run before it had the same.
    pub scope_hash: String,
    /// In scope are objects that match one of these (all, if there are none) ...
    pub include: Vec<String>,
    /// ... and none of these.
    pub exclude: Vec<String>,
}

fn pairs(keys: &BTreeSet<(String, Uuid)>) -> Vec<(&str, Uuid)> {
    keys.iter().map(|key| (key.0.as_str(), key.1)).collect()
}

/// Everything that one batch writes. Each key occurs once in each list.
#[derive(Debug, Default)]
pub struct Batch {
    /// Sources as they are now.
    pub sources: Vec<data_source::DataSource>,
    /// Their changed fields.
    pub source_changes: Vec<data_source_change::DataSourceChange>,
    /// Stars set.
    pub favorites: Vec<favorite::Favorite>,
    /// Stars taken away: tenant, principal, source.
    pub favorites_gone: Vec<(String, String, Uuid)>,
    /// Commands.
    pub commands: Vec<command::CommandRow>,
    /// Commands of one outcome partition that ended before a time are forgotten.
    pub forget_commands: Option<(i32, DateTime<Utc>)>,
    /// Runs asked for.
    pub work_items: Vec<work_item::WorkItemRow>,
    /// Runs.
    pub runs: Vec<run::RunRow>,
    /// Connection tests.
    pub tests: Vec<connection_test::ConnectionTest>,
    /// Objects.
    pub objects: Vec<schema_object::SchemaObject>,
    /// Objects whose columns, constraints and indexes are replaced: tenant, source, object.
    pub parts_of: Vec<(String, Uuid, Uuid)>,
    /// Their columns.
    pub columns: Vec<schema_column::SchemaColumn>,
    /// Their constraints.
    pub constraints: Vec<schema_constraint::SchemaConstraint>,
    /// Their indexes.
    pub indexes: Vec<schema_index::SchemaIndex>,
    /// A source's scope, after everything else.
    pub rescope: Option<Rescope>,
    /// Changes of objects.
    pub schema_changes: Vec<schema_change::SchemaChangeRow>,
    /// Samples.
    pub samples: Vec<source_statistics::SourceStatistics>,
    /// Figures of objects.
    pub figures: Vec<object_statistics::ObjectStatisticsRow>,
    /// Audit trail.
    pub audit: Vec<audit::AuditRow>,
    /// Dead letters.
    pub dead_letters: Vec<dead_letter::DeadLetter>,
}

impl Batch {
    /// Writes it.
    pub async fn write(&self, connection: &mut PgConnection) -> Result<(), ReadModelError> {
        data_source::upsert(connection, &self.sources).await?;
        data_source_change::insert(connection, &self.source_changes).await?;
        favorite::upsert(connection, &self.favorites).await?;
        let gone: Vec<_> = self.favorites_gone.iter().map(|key| (key.0.as_str(), key.1.as_str(), key.2)).collect();
        favorite::remove(connection, &gone).await?;
        command::upsert(connection, &self.commands).await?;
        if let Some((partition, before)) = self.forget_commands {
            command::forget(connection, partition, before).await?;
        }
        work_item::insert(connection, &self.work_items).await?;
        run::upsert(connection, &self.runs).await?;
        connection_test::insert(connection, &self.tests).await?;
        self.write_objects(connection).await?;
        source_statistics::insert(connection, &self.samples).await?;
        object_statistics::upsert(connection, &self.figures).await?;
        audit::insert(connection, &self.audit).await?;
        dead_letter::insert(connection, &self.dead_letters).await
    }

    async fn write_objects(&self, connection: &mut PgConnection) -> Result<(), ReadModelError> {
        schema_object::upsert(connection, &self.objects).await?;
        let replaced: Vec<_> = self.parts_of.iter().map(|key| (key.0.as_str(), key.1, key.2)).collect();
        schema_column::remove(connection, &replaced).await?;
        schema_constraint::remove(connection, &replaced).await?;
        schema_index::remove(connection, &replaced).await?;
        schema_column::insert(connection, &self.columns).await?;
        schema_constraint::insert(connection, &self.constraints).await?;
        schema_index::insert(connection, &self.indexes).await?;
        schema_change::insert(connection, &self.schema_changes).await?;
        let Some(rescope) = &self.rescope else { return Ok(()) };
        schema_object::rescope(connection, rescope).await?;
        schema_object::settle(connection, &rescope.tenant_id, rescope.source_id).await
    }
}

impl ReadModel {
    /// Begins a transaction of the fold. It need not reach the disk at once: after a crash rows and position are lost
    /// together, and folded again. A batch's arrays are unnested in memory, not in files.
    ///
    /// # Errors
    /// No connection, or the server refuses.
    pub async fn begin_fold(&self) -> Result<PgTransaction<'static>, ReadModelError> {
        self.begin_with(&format!("; SET LOCAL synchronous_commit = off; SET LOCAL work_mem = '32MB'{BY_KEY}")).await
    }

    /// Makes it so.
    ///
    /// # Errors
    /// The server refuses, or it is unknown whether it did.
    pub async fn commit(&self, transaction: PgTransaction<'static>) -> Result<(), ReadModelError> {
        transaction.commit().await.map_err(ReadModelError::during("committing to the read model"))
    }
}
