//! What a command leads to. Pure: the present, the command and the time come in as data, a decision or all reasons for a
//! refusal go out; the same three give the same bytes. Where the present comes from is not known here.

mod bulk;
mod favorite;
mod lifecycle;
mod preview;
mod runs;

use std::collections::BTreeMap;

use pursight_attestation::Permission;
use pursight_schemas::{
    Cancel, Command, CommandMeta, Event, EventMeta, Micros, Problem, ProblemCategory, SourceType, Topic, WorkItem,
};
use uuid::Uuid;

pub use bulk::{MOST_SOURCES, is_sound_filter, like, matches};
pub use lifecycle::claimed_name;

use crate::state::{Source, State};
use crate::validate::{Violations, code, meta};

/// What the operator sets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rules {
    /// Most live sources of a tenant; one more is `QUOTA_EXCEEDED`.
    pub live_sources: i64,
    /// Types for which there is a connector; runs on others are `UNSUPPORTED_TYPE`.
    pub connectors: Vec<SourceType>,
}

/// Everything that a command leads to. The meta of its records holds source and sequence; the rest is filled in when
/// they are written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// Events of the source topic, in order.
    pub events: Vec<Event>,
    /// Runs to be given out.
    pub work: Vec<WorkItem>,
    /// Runs to be ended.
    pub cancels: Vec<Cancel>,
    /// What the publisher is told.
    pub answer: Answer,
}

/// What the publisher is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A runner will tell the end.
    Accepted,
    /// Done.
    Succeeded(Success),
    /// Not possible any more.
    Failed(Problem),
}

/// The body of a success.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Success {
    /// The source it is about.
    pub source_id: Option<Uuid>,
    /// Its sequence afterwards.
    pub version: Option<i64>,
    /// Results by name.
    pub result: BTreeMap<String, String>,
    /// What a dry run would have done.
    pub preview: Vec<String>,
}

/// Why nothing happened: every reason, at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection(pub Violations);

impl Decision {
    fn done(success: Success) -> Self {
        Self { events: Vec::new(), work: Vec::new(), cancels: Vec::new(), answer: Answer::Succeeded(success) }
    }

    fn accepted(work: WorkItem) -> Self {
        Self { events: Vec::new(), work: vec![work], cancels: Vec::new(), answer: Answer::Accepted }
    }

    /// A change of one source, and its new version.
    fn changed(source_id: Uuid, version: i64, event: impl Into<Event>) -> Self {
        let success = Success { source_id: Some(source_id), version: Some(version), ..Success::default() };
        Self { events: vec![event.into()], ..Self::done(success) }
    }

    /// Nothing to do: the source is as the publisher wants it.
    fn unchanged(source: &Source, note: &str) -> Self {
        let result = BTreeMap::from([("note".to_owned(), note.to_owned())]);
        let (source_id, version) = (Some(source.id), Some(source.version));
        Self::done(Success { source_id, version, result, preview: Vec::new() })
    }

    fn note(&mut self, name: &str, value: impl Into<String>) {
        if let Answer::Succeeded(success) = &mut self.answer {
            success.result.insert(name.to_owned(), value.into());
        }
    }
}

/// What every rule sees.
#[derive(Clone, Copy)]
struct Case<'c> {
    state: &'c State<'c>,
    meta: &'c CommandMeta,
    command_type: &'static str,
    at: Micros,
    rules: &'c Rules,
}

impl<'c> Case<'c> {
    /// A source that exists in whatever state.
    fn known(&self, found: &mut Violations, path: &str, id: Uuid) -> Option<&'c Source> {
        if id == Uuid::nil() {
            found.invalid(path, "required");
            return None;
        }
        let source = self.state.source(id);
        if source.is_none() {
            found.add(path, code::UNKNOWN_SOURCE, "the tenant has no source of this id");
        }
        source
    }

    /// A source that is not deleted, in the version that the publisher saw.
    fn live(&self, found: &mut Violations, path: &str, id: Uuid) -> Option<&'c Source> {
        let source = self.known(found, path, id)?;
        if !source.state.is_live() {
            found.add(
                path,
                code::SOURCE_DELETED,
                "the source is deleted; RestoreDataSource brings back a SOFT deletion",
            );
        }
        self.expect_version(found, source.version);
        Some(source)
    }

    fn expect_version(&self, found: &mut Violations, version: i64) {
        if self.meta.expected_version.is_some_and(|expected| expected != version) {
            found.add("/meta/expected_version", code::VERSION_CONFLICT, format!("the source is at version {version}"));
        }
    }

    /// The name must be free, or the source's own.
    fn claim(&self, found: &mut Violations, path: &str, key: &str, by: Uuid) {
        if self.state.name_owner(key).is_some_and(|owner| owner != by) {
            found.add(
                path,
                code::NAME_TAKEN,
                "another source of the tenant has this name; names differ by more than case",
            );
        }
    }

    fn quota(&self, found: &mut Violations) {
        let (used, limit) = (self.state.live_sources(), self.rules.live_sources);
        if used >= limit {
            let message = format!("{used} of {limit} sources are in use; delete one, or have the limit raised");
            found.add("", code::QUOTA_EXCEEDED, message);
        }
    }
}

fn of_source(source_id: Uuid, sequence: i64) -> EventMeta {
    EventMeta { source_id: Some(source_id), sequence, ..EventMeta::default() }
}

/// The permission that a command needs.
pub fn permission(command: &Command) -> Permission {
    match command {
        Command::CreateDataSource(_) => Permission::ScanCreate,
        Command::DeleteDataSource(_) => Permission::ScanDelete,
        Command::SetFavorite(_) => Permission::ScanView,
        Command::TestConnection(command) if command.draft.is_some() => Permission::ScanCreate,
        Command::UpdateDataSource(_)
        | Command::RestoreDataSource(_)
        | Command::PauseDataSource(_)
        | Command::ResumeDataSource(_)
        | Command::BulkUpdateDataSources(_)
        | Command::TestConnection(_)
        | Command::DiscoverSchema(_)
        | Command::CollectStatistics(_)
        | Command::CancelRun(_)
        | Command::ConfirmDeletions(_) => Permission::ScanEdit,
    }
}

/// The refusal of a publisher who may not do this. Nothing else is said: it would tell what exists.
pub fn denied(permission: Permission) -> Rejection {
    let mut found = Violations::new();
    found.add("", code::PERMISSION_DENIED, format!("{permission} is needed, and the attestation does not grant it"));
    Rejection(found)
}

/// Decides a command whose publisher may do what it asks.
///
/// # Errors
/// Every reason for which it is refused.
pub fn decide(state: &State<'_>, command: &Command, at: Micros, rules: &Rules) -> Result<Decision, Rejection> {
    let meta = command.meta();
    let case = Case { state, meta, command_type: command.full_name(), at, rules };
    let mut found = Violations::new();
    meta::check(&mut found, meta, at);
    if found.is_empty() && meta.deadline.is_some_and(|deadline| deadline <= at) {
        return Ok(Decision { answer: Answer::Failed(too_late()), ..Decision::done(Success::default()) });
    }
    let found = &mut found;
    let decision = match command {
        Command::CreateDataSource(command) => lifecycle::create(&case, command, found),
        Command::UpdateDataSource(command) => lifecycle::update(&case, command, found),
        Command::DeleteDataSource(command) => lifecycle::delete(&case, command, found),
        Command::RestoreDataSource(command) => lifecycle::restore(&case, command.source_id, found),
        Command::PauseDataSource(command) => lifecycle::pause(&case, command.source_id, found),
        Command::ResumeDataSource(command) => lifecycle::resume(&case, command.source_id, found),
        Command::BulkUpdateDataSources(command) => bulk::update(&case, command, found),
        Command::SetFavorite(command) => favorite::set(&case, command, found),
        Command::TestConnection(command) => runs::test(&case, command, found),
        Command::DiscoverSchema(command) => runs::discover(&case, command, found),
        Command::CollectStatistics(command) => runs::statistics(&case, command, found),
        Command::CancelRun(command) => runs::cancel(&case, command, found),
        Command::ConfirmDeletions(command) => runs::confirm(&case, command, found),
    };
    match decision {
        Some(decision) if found.is_empty() => Ok(if meta.dry_run { preview::of(decision) } else { decision }),
        _ => Err(Rejection(std::mem::take(found))),
    }
}

fn too_late() -> Problem {
    Problem {
        code: "DEADLINE_EXCEEDED".to_owned(),
        category: ProblemCategory::Permanent,
        message: "the command's deadline had passed when it was appended to the log".to_owned(),
        remedy: Some("send it again as a new command with a later deadline".to_owned()),
        retryable: true,
        ..Problem::default()
    }
}

/// The topic of a work item.
pub fn work_topic(work: &WorkItem) -> Topic {
    use pursight_schemas::WorkKind;
    match work.kind {
        WorkKind::Test | WorkKind::RevokeSecrets => Topic::WorkConnection,
        WorkKind::Statistics => Topic::WorkStatistics,
        WorkKind::Discover | WorkKind::ConfirmDeletions | WorkKind::Classify | WorkKind::Unknown => {
            Topic::WorkDiscovery
        }
    }
}
