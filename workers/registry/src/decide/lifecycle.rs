//! The life of one source: created, updated, deleted, restored, paused, resumed.

use pursight_schemas::ids::source_id;
use pursight_schemas::names::SourceName;
use pursight_schemas::{
    Afterwards, Cancel, Command, CreateDataSource, DataSourceCreated, DataSourceDeleted, DataSourcePaused,
    DataSourceRestored, DataSourceResumed, DataSourceSpec, DataSourceUpdated, DeleteDataSource, DeleteMode, EventMeta,
    Location, TlsMode, UpdateDataSource,
};
use uuid::Uuid;

use super::{Case, Decision, of_source, runs};
use crate::state::{Lifecycle, Source};
use crate::validate::{Violations, code, patch, spec};

/// The folded name that a command may claim, for looking it up.
pub fn claimed_name(command: &Command) -> Option<String> {
    let name = match command {
        Command::CreateDataSource(command) => Some(&command.spec.name),
        Command::UpdateDataSource(command) => command.patch.name.as_ref(),
        _ => None,
    };
    name.and_then(|name| SourceName::parse(name).ok()).map(|name| name.key)
}

pub(super) fn create(case: &Case<'_>, command: &CreateDataSource, found: &mut Violations) -> Option<Decision> {
    let id = command.source_id.unwrap_or_else(|| source_id(case.meta.command_id));
    if id == Uuid::nil() {
        found.invalid("/source_id", "leave it out, or give a UUIDv7");
    } else if case.state.source(id).is_some() {
        found.invalid("/source_id", "the tenant has a source of this id already");
    }
    case.expect_version(found, 0);
    spec::check(found, "/spec", case.state.tenant, &command.spec);
    case.quota(found);
    let kind = runs::follow_up(command.afterwards);
    if kind.is_some() {
        runs::supported(case, found, "/spec/source_type", command.spec.source_type);
    }
    let name = SourceName::parse(&command.spec.name).ok()?;
    case.claim(found, "/spec/name", &name.key, id);

    let spec = DataSourceSpec { name: name.display, ..command.spec.clone() };
    let warning = warning(&spec);
    let work = kind.map(|kind| {
        let word = if command.afterwards == Afterwards::Test { "test" } else { "discover" };
        let run_id = pursight_schemas::ids::follow_up_run_id(case.meta.command_id, word);
        runs::item(case, Some(id), &spec, 1, kind, run_id)
    });
    let event = DataSourceCreated { meta: of_source(id, 1), spec, name_key: name.key };
    let mut decision = Decision::changed(id, 1, event);
    if let Some(work) = work {
        decision.note("run_id", work.run_id.to_string());
        decision.work.push(work);
    }
    if let Some(warning) = warning {
        decision.note("warning", warning);
    }
    Some(decision)
}

/// What is allowed but should not go without a word.
fn warning(spec: &DataSourceSpec) -> Option<&'static str> {
    let loopback = |host: &str| {
        host.eq_ignore_ascii_case("localhost")
            || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
    };
    let remote = spec.hosts.iter().any(|host| !loopback(&host.host));
    let open = spec.tls.mode == TlsMode::Disable && spec.location == Location::OnPrem;
    (open && remote).then_some("connections are not encrypted: tls mode DISABLE to a host that is not this machine")
}

pub(super) fn update(case: &Case<'_>, command: &UpdateDataSource, found: &mut Violations) -> Option<Decision> {
    patch::check(found, &command.patch, &command.clear);
    let source = case.live(found, "/source_id", command.source_id)?;
    let (after, key) = after(case, source, &command.patch, &command.clear, found)?;
    case.claim(found, "/patch/name", &key, source.id);
    Some(changed(source, after, key).unwrap_or_else(|| Decision::unchanged(source, "nothing changed")))
}

/// The configuration that results, checked whole, and its folded name.
pub(super) fn after(
    case: &Case<'_>,
    source: &Source,
    patch: &pursight_schemas::DataSourcePatch,
    clear: &[String],
    found: &mut Violations,
) -> Option<(DataSourceSpec, String)> {
    let mut after = patch::applied(&source.spec, patch, clear);
    let mut faults = Violations::new();
    spec::check(&mut faults, "", case.state.tenant, &after);
    found.extend(faults, |path| (!patch::is_said(clear, path)).then(|| patch::rebase(patch, clear, path)));
    if patch.name.is_none() {
        // The name stays as it was folded when it was claimed: Unicode's tables change.
        return Some((after, source.name_key.clone()));
    }
    let name = SourceName::parse(&after.name).ok()?;
    after.name = name.display;
    Some((after, name.key))
}

/// The event of a changed configuration, or `None` if it is the same.
pub(super) fn changed(source: &Source, after: DataSourceSpec, name_key: String) -> Option<Decision> {
    let changed = patch::changed(&source.spec, &after);
    if changed.is_empty() {
        return None;
    }
    let version = source.version + 1;
    let warning = warning(&after);
    let event = DataSourceUpdated { meta: of_source(source.id, version), spec: after, name_key, changed };
    let mut decision = Decision::changed(source.id, version, event);
    if let Some(warning) = warning {
        decision.note("warning", warning);
    }
    Some(decision)
}

pub(super) fn delete(case: &Case<'_>, command: &DeleteDataSource, found: &mut Violations) -> Option<Decision> {
    let mode = command.mode;
    if mode == DeleteMode::Unknown {
        found.invalid("/mode", "required, SOFT or PURGE");
    }
    let source = case.known(found, "/source_id", command.source_id)?;
    case.expect_version(found, source.version);
    // A soft deletion may be made final: its secrets could not be removed otherwise.
    let finish = mode == DeleteMode::Purge && source.state == Lifecycle::Deleted;
    if !source.state.is_live() && !finish {
        found.add("/source_id", code::SOURCE_DELETED, "the source is deleted already");
    }
    let version = source.version + 1;
    let event = DataSourceDeleted { meta: of_source(source.id, version), mode };
    let mut decision = Decision::changed(source.id, version, event);
    let meta = EventMeta { source_id: Some(source.id), ..EventMeta::default() };
    decision.cancels.push(Cancel { meta, run_id: None, source_id: Some(source.id) });
    if mode == DeleteMode::Purge && runs::holds_sealed_secrets(&source.spec) {
        decision.work.push(runs::revocation(case, source, version));
    }
    Some(decision)
}

pub(super) fn restore(case: &Case<'_>, id: Uuid, found: &mut Violations) -> Option<Decision> {
    let source = case.known(found, "/source_id", id)?;
    case.expect_version(found, source.version);
    match source.state {
        Lifecycle::Active | Lifecycle::Paused => {
            found.add("/source_id", code::SOURCE_NOT_DELETED, "the source is not deleted");
        }
        Lifecycle::Purged => {
            found.add("/source_id", code::SOURCE_DELETED, "the source was purged, that is final");
        }
        Lifecycle::Deleted => {
            case.quota(found);
            case.claim(found, "/source_id", &source.name_key, source.id);
        }
    }
    let version = source.version + 1;
    let (spec, name_key) = (source.spec.as_ref().clone(), source.name_key.clone());
    let event = DataSourceRestored { meta: of_source(source.id, version), spec, name_key };
    Some(Decision::changed(source.id, version, event))
}

pub(super) fn pause(case: &Case<'_>, id: Uuid, found: &mut Violations) -> Option<Decision> {
    let source = case.live(found, "/source_id", id)?;
    if source.state == Lifecycle::Paused {
        return Some(Decision::unchanged(source, "already paused"));
    }
    let version = source.version + 1;
    Some(Decision::changed(source.id, version, DataSourcePaused { meta: of_source(source.id, version) }))
}

pub(super) fn resume(case: &Case<'_>, id: Uuid, found: &mut Violations) -> Option<Decision> {
    let source = case.live(found, "/source_id", id)?;
    if source.state == Lifecycle::Active {
        return Some(Decision::unchanged(source, "not paused"));
    }
    let version = source.version + 1;
    Some(Decision::changed(source.id, version, DataSourceResumed { meta: of_source(source.id, version) }))
}
