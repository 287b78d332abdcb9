//! What the figures mean: ratios, sums, percentiles, and how far each can be trusted. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use pursight_engine::runs::deadline_problem;
use pursight_engine::{Ending, Outcome, Stop};
use pursight_schemas::{
    Event, ObjectKind, ObjectStatistics, ObjectStatisticsObserved, Problem, ProblemCategory, QueryTime,
    StatisticsCollected, StatisticsFailed, WorkItem, ids,
};
use uuid::Uuid;

use crate::history::Past;
use crate::survey::{Measured, Site, Survey};

/// Objects of one event.
const OBJECTS_OF_EVENT: usize = 1_000;
/// A ratio over fewer block accesses says nothing.
const LEAST_ACCESSES: i64 = 1_000;

const EXACT: &str = "exact";
const ESTIMATE: &str = "estimate";
const UNAVAILABLE: &str = "unavailable";

/// A figure and how far it can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Figure {
    value: Option<i64>,
    quality: &'static str,
}

impl Figure {
    fn new(value: Option<i64>, exact: bool) -> Self {
        let quality = if value.is_none() {
            UNAVAILABLE
        } else if exact {
            EXACT
        } else {
            ESTIMATE
        };
        Self { value, quality }
    }
}

/// The figures of objects. Views hold none of their own and are left out.
pub fn objects(work: &WorkItem, source: Uuid, survey: &Survey, past: &Past) -> Vec<Event> {
    let mut all = Vec::new();
    for site in &survey.sites {
        let stored = site.objects.iter().filter(|object| object.figures.kind != ObjectKind::View);
        all.extend(stored.map(|object| statistics_of(source, site, object, past)));
    }
    let event = |objects: &[ObjectStatistics]| {
        let (run_id, objects) = (work.run_id, objects.to_vec());
        ObjectStatisticsObserved { run_id, objects, ..ObjectStatisticsObserved::default() }.into()
    };
    all.chunks(OBJECTS_OF_EVENT).map(event).collect()
}

fn statistics_of(source: Uuid, site: &Site, object: &Measured, past: &Past) -> ObjectStatistics {
    let figures = &object.figures;
    let key = (figures.kind, site.database.name.clone(), figures.oid.to_string());
    // What discovery has not seen yet gets the id that it will get there.
    let object_id = past.ids.get(&key).copied().unwrap_or_else(|| {
        ids::object_id(source, figures.kind, &site.database.name, &figures.schema, &figures.name, None)
    });
    let (size_bytes, rows) = (figures.size_bytes, figures.rows);
    let quality = match (size_bytes, rows) {
        (None, None) => UNAVAILABLE,
        _ if object.size_is_exact && object.rows_are_exact => EXACT,
        _ => ESTIMATE,
    };
    ObjectStatistics { object_id, size_bytes, rows, quality: quality.to_owned() }
}

/// The terminal event and the outcome.
pub fn conclude(work: &WorkItem, survey: &Survey, past: &Past) -> Ending {
    let counters = counters(survey);
    let size = size(survey);
    let count = Figure::new(Some(object_count(survey)), survey.sites.iter().all(|site| site.complete));
    let rows = rows(survey);
    let ratio = Figure::new(cache_hit_ratio(&past.counters, &counters), true);
    let query_time = query_time(&survey.times);
    let measured = |there: bool| if there { EXACT } else { UNAVAILABLE };
    let quality = [
        ("size_bytes", size.quality),
        ("object_count", count.quality),
        ("row_estimate", rows.quality),
        ("cache_hit_ratio_ppm", ratio.quality),
        ("query_time_us", measured(query_time.is_some())),
        ("connections", measured(survey.connections.is_some())),
    ];
    let event = StatisticsCollected {
        run_id: work.run_id,
        size_bytes: size.value,
        object_count: object_count(survey),
        row_estimate: rows.value,
        cache_hit_ratio_ppm: ratio.value,
        query_time_us: query_time.clone(),
        connections: survey.connections.clone(),
        quality: quality.map(|(name, quality)| (name.to_owned(), quality.to_owned())).into(),
        counters,
        ..StatisticsCollected::default()
    };
    let told = [
        ("size_bytes", size.value),
        ("object_count", count.value),
        ("row_estimate", rows.value),
        ("cache_hit_ratio_ppm", ratio.value),
        ("query_time_p50_us", query_time.as_ref().map(|time| time.p50)),
        ("query_time_p95_us", query_time.as_ref().map(|time| time.p95)),
    ];
    let result = told.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_string()))).collect();
    Ending { events: vec![event.into()], outcome: Outcome::Succeeded { result, preview: Vec::new() } }
}

/// What a dry run answers: it has looked, and says nothing on the results topic.
pub fn preview(survey: &Survey) -> Ending {
    let line = |site: &Site| format!("would measure {} objects of database {}", site.objects.len(), site.database.name);
    let preview = survey.sites.iter().map(line).collect();
    Ending { events: Vec::new(), outcome: Outcome::Succeeded { result: BTreeMap::new(), preview } }
}

/// The end of a run that the customer's server refused.
pub fn failed(work: &WorkItem, problem: Problem) -> Ending {
    let events = if work.dry_run { Vec::new() } else { vec![failure(work, problem.clone())] };
    Ending { events, outcome: Outcome::Failed(problem) }
}

/// The terminal event of a run that was stopped.
pub fn stopped(work: &WorkItem, stop: &Stop) -> Vec<Event> {
    match stop {
        _ if work.dry_run => Vec::new(),
        Stop::Deadline => vec![failure(work, deadline_problem())],
        Stop::Cancelled { .. } => {
            let remedy = "ask for statistics again if they are wanted";
            vec![failure(work, problem("CANCELLED", ProblemCategory::Permanent, "the run was cancelled", remedy))]
        }
    }
}

fn failure(work: &WorkItem, problem: Problem) -> Event {
    StatisticsFailed { run_id: work.run_id, problem, ..StatisticsFailed::default() }.into()
}

/// A work item that names no source.
pub fn no_source() -> Problem {
    let remedy = "ask for the statistics again";
    problem("INTERNAL", ProblemCategory::Internal, "the work item names no source", remedy)
}

/// No database to look at.
pub fn no_databases() -> Problem {
    let message = "the source's option `databases` names none that the role may open";
    let remedy = "name databases that exist, or grant the role CONNECT on one";
    problem("DATABASE_NOT_FOUND", ProblemCategory::Config, message, remedy)
}

fn problem(code: &str, category: ProblemCategory, message: &str, remedy: &str) -> Problem {
    let (code, message, remedy) = (code.to_owned(), message.to_owned(), Some(remedy.to_owned()));
    Problem { code, category, message, remedy, ..Problem::default() }
}

/// The databases as the server sizes them; where it does not, the sum of what is in scope.
fn size(survey: &Survey) -> Figure {
    let mut exact = true;
    let sizes = survey.sites.iter().map(|site| {
        site.database.size_bytes.or_else(|| {
            exact = false;
            sum(site.objects.iter().map(|object| object.figures.size_bytes))
        })
    });
    let total = sum(sizes);
    Figure::new(total, exact)
}

/// Sum over tables.
fn rows(survey: &Survey) -> Figure {
    let tables = || {
        let all = survey.sites.iter().flat_map(|site| &site.objects);
        all.filter(|object| object.figures.kind == ObjectKind::Table)
    };
    let total = if tables().next().is_none() { Some(0) } else { sum(tables().map(|table| table.figures.rows)) };
    Figure::new(total, tables().all(|table| table.rows_are_exact))
}

/// Sum of what is known; `None` if nothing is.
fn sum(values: impl Iterator<Item = Option<i64>>) -> Option<i64> {
    values.flatten().reduce(i64::saturating_add)
}

fn object_count(survey: &Survey) -> i64 {
    survey.sites.iter().map(|site| i64::try_from(site.objects.len()).unwrap_or(i64::MAX)).sum()
}

/// Raw counters, for the next run's differences. The sums of oids and resets tell whether they are of the same databases
/// and of the same start.
fn counters(survey: &Survey) -> BTreeMap<String, i64> {
    let total = |of: fn(&Site) -> i64| survey.sites.iter().map(of).fold(0, i64::wrapping_add);
    [
        ("blocks_hit", total(|site| site.database.blocks_hit)),
        ("blocks_read", total(|site| site.database.blocks_read)),
        ("databases", total(|site| site.database.oid)),
        ("reset_at_us", total(|site| site.database.reset_at)),
        ("started_at_us", total(|site| site.database.started_at)),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Share of block accesses since the sample before that the cache answered, in millionths.
fn cache_hit_ratio(before: &BTreeMap<String, i64>, now: &BTreeMap<String, i64>) -> Option<i64> {
    let same = |name: &str| before.get(name) == now.get(name);
    let moved = |name: &str| Some(now.get(name)?.checked_sub(*before.get(name)?)?).filter(|by| *by >= 0);
    let (hit, read) = (moved("blocks_hit")?, moved("blocks_read")?);
    let all = hit.checked_add(read).filter(|all| *all >= LEAST_ACCESSES)?;
    let comparable = ["databases", "reset_at_us", "started_at_us"].into_iter().all(same);
    comparable.then(|| i64::try_from(i128::from(hit) * 1_000_000 / i128::from(all)).unwrap_or(i64::MAX))
}

/// Percentiles by nearest rank.
fn query_time(times: &[Duration]) -> Option<QueryTime> {
    let mut micros: Vec<i64> = times.iter().map(|time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX)).collect();
    micros.sort_unstable();
    let rank = |percent: usize| micros.get((micros.len() * percent).div_ceil(100).saturating_sub(1)).copied();
    Some(QueryTime { p50: rank(50)?, p95: rank(95)?, samples: i32::try_from(micros.len()).unwrap_or(i32::MAX) })
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
