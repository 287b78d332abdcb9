//! What was known before the run: the port to the read model and its plain data.
//! Owns the port's shape and a fake for tests; must not know how the read model is stored.

use async_trait::async_trait;
use pursight_engine::Failure;
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

/// Objects that are missing and not yet dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Held {
    /// The run that held them.
    pub run_id: Uuid,
    /// Which.
    pub objects: Vec<Uuid>,
}

/// Everything that was known of a source before a run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Base {
    /// All objects ever seen.
    pub objects: Vec<Known>,
    /// The last run that listed everything.
    pub last_complete: Option<LastComplete>,
    /// A hold that nobody confirmed and no listing ended.
    pub held: Option<Held>,
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
