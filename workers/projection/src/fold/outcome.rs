//! `outcome`: one row per command with its latest state. The first terminal outcome wins; there is never a second, and if
//! there were, the read model would not hide the first.

use pursight_engine::Record;
use pursight_read_model::table::command::CommandRow;
use pursight_schemas::{Event, EventMeta};
use serde_json::json;
use uuid::Uuid;

use super::{Verdict, json as to_json, time};
use crate::state::State;

/// Commands whose run bears their own id.
const RUNS: [&str; 4] = ["TestConnection", "DiscoverSchema", "CollectStatistics", "ConfirmDeletions"];

/// Folds an event of the outcome topic.
pub(super) fn fold(state: &mut State, event: &Event, record: &Record) -> Verdict {
    let meta = event.meta();
    let (Some(command_id), Some(command_type)) = (meta.command_id, event.command_type()) else {
        return Verdict::Noted;
    };
    let key = (meta.tenant_id.clone(), command_id);
    if state.commands.get(&key).is_some_and(|row| row.ended_at.is_some()) {
        return Verdict::Repeated;
    }
    let row = state.commands.change_or_make(key, || first(meta, command_id, command_type, record.partition));
    row.updated_at = time(meta.occurred_at);
    row.recorded_at = time(record.timestamp);
    row.source_id = row.source_id.or(meta.source_id);
    apply(row, event);
    Verdict::Folded
}

/// A record's name without its namespace.
fn short(full_name: &str) -> &str {
    full_name.rsplit('.').next().unwrap_or(full_name)
}

fn first(meta: &EventMeta, command_id: Uuid, command_type: &str, partition: i32) -> CommandRow {
    CommandRow {
        tenant_id: meta.tenant_id.clone(),
        command_id,
        command_type: command_type.to_owned(),
        state: "ACCEPTED".to_owned(),
        source_id: None,
        version: None,
        payload_sha256: None,
        principal: meta.actor.principal.clone(),
        actor_type: meta.actor.kind.symbol().to_owned(),
        on_behalf_of: meta.actor.on_behalf_of.clone(),
        correlation_id: meta.correlation_id,
        progress_done: None,
        progress_total: None,
        progress_message: None,
        result: None,
        preview: None,
        violations: None,
        problem: None,
        dead_letter: None,
        cancelled_by: None,
        run_ids: if RUNS.contains(&short(command_type)) { vec![command_id] } else { Vec::new() },
        accepted_at: None,
        updated_at: time(meta.occurred_at),
        ended_at: None,
        outcome_event_id: None,
        outcome_partition: partition,
        recorded_at: time(meta.occurred_at),
    }
}

fn apply(row: &mut CommandRow, event: &Event) {
    match event {
        Event::CommandAccepted(event) => {
            // An acceptance may come after the first progress: two writers share the partition.
            row.accepted_at = row.accepted_at.or(Some(time(event.meta.occurred_at)));
            row.payload_sha256 = Some(event.payload_sha256.clone());
        }
        Event::CommandProgressed(event) => {
            "RUNNING".clone_into(&mut row.state);
            row.progress_done = Some(event.done);
            row.progress_total = event.total;
            row.progress_message = Some(event.message.clone());
        }
        Event::CommandSucceeded(event) => {
            end(row, "SUCCEEDED", &event.meta, event.payload_sha256.as_ref());
            row.source_id = event.source_id.or(row.source_id);
            row.version = event.version;
            row.result = Some(to_json(&event.result));
            row.preview = Some(json!(event.preview));
            // Of a creation: the run that follows it. Elsewhere a run id names the command's own run, or somebody else's.
            if let Some(run) = event.result.get("run_id").filter(|_| short(&event.command_type) == "CreateDataSource") {
                add_run(row, run);
            }
        }
        Event::CommandRejected(event) => {
            end(row, "REJECTED", &event.meta, event.payload_sha256.as_ref());
            row.violations = Some(to_json(&event.violations));
        }
        Event::CommandFailed(event) => {
            end(row, "FAILED", &event.meta, None);
            row.problem = Some(to_json(&event.problem));
        }
        Event::CommandCancelled(event) => {
            end(row, "CANCELLED", &event.meta, None);
            row.cancelled_by = Some(to_json(&event.by));
        }
        Event::CommandDeadLettered(event) => {
            end(row, "DEAD_LETTERED", &event.meta, None);
            row.dead_letter = Some(to_json(&event.dead_letter));
            row.problem = Some(to_json(&event.problem));
        }
        _ => {}
    }
}

fn end(row: &mut CommandRow, state: &str, meta: &EventMeta, payload: Option<&String>) {
    state.clone_into(&mut row.state);
    row.ended_at = Some(time(meta.occurred_at));
    row.outcome_event_id = Some(meta.event_id);
    if let Some(payload) = payload {
        row.payload_sha256 = Some(payload.clone());
    }
}

fn add_run(row: &mut CommandRow, text: &str) {
    let run = Uuid::parse_str(text).ok().filter(|run| !row.run_ids.contains(run));
    row.run_ids.extend(run);
}
