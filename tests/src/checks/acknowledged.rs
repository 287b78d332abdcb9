//! C1, acknowledged: what a publisher was told about its record is true.

use std::collections::BTreeMap;

use pursight_schemas::Topic;

use super::{Judge, Place, Verdict};
use crate::history::{History, Sent};

pub(super) fn check(history: &History) -> Verdict {
    let promise = "each acknowledged record lies at its offset; each refused one is absent";
    let mut judge = Judge::new("C1 acknowledged", promise);
    let mut places: BTreeMap<u64, Vec<(i32, i64)>> = BTreeMap::new();
    for record in history.committed(Topic::Command) {
        if let Some(n) = record.operation() {
            places.entry(n).or_default().push((record.partition, record.offset));
        }
    }
    for operation in &history.operations {
        let found = places.get(&operation.n).map_or(&[][..], Vec::as_slice);
        let place = || {
            Place::at(Topic::Command, operation.partition, operation.offset.unwrap_or(-1))
                .command(operation.command_id)
                .about(format!("operation {}", operation.n))
        };
        match (operation.result, operation.offset) {
            (Sent::Ok, Some(offset)) => {
                let there = found.contains(&(operation.partition, offset));
                judge.expect(there, place, || format!("it was acknowledged and is not there, but at {found:?}"));
            }
            // The broker knew the record already and did not say where it lies.
            (Sent::Ok, None) => {
                judge.expect(!found.is_empty(), place, || "it was acknowledged and is nowhere".to_owned());
            }
            (Sent::Fail, _) => {
                judge.expect(found.is_empty(), place, || format!("it was refused and lies at {found:?}"));
            }
            (Sent::Unknown, _) => {}
        }
    }
    judge.verdict()
}
