//! C9, fold: the read model equals a rebuild, row hash for row hash, and has a row for everything that the log tells of.
//! `dead_letter` is not kept for ever and lies outside.

use std::collections::{BTreeMap, BTreeSet};

use pursight_schemas::{Event, Topic};

use super::view::events;
use super::{Judge, Place, Verdict};
use crate::history::{History, RowHash};

/// Not part of the comparison: its records expire.
const OUTSIDE: &str = "dead_letter";

pub(super) fn check(history: &History) -> Verdict {
    let promise = "the read model equals a rebuild, row hash for row hash, and counts what the log tells of";
    let mut judge = Judge::new("C9 fold", promise);
    let (live, rebuilt) = (rows(&history.live, &mut judge), rows(&history.rebuilt, &mut judge));
    let what = || "there is no rebuilt read model".to_owned();
    judge.expect(!rebuilt.is_empty() || live.is_empty(), || Place::of("rebuilt"), what);
    for (key, hash) in &live {
        let what = match rebuilt.get(key) {
            Some(other) if other == hash => None,
            Some(_) => Some("the rebuilt row is another one"),
            None => Some("a rebuild does not have this row"),
        };
        judge.expect(what.is_none(), || row(key), || what.unwrap_or_default().to_owned());
    }
    for key in rebuilt.keys().filter(|key| !live.contains_key(*key)) {
        judge.found(row(key), "only a rebuild has this row");
    }
    counts(history, &live, &mut judge);
    judge.verdict()
}

type Key<'h> = (&'h str, &'h str);

fn row((table, id): &Key<'_>) -> Place {
    Place::of(format!("{table} {id}"))
}

fn rows<'h>(all: &'h [RowHash], judge: &mut Judge) -> BTreeMap<Key<'h>, &'h str> {
    let mut rows = BTreeMap::new();
    for one in all.iter().filter(|row| row.table != OUTSIDE) {
        let key = (one.table.as_str(), one.id.as_str());
        let new = rows.insert(key, one.hash.as_str()).is_none();
        judge.expect(new, || row(&key), || "two rows have this key".to_owned());
    }
    rows
}

/// As many rows as the log tells of, where one thing is one row.
fn counts(history: &History, live: &BTreeMap<Key<'_>, &str>, judge: &mut Judge) {
    let sources: BTreeSet<_> = events(history, Topic::Source)
        .iter()
        .filter_map(|one| Some((one.meta().tenant_id.clone(), one.meta().source_id?)))
        .collect();
    let commands: BTreeSet<_> = events(history, Topic::Outcome)
        .iter()
        .filter(|one| !matches!(one.event, Event::OwnershipTaken(_)))
        .filter_map(|one| one.command())
        .collect();
    let audited = events(history, Topic::Audit).len();
    for (table, told) in [("data_source", sources.len()), ("command", commands.len()), ("audit", audited)] {
        let found = live.keys().filter(|(name, _)| *name == table).count();
        let what = || format!("{found} rows, and the log tells of {told}");
        judge.expect(found == told, || Place::of(table), what);
    }
    let letters = history.live.iter().filter(|row| row.table == "dead_letter").count();
    let told = history.committed(Topic::DeadLetter).len();
    let what = || format!("{letters} rows, and the log has {told}");
    judge.expect(letters == told, || Place::of("dead_letter"), what);
}
