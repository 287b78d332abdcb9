//! What a dry run answers: what was listed, and what a run would do about it, without reading any details.
//! Owns the lines; must not know how they are shown.

use std::collections::BTreeMap;

use super::{Sight, Survey};
use crate::deletion::Verdict;
use crate::diff::path::qualified;
use crate::identity::Standing;

/// Lines that name objects, at most.
const MAX_NAMED: usize = 200;

/// Counts by kind, then what would be new, renamed, recreated, dropped or held.
pub fn preview(survey: &Survey, verdict: &Verdict, sight: &Sight) -> Vec<String> {
    let (base, matching) = (&survey.base, &survey.matching);
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    let mut named = Vec::new();
    for entry in &matching.entries {
        let listed = &entry.listed;
        *kinds.entry(listed.kind.symbol()).or_default() += 1;
        let known = entry.known.map(|at| &base.objects[at]);
        let before = known.map(|known| qualified(&known.schema, &known.name)).unwrap_or_default();
        let (kind, now) = (listed.kind.symbol(), qualified(&listed.schema, &listed.name));
        match entry.standing {
            Standing::Same => {}
            Standing::Renamed => named.push(format!("rename {kind} {before} to {now}")),
            Standing::Recreated => named.push(format!("recreate {kind} {now}")),
            Standing::New | Standing::Returned => named.push(format!("add {kind} {now}")),
        }
    }
    let gone = |word: &str, at: usize| {
        let object = &base.objects[at];
        format!("{word} {} {}", object.kind.symbol(), qualified(&object.schema, &object.name))
    };
    named.extend(verdict.dropped.iter().map(|drop| gone("drop", drop.known)));
    named.extend(verdict.held.iter().map(|at| gone("hold deletion of", *at)));
    let mut lines: Vec<String> = kinds.iter().map(|(kind, count)| format!("list {count} {kind}")).collect();
    let last = base.last_complete.as_ref().and_then(|last| last.fingerprint.as_deref());
    if last == Some(sight.fingerprint.as_str()) {
        lines.push("nothing was defined since the last complete run".into());
    }
    let more = named.len().saturating_sub(MAX_NAMED);
    lines.extend(named.into_iter().take(MAX_NAMED));
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}
