//! C0, sound: the history itself can be believed. What is wrong here is a fault of the harness or of the language, and
//! no other verdict counts.

use std::collections::BTreeSet;

use pursight_schemas::{Command, Event, Topic};
use sha2::{Digest as _, Sha256};

use super::view::event_topics;
use super::{Judge, Place, Verdict};
use crate::history::{History, Operation, Recorded, Shape};

pub(super) fn check(history: &History) -> Verdict {
    let mut judge =
        Judge::new("C0 sound", "every record was sent by a publisher or can be read, and is what it claims");
    let mut numbers = BTreeSet::new();
    for operation in &history.operations {
        let place = || Place::of(format!("operation {}", operation.n));
        judge.expect(numbers.insert(operation.n), place, || "two operations have this number".to_owned());
    }
    for record in history.committed(Topic::Command) {
        let place = || Place::record(Topic::Command, record);
        let known = record.operation().and_then(|n| history.operations.iter().find(|one| one.n == n));
        judge.expect(known.is_some(), place, || "no publisher sent this record".to_owned());
        if let Some(operation) = known {
            judge.expect(is_of(record, operation), place, || format!("it is not what operation {} sent", operation.n));
        }
    }
    for topic in event_topics() {
        for record in history.committed(topic) {
            let event = Event::decode(&record.value);
            let place = || Place::record(topic, record);
            judge.expect(event.is_ok(), place, || "it cannot be read".to_owned());
            let carried = event.is_ok_and(|event| topic.carries(event.full_name()));
            judge.expect(carried, place, || "its kind does not belong on this topic".to_owned());
        }
    }
    offsets(history, &mut judge);
    judge.verdict()
}

/// Each offset once, and what a read_committed reader sees is what lies there.
fn offsets(history: &History, judge: &mut Judge) {
    for topic in Topic::ALL {
        let raw = history.uncommitted.get(&topic).map_or(&[][..], Vec::as_slice);
        for records in [history.committed(topic), raw] {
            for pair in records.windows(2) {
                let [before, after] = pair else { continue };
                let same = (before.partition, before.offset) == (after.partition, after.offset);
                judge.expect(!same, || Place::record(topic, after), || "two records lie at this offset".to_owned());
            }
        }
        for record in history.committed(topic) {
            let at = raw.binary_search_by_key(&(record.partition, record.offset), |one| (one.partition, one.offset));
            let same = at.is_ok_and(|at| raw[at].value == record.value && raw[at].key == record.key);
            let what = || "a read_uncommitted reader does not see this record".to_owned();
            judge.expect(same, || Place::record(topic, record), what);
        }
    }
}

/// Whether a record is what its operation says, and of the shape that it says.
fn is_of(record: &Recorded, operation: &Operation) -> bool {
    let sha256 = sha256(&record.value);
    let same =
        sha256 == operation.value_sha256 && record.key == operation.key && record.partition == operation.partition;
    let attested = record.header("pursight-attestation").is_some();
    let command = Command::decode(&record.value).ok();
    let id = command.as_ref().map(|command| command.meta().command_id);
    let shaped = match operation.shape {
        Shape::Command => attested && id.is_some() && operation.payload_sha256.as_ref() == Some(&sha256),
        Shape::Garbage => command.is_none(),
        Shape::Unsigned => !attested,
        Shape::Altered => attested && operation.payload_sha256.as_ref().is_some_and(|attested| *attested != sha256),
        Shape::Forged | Shape::OtherCommand | Shape::Untimely | Shape::OtherTenant | Shape::Misrouted => attested,
    };
    same && shaped && (operation.shape == Shape::Garbage || id == operation.command_id)
}

/// Lower-case hex of the SHA-256 of bytes.
pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
