//! The end of a run: drops and holds, hashes and counts, and what the command is answered.
//! Pure; deletions come last and only by the verdict of `crate::deletion`.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use pursight_schemas::{
    ChangeKind, DeletionHeld, Event, ObjectDropped, ObjectKind, SchemaChanged, SchemaObjectObserved,
    SchemaSnapshotCompleted, ScopeFilter, WorkItem,
};
use uuid::Uuid;

use super::counts::Counts;
use super::{Sight, Survey};
use crate::base::{Base, Known, State};
use crate::deletion::{Drop, Question, Verdict, in_scope, judge};
use crate::diff::change;
use crate::diff::path::qualified;
use crate::hash::root_hash;

/// Objects named in one `DeletionHeld`.
const HELD_PER_EVENT: usize = 1_000;

/// What a run knows of itself at its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Whole {
    /// The filter.
    pub scope: ScopeFilter,
    /// Under which eyes it looked.
    pub sight: Sight,
    /// Every page was read and nothing of the listing was cut off.
    pub complete: bool,
    /// Database and name of every schema that exists.
    pub schemas: BTreeSet<(String, String)>,
    /// The run whose hold is confirmed.
    pub confirms: Option<Uuid>,
    /// Statements sent.
    pub queries: i64,
    /// Rows received.
    pub rows_read: i64,
    /// Microseconds.
    pub duration_us: i64,
}

impl Whole {
    /// Notes what the run cost: statements, rows, time.
    pub fn cost(&mut self, (queries, rows_read): (i64, i64), time: Duration) {
        (self.queries, self.rows_read) = (queries, rows_read);
        self.duration_us = i64::try_from(time.as_micros()).unwrap_or(i64::MAX);
    }
}

/// The last events of a run and its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conclusion {
    /// Drops and holds, then the terminal event.
    pub events: Vec<Event>,
    /// Results by name.
    pub result: BTreeMap<String, String>,
}

/// Judges what is missing.
pub fn verdict(survey: &Survey, whole: &Whole) -> Verdict {
    judge(&question(survey, whole))
}

fn question<'a>(survey: &'a Survey, whole: &'a Whole) -> Question<'a> {
    Question {
        base: &survey.base,
        missing: &survey.matching.missing,
        complete: whole.complete,
        scope: &whole.scope,
        scope_hash: &whole.sight.scope_hash,
        visibility_hash: &whole.sight.visibility_hash,
        catalogs: &survey.matching.catalogs,
        schemas: &whole.schemas,
        confirms: whole.confirms,
    }
}

/// Ends a run. `views` are the last contents of dropped views: what they needed may have taken them along.
pub fn conclude(mut survey: Survey, whole: &Whole, verdict: Verdict, views: &[SchemaObjectObserved]) -> Conclusion {
    let root_hash = root(&survey, whole, &verdict);
    let mut events = dropped(&survey, &verdict.dropped, views);
    survey.counts.dropped = number(verdict.dropped.len());
    survey.counts.held = number(verdict.held.len());
    let before = survey.base.objects.iter().filter(|object| object.listed && object.state == State::Live).count();
    for part in verdict.held.chunks(HELD_PER_EVENT) {
        let objects = part.iter().map(|at| survey.base.objects[*at].object()).collect();
        let (listed_before, listed_now) = (number(before), survey.counts.listed);
        let run_id = survey.run_id;
        events.push(DeletionHeld { run_id, objects, listed_before, listed_now, ..DeletionHeld::default() }.into());
    }
    let mut counts = survey.counts.by_name();
    for (name, changed) in
        [("scope_changed", verdict.scope_changed), ("visibility_changed", verdict.visibility_changed)]
    {
        if changed {
            counts.insert(name.into(), 1);
        }
    }
    // the next run may end early only if this one left nothing open
    let settled = whole.complete && verdict.held.is_empty() && survey.counts.unreadable + survey.counts.vanished == 0;
    let end = SchemaSnapshotCompleted {
        run_id: survey.run_id,
        root_hash,
        scope_hash: whole.sight.scope_hash.clone(),
        visibility_hash: whole.sight.visibility_hash.clone(),
        fingerprint: settled.then(|| whole.sight.fingerprint.clone()),
        counts,
        complete: whole.complete,
        unreadable: survey.counts.unreadable,
        queries: whole.queries,
        rows_read: whole.rows_read,
        duration_us: whole.duration_us,
        ..SchemaSnapshotCompleted::default()
    };
    let result = result(&survey.counts, &end);
    events.push(end.into());
    Conclusion { events, result }
}

/// The end of a run that found nothing defined since the last complete one.
pub fn unchanged(work: &WorkItem, base: &Base, whole: &Whole) -> Conclusion {
    let mut counts = Counts::default();
    for object in base.objects.iter().filter(|object| object.state == State::Live) {
        counts.listed(object.kind);
        counts.unchanged += 1;
    }
    let end = SchemaSnapshotCompleted {
        run_id: work.run_id,
        root_hash: base.last_complete.as_ref().map(|last| last.root_hash.clone()).unwrap_or_default(),
        scope_hash: whole.sight.scope_hash.clone(),
        visibility_hash: whole.sight.visibility_hash.clone(),
        fingerprint: Some(whole.sight.fingerprint.clone()),
        counts: counts.by_name(),
        complete: true,
        queries: whole.queries,
        rows_read: whole.rows_read,
        duration_us: whole.duration_us,
        ..SchemaSnapshotCompleted::default()
    };
    let result = result(&counts, &end);
    Conclusion { events: vec![end.into()], result }
}

fn number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn result(counts: &Counts, end: &SchemaSnapshotCompleted) -> BTreeMap<String, String> {
    let numbers = [
        ("objects", counts.listed),
        ("observed", counts.observed),
        ("changed", counts.changed),
        ("added", counts.added),
        ("dropped", counts.dropped),
        ("held", counts.held),
        ("unreadable", counts.unreadable),
        ("duration_us", end.duration_us),
    ];
    let mut result: BTreeMap<String, String> =
        numbers.iter().map(|(name, number)| ((*name).to_owned(), number.to_string())).collect();
    result.insert("root_hash".into(), end.root_hash.clone());
    result
}

/// Over everything that counts after the run: what was read, what is listed and kept its content, and what is missing
/// but neither dropped nor out of scope.
fn root(survey: &Survey, whole: &Whole, verdict: &Verdict) -> String {
    let known = |at: usize| survey.known(at).filter(|known| known.state != State::Dropped);
    let listed = survey.matching.entries.iter().enumerate().filter_map(|(at, entry)| {
        let hash = survey.hashes[at].clone().or_else(|| known(at)?.content_hash.clone());
        Some((entry.object_id, hash?))
    });
    let dropped: HashSet<usize> = verdict.dropped.iter().map(|drop| drop.known).collect();
    let question = question(survey, whole);
    let kept = survey.matching.missing.iter().filter(|at| !dropped.contains(*at));
    let kept = kept.map(|at| &survey.base.objects[*at]).filter(|object| in_scope(&question, object));
    root_hash(listed.chain(kept.filter_map(|object| Some((object.object_id, object.content_hash.clone()?)))))
}

fn dropped(survey: &Survey, drops: &[Drop], views: &[SchemaObjectObserved]) -> Vec<Event> {
    let objects = &survey.base.objects;
    let gone: HashMap<Uuid, &Known> =
        drops.iter().map(|drop| (objects[drop.known].object_id, &objects[drop.known])).collect();
    let needs: HashMap<Uuid, &SchemaObjectObserved> = views.iter().map(|view| (view.object.object_id, view)).collect();
    let run_id = survey.run_id;
    let mut events = Vec::new();
    for drop in drops {
        let known = &objects[drop.known];
        let mut entailed_by = drop.entailed_by.clone();
        for needed in needs.get(&known.object_id).map_or(&[][..], |view| &view.depends_on) {
            let relation = |known: &&&Known| known.kind != ObjectKind::Routine;
            if let Some(needed) = gone.get(&needed.object_id).filter(relation) {
                let by = qualified(&needed.schema, &needed.name);
                if !entailed_by.contains(&by) {
                    entailed_by.push(by);
                }
            }
        }
        // a table's drop says that its triggers are gone
        if !drop.part_of_table {
            let name = qualified(&known.schema, &known.name);
            let changes = vec![change(ChangeKind::ObjectDropped, String::new(), Some(name), None)];
            let (object, from_hash) = (known.object(), known.content_hash.clone());
            events.push(SchemaChanged { run_id, object, from_hash, changes, ..SchemaChanged::default() }.into());
        }
        events.push(ObjectDropped { run_id, object: known.object(), entailed_by, ..ObjectDropped::default() }.into());
    }
    events
}
