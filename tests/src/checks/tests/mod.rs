//! Each check against a good history and against every way in which one can be bad.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bad;
mod bad_state;
mod made;
mod parts;

use made::Made;
use pursight_schemas::Topic;

use super::{Verdict, judge};
use crate::history::{Folder, History, Lines, Recorded};

/// Names of the checks that a history violates, each once.
fn violated(history: &History) -> Vec<&'static str> {
    let verdicts = judge(history);
    verdicts.iter().filter(|verdict| !verdict.violations.is_empty()).map(|verdict| verdict.check).collect()
}

fn verdict(history: &History, check: &str) -> Verdict {
    judge(history).into_iter().find(|verdict| verdict.check == check).unwrap_or_else(|| panic!("no check {check}"))
}

/// A good history, spoilt.
fn spoilt(spoil: impl FnOnce(&mut History)) -> History {
    let mut history = Made::good().history();
    spoil(&mut history);
    history.sort();
    history
}

/// Changes committed and raw records of a topic alike.
fn both(history: &mut History, topic: Topic, change: impl Fn(&mut Vec<Recorded>)) {
    change(history.records.get_mut(&topic).unwrap());
    change(history.uncommitted.get_mut(&topic).unwrap());
}

/// The check finds exactly this, at a place that holds these words.
fn finds(history: &History, check: &str, what: &str, place: &str) {
    let found = verdict(history, check).violations;
    let fits = found.iter().any(|one| one.what.contains(what) && one.place.to_string().contains(place));
    assert!(fits, "{check} does not say {what:?} at {place:?}, but: {found:#?}");
}

#[test]
fn a_good_history_violates_nothing_and_every_check_looks_at_something() {
    let history = Made::good().history();
    for verdict in judge(&history) {
        assert_eq!(verdict.violations, [], "{}", verdict.check);
        assert!(verdict.judged > 0, "{} looked at nothing", verdict.check);
    }
}

#[test]
fn a_history_reads_as_it_was_written() {
    let mut history = Made::good().history();
    history.sort();
    let place = tempfile::tempdir().unwrap();
    let folder = Folder::create(place.path()).unwrap();
    folder.write("plan", &history.plan).unwrap();
    folder.write("ends", &history.ends).unwrap();
    folder.append(Lines::Operations, &history.operations).unwrap();
    folder.append(Lines::Acts, &history.acts).unwrap();
    folder.append(Lines::Positions, &history.positions).unwrap();
    folder.append(Lines::Live, &history.live).unwrap();
    folder.append(Lines::Rebuilt, &history.rebuilt).unwrap();
    for topic in Topic::ALL {
        folder.append(Lines::Records(topic), history.committed(topic)).unwrap();
        folder.append(Lines::Uncommitted(topic), &history.uncommitted[&topic]).unwrap();
    }
    let read = History::load(place.path()).unwrap();
    assert_eq!(read.plan, history.plan);
    assert_eq!(read.operations, history.operations);
    assert_eq!(read.acts, history.acts);
    assert_eq!(read.positions, history.positions);
    assert_eq!((read.live, read.rebuilt), (history.live, history.rebuilt));
    for topic in Topic::ALL {
        assert_eq!(read.records[&topic], history.records.get(&topic).cloned().unwrap_or_default(), "{topic:?}");
    }
}
