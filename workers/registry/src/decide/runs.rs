//! Runs: given out as work items, ended early by cancels. How a run ends is its runner's to say.

use std::collections::BTreeMap;

use pursight_schemas::ids::follow_up_run_id;
use pursight_schemas::names::SourceName;
use pursight_schemas::{
    Afterwards, Cancel, CancelRun, CollectStatistics, ConfirmDeletions, DataSourceSpec, DiscoverSchema, EventMeta,
    SourceType, Strategy, TestConnection, WorkItem, WorkKind,
};
use uuid::Uuid;

use super::{Case, Decision, Success};
use crate::state::{Lifecycle, Source};
use crate::validate::{Violations, code, listed, meta, scope, spec};

/// The run that follows a creation.
pub(super) fn follow_up(afterwards: Afterwards) -> Option<WorkKind> {
    match afterwards {
        Afterwards::Test => Some(WorkKind::Test),
        Afterwards::Discover => Some(WorkKind::Discover),
        Afterwards::Nothing | Afterwards::Unknown => None,
    }
}

/// Runs need a connector.
pub(super) fn supported(case: &Case<'_>, found: &mut Violations, path: &str, source_type: SourceType) {
    let known = &case.rules.connectors;
    if source_type != SourceType::Unknown && !known.contains(&source_type) {
        let message = format!("there is no connector for {source_type} yet; there is one for {}", listed(known));
        found.add(path, code::UNSUPPORTED_TYPE, message);
    }
}

/// Seconds that a run may take if the publisher does not say.
const fn seconds(kind: WorkKind) -> i64 {
    match kind {
        WorkKind::Test => 30,
        WorkKind::Statistics => 15 * 60,
        WorkKind::Discover
        | WorkKind::ConfirmDeletions
        | WorkKind::Classify
        | WorkKind::RevokeSecrets
        | WorkKind::Unknown => 6 * 3_600,
    }
}

/// A run that does not answer its command, on a snapshot of a source.
pub(super) fn item(
    case: &Case<'_>,
    source_id: Option<Uuid>,
    spec: &DataSourceSpec,
    version: i64,
    kind: WorkKind,
    run_id: Uuid,
) -> WorkItem {
    WorkItem {
        meta: EventMeta { source_id, ..EventMeta::default() },
        run_id,
        command_type: case.command_type.to_owned(),
        kind,
        spec: spec.clone(),
        version,
        strategy: Strategy::Balanced,
        deadline: case.meta.deadline.unwrap_or_else(|| case.at.plus_seconds(seconds(kind))),
        ..WorkItem::default()
    }
}

/// The run that a command asks for: it has the command's id and gives its outcome.
fn answering(case: &Case<'_>, source: &Source, kind: WorkKind) -> WorkItem {
    let item = item(case, Some(source.id), &source.spec, source.version, kind, case.meta.command_id);
    WorkItem { answers_command: true, ..item }
}

/// The work of a purge, for the connection worker. Its deadline is ours: the publisher's was for the decision.
pub(super) fn revocation(case: &Case<'_>, source: &Source, version: i64) -> WorkItem {
    let kind = WorkKind::RevokeSecrets;
    let run_id = follow_up_run_id(case.meta.command_id, "revoke");
    let item = item(case, Some(source.id), &source.spec, version, kind, run_id);
    WorkItem { deadline: case.at.plus_seconds(seconds(kind)), ..item }
}

/// Whether a purge has anything to destroy; other stores are the customer's own.
pub(super) fn holds_sealed_secrets(spec: &DataSourceSpec) -> bool {
    let cloud = spec.cloud.as_ref().and_then(|cloud| cloud.service_account.as_ref());
    let tls = [&spec.tls.ca, &spec.tls.client_certificate, &spec.tls.client_key].map(Option::as_ref);
    tls.into_iter().chain([spec.credential.as_ref(), cloud]).flatten().any(|one| one.uri.starts_with("sealed://"))
}

/// A source on which runs are allowed.
fn runnable<'c>(case: &Case<'c>, found: &mut Violations, id: Uuid) -> Option<&'c Source> {
    let source = case.live(found, "/source_id", id)?;
    if source.state == Lifecycle::Paused {
        found.add("/source_id", code::SOURCE_PAUSED, "the source is paused; ResumeDataSource allows runs again");
    }
    supported(case, found, "/source_id", source.spec.source_type);
    Some(source)
}

pub(super) fn test(case: &Case<'_>, command: &TestConnection, found: &mut Violations) -> Option<Decision> {
    match (command.source_id, &command.draft) {
        (Some(id), None) => {
            let source = runnable(case, found, id)?;
            Some(Decision::accepted(answering(case, source, WorkKind::Test)))
        }
        (None, Some(draft)) => {
            meta::no_condition(found, case.meta);
            spec::check(found, "/draft", case.state.tenant, draft);
            supported(case, found, "/draft/source_type", draft.source_type);
            let name = SourceName::parse(&draft.name).ok()?.display;
            let draft = DataSourceSpec { name, ..draft.clone() };
            let item = item(case, None, &draft, 0, WorkKind::Test, case.meta.command_id);
            Some(Decision::accepted(WorkItem { answers_command: true, ..item }))
        }
        (Some(_), Some(_)) => {
            found.invalid("/draft", "either source_id or draft, not both");
            None
        }
        (None, None) => {
            found.invalid("/source_id", "either source_id or draft is required");
            None
        }
    }
}

pub(super) fn discover(case: &Case<'_>, command: &DiscoverSchema, found: &mut Violations) -> Option<Decision> {
    if let Some(scope) = &command.scope {
        scope::check(found, "/scope", scope);
    }
    let source = runnable(case, found, command.source_id)?;
    let strategy = match command.strategy {
        Strategy::Unknown => Strategy::Balanced,
        stated => stated,
    };
    Some(Decision::accepted(WorkItem {
        strategy,
        scope: command.scope.clone(),
        full: command.full,
        dry_run: case.meta.dry_run,
        ..answering(case, source, WorkKind::Discover)
    }))
}

pub(super) fn statistics(case: &Case<'_>, command: &CollectStatistics, found: &mut Violations) -> Option<Decision> {
    let source = runnable(case, found, command.source_id)?;
    Some(Decision::accepted(WorkItem { exact: command.exact, ..answering(case, source, WorkKind::Statistics) }))
}

pub(super) fn confirm(case: &Case<'_>, command: &ConfirmDeletions, found: &mut Violations) -> Option<Decision> {
    let held = case.state.run(command.run_id);
    if command.run_id == Uuid::nil() {
        found.invalid("/run_id", "required: the run that held the deletions");
    } else if held.is_none_or(|run| run.kind != WorkKind::Discover) {
        found.add("/run_id", code::UNKNOWN_RUN, "the tenant has no discovery of this id in the last 31 days");
    }
    let source = runnable(case, found, command.source_id)?;
    let item = answering(case, source, WorkKind::ConfirmDeletions);
    Some(Decision::accepted(WorkItem { confirms: Some(command.run_id), ..item }))
}

pub(super) fn cancel(case: &Case<'_>, command: &CancelRun, found: &mut Violations) -> Option<Decision> {
    meta::no_condition(found, case.meta);
    match case.state.run(command.run_id) {
        _ if command.run_id == Uuid::nil() => found.invalid("/run_id", "required"),
        None => found.add("/run_id", code::UNKNOWN_RUN, "the tenant has no run of this id in the last 31 days"),
        Some(run) if run.ended => found.add("/run_id", code::RUN_ENDED, "the run has ended already"),
        Some(_) => {}
    }
    let result = BTreeMap::from([("run_id".to_owned(), command.run_id.to_string())]);
    let cancel = Cancel { meta: EventMeta::default(), run_id: Some(command.run_id), source_id: None };
    Some(Decision { cancels: vec![cancel], ..Decision::done(Success { result, ..Success::default() }) })
}
