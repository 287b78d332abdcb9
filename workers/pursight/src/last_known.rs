//! The read model as discovery's memory: its rows put into the worker's words.

use std::collections::BTreeMap;

use async_trait::async_trait;
use pursight_discovery::base::{Base, Held, Known, LastComplete, LastKnown, State};
use pursight_engine::Failure;
use pursight_read_model::discovery::{self, KnownObject};
use pursight_read_model::{ReadModel, ReadModelError};
use pursight_schemas::SchemaObjectObserved;
use uuid::Uuid;

use crate::error::chain;

/// What was known before a run.
pub struct ReadMemory(pub ReadModel);

#[async_trait]
impl LastKnown for ReadMemory {
    async fn base(&self, tenant: &str, source: Uuid) -> Result<Base, Failure> {
        let rows = self.0.discovery_base(tenant, source).await;
        rows.map(base).map_err(|error| failure("reading what is known of a source", error))
    }

    async fn contents(&self, tenant: &str, source: Uuid, ids: &[Uuid]) -> Result<Vec<SchemaObjectObserved>, Failure> {
        let contents = self.0.discovery_contents(tenant, source, ids).await;
        contents.map_err(|error| failure("reading the contents of objects", error))
    }
}

fn failure(what: &str, error: ReadModelError) -> Failure {
    if error.is_transient() {
        Failure::transient(what, error)
    } else {
        Failure::fatal(format!("{what}: {}", chain(&error)), "run: pursight doctor")
    }
}

fn base(rows: discovery::Base) -> Base {
    let mut held: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for object in &rows.objects {
        if let Some(run) = object.held_by_run {
            held.entry(run).or_default().push(object.object.object_id);
        }
    }
    // Run ids sort by time, so the last hold is the one that stands.
    let held = held.pop_last().map(|(run_id, objects)| Held { run_id, objects });
    let last_complete = rows.last_complete.map(|last| LastComplete {
        run_id: last.run_id,
        root_hash: last.root_hash,
        scope_hash: last.scope_hash,
        visibility_hash: last.visibility_hash,
        fingerprint: last.fingerprint,
    });
    Base { objects: rows.objects.into_iter().map(known).collect(), last_complete, held }
}

fn known(row: KnownObject) -> Known {
    let state = match (row.live, row.in_scope) {
        (false, _) => State::Dropped,
        (true, false) => State::OutOfScope,
        (true, true) => State::Live,
    };
    Known {
        object_id: row.object.object_id,
        kind: row.object.kind,
        catalog: row.object.catalog,
        schema: row.object.schema,
        name: row.object.name,
        native_id: row.object.native_id,
        content_hash: row.content_hash,
        version: row.version.unwrap_or_default(),
        state,
        listed: row.listed,
        unreadable: row.unreadable,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use pursight_schemas::ObjectRef;

    use super::*;

    fn row(id: u128, live: bool, in_scope: bool, held: Option<u128>) -> KnownObject {
        KnownObject {
            object: ObjectRef { object_id: Uuid::from_u128(id), ..ObjectRef::default() },
            content_hash: None,
            version: None,
            live,
            in_scope,
            listed: true,
            unreadable: false,
            held_by_run: held.map(Uuid::from_u128),
        }
    }

    #[test]
    fn rows_keep_their_meaning() {
        let rows = vec![row(1, true, true, Some(7)), row(2, true, false, None), row(3, false, true, None)];
        let base = base(discovery::Base { objects: rows, last_complete: None });
        let states: Vec<State> = base.objects.iter().map(|known| known.state).collect();
        assert_eq!(states, vec![State::Live, State::OutOfScope, State::Dropped]);
        let held = base.held.unwrap();
        assert_eq!((held.run_id, held.objects), (Uuid::from_u128(7), vec![Uuid::from_u128(1)]));
    }
}
