//! What was known before the run: the sample before, and the ids of objects. The port to the read model.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use pursight_engine::Failure;
use pursight_read_model::{ReadModel, ReadModelError};
use pursight_schemas::ObjectKind;
use uuid::Uuid;

/// Native ids mean something within a kind and a database only.
pub type NativeKey = (ObjectKind, String, String);

/// Everything that a measurement needs of the past.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Counters of the sample before; empty if there is none.
    pub counters: BTreeMap<String, i64>,
    /// Ids of the objects that discovery knows, by kind, database and native id.
    pub ids: HashMap<NativeKey, Uuid>,
}

/// Where the past is read back.
#[async_trait]
pub trait History: Send + Sync + 'static {
    /// What is known of a source.
    ///
    /// # Errors
    /// When the read model cannot be asked.
    async fn past(&self, tenant: &str, source: Uuid) -> Result<Past, Failure>;
}

#[async_trait]
impl History for ReadModel {
    async fn past(&self, tenant: &str, source: Uuid) -> Result<Past, Failure> {
        let sample = self.previous_sample(tenant, source).await.map_err(failure)?;
        let base = self.discovery_base(tenant, source).await.map_err(failure)?;
        let known = base.objects.into_iter().filter(|known| known.live).map(|known| known.object);
        let ids = known.filter_map(|object| Some(((object.kind, object.catalog, object.native_id?), object.object_id)));
        Ok(Past { counters: sample.map(|sample| sample.counters).unwrap_or_default(), ids: ids.collect() })
    }
}

fn failure(error: ReadModelError) -> Failure {
    const WHAT: &str = "cannot read the statistics before";
    if error.is_transient() {
        Failure::transient(WHAT, error)
    } else {
        Failure::fatal(format!("{WHAT}: {error}"), "run: pursight doctor")
    }
}
