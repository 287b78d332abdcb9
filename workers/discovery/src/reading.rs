//! Keeps at a customer's server: one session after another, each reading tried again a few times when what stopped it
//! may pass. Knows which databases a run looks at and what that cost; must not know what the readings mean.

use std::collections::{BTreeSet, HashSet};
use std::time::{Duration, Instant};

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;
use futures::future::BoxFuture;
use pursight_connectors::postgres::catalog::{Listing, scope_hash};
use pursight_schemas::hash::Canonical;
use pursight_schemas::{Problem, ScopeFilter, WorkItem};

use crate::decide::{Sight, scope_of};
use crate::inspect::{Inspector, Reader};
use crate::problems;

/// How often something is tried without any success in between.
const TRIES: u32 = 5;

type Ask<T> = for<'r> fn(&'r dyn Reader, &'r ScopeFilter) -> BoxFuture<'r, Result<T, Problem>>;

/// The customer's server during one run.
pub struct Reading<'a> {
    inspector: &'a dyn Inspector,
    work: WorkItem,
    scope: ScopeFilter,
    until: Instant,
    sites: Vec<Site>,
    failures: u32,
    pauses: ExponentialBackoff,
    cost: (i64, i64),
}

/// One database of a run. `None` stands for the one that the source names, until a session says what it is called.
struct Site {
    database: Option<String>,
    reader: Option<Box<dyn Reader>>,
}

impl<'a> Reading<'a> {
    /// Finds out which databases the run looks at.
    pub async fn begin(inspector: &'a dyn Inspector, work: &WorkItem, left: Duration) -> Result<Reading<'a>, Problem> {
        let pauses = ExponentialBackoff {
            initial_interval: Duration::from_millis(200),
            current_interval: Duration::from_millis(200),
            max_interval: Duration::from_secs(20),
            multiplier: 3.0,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        let mut reading = Self {
            inspector,
            work: work.clone(),
            scope: scope_of(work).clone(),
            until: Instant::now() + left,
            sites: vec![Site { database: None, reader: None }],
            failures: 0,
            pauses,
            cost: (0, 0),
        };
        let asked = work.spec.options.get("databases").map(|list| list.trim()).filter(|list| !list.is_empty());
        let names = match asked {
            None => return Ok(reading),
            Some("*") => reading.tried(0, |reader, _| reader.databases()).await?,
            Some(list) => list.split(',').map(|name| name.trim().to_owned()).filter(|n| !n.is_empty()).collect(),
        };
        let mut first = reading.sites.pop().and_then(|site| site.reader);
        let mut seen = HashSet::new();
        for name in names.into_iter().filter(|name| seen.insert(name.clone())) {
            let reader = first.take_if(|reader| reader.database() == name);
            reading.sites.push(Site { database: Some(name), reader });
        }
        if let Some(unused) = first {
            reading.retire(&*unused);
        }
        if reading.sites.is_empty() { Err(problems::no_databases()) } else { Ok(reading) }
    }

    /// How many databases there are.
    pub fn sites(&self) -> usize {
        self.sites.len()
    }

    /// Under which eyes the run looks, over all databases.
    pub async fn sight(&mut self) -> Result<Sight, Problem> {
        let (mut visible, mut rows) = (Vec::new(), Vec::new());
        for at in 0..self.sites.len() {
            let (visibility, fingerprint) = self.tried(at, |reader, _| reader.sight()).await?;
            visible.push(visibility.hash());
            rows.push(fingerprint);
        }
        let names: Vec<String> = self.sites.iter().filter_map(|site| site.database.clone()).collect();
        let scope_hash = scope_hash(&self.scope, &names);
        Ok(Sight { scope_hash, visibility_hash: together(&names, visible), fingerprint: together(&names, rows) })
    }

    /// What exists, a listing a database.
    pub async fn listings(&mut self) -> Result<Vec<Listing>, Problem> {
        let mut listings = Vec::new();
        for at in 0..self.sites.len() {
            listings.push(self.tried(at, |reader, scope| reader.listing(scope)).await?);
        }
        Ok(listings)
    }

    /// Database and name of every schema that exists.
    pub async fn schemas(&mut self) -> Result<BTreeSet<(String, String)>, Problem> {
        let mut schemas = BTreeSet::new();
        for at in 0..self.sites.len() {
            let names = self.tried(at, |reader, _| reader.schemas()).await?;
            let database = self.sites[at].database.clone().unwrap_or_default();
            schemas.extend(names.into_iter().map(|name| (database.clone(), name)));
        }
        Ok(schemas)
    }

    /// A session on a database, to be given back or given up.
    pub async fn session(&mut self, at: usize) -> Result<Box<dyn Reader>, Problem> {
        loop {
            if let Some(reader) = self.sites[at].reader.take() {
                return Ok(reader);
            }
            let left = self.until.saturating_duration_since(Instant::now());
            match self.inspector.open(&self.work, self.sites[at].database.as_deref(), left).await {
                Ok(reader) => {
                    self.sites[at].database.get_or_insert_with(|| reader.database().to_owned());
                    return Ok(reader);
                }
                Err(problem) => self.again(problem).await?,
            }
        }
    }

    /// A reading succeeded: what failed before it counts no more.
    pub fn succeeded(&mut self) {
        self.failures = 0;
        self.pauses.reset();
    }

    /// Takes a session back. With several databases it ends here: their servers are not made to hold one each.
    pub fn give_back(&mut self, at: usize, reader: Box<dyn Reader>) {
        if self.sites.len() == 1 {
            self.sites[at].reader = Some(reader);
        } else {
            self.retire(&*reader);
        }
    }

    /// Notes what a session cost that ends here.
    pub fn retire(&mut self, reader: &dyn Reader) {
        let (queries, rows) = reader.cost();
        self.cost = (self.cost.0 + queries, self.cost.1 + rows);
    }

    /// Waits a little before another try, or says that there is none.
    pub async fn again(&mut self, problem: Problem) -> Result<(), Problem> {
        self.failures += 1;
        let hopeless = !problem.retryable || problem.code == "DEADLINE_EXCEEDED" || self.failures >= TRIES;
        let pause = self.pauses.next_backoff().unwrap_or_default();
        if hopeless || Instant::now() + pause >= self.until {
            return Err(problem);
        }
        tracing::debug!(code = problem.code, native = problem.native_code, "a reading failed and is tried again");
        tokio::time::sleep(pause).await;
        Ok(())
    }

    /// Leaves the server alone for a moment.
    pub async fn pause(&mut self) {
        let pause = self.pauses.next_backoff().unwrap_or_default();
        tokio::time::sleep(pause.min(self.until.saturating_duration_since(Instant::now()))).await;
    }

    /// Ends all sessions; statements sent and rows received.
    pub fn close(mut self) -> (i64, i64) {
        for at in 0..self.sites.len() {
            if let Some(reader) = self.sites[at].reader.take() {
                self.retire(&*reader);
            }
        }
        self.cost
    }

    async fn tried<T>(&mut self, at: usize, ask: Ask<T>) -> Result<T, Problem> {
        loop {
            let reader = self.session(at).await?;
            let answer = ask(&*reader, &self.scope).await;
            match answer {
                Ok(answer) => {
                    self.succeeded();
                    self.give_back(at, reader);
                    return Ok(answer);
                }
                Err(problem) => {
                    self.retire(&*reader);
                    drop(reader);
                    self.again(problem).await?;
                }
            }
        }
    }
}

/// One hash for all databases; of one database its own.
fn together(names: &[String], mut hashes: Vec<String>) -> String {
    if hashes.len() == 1 {
        return hashes.remove(0);
    }
    let parts = names.iter().zip(&hashes).map(|(name, hash)| Canonical::new().text(name).text(hash).clone());
    Canonical::new().set(parts.collect()).sha256()
}
