//! What the decider sees: sources, names, receipts and runs of one tenant, in layers that lie on top of each other.
//! The fold of our own events is here too, because the overlay and the decider must agree on it. Does no I/O.

use std::collections::HashMap;
use std::sync::Arc;

use fail::fail_point;
use pursight_read_model::decider::{RunRow, Snapshot};
use pursight_schemas::ids::follow_up_run_id;
use pursight_schemas::{DataSourceSpec, DeleteMode, Event, WorkKind, json};
use uuid::Uuid;

/// Where a source is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// Runs are allowed.
    Active,
    /// No runs until resumed.
    Paused,
    /// Can be restored.
    Deleted,
    /// Gone for good.
    Purged,
}

impl Lifecycle {
    /// From the read model's text. What is unknown counts as gone: nothing is decided about it by guessing.
    pub fn parse(text: &str) -> Self {
        match text {
            "ACTIVE" => Self::Active,
            "PAUSED" => Self::Paused,
            "DELETED" => Self::Deleted,
            _ => Self::Purged,
        }
    }

    /// Has its name, and may be changed.
    pub fn is_live(self) -> bool {
        matches!(self, Self::Active | Self::Paused)
    }
}

/// A source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Which.
    pub id: Uuid,
    /// `sequence` of its last event.
    pub version: i64,
    /// Where it is in its life.
    pub state: Lifecycle,
    /// Folded name; it is the source's own only while it is live.
    pub name_key: String,
    /// Everything configured.
    pub spec: Arc<DataSourceSpec>,
}

/// A run that some command asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What it does; a confirmation of deletions counts as a discovery.
    pub kind: WorkKind,
    /// It has come to its end.
    pub ended: bool,
}

/// One consequence of a decision, ready to be laid into a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A source is now this.
    Source {
        /// Before, if it existed.
        before: Option<Source>,
        /// After.
        after: Source,
    },
    /// A command was decided.
    Decided {
        /// Which.
        command_id: Uuid,
        /// Hash of its payload.
        payload_sha256: String,
    },
    /// A run was asked for.
    Run {
        /// Which.
        run_id: Uuid,
        /// What is known of it.
        run: Run,
    },
}

impl Effect {
    /// What an event of the source topic does to `before`; `None` for events that no decision depends on.
    pub fn of_event(before: Option<&Source>, event: &Event) -> Option<Self> {
        let after = fold(before, event)?;
        Some(Self::Source { before: before.cloned(), after })
    }
}

/// The source after an event; `None` if the event is about no source, or about one that is not there.
fn fold(before: Option<&Source>, event: &Event) -> Option<Source> {
    let meta = event.meta();
    let id = meta.source_id?;
    let version = meta.sequence;
    let moved = |state| before.map(|source| Source { state, version, ..source.clone() });
    match event {
        Event::DataSourceCreated(event) => Some(Source {
            id,
            version,
            state: Lifecycle::Active,
            name_key: event.name_key.clone(),
            spec: Arc::new(event.spec.clone()),
        }),
        Event::DataSourceUpdated(event) => {
            let source = before?;
            let (name_key, spec) = (event.name_key.clone(), Arc::new(event.spec.clone()));
            Some(Source { id, version, state: source.state, name_key, spec })
        }
        Event::DataSourceRestored(event) => {
            let (name_key, spec) = (event.name_key.clone(), Arc::new(event.spec.clone()));
            Some(Source { id, version, state: Lifecycle::Active, name_key, spec })
        }
        Event::DataSourceDeleted(event) if event.mode == DeleteMode::Purge => moved(Lifecycle::Purged),
        Event::DataSourceDeleted(_) => moved(Lifecycle::Deleted),
        Event::DataSourcePaused(_) => moved(Lifecycle::Paused),
        Event::DataSourceResumed(_) => moved(Lifecycle::Active),
        _ => None,
    }
}

/// A value and the offset of the event that made it so.
#[derive(Debug, Clone)]
struct Placed<T> {
    value: T,
    offset: i64,
}

/// Facts of one tenant. In the overlay they carry offsets and leave when the read model has passed them.
#[derive(Debug, Clone, Default)]
pub struct Layer {
    sources: HashMap<Uuid, Placed<Source>>,
    names: HashMap<String, Placed<Option<Uuid>>>,
    decided: HashMap<Uuid, Placed<String>>,
    runs: HashMap<Uuid, Placed<Run>>,
    live: Vec<Placed<i64>>,
}

impl Layer {
    /// Lays an effect on top; `offset` is that of its event.
    pub fn apply(&mut self, effect: &Effect, offset: i64) {
        match effect {
            Effect::Source { before, after } => {
                let was = before.as_ref().filter(|source| source.state.is_live());
                if let Some(source) = was {
                    self.names.insert(source.name_key.clone(), Placed { value: None, offset });
                }
                if after.state.is_live() {
                    self.names.insert(after.name_key.clone(), Placed { value: Some(after.id), offset });
                }
                let step = i64::from(after.state.is_live()) - i64::from(was.is_some());
                if step != 0 {
                    self.live.push(Placed { value: step, offset });
                }
                self.sources.insert(after.id, Placed { value: after.clone(), offset });
            }
            Effect::Decided { command_id, payload_sha256 } => {
                self.decided.insert(*command_id, Placed { value: payload_sha256.clone(), offset });
            }
            Effect::Run { run_id, run } => {
                self.runs.insert(*run_id, Placed { value: run.clone(), offset });
            }
        }
    }

    /// Forgets what lies before these offsets of the source and the outcome topic.
    pub fn prune(&mut self, source_next: i64, outcome_next: i64) {
        self.sources.retain(|_, placed| placed.offset >= source_next);
        self.names.retain(|_, placed| placed.offset >= source_next);
        self.live.retain(|placed| placed.offset >= source_next);
        self.decided.retain(|_, placed| placed.offset >= outcome_next);
        self.runs.retain(|_, placed| placed.offset >= outcome_next);
    }

    /// How many facts it holds.
    pub fn len(&self) -> usize {
        self.sources.len() + self.names.len() + self.live.len() + self.decided.len() + self.runs.len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Its sources, in no order.
    pub fn sources(&self) -> impl Iterator<Item = &Source> {
        self.sources.values().map(|placed| &placed.value)
    }

    /// Whether this layer alone tells who has a folded name, or that nobody has, and still does so when it has forgotten
    /// what lies before an offset of the source topic.
    pub fn knows_name(&self, key: &str, from: i64) -> bool {
        self.names.get(key).is_some_and(|placed| placed.offset >= from)
    }

    /// A source in this layer alone.
    pub fn source(&self, id: Uuid) -> Option<&Source> {
        self.sources.get(&id).map(|placed| &placed.value)
    }
}

/// What a run does, or `None` when the command of that id asked for no run.
fn run_kind(row: &RunRow) -> Option<WorkKind> {
    if row.command_id != row.run_id {
        let discovery = row.run_id == follow_up_run_id(row.command_id, "discover");
        return Some(if discovery { WorkKind::Discover } else { WorkKind::Test });
    }
    match json::short(&row.command_type) {
        "TestConnection" => Some(WorkKind::Test),
        "DiscoverSchema" | "ConfirmDeletions" => Some(WorkKind::Discover),
        "CollectStatistics" => Some(WorkKind::Statistics),
        _ => None,
    }
}

/// Layers of every tenant in a snapshot of the read model.
pub fn layers(snapshot: Snapshot) -> HashMap<String, Layer> {
    let mut layers: HashMap<String, Layer> = HashMap::new();
    for row in snapshot.names {
        let names = &mut layers.entry(row.tenant_id).or_default().names;
        // More than one live owner would be a broken promise; any of them means that the name is taken.
        let slot = names.entry(row.name_key).or_insert(Placed { value: None, offset: 0 });
        slot.value = slot.value.or(row.source_id);
    }
    for row in snapshot.sources {
        let source = Source {
            id: row.source_id,
            version: row.version,
            state: Lifecycle::parse(&row.state),
            name_key: row.name_key,
            spec: Arc::new(row.spec),
        };
        let placed = Placed { value: source, offset: 0 };
        layers.entry(row.tenant_id).or_default().sources.insert(row.source_id, placed);
    }
    for row in snapshot.commands {
        let placed = Placed { value: row.payload_sha256.unwrap_or_default(), offset: 0 };
        layers.entry(row.tenant_id).or_default().decided.insert(row.command_id, placed);
    }
    for row in snapshot.runs.into_iter().filter(|row| !row.rejected) {
        if let Some(kind) = run_kind(&row) {
            let run = Run { kind, ended: row.ended };
            layers.entry(row.tenant_id).or_default().runs.insert(row.run_id, Placed { value: run, offset: 0 });
        }
    }
    for (tenant, count) in snapshot.live {
        layers.entry(tenant).or_default().live.push(Placed { value: count, offset: 0 });
    }
    layers
}

/// One tenant's present, newest layer first: this batch, the overlay, the read model.
#[derive(Debug, Clone, Copy)]
pub struct State<'s> {
    /// Whose.
    pub tenant: &'s str,
    layers: [Option<&'s Layer>; 3],
}

impl<'s> State<'s> {
    /// The present of a tenant.
    pub fn new(tenant: &'s str, layers: [Option<&'s Layer>; 3]) -> Self {
        Self { tenant, layers }
    }

    fn layers(&self) -> impl Iterator<Item = &'s Layer> {
        self.layers.into_iter().flatten()
    }

    /// A source.
    pub fn source(&self, id: Uuid) -> Option<&'s Source> {
        self.layers().find_map(|layer| layer.source(id))
    }

    /// The live source that has a folded name. A name that nobody looked up has the nil owner: taken, because a
    /// decision without knowledge must not claim it.
    pub fn name_owner(&self, key: &str) -> Option<Uuid> {
        let known = self.layers().find_map(|layer| layer.names.get(key));
        debug_assert!(known.is_some(), "every name that is decided about was looked up");
        known.map_or(Some(Uuid::nil()), |placed| placed.value)
    }

    /// Hash of the payload under which a command id was decided.
    pub fn decided(&self, command_id: Uuid) -> Option<&'s str> {
        fail_point!("planted::receipts-ignored", |_| None);
        self.layers().find_map(|layer| layer.decided.get(&command_id)).map(|placed| placed.value.as_str())
    }

    /// A run.
    pub fn run(&self, run_id: Uuid) -> Option<&'s Run> {
        self.layers().find_map(|layer| layer.runs.get(&run_id)).map(|placed| &placed.value)
    }

    /// How many live sources there are.
    pub fn live_sources(&self) -> i64 {
        self.layers().flat_map(|layer| &layer.live).map(|placed| placed.value).sum()
    }

    /// Every source that any layer knows, each as it is now, ordered by id.
    pub fn sources(&self) -> Vec<&'s Source> {
        let mut ids: Vec<Uuid> = self.layers().flat_map(Layer::sources).map(|source| source.id).collect();
        ids.sort_unstable();
        ids.dedup();
        ids.into_iter().filter_map(|id| self.source(id)).collect()
    }
}
