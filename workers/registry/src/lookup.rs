//! What a batch must know before it is decided, and the port by which it is asked. Decides nothing.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use pursight_engine::Failure;
use pursight_read_model::ReadModel;
use pursight_read_model::decider::{Filter, Query, Snapshot};
use pursight_schemas::{BulkFilter, Command};

use crate::decide::{MOST_SOURCES, claimed_name, is_sound_filter, like};
use crate::owned::{Overlay, Owned};
use crate::state::{Layer, layers};

/// What was asked ahead of its turn is used for so long: the ends of runs are in no overlay.
const FRESH: Duration = Duration::from_secs(1);
/// Most sources that are looked up at once: their configurations are held in memory.
const MOST_KEYS: usize = 600;

/// The read model, as far as deciding needs it.
#[async_trait]
pub trait Ledger: Send + Sync + 'static {
    /// Everything asked for, and how far the read model has folded, from one snapshot.
    ///
    /// # Errors
    /// [`Failure::Transient`] while it cannot be asked.
    async fn look_up(&self, query: &Query) -> Result<Snapshot, Failure>;
}

#[async_trait]
impl Ledger for ReadModel {
    async fn look_up(&self, query: &Query) -> Result<Snapshot, Failure> {
        let found = ReadModel::look_up(self, query).await;
        found.map_err(|error| {
            if error.is_transient() {
                Failure::transient("looking up what a batch of commands needs", error)
            } else {
                Failure::fatal(error.to_string(), "look at the log of PostgreSQL, and run `pursight doctor`")
            }
        })
    }
}

/// An answer of the read model, and to what.
pub struct Known {
    question: Query,
    at: Instant,
    /// Next offsets of the source and of the outcome topic that it had not folded.
    pub folded: (i64, i64),
    /// By tenant.
    pub base: HashMap<String, Layer>,
}

impl Known {
    /// Asks.
    ///
    /// # Errors
    /// [`Failure::Transient`] while the read model cannot be asked.
    pub async fn ask(ledger: &dyn Ledger, question: Query) -> Result<Self, Failure> {
        let at = Instant::now();
        let snapshot = ledger.look_up(&question).await?;
        let folded = (snapshot.source_next, snapshot.outcome_next);
        Ok(Self { question, at, folded, base: layers(snapshot) })
    }

    /// Asks ahead of the turn, for as many of these commands as are decided together. What has to be asked in its turn, or
    /// is not answered soon, is not worth waiting for.
    pub async fn ask_ahead(ledger: &dyn Ledger, partition: i32, commands: &[Option<&Command>]) -> Option<Self> {
        let count = together(commands.iter().copied());
        let question = question(partition, commands[..count].iter().copied().flatten(), &Overlay::default());
        if question.filter.is_some() {
            return None;
        }
        tokio::time::timeout(FRESH, Self::ask(ledger, question)).await.ok()?.ok()
    }

    /// Whether it answers this question as well as asking now would. The overlay has grown since, and with it the names
    /// asked for: those that it knows, and will know when it has forgotten what is folded here, need no answer.
    pub fn answers(&self, question: &Query, owned: &Owned) -> bool {
        let is_known = |(tenant, name): &(String, String)| {
            owned.overlay.layer(tenant).is_some_and(|layer| layer.knows_name(name, self.folded.0))
                || self.base.get(tenant).is_some_and(|layer| layer.knows_name(name, 0))
        };
        self.at.elapsed() < FRESH
            && owned.has_seen_no_later(self.folded)
            && question.partition == self.question.partition
            && question.commands == self.question.commands
            && question.sources == self.question.sources
            && question.runs == self.question.runs
            && question.tenants == self.question.tenants
            && question.filter == self.question.filter
            && question.names.iter().all(is_known)
    }
}

/// The source ids that a command names.
fn sources(command: &Command) -> Vec<uuid::Uuid> {
    match command {
        Command::CreateDataSource(command) => {
            vec![command.source_id.unwrap_or_else(|| pursight_schemas::ids::source_id(command.meta.command_id))]
        }
        Command::UpdateDataSource(command) => vec![command.source_id],
        Command::DeleteDataSource(command) => vec![command.source_id],
        Command::RestoreDataSource(command) => vec![command.source_id],
        Command::PauseDataSource(command) => vec![command.source_id],
        Command::ResumeDataSource(command) => vec![command.source_id],
        Command::BulkUpdateDataSources(command) => command.source_ids.iter().copied().take(MOST_SOURCES).collect(),
        Command::SetFavorite(command) => vec![command.source_id],
        Command::TestConnection(command) => command.source_id.into_iter().collect(),
        Command::DiscoverSchema(command) => vec![command.source_id],
        Command::CollectStatistics(command) => vec![command.source_id],
        Command::ConfirmDeletions(command) => vec![command.source_id],
        Command::CancelRun(_) => Vec::new(),
    }
}

fn filter(command: &Command) -> Option<&BulkFilter> {
    match command {
        Command::BulkUpdateDataSources(command) => command.filter.as_ref(),
        _ => None,
    }
}

/// How many of these commands, from the first, are looked up and decided together. A command that chooses sources by
/// filter must be the first: what it may choose from depends on everything decided before.
pub fn together<'c>(commands: impl Iterator<Item = Option<&'c Command>>) -> usize {
    let (mut count, mut keys) = (0, 0);
    for command in commands {
        let (more, filtered) =
            command.map_or((0, false), |command| (sources(command).len(), filter(command).is_some()));
        if count > 0 && (filtered || keys + more > MOST_KEYS) {
            break;
        }
        count += 1;
        keys += if filtered { MOST_KEYS } else { more };
    }
    count
}

/// The one question for all these commands.
pub fn question<'c>(partition: i32, commands: impl Iterator<Item = &'c Command>, overlay: &Overlay) -> Query {
    let mut query = Query { partition, ..Query::default() };
    for command in commands {
        let tenant = &command.meta().tenant_id;
        let of_tenant = |id| (tenant.clone(), id);
        query.commands.push(of_tenant(command.meta().command_id));
        let layer = overlay.layer(tenant);
        for id in sources(command) {
            query.sources.push(of_tenant(id));
            // A restored source claims the name it had, which may be newer than the read model's.
            if let Some(source) = layer.and_then(|layer| layer.source(id)) {
                query.names.push((tenant.clone(), source.name_key.clone()));
            }
        }
        query.names.extend(claimed_name(command).map(|key| (tenant.clone(), key)));
        match command {
            Command::CancelRun(command) => query.runs.push(of_tenant(command.run_id)),
            Command::ConfirmDeletions(command) => query.runs.push(of_tenant(command.run_id)),
            Command::CreateDataSource(_) | Command::RestoreDataSource(_) => query.tenants.push(tenant.clone()),
            _ => {}
        }
        if let Some(filter) = filter(command).filter(|filter| is_sound_filter(filter)) {
            let over = layer.map_or(0, |layer| layer.sources().count());
            query.filter = Some(choosing(tenant, filter, over));
        }
    }
    query.names.sort_unstable();
    query.names.dedup();
    query.sources.sort_unstable();
    query.sources.dedup();
    query.tenants.sort_unstable();
    query.tenants.dedup();
    query
}

/// One more than may be chosen, and as many again as the overlay may take away.
fn choosing(tenant: &str, filter: &BulkFilter, over: usize) -> Filter {
    Filter {
        tenant: tenant.to_owned(),
        types: filter.types.iter().map(|one| one.symbol().to_owned()).collect(),
        environments: filter.environments.iter().map(|one| one.symbol().to_owned()).collect(),
        tags: filter.tags.clone(),
        name_like: filter.name_glob.as_deref().map(like),
        limit: i64::try_from(MOST_SOURCES + 1 + over).unwrap_or(i64::MAX),
    }
}
