//! What was known before the run: the port to the read model and its plain data.
//! Owns the port's shape and how the read model's rows become it; must not know how they are stored. `memory` is the
//! same without a server.

use std::collections::BTreeMap;

use async_trait::async_trait;
use pursight_engine::Failure;
use pursight_read_model::{ReadModel, ReadModelError};
use pursight_schemas::{ObjectKind, ObjectRef, SchemaObjectObserved};
use uuid::Uuid;

/// Whether a known object still counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum State {
    /// It is there.
    #[default]
    Live,
    /// It was dropped.
    Dropped,
    /// It is there, but the last scope left it out.
    OutOfScope,
}

/// One object as it was last known, without its content.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    /// Its id, which stays.
    pub object_id: Uuid,
    /// What it is.
    pub kind: ObjectKind,
    /// The database.
    pub catalog: String,
    /// The schema.
    pub schema: String,
    /// The name.
    pub name: String,
    /// The engine's own id.
    pub native_id: Option<String>,
    /// Of the content that is stored; `None` where none was ever read.
    pub content_hash: Option<String>,
    /// Its version; empty where no content was ever read.
    pub version: String,
    /// Whether it still counts.
    pub state: State,
    /// It was in the last complete listing.
    pub listed: bool,
    /// Its content could not be read last time.
    pub unreadable: bool,
}

impl Known {
    /// Its reference.
    pub fn object(&self) -> ObjectRef {
        ObjectRef {
            catalog: self.catalog.clone(),
            schema: self.schema.clone(),
            name: self.name.clone(),
            kind: self.kind,
            object_id: self.object_id,
            native_id: self.native_id.clone(),
        }
    }
}

/// The last run that listed everything.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LastComplete {
    /// Which run.
    pub run_id: Uuid,
    /// Its root hash.
    pub root_hash: String,
    /// Of its filter.
    pub scope_hash: String,
    /// Of what its role could see.
    pub visibility_hash: String,
    /// Of the catalog rows, where it was taken and nothing was left open.
    pub fingerprint: Option<String>,
}

/// Everything that was known of a source before a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base {
    /// All objects ever seen.
    pub objects: Vec<Known>,
    /// The last run that listed everything.
    pub last_complete: Option<LastComplete>,
    /// Objects that are missing and not yet dropped, each with the run that held it: nobody confirmed it, and no
    /// complete listing saw them again.
    pub held: BTreeMap<Uuid, Uuid>,
}

/// Where the last known state is read back.
#[async_trait]
pub trait LastKnown: Send + Sync + 'static {
    /// What is known of a source; one snapshot.
    ///
    /// # Errors
    /// When the read model cannot be asked.
    async fn base(&self, tenant: &str, source: Uuid) -> Result<Base, Failure>;

    /// The last contents of some objects, in no order; those without any are left out.
    ///
    /// # Errors
    /// When the read model cannot be asked.
    async fn contents(&self, tenant: &str, source: Uuid, ids: &[Uuid]) -> Result<Vec<SchemaObjectObserved>, Failure>;
}

#[async_trait]
impl LastKnown for ReadModel {
    async fn base(&self, tenant: &str, source: Uuid) -> Result<Base, Failure> {
        let found = self.discovery_base(tenant, source).await.map_err(failure)?;
        let mut base = Base { objects: Vec::with_capacity(found.objects.len()), ..Base::default() };
        for known in found.objects {
            let object = known.object;
            if let Some(run) = known.held_by_run {
                base.held.insert(object.object_id, run);
            }
            base.objects.push(Known {
                object_id: object.object_id,
                kind: object.kind,
                catalog: object.catalog,
                schema: object.schema,
                name: object.name,
                native_id: object.native_id,
                content_hash: known.content_hash,
                version: known.version.unwrap_or_default(),
                state: match (known.live, known.in_scope) {
                    (false, _) => State::Dropped,
                    (true, true) => State::Live,
                    (true, false) => State::OutOfScope,
                },
                listed: known.listed,
                unreadable: known.unreadable,
            });
        }
        base.last_complete = found.last_complete.map(|last| LastComplete {
            run_id: last.run_id,
            root_hash: last.root_hash,
            scope_hash: last.scope_hash,
            visibility_hash: last.visibility_hash,
            fingerprint: last.fingerprint,
        });
        Ok(base)
    }

    async fn contents(&self, tenant: &str, source: Uuid, ids: &[Uuid]) -> Result<Vec<SchemaObjectObserved>, Failure> {
        self.discovery_contents(tenant, source, ids).await.map_err(failure)
    }
}

fn failure(error: ReadModelError) -> Failure {
    if error.is_transient() {
        return Failure::transient("the read model cannot be asked what was known of the source", error);
    }
    let what = match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Failure::fatal(what, "see the server's log; `pursight doctor` checks schema and rights")
}
