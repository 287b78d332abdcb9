//! Runs, as the three result streams tell them. Events of a run are numbered 0..k within an attempt; a new attempt begins
//! at 0 again, and the terminal event ends the run for good.

use pursight_read_model::table::run::RunRow;
use pursight_schemas::{Event, EventMeta, Problem, ids};
use uuid::Uuid;

use super::{Gap, Verdict, json, time};
use crate::state::State;

/// The run that an event of a result stream belongs to.
pub(super) fn of(event: &Event) -> Option<Uuid> {
    match event {
        Event::ConnectionTested(event) => Some(event.run_id),
        Event::DiscoveryStarted(event) => Some(event.run_id),
        Event::SchemaObjectObserved(event) => Some(event.run_id),
        Event::SchemaChanged(event) => Some(event.run_id),
        Event::ObjectUnreadable(event) => Some(event.run_id),
        Event::ObjectDropped(event) => Some(event.run_id),
        Event::DeletionHeld(event) => Some(event.run_id),
        Event::SchemaSnapshotCompleted(event) => Some(event.run_id),
        Event::DiscoveryFailed(event) => Some(event.run_id),
        Event::DiscoveryCancelled(event) => Some(event.run_id),
        Event::ObjectStatisticsObserved(event) => Some(event.run_id),
        Event::StatisticsCollected(event) => Some(event.run_id),
        Event::StatisticsFailed(event) => Some(event.run_id),
        _ => None,
    }
}

/// The run's row with this event's number, or the reason why the event is not to be folded.
pub(super) enum Turn<'a> {
    /// It is the next one.
    Next(&'a mut RunRow),
    /// It is not to be folded (again).
    Not(Verdict),
}

/// Checks the number of an event and moves the run to it.
pub(super) fn turn<'a>(state: &'a mut State, event: &Event, kind: &str) -> Result<Turn<'a>, Gap> {
    let meta = event.meta();
    let Some(run_id) = of(event) else { return Ok(Turn::Not(Verdict::Noted)) };
    let key = (meta.tenant_id.clone(), run_id);
    let gap = |last| Gap { subject: format!("run {run_id}"), last, found: meta.sequence };
    let named = match event {
        Event::DiscoveryStarted(started) => Some(started.attempt),
        _ => None,
    };
    let Some(row) = state.runs.get(&key) else {
        if meta.sequence != 0 {
            return Err(gap(-1));
        }
        let row = state.runs.change_or_make(key, || first(meta, run_id, kind, named.unwrap_or(1)));
        return Ok(Turn::Next(row));
    };
    if row.ended_at.is_some() {
        return Ok(Turn::Not(Verdict::Repeated));
    }
    let (attempt, last) = (row.attempt, row.sequence);
    if meta.sequence == last + 1 {
        return Ok(state.runs.change(&key).map_or(Turn::Not(Verdict::Noted), |row| {
            row.sequence = meta.sequence;
            Turn::Next(row)
        }));
    }
    if meta.sequence > last {
        return Err(gap(last));
    }
    let is_new = meta.sequence == 0
        && named.map_or(meta.event_id != ids::run_event_id(run_id, attempt, 0), |named| named > attempt);
    if !is_new {
        return Ok(Turn::Not(Verdict::Repeated));
    }
    let again = first(meta, run_id, kind, named.unwrap_or(attempt + 1));
    Ok(state.runs.change(&key).map_or(Turn::Not(Verdict::Noted), |row| {
        *row = again;
        Turn::Next(row)
    }))
}

fn first(meta: &EventMeta, run_id: Uuid, kind: &str, attempt: i32) -> RunRow {
    RunRow {
        tenant_id: meta.tenant_id.clone(),
        run_id,
        source_id: meta.source_id,
        kind: kind.to_owned(),
        state: "RUNNING".to_owned(),
        attempt,
        sequence: 0,
        command_id: meta.command_id,
        correlation_id: meta.correlation_id,
        principal: meta.actor.principal.clone(),
        result: None,
        strategy: None,
        scope: None,
        started_at: time(meta.occurred_at),
        ended_at: None,
        duration_us: None,
        problem: None,
        counts: None,
        complete: None,
        root_hash: None,
        scope_hash: None,
        visibility_hash: None,
        fingerprint: None,
        unreadable: None,
        queries: None,
        rows_read: None,
        objects_observed: 0,
        objects_changed: 0,
        objects_dropped: 0,
        objects_held: 0,
        listed_before: None,
        listed_now: None,
    }
}

/// The run is over.
pub(super) fn end(row: &mut RunRow, state: &str, meta: &EventMeta) {
    state.clone_into(&mut row.state);
    row.ended_at = Some(time(meta.occurred_at));
}

/// The run is over, and why it failed.
pub(super) fn fail(row: &mut RunRow, meta: &EventMeta, problem: &Problem) {
    end(row, "FAILED", meta);
    row.problem = Some(json(problem));
}
