//! C3, order: `sequence` of a source is 1, 2, 3 … in log order; the events of one attempt of a run are 0, 1, 2 …, and
//! the last attempt ends in the run's only terminal event.

use std::collections::BTreeMap;

use pursight_schemas::{Event, Topic};
use uuid::Uuid;

use super::view::{Placed, events};
use super::{Judge, Place, Verdict};
use crate::history::History;

/// No run is started nearly as often.
const MOST_ATTEMPTS: i32 = 200;

pub(super) fn check(history: &History) -> Verdict {
    let promise =
        "sequence of a source is 1..n in log order; of an attempt of a run 0..k, ending in one terminal event";
    let mut judge = Judge::new("C3 order", promise);
    sources(history, &mut judge);
    for topic in [Topic::Connection, Topic::Schema, Topic::Statistics] {
        runs(history, topic, &mut judge);
    }
    judge.verdict()
}

fn sources(history: &History, judge: &mut Judge) {
    let mut last: BTreeMap<(String, Uuid), (i64, i32)> = BTreeMap::new();
    for one in events(history, Topic::Source) {
        let meta = one.meta();
        let Some(source) = meta.source_id else { continue };
        let (before, partition) = *last.entry((meta.tenant_id.clone(), source)).or_insert((0, one.record.partition));
        let (place, subject) = (one.place(), format!("source {source}"));
        let what = || format!("sequence {} after {before}", meta.sequence);
        judge.expect(meta.sequence == before + 1, || place.clone().about(&subject), what);
        let what = || "the source's events lie on several partitions".to_owned();
        judge.expect(one.record.partition == partition, || place.clone().about(&subject), what);
        last.insert((meta.tenant_id.clone(), source), (meta.sequence.max(before), partition));
    }
}

/// How far a run has come.
#[derive(Default)]
struct Run {
    attempt: i32,
    next: i64,
    ended: bool,
}

fn runs(history: &History, topic: Topic, judge: &mut Judge) {
    let mut all: BTreeMap<(String, Uuid), Run> = BTreeMap::new();
    for one in events(history, topic) {
        let Some((run_id, terminal)) = run_of(&one.event) else { continue };
        let place = || one.place().about(format!("run {run_id}"));
        let sequence = one.meta().sequence;
        let Some(attempt) = attempt_of(run_id, &one) else {
            judge.found(place(), "its event id is not of its run and sequence");
            continue;
        };
        let run = all.entry((one.meta().tenant_id.clone(), run_id)).or_default();
        judge.expect(!run.ended, place, || format!("attempt {attempt} goes on behind the run's end"));
        judge.expect(attempt >= run.attempt, place, || format!("attempt {attempt} behind attempt {}", run.attempt));
        if attempt > run.attempt {
            (run.attempt, run.next) = (attempt, 0);
        }
        let wanted = run.next;
        judge.expect(sequence == wanted, place, || format!("attempt {attempt} has sequence {sequence}, not {wanted}"));
        run.next = sequence.max(wanted - 1) + 1;
        run.ended |= terminal;
    }
    for ((tenant, run_id), run) in all {
        let place = || Place::topic(topic).about(format!("run {run_id} of {tenant}"));
        judge.expect(run.ended, place, || format!("attempt {} has no end", run.attempt));
    }
}

/// The attempt that an event's id is made of.
fn attempt_of(run_id: Uuid, one: &Placed<'_>) -> Option<i32> {
    let meta = one.meta();
    let id = |attempt: i32| Uuid::new_v5(&run_id, format!("{attempt}/{}", meta.sequence).as_bytes());
    (1..=MOST_ATTEMPTS).find(|attempt| id(*attempt) == meta.event_id)
}

/// The run of an event, and whether it ends it.
fn run_of(event: &Event) -> Option<(Uuid, bool)> {
    Some(match event {
        Event::ConnectionTested(event) => (event.run_id, true),
        Event::DiscoveryStarted(event) => (event.run_id, false),
        Event::SchemaObjectObserved(event) => (event.run_id, false),
        Event::SchemaChanged(event) => (event.run_id, false),
        Event::ObjectUnreadable(event) => (event.run_id, false),
        Event::ObjectDropped(event) => (event.run_id, false),
        Event::DeletionHeld(event) => (event.run_id, false),
        Event::SchemaSnapshotCompleted(event) => (event.run_id, true),
        Event::DiscoveryFailed(event) => (event.run_id, true),
        Event::DiscoveryCancelled(event) => (event.run_id, true),
        Event::ObjectStatisticsObserved(event) => (event.run_id, false),
        Event::StatisticsCollected(event) => (event.run_id, true),
        Event::StatisticsFailed(event) => (event.run_id, true),
        _ => return None,
    })
}
