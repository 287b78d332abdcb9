//! `schema`: objects with their parts, and what changed. Each fact stands by itself and is applied as it comes; nothing
//! is taken for dropped because it was not mentioned.

use pursight_read_model::fold::{Rescope, Wanted};
use pursight_read_model::table::run::RunRow;
use pursight_read_model::table::schema_object::SchemaObject;
use pursight_schemas::{
    DeletionHeld, DiscoveryStarted, Event, EventMeta, ObjectDropped, ObjectRef, ObjectUnreadable, SchemaObjectObserved,
    SchemaSnapshotCompleted, ScopeFilter,
};
use uuid::Uuid;

use super::run::{self, Turn};
use super::{Gap, Verdict, json, json_or_none, parts, time};
use crate::state::{ObjectKey, State};

/// Adds the objects that an event may change.
pub(super) fn want(wanted: &mut Wanted, event: &Event) {
    let meta = event.meta();
    let Some(source) = meta.source_id else { return };
    let mut object = |id: Uuid| wanted.objects.insert((meta.tenant_id.clone(), source, id));
    match event {
        Event::SchemaObjectObserved(event) => drop(object(event.object.object_id)),
        Event::ObjectUnreadable(event) => drop(object(event.object.object_id)),
        Event::ObjectDropped(event) => drop(object(event.object.object_id)),
        Event::DeletionHeld(event) => {
            for held in &event.objects {
                object(held.object_id);
            }
        }
        Event::SchemaSnapshotCompleted(_) => drop(wanted.marked.insert((meta.tenant_id.clone(), source))),
        _ => {}
    }
}

/// Folds an event of the schema topic.
pub(super) fn fold(state: &mut State, event: &Event) -> Result<Verdict, Gap> {
    let Some(source) = event.meta().source_id else { return Ok(Verdict::Noted) };
    let row = match run::turn(state, event, "DISCOVER")? {
        Turn::Not(verdict) => return Ok(verdict),
        Turn::Next(row) => row,
    };
    match event {
        Event::DiscoveryStarted(event) => start(row, event),
        Event::SchemaObjectObserved(event) => {
            row.objects_observed += 1;
            observe(state, event, source);
        }
        Event::SchemaChanged(event) => {
            row.objects_changed += 1;
            state.schema_changes.extend(parts::changes(event, source));
        }
        Event::ObjectUnreadable(event) => unreadable(state, event, source),
        Event::ObjectDropped(event) => {
            row.objects_dropped += 1;
            drop_object(state, event, source);
        }
        Event::DeletionHeld(event) => {
            row.objects_held = row.objects_held.saturating_add(i64::try_from(event.objects.len()).unwrap_or(i64::MAX));
            row.listed_before = Some(event.listed_before);
            row.listed_now = Some(event.listed_now);
            hold(state, event, source);
        }
        Event::SchemaSnapshotCompleted(event) => {
            complete(row, event);
            let scope = row.scope.clone();
            if event.complete {
                settle(state, event, source, scope);
            }
        }
        Event::DiscoveryFailed(event) => run::fail(row, &event.meta, &event.problem),
        Event::DiscoveryCancelled(event) => run::end(row, "CANCELLED", &event.meta),
        _ => return Ok(Verdict::Noted),
    }
    Ok(Verdict::Folded)
}

fn start(row: &mut RunRow, event: &DiscoveryStarted) {
    row.strategy = Some(event.strategy.symbol().to_owned());
    row.scope = Some(json(&event.scope));
}

fn complete(row: &mut RunRow, event: &SchemaSnapshotCompleted) {
    run::end(row, "SUCCEEDED", &event.meta);
    row.complete = Some(event.complete);
    row.root_hash = Some(event.root_hash.clone());
    row.scope_hash = Some(event.scope_hash.clone());
    row.visibility_hash = Some(event.visibility_hash.clone());
    row.fingerprint.clone_from(&event.fingerprint);
    row.counts = Some(json(&event.counts));
    row.unreadable = Some(event.unreadable);
    row.queries = Some(event.queries);
    row.rows_read = Some(event.rows_read);
    row.duration_us = Some(event.duration_us);
}

/// A complete listing is the newest word on the whole source: marks of earlier runs that it did not set again are gone,
/// and its scope is the source's.
fn settle(state: &mut State, event: &SchemaSnapshotCompleted, source: Uuid, scope: Option<serde_json::Value>) {
    let tenant = &event.meta.tenant_id;
    let of_source = |key: &ObjectKey| key.0 == *tenant && key.1 == source;
    let stale = state.objects.keys_where(|key, row| {
        of_source(key)
            && (row.held_by_run.is_some_and(|run| run != event.run_id)
                || row.unreadable.is_some() && row.last_run_id != event.run_id)
    });
    for key in stale {
        let Some(row) = state.objects.change(&key) else { continue };
        if row.held_by_run != Some(event.run_id) {
            row.held_by_run = None;
        }
        if row.last_run_id != event.run_id {
            row.unreadable = None;
        }
    }
    let scope: ScopeFilter = scope.and_then(|scope| serde_json::from_value(scope).ok()).unwrap_or_default();
    state.rescope = Some(Rescope {
        tenant_id: tenant.clone(),
        source_id: source,
        run_id: event.run_id,
        scope_hash: event.scope_hash.clone(),
        include: patterns(&scope.include),
        exclude: patterns(&scope.exclude),
    });
}

/// Globs as `LIKE` patterns: `*` is any text, `?` one character, a backslash takes the next character as it is. Blank ones
/// say nothing.
fn patterns(globs: &[String]) -> Vec<String> {
    globs.iter().map(|glob| glob.trim()).filter(|glob| !glob.is_empty()).map(pattern).collect()
}

fn pattern(glob: &str) -> String {
    let mut pattern = String::new();
    let mut characters = glob.chars();
    while let Some(character) = characters.next() {
        let plain = match character {
            '*' => {
                pattern.push('%');
                continue;
            }
            '?' => {
                pattern.push('_');
                continue;
            }
            '\\' => characters.next().unwrap_or('\\'),
            plain => plain,
        };
        if matches!(plain, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(plain);
    }
    pattern
}

/// The object's row, made if it is new.
fn row<'a>(
    state: &'a mut State,
    meta: &EventMeta,
    source: Uuid,
    object: &ObjectRef,
    run: Uuid,
) -> &'a mut SchemaObject {
    let at = time(meta.occurred_at);
    let key = (meta.tenant_id.clone(), source, object.object_id);
    state.objects.change_or_make(key, || SchemaObject {
        tenant_id: meta.tenant_id.clone(),
        source_id: source,
        object_id: object.object_id,
        catalog: object.catalog.clone(),
        schema: object.schema.clone(),
        name: object.name.clone(),
        kind: object.kind.symbol().to_owned(),
        native_id: object.native_id.clone(),
        state: "LIVE".to_owned(),
        owner: None,
        comment: None,
        definition: None,
        partitions: None,
        depends_on: json(&[(); 0]),
        truncated: Vec::new(),
        content_hash: None,
        version: None,
        column_count: 0,
        in_scope: true,
        listed: false,
        unreadable: None,
        held_by_run: None,
        entailed_by: Vec::new(),
        first_run_id: run,
        last_run_id: run,
        first_seen_at: at,
        observed_at: at,
        dropped_at: None,
    })
}

fn observe(state: &mut State, event: &SchemaObjectObserved, source: Uuid) {
    let row = row(state, &event.meta, source, &event.object, event.run_id);
    row.catalog.clone_from(&event.object.catalog);
    row.schema.clone_from(&event.object.schema);
    row.name.clone_from(&event.object.name);
    row.kind = event.object.kind.symbol().to_owned();
    row.native_id.clone_from(&event.object.native_id);
    "LIVE".clone_into(&mut row.state);
    row.owner.clone_from(&event.owner);
    row.comment.clone_from(&event.comment);
    row.definition.clone_from(&event.definition);
    row.partitions = json_or_none(event.partitions.as_ref());
    row.depends_on = json(&event.depends_on);
    row.truncated.clone_from(&event.truncated);
    row.content_hash = Some(event.content_hash.clone());
    row.version = Some(event.version.clone());
    row.column_count = i32::try_from(event.columns.len()).unwrap_or(i32::MAX);
    row.in_scope = true;
    row.unreadable = None;
    row.held_by_run = None;
    row.entailed_by.clear();
    row.last_run_id = event.run_id;
    row.observed_at = time(event.meta.occurred_at);
    row.listed &= row.dropped_at.is_none();
    row.dropped_at = None;
    let key = (event.meta.tenant_id.clone(), source, event.object.object_id);
    let parts = parts::of(event, &key);
    state.parts.insert(key, parts);
}

fn unreadable(state: &mut State, event: &ObjectUnreadable, source: Uuid) {
    let row = row(state, &event.meta, source, &event.object, event.run_id);
    "LIVE".clone_into(&mut row.state);
    row.listed &= row.dropped_at.is_none();
    row.dropped_at = None;
    row.unreadable = Some(json(&event.problem));
    row.held_by_run = None;
    row.last_run_id = event.run_id;
}

fn drop_object(state: &mut State, event: &ObjectDropped, source: Uuid) {
    let row = row(state, &event.meta, source, &event.object, event.run_id);
    "DROPPED".clone_into(&mut row.state);
    row.listed = false;
    row.dropped_at = Some(time(event.meta.occurred_at));
    row.entailed_by.clone_from(&event.entailed_by);
    row.held_by_run = None;
    row.unreadable = None;
    row.last_run_id = event.run_id;
    // Parts are those of live objects; what a dropped one had is in its changes.
    let key = (event.meta.tenant_id.clone(), source, event.object.object_id);
    state.parts.insert(key, crate::state::Parts::default());
}

fn hold(state: &mut State, event: &DeletionHeld, source: Uuid) {
    for object in &event.objects {
        row(state, &event.meta, source, object, event.run_id).held_by_run = Some(event.run_id);
    }
}

#[cfg(test)]
mod tests {
    use super::pattern;

    #[test]
    fn a_glob_is_itself_but_for_star_question_mark_and_backslash() {
        assert_eq!(pattern("public.*"), "public.%");
        assert_eq!(pattern(r"a?_b%\*\"), r"a_\_b\%*\\");
    }
}
