//! C6, fenced: on the partitions of the source and outcome topic everything of the registry is by the owner whose marker
//! is the newest before it.

use std::collections::BTreeMap;

use pursight_schemas::{Event, Topic};
use uuid::Uuid;

use super::view::events;
use super::{Judge, Place, Verdict};
use crate::history::History;

pub(super) fn check(history: &History) -> Verdict {
    let promise = "no event under another owner than that of the latest marker before it";
    let mut judge = Judge::new("C6 fenced", promise);
    let source = owners(history, Topic::Source, &mut judge);
    let outcome = owners(history, Topic::Outcome, &mut judge);
    for (partition, markers) in &source {
        let same = outcome.get(partition) == Some(markers);
        let what = || "the markers of the source and of the outcome topic are not the same".to_owned();
        judge.expect(same, || Place::partition(Topic::Source, *partition), what);
    }
    judge.verdict()
}

/// The markers of each partition, in order.
fn owners(history: &History, topic: Topic, judge: &mut Judge) -> BTreeMap<i32, Vec<Uuid>> {
    let mut markers: BTreeMap<i32, Vec<Uuid>> = BTreeMap::new();
    for one in events(history, topic) {
        let named = one.record.header("pursight-owner").and_then(|text| Uuid::try_parse(text).ok());
        let known = markers.entry(one.record.partition).or_default();
        if matches!(one.event, Event::OwnershipTaken(_)) {
            let id = one.meta().event_id;
            judge.expect(named == Some(id), || one.place(), || "a marker under another owner than itself".to_owned());
            known.push(id);
        } else if topic == Topic::Source || named.is_some() || one.is_by("registry") {
            let owner = known.last().copied();
            let what = || format!("it is by the owner {named:?}, and the newest marker is of {owner:?}");
            judge.expect(owner.is_some() && named == owner, || one.place(), what);
        }
    }
    markers
}
