//! `source`: sources with every field's history, and stars. A source's `sequence` is its version: 1, 2, 3 without gaps.

use pursight_read_model::table::data_source::DataSource;
use pursight_read_model::table::data_source_change::{ChangedField, DataSourceChange};
use pursight_read_model::table::favorite::Favorite;
use pursight_schemas::{DataSourceSpec, DeleteMode, Event, EventMeta, FavoriteSet};
use serde_json::Value;

use super::{Gap, Verdict, time};
use crate::state::State;

/// What an event does to a source.
enum Step<'a> {
    /// Everything configured, and whether the source is live again.
    Configured { spec: &'a DataSourceSpec, name_key: &'a str, state: Option<&'static str> },
    /// Only its state.
    State(&'static str),
}

/// Folds an event of the source topic.
pub(super) fn fold(state: &mut State, event: &Event) -> Result<Verdict, Gap> {
    let step = match event {
        Event::DataSourceCreated(event) => {
            Step::Configured { spec: &event.spec, name_key: &event.name_key, state: Some("ACTIVE") }
        }
        Event::DataSourceUpdated(event) => {
            Step::Configured { spec: &event.spec, name_key: &event.name_key, state: None }
        }
        Event::DataSourceRestored(event) => {
            Step::Configured { spec: &event.spec, name_key: &event.name_key, state: Some("ACTIVE") }
        }
        Event::DataSourceDeleted(event) => Step::State(match event.mode {
            DeleteMode::Purge => "PURGED",
            DeleteMode::Soft | DeleteMode::Unknown => "DELETED",
        }),
        Event::DataSourcePaused(_) => Step::State("PAUSED"),
        Event::DataSourceResumed(_) => Step::State("ACTIVE"),
        Event::FavoriteSet(event) => return Ok(star(state, event)),
        _ => return Ok(Verdict::Noted),
    };
    change(state, event, &step)
}

fn star(state: &mut State, event: &FavoriteSet) -> Verdict {
    let tenant_id = event.meta.tenant_id.clone();
    let key = (tenant_id.clone(), event.principal.clone(), event.source_id);
    let row = event.favorite.then(|| Favorite {
        tenant_id,
        principal: event.principal.clone(),
        source_id: event.source_id,
        set_at: time(event.meta.occurred_at),
    });
    state.favorites.insert(key, row);
    Verdict::Folded
}

fn change(state: &mut State, event: &Event, step: &Step<'_>) -> Result<Verdict, Gap> {
    let meta = event.meta();
    let Some(source_id) = meta.source_id else { return Ok(Verdict::Noted) };
    let key = (meta.tenant_id.clone(), source_id);
    let before = state.sources.get(&key).cloned();
    let last = before.as_ref().map_or(0, |row| row.version);
    if meta.sequence <= last {
        return Ok(Verdict::Repeated);
    }
    if meta.sequence != last + 1 {
        return Err(Gap { subject: format!("source {source_id}"), last, found: meta.sequence });
    }
    let after = next(before.as_ref(), meta, step);
    state.source_changes.push(changes(before.as_ref(), &after, event));
    state.sources.put(key, after);
    Ok(Verdict::Folded)
}

/// The row after an event.
fn next(before: Option<&DataSource>, meta: &EventMeta, step: &Step<'_>) -> DataSource {
    let at = time(meta.occurred_at);
    let mut row = before.cloned().unwrap_or_else(|| DataSource {
        tenant_id: meta.tenant_id.clone(),
        source_id: meta.source_id.unwrap_or_default(),
        version: 0,
        state: "ACTIVE".to_owned(),
        name: String::new(),
        name_key: String::new(),
        source_type: String::new(),
        location: String::new(),
        environment: String::new(),
        criticality: String::new(),
        data_classification: String::new(),
        owner: None,
        tags: Vec::new(),
        spec: Value::Null,
        created_at: at,
        created_by: meta.actor.principal.clone(),
        updated_at: at,
        updated_by: String::new(),
        deleted_at: None,
        last_command_id: None,
        last_event_id: meta.event_id,
    });
    row.version = meta.sequence;
    row.updated_at = at;
    row.updated_by.clone_from(&meta.actor.principal);
    row.last_command_id = meta.command_id;
    row.last_event_id = meta.event_id;
    match step {
        Step::Configured { spec, name_key, state } => {
            configure(&mut row, spec, name_key);
            if let Some(state) = state {
                (*state).clone_into(&mut row.state);
                row.deleted_at = None;
            }
        }
        Step::State(state) => {
            (*state).clone_into(&mut row.state);
            row.deleted_at = matches!(*state, "DELETED" | "PURGED").then_some(at);
        }
    }
    row
}

fn configure(row: &mut DataSource, spec: &DataSourceSpec, name_key: &str) {
    row.name.clone_from(&spec.name);
    name_key.clone_into(&mut row.name_key);
    row.source_type = spec.source_type.symbol().to_owned();
    row.location = spec.location.symbol().to_owned();
    row.environment = spec.environment.symbol().to_owned();
    row.criticality = spec.criticality.symbol().to_owned();
    row.data_classification = spec.data_classification.symbol().to_owned();
    row.owner.clone_from(&spec.owner);
    row.tags.clone_from(&spec.tags);
    row.spec = super::json(spec);
}

/// Which fields are others now. One that held nothing and still holds nothing is none.
fn changes(before: Option<&DataSource>, after: &DataSource, event: &Event) -> DataSourceChange {
    let meta = event.meta();
    let old = |field: &str| before.and_then(|row| row.spec.get(field)).filter(|value| !is_blank(value));
    let mut fields = Vec::new();
    for (field, value) in after.spec.as_object().into_iter().flatten() {
        let (before, after) = (old(field), Some(value).filter(|value| !is_blank(value)));
        if before != after {
            fields.push(ChangedField { field: field.clone(), before: before.cloned(), after: after.cloned() });
        }
    }
    let state = before.map(|row| row.state.as_str());
    if state != Some(&after.state) {
        let (before, after) = (state.map(Value::from), Some(Value::from(after.state.as_str())));
        fields.push(ChangedField { field: "state".to_owned(), before, after });
    }
    fields.sort_by(|a, b| a.field.cmp(&b.field));
    DataSourceChange {
        tenant_id: after.tenant_id.clone(),
        source_id: after.source_id,
        version: after.version,
        event_type: event.full_name().rsplit('.').next().unwrap_or_default().to_owned(),
        changed_at: after.updated_at,
        principal: meta.actor.principal.clone(),
        actor_type: meta.actor.kind.symbol().to_owned(),
        on_behalf_of: meta.actor.on_behalf_of.clone(),
        reason: meta.actor.reason.clone(),
        command_id: meta.command_id,
        event_id: meta.event_id,
        fields,
    }
}

/// Nothing, or a list or a map with nothing in it.
fn is_blank(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_blank),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}
