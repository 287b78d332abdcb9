//! What a batch is folded into: rows that were there, rows as they become, rows that are added. Plain memory; the same
//! input always gives the same [`Batch`].

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use pursight_read_model::fold::{Batch, Prior, Rescope};
use pursight_read_model::position::Position;
use pursight_read_model::table::{
    audit::AuditRow, command::CommandRow, connection_test::ConnectionTest, data_source::DataSource,
    data_source_change::DataSourceChange, dead_letter::DeadLetter, favorite::Favorite,
    object_statistics::ObjectStatisticsRow, run::RunRow, schema_change::SchemaChangeRow, schema_column::SchemaColumn,
    schema_constraint::SchemaConstraint, schema_index::SchemaIndex, schema_object::SchemaObject,
    source_statistics::SourceStatistics, work_item::WorkItemRow,
};
use uuid::Uuid;

/// Tenant and id.
pub(crate) type Key = (String, Uuid);
/// Tenant, source and object.
pub(crate) type ObjectKey = (String, Uuid, Uuid);

/// Rows by key, and which of them changed or were not there before.
#[derive(Debug)]
pub(crate) struct Known<K, R> {
    rows: BTreeMap<K, R>,
    changed: BTreeSet<K>,
    new: BTreeSet<K>,
}

impl<K: Ord + Clone, R> Known<K, R> {
    fn of(rows: Vec<R>, key: impl Fn(&R) -> K) -> Self {
        let rows = rows.into_iter().map(|row| (key(&row), row)).collect();
        Self { rows, changed: BTreeSet::new(), new: BTreeSet::new() }
    }

    /// The row as it is by now.
    pub(crate) fn get(&self, key: &K) -> Option<&R> {
        self.rows.get(key)
    }

    /// A row that is about to change.
    pub(crate) fn change(&mut self, key: &K) -> Option<&mut R> {
        let row = self.rows.get_mut(key)?;
        self.changed.insert(key.clone());
        Some(row)
    }

    /// A row that is about to change, made if it is new.
    pub(crate) fn change_or_make(&mut self, key: K, make: impl FnOnce() -> R) -> &mut R {
        self.changed.insert(key.clone());
        self.rows.entry(key).or_insert_with_key(|key| {
            self.new.insert(key.clone());
            make()
        })
    }

    /// A row that takes the place of what was there.
    pub(crate) fn put(&mut self, key: K, row: R) {
        self.changed.insert(key.clone());
        if self.rows.insert(key.clone(), row).is_none() {
            self.new.insert(key);
        }
    }

    /// Whether the batch made this row.
    pub(crate) fn is_new(&self, key: &K) -> bool {
        self.new.contains(key)
    }

    /// Keys of all rows that hold something.
    pub(crate) fn keys_where(&self, holds: impl Fn(&K, &R) -> bool) -> Vec<K> {
        self.rows.iter().filter(|(key, row)| holds(key, row)).map(|(key, _)| key.clone()).collect()
    }

    fn into_changed(self) -> Vec<R> {
        let changed = self.changed;
        self.rows.into_iter().filter(|(key, _)| changed.contains(key)).map(|(_, row)| row).collect()
    }
}

/// An object's columns, constraints and indexes.
#[derive(Debug, Default)]
pub(crate) struct Parts {
    pub columns: Vec<SchemaColumn>,
    pub constraints: Vec<SchemaConstraint>,
    pub indexes: Vec<SchemaIndex>,
}

/// One partition's fold, in the middle of a batch.
#[derive(Debug)]
pub(crate) struct State {
    pub position: Position,
    pub sources: Known<Key, DataSource>,
    pub source_changes: Vec<DataSourceChange>,
    /// By tenant, principal, source; `None`: taken away.
    pub favorites: BTreeMap<(String, String, Uuid), Option<Favorite>>,
    pub commands: Known<Key, CommandRow>,
    pub work_items: BTreeMap<Key, WorkItemRow>,
    pub runs: Known<Key, RunRow>,
    pub tests: Vec<ConnectionTest>,
    pub objects: Known<ObjectKey, SchemaObject>,
    pub parts: BTreeMap<ObjectKey, Parts>,
    pub schema_changes: Vec<SchemaChangeRow>,
    pub samples: Vec<SourceStatistics>,
    pub figures: BTreeMap<ObjectKey, ObjectStatisticsRow>,
    pub audit: Vec<AuditRow>,
    pub dead_letters: Vec<DeadLetter>,
    pub forget_commands: Option<(i32, DateTime<Utc>)>,
    pub rescope: Option<Rescope>,
}

impl State {
    /// The state before a batch.
    pub(crate) fn new(position: Position, prior: Prior) -> Self {
        Self {
            position,
            sources: Known::of(prior.sources, |row| (row.tenant_id.clone(), row.source_id)),
            source_changes: Vec::new(),
            favorites: BTreeMap::new(),
            commands: Known::of(prior.commands, |row| (row.tenant_id.clone(), row.command_id)),
            work_items: BTreeMap::new(),
            runs: Known::of(prior.runs, |row| (row.tenant_id.clone(), row.run_id)),
            tests: Vec::new(),
            objects: Known::of(prior.objects, |row| (row.tenant_id.clone(), row.source_id, row.object_id)),
            parts: BTreeMap::new(),
            schema_changes: Vec::new(),
            samples: Vec::new(),
            figures: BTreeMap::new(),
            audit: Vec::new(),
            dead_letters: Vec::new(),
            forget_commands: None,
            rescope: None,
        }
    }

    /// What is to be written, and the position after it.
    pub(crate) fn into_batch(mut self) -> (Batch, Position) {
        // Rows that lie in the order of their key are read and indexed in half the time.
        self.source_changes
            .sort_by(|a, b| (&a.tenant_id, a.source_id, a.version).cmp(&(&b.tenant_id, b.source_id, b.version)));
        // An object that was not there before has nothing to be replaced.
        let parts_of = self.parts.keys().filter(|key| !self.objects.is_new(key)).cloned().collect();
        let mut batch = Batch {
            sources: self.sources.into_changed(),
            source_changes: self.source_changes,
            commands: self.commands.into_changed(),
            forget_commands: self.forget_commands,
            rescope: self.rescope,
            work_items: self.work_items.into_values().collect(),
            runs: self.runs.into_changed(),
            tests: self.tests,
            objects: self.objects.into_changed(),
            schema_changes: self.schema_changes,
            samples: self.samples,
            figures: self.figures.into_values().collect(),
            audit: self.audit,
            dead_letters: self.dead_letters,
            parts_of,
            ..Batch::default()
        };
        for (key, star) in self.favorites {
            match star {
                Some(star) => batch.favorites.push(star),
                None => batch.favorites_gone.push(key),
            }
        }
        for parts in self.parts.into_values() {
            batch.columns.extend(parts.columns);
            batch.constraints.extend(parts.constraints);
            batch.indexes.extend(parts.indexes);
        }
        (batch, self.position)
    }
}
