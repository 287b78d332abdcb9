//! Waits for the end of all work: every command decided, every run ended, every event folded.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::Result;
use pursight_schemas::Topic;
use pursight_schemas::topics::READERS;

use super::log::Log;
use crate::database::Sql;
use crate::positions::positions;

const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Waits until nothing is left to do, for as long as `patience`. Returns what was still open when that was over: nothing, if
/// all went well. One look may take as long as a transaction that nobody ends.
pub fn drain(log: &Log<'_>, url: &str, patience: Duration) -> Vec<String> {
    let until = Instant::now() + patience;
    let mut last = BTreeMap::new();
    let mut open = vec!["everything".to_owned()];
    loop {
        // What is found done while something else was still being written counts only if it is done a second time.
        let before = open.is_empty();
        open = left(log, url, &mut last).unwrap_or_else(|error| vec![format!("{error:#}")]);
        if (before && open.is_empty()) || Instant::now() > until {
            return open;
        }
        std::thread::sleep(LOOK_EVERY);
    }
}

/// What is not done yet.
fn left(log: &Log<'_>, url: &str, last: &mut BTreeMap<(Topic, i32), i64>) -> Result<Vec<String>> {
    let mut open = Vec::new();
    // Offsets first: what comes later makes more work, not less.
    let mut committed = Vec::new();
    for reader in READERS.iter().filter(|reader| reader.worker != "projection") {
        let of_group = log.committed(&reader.group(log.prefix), reader.topics)?;
        committed
            .extend(of_group.into_iter().map(|(topic, partition, offset)| (reader.worker, topic, partition, offset)));
    }
    let folded = positions(&Sql::open(url)?)?;
    log.move_on(last)?;
    for (worker, topic, partition, offset) in committed {
        let end = last.get(&(topic, partition)).copied().unwrap_or_default();
        if offset.unwrap_or_default() < end {
            open.push(format!("{worker}: {} {partition} at {offset:?} of {end}", topic.short()));
        }
    }
    for ((topic, partition), end) in last.iter().filter(|((topic, _), _)| Topic::PROJECTED.contains(topic)) {
        let next = folded.get(&(topic.short().to_owned(), *partition)).map_or(0, |position| position.1);
        if next < *end {
            open.push(format!("projection: {} {partition} at {next} of {end}", topic.short()));
        }
    }
    Ok(open)
}
