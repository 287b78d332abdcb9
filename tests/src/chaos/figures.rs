//! What a run was like, in figures. Pure, from the history; says nothing about right or wrong.

use std::collections::{BTreeMap, BTreeSet};

use pursight_schemas::{Event, Topic};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use crate::history::{History, Sent};

/// The figures of a run, in the order in which they are shown.
pub fn figures(history: &History) -> Map<String, Json> {
    let mut figures = Map::new();
    let mut put = |name: &str, value: Json| drop(figures.insert(name.to_owned(), value));
    let acts = |name: &str| history.acts.iter().filter(|act| act.act == name).count();
    let sent = |result| history.operations.iter().filter(|one| one.result == result).count();
    let commands: BTreeSet<(&str, Option<Uuid>)> = history
        .operations
        .iter()
        .filter(|one| one.shape.is_command())
        .map(|one| (one.tenant.as_str(), one.command_id))
        .collect();
    put("records_sent", json!(history.operations.len()));
    put("unknown_to_the_publisher", json!(sent(Sent::Unknown)));
    put("commands", json!(commands.len()));
    put("terminal_outcomes", json!(ends(history).len()));
    put("dead_letters", json!(history.committed(Topic::DeadLetter).len()));
    put("kills", json!(acts("kill")));
    put("starts", json!(acts("start")));
    put("ended_by_themselves", json!(acts("ended")));
    put("broker_restarts", json!(acts("broker-start")));
    put("database_restarts", json!(acts("database-start")));
    put("takeovers_of_command_partitions", json!(takeovers(history)));
    put("aborted_records", json!(count(&history.uncommitted) - count(&history.records)));
    put("load_seconds", json!(load_seconds(history)));
    put("drain_seconds", seconds(history, "drained"));
    put("all_seconds", seconds(history, "finished"));
    let waits = waits(history);
    put("outcome_after_ms", json!({"p50": at(&waits, 50), "p99": at(&waits, 99), "max": waits.last()}));
    figures
}

fn count(records: &BTreeMap<Topic, Vec<crate::history::Recorded>>) -> usize {
    records.values().map(Vec::len).sum()
}

/// Time and command of every terminal outcome.
fn ends(history: &History) -> Vec<(String, Uuid, i64)> {
    let mut ends = Vec::new();
    for record in history.committed(Topic::Outcome) {
        let Ok(event) = record.event() else { continue };
        let begins =
            matches!(event, Event::CommandAccepted(_) | Event::CommandProgressed(_) | Event::OwnershipTaken(_));
        if let (false, Some(command)) = (begins, event.meta().command_id) {
            ends.push((event.meta().tenant_id.clone(), command, record.timestamp_ms));
        }
    }
    ends
}

/// Markers on the source topic, but for those of the first owners.
fn takeovers(history: &History) -> usize {
    let markers = history.committed(Topic::Source).iter().filter_map(|record| record.event().ok());
    let markers = markers.filter(|event| matches!(event, Event::OwnershipTaken(_))).count();
    markers.saturating_sub(Topic::Source.partitions().try_into().unwrap_or_default())
}

/// Milliseconds from a command's first acknowledgement to its terminal outcome, in order.
fn waits(history: &History) -> Vec<i64> {
    let mut acknowledged: BTreeMap<(&str, Uuid), i64> = BTreeMap::new();
    for one in history.operations.iter().filter(|one| one.shape.is_command() && one.result == Sent::Ok) {
        let Some(command) = one.command_id else { continue };
        let first = acknowledged.entry((&one.tenant, command)).or_insert(one.ended_at_ms);
        *first = one.ended_at_ms.min(*first);
    }
    let ends = ends(history);
    let wait = |(tenant, command, at): &(String, Uuid, i64)| Some(at - acknowledged.get(&(tenant.as_str(), *command))?);
    let mut waits: Vec<i64> = ends.iter().filter_map(wait).map(|wait| wait.max(0)).collect();
    waits.sort_unstable();
    waits
}

fn at(sorted: &[i64], percent: usize) -> Option<i64> {
    sorted.get((sorted.len() * percent / 100).min(sorted.len().saturating_sub(1))).copied()
}

fn load_seconds(history: &History) -> f64 {
    let first = history.operations.iter().map(|one| one.invoked_at_ms).min().unwrap_or_default();
    let last = history.operations.iter().map(|one| one.ended_at_ms).max().unwrap_or_default();
    f64::from(i32::try_from(last - first).unwrap_or_default()) / 1_000.0
}

/// What an act says about its seconds, to a tenth.
fn seconds(history: &History, act: &str) -> Json {
    let told = history.acts.iter().rev().find(|one| one.act == act).and_then(|act| act.more.get("seconds")?.as_f64());
    told.map_or(Json::Null, |seconds| json!((seconds * 10.0).round() / 10.0))
}
