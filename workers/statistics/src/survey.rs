//! Measures a source: its databases one after another, each on a session of its own that is opened again when it breaks.
//! Owns the order and the budget of measurements; must not know what the figures mean.

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;
use pursight_connectors::postgres::statistics::{DatabaseFigures, ObjectFigures};
use pursight_engine::Failure;
use pursight_schemas::{Connections, ObjectKind, Problem, ScopeFilter, WorkItem};

use crate::measure::{Gauge, Meter};
use crate::{Broken, decide};

/// How often the catalog query is timed.
pub const SAMPLES: usize = 20;
/// Longest count of one table, and of all tables of a run.
const COUNT_OF_TABLE: Duration = Duration::from_secs(2);
const COUNT_OF_RUN: Duration = Duration::from_secs(15 * 60);
/// Kept for the end of a run.
const RESERVE: Duration = Duration::from_secs(5);
/// Exact sizes asked for at once.
const SIZES: usize = 100;
/// How often a database is tried.
const TRIES: u32 = 3;

/// Hears how far the counting is.
#[async_trait]
pub trait Listener: Send {
    /// So many tables of so many are counted.
    ///
    /// # Errors
    /// A failure of our own, which ends the run.
    async fn counted(&mut self, done: usize, total: usize) -> Result<(), Failure>;
}

/// One object as it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Measured {
    /// Its figures, estimated or exact.
    pub figures: ObjectFigures,
    /// The size is the server's own.
    pub size_is_exact: bool,
    /// The rows were counted.
    pub rows_are_exact: bool,
}

/// One database as it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Site {
    /// Size and counters.
    pub database: DatabaseFigures,
    /// Everything in scope.
    pub objects: Vec<Measured>,
    /// False when there is more than the cap.
    pub complete: bool,
}

/// A source as it was measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Survey {
    /// Its databases.
    pub sites: Vec<Site>,
    /// Times of the catalog query, on the first of them.
    pub times: Vec<Duration>,
    /// Sessions of the server.
    pub connections: Option<Connections>,
}

/// Measures everything that `work` asks for, within `left`.
pub async fn survey(
    meter: &dyn Meter,
    work: &WorkItem,
    left: Duration,
    listener: &mut dyn Listener,
) -> Result<Survey, Broken> {
    let until = Instant::now() + left;
    let counting_until = (Instant::now() + COUNT_OF_RUN).min(until.checked_sub(RESERVE).unwrap_or(until));
    let mut survey = Survey::default();
    for database in databases(meter, work, until).await? {
        let mut attempt = Attempts::new(until);
        let gauge = loop {
            match estimate(meter, work, database.as_deref(), until, &mut survey).await {
                Ok(gauge) => break gauge,
                Err(problem) => attempt.again(problem).await?,
            }
        };
        if let (true, false, Some(site)) = (work.exact, work.dry_run, survey.sites.last_mut()) {
            count(&*gauge, site, counting_until, listener).await?;
        }
    }
    Ok(survey)
}

/// The databases to look at; `None` is the one that the source names.
async fn databases(meter: &dyn Meter, work: &WorkItem, until: Instant) -> Result<Vec<Option<String>>, Problem> {
    let asked = work.spec.options.get("databases").map(|list| list.trim()).filter(|list| !list.is_empty());
    let names: BTreeSet<String> = match asked {
        None => return Ok(vec![None]),
        Some("*") => {
            let mut attempt = Attempts::new(until);
            loop {
                let left = until.saturating_duration_since(Instant::now());
                let answer = match meter.open(work, None, left).await {
                    Ok(gauge) => gauge.databases().await,
                    Err(problem) => Err(problem),
                };
                match answer {
                    Ok(names) => break names.into_iter().collect(),
                    Err(problem) => attempt.again(problem).await?,
                }
            }
        }
        Some(list) => list.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect(),
    };
    if names.is_empty() { Err(decide::no_databases()) } else { Ok(names.into_iter().map(Some).collect()) }
}

/// What the catalog knows. Adds to the survey only when all of it is there.
async fn estimate(
    meter: &dyn Meter,
    work: &WorkItem,
    database: Option<&str>,
    until: Instant,
    survey: &mut Survey,
) -> Result<Box<dyn Gauge>, Problem> {
    let gauge = meter.open(work, database, until.saturating_duration_since(Instant::now())).await?;
    if survey.connections.is_none() {
        // Before our own sessions and statements are many.
        survey.connections = Some(gauge.connections().await?);
        survey.times = gauge.query_times(SAMPLES).await?;
    }
    let database = gauge.database().await?;
    let (objects, complete) = gauge.objects(scope_of(work)).await?;
    let objects = objects.into_iter().map(|figures| Measured { figures, ..Measured::default() }).collect();
    survey.sites.push(Site { database, objects, complete });
    Ok(gauge)
}

/// The run's filter: its own, else the source's.
pub fn scope_of(work: &WorkItem) -> &ScopeFilter {
    work.scope.as_ref().unwrap_or(&work.spec.scope)
}

/// Replaces estimates by exact figures, as far as rights, locks and time allow. What cannot be had stays an estimate.
async fn count(gauge: &dyn Gauge, site: &mut Site, until: Instant, listener: &mut dyn Listener) -> Result<(), Broken> {
    let stored = |object: &Measured| matches!(object.figures.kind, ObjectKind::Table | ObjectKind::MaterializedView);
    let oids: Vec<u32> = site.objects.iter().filter(|object| stored(object)).map(|object| object.figures.oid).collect();
    let sizes = sizes(gauge, &oids).await?;
    for object in &mut site.objects {
        if let Some(size) = sizes.get(&object.figures.oid) {
            object.figures.size_bytes = Some(*size);
            object.size_is_exact = true;
        }
    }
    gauge.limit_statements(COUNT_OF_TABLE).await?;
    let mut done = 0;
    for object in site.objects.iter_mut().filter(|object| stored(object)) {
        if Instant::now() >= until {
            break;
        }
        match gauge.exact_rows(object.figures.oid).await {
            Ok(Some(rows)) => {
                object.figures.rows = Some(rows);
                object.rows_are_exact = true;
            }
            Ok(None) => {}
            Err(problem) if is_answer(&problem) => tracing::debug!(code = problem.code, "a table was not counted"),
            Err(problem) => return Err(problem.into()),
        }
        done += 1;
        listener.counted(done, oids.len()).await?;
    }
    Ok(())
}

/// Exact sizes; a batch that a lock stops is halved until the locked table stands alone.
async fn sizes(gauge: &dyn Gauge, oids: &[u32]) -> Result<HashMap<u32, i64>, Problem> {
    let mut sizes = HashMap::with_capacity(oids.len());
    let mut batches: Vec<&[u32]> = oids.chunks(SIZES).collect();
    while let Some(batch) = batches.pop() {
        match gauge.exact_sizes(batch).await {
            Ok(found) => sizes.extend(found),
            Err(problem) if !is_answer(&problem) => return Err(problem),
            Err(_) if batch.len() == 1 => {}
            Err(_) => {
                let (one, other) = batch.split_at(batch.len() / 2);
                batches.extend([one, other]);
            }
        }
    }
    Ok(sizes)
}

/// Whether the server refused one statement, and the session goes on. Five characters are a SQLSTATE; of those, classes
/// 08 and 57P end the session.
fn is_answer(problem: &Problem) -> bool {
    let state = problem.native_code.as_deref().unwrap_or_default();
    let sqlstate = state.len() == 5 && state.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    sqlstate && !state.starts_with("08") && !state.starts_with("57P")
}

/// Tries again what may pass, a few times and not beyond the deadline.
struct Attempts {
    failures: u32,
    pauses: ExponentialBackoff,
    until: Instant,
}

impl Attempts {
    fn new(until: Instant) -> Self {
        let pauses = ExponentialBackoff {
            initial_interval: Duration::from_millis(200),
            current_interval: Duration::from_millis(200),
            max_interval: Duration::from_secs(20),
            multiplier: 3.0,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self { failures: 0, pauses, until }
    }

    async fn again(&mut self, problem: Problem) -> Result<(), Problem> {
        self.failures += 1;
        let pause = self.pauses.next_backoff().unwrap_or_default();
        let hopeless = !problem.retryable || problem.code == "DEADLINE_EXCEEDED" || self.failures >= TRIES;
        if hopeless || Instant::now() + pause >= self.until {
            return Err(problem);
        }
        tracing::debug!(code = problem.code, native = problem.native_code, "a measurement failed and is tried again");
        tokio::time::sleep(pause).await;
        Ok(())
    }
}

#[cfg(test)]
#[path = "survey_tests.rs"]
mod tests;
