//! C5, aborted: what was aborted is nowhere to be seen.

use std::collections::BTreeSet;

use pursight_schemas::Event;

use super::view::{event_topics, events};
use super::{Judge, Place, Verdict};
use crate::history::History;

pub(super) fn check(history: &History) -> Verdict {
    let mut judge = Judge::new("C5 aborted", "ids of aborted events are in no row of the read model");
    let mut seen: BTreeSet<uuid::Uuid> = BTreeSet::new();
    for topic in event_topics() {
        seen.extend(events(history, topic).iter().map(|one| one.meta().event_id));
    }
    for topic in event_topics() {
        let committed: BTreeSet<(i32, i64)> =
            history.committed(topic).iter().map(|record| (record.partition, record.offset)).collect();
        let raw = history.uncommitted.get(&topic).map_or(&[][..], Vec::as_slice);
        for record in raw.iter().filter(|record| !committed.contains(&(record.partition, record.offset))) {
            let Ok(event) = Event::decode(&record.value) else { continue };
            let id = event.meta().event_id;
            // Decided again it has the same id, and is committed then.
            if seen.contains(&id) {
                continue;
            }
            let text = id.to_string();
            let row = history.live.iter().chain(&history.rebuilt).find(|row| row.id.contains(&text));
            let what = || format!("an aborted event is in the read model: {row:?}");
            judge.expect(row.is_none(), || Place::record(topic, record), what);
        }
    }
    judge.verdict()
}
