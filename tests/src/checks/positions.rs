//! C10, positions: neither the read model's positions nor the groups' offsets ever go back, and none is beyond the log.
//! The fold commits without waiting for the disk, rows and position together: a crash of the database may take its newest
//! commits back, and only that may.

use std::collections::BTreeMap;

use pursight_schemas::Topic;

use super::{Judge, Place, Verdict};
use crate::history::{Act, History, PositionSample};

pub(super) fn check(history: &History) -> Verdict {
    let mut judge = Judge::new("C10 positions", "positions never go back and are never beyond the log");
    let ends: BTreeMap<(&str, i32), (i64, i64)> =
        history.ends.partitions.iter().map(|end| ((end.topic.as_str(), end.partition), (end.low, end.high))).collect();
    let crashes = crashes(history);
    let mut last: BTreeMap<(Option<&str>, &str, i32), &PositionSample> = BTreeMap::new();
    for sample in &history.positions {
        let place = || Place {
            at_ms: Some(sample.at_ms),
            ..place(&sample.topic, sample.partition, sample.next_offset, sample.group.as_deref())
        };
        if let Some(before) = last.insert((sample.group.as_deref(), &sample.topic, sample.partition), sample) {
            let across = |(from, to): &(i64, i64)| before.at_ms <= *to && sample.at_ms >= *from;
            let taken_back = sample.group.is_none() && crashes.iter().any(across);
            let forward = taken_back || sample.next_offset >= before.next_offset;
            let forward = forward && sample.epoch >= before.epoch;
            let what = || {
                let PositionSample { at_ms, epoch, next_offset, .. } = before;
                format!("back at {} from {next_offset}, epoch {epoch} (seen at {at_ms})", sample.at_ms)
            };
            judge.expect(forward, place, what);
        }
        within(ends.get(&(sample.topic.as_str(), sample.partition)), sample.next_offset, 0, place, &mut judge);
    }
    for end in &history.ends.groups {
        let place = || place(&end.topic, end.partition, end.offset.unwrap_or(-1), Some(&end.group));
        let Some(offset) = end.offset else {
            judge.found(place(), "the group has no offset");
            continue;
        };
        let sample = last.get(&(Some(end.group.as_str()), end.topic.as_str(), end.partition));
        let forward = sample.is_none_or(|sample| sample.next_offset <= offset);
        judge.expect(forward, place, || format!("back from {:?}", sample.map(|sample| sample.next_offset)));
        let low = ends.get(&(end.topic.as_str(), end.partition)).map_or(0, |(low, _)| *low);
        within(ends.get(&(end.topic.as_str(), end.partition)), offset, low, place, &mut judge);
    }
    judge.verdict()
}

/// From when to when the database was down after a crash.
fn crashes(history: &History) -> Vec<(i64, i64)> {
    let crash = |act: &&Act| act.act == "database-stop" && act.more.get("signal").is_some_and(|how| how != "INT");
    let up = |from: i64| {
        let mut starts = history.acts.iter().filter(|act| act.act == "database-start" && act.at_ms >= from);
        starts.next().map_or(i64::MAX, |act| act.at_ms)
    };
    history.acts.iter().filter(crash).map(|act| (act.at_ms, up(act.at_ms))).collect()
}

fn within(end: Option<&(i64, i64)>, offset: i64, low: i64, place: impl Fn() -> Place, judge: &mut Judge) {
    match end {
        None => judge.found(place(), "the log has no such partition"),
        Some((_, high)) => {
            let what = || format!("the log has {low} to {high}");
            judge.expect((low..=*high).contains(&offset), place, what);
        }
    }
}

fn place(topic: &str, partition: i32, offset: i64, group: Option<&str>) -> Place {
    let subject = group.map_or_else(|| "the read model".to_owned(), |group| format!("group {group}"));
    match Topic::parse("", topic) {
        Some(topic) => Place::at(topic, partition, offset).about(subject),
        None => Place::of(format!("{subject}, {topic}/{partition}@{offset}")),
    }
}
