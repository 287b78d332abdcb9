#![doc = include_str!("../README.md")]
//!
//! The story in short: a run says that it started and waits until the read model has passed that, so that what it reads
//! back is everything that was ever known. Deciding is in [`decide`], what a difference is in [`diff`] and [`echo`], who
//! may be dropped in [`deletion`]; talking to the server is in [`inspect`].

pub mod base;
pub mod content;
pub mod decide;
pub mod deletion;
pub mod diff;
pub mod echo;
pub mod hash;
pub mod identity;
pub mod inspect;
pub mod memory;
mod problems;
mod reading;
pub mod versions;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use pursight_connectors::postgres::catalog::{Listed, Pace, PageItem};
use pursight_engine::{Ending, Failure, Outcome, Place, Run, Runner, Stop};
use pursight_schemas::{
    DiscoveryCancelled, DiscoveryFailed, DiscoveryStarted, Event, ObjectKind, Problem, SchemaObjectObserved, Strategy,
    Topic, WorkItem,
};
use uuid::Uuid;

use base::LastKnown;
use decide::{Conclusion, Fresh, Plan, Survey, Whole};
use deletion::Verdict;
use inspect::{Inspector, Reader};
use reading::Reading;

/// Contents that are read back at once.
const CONTENTS: usize = 500;
/// Dropped views whose contents are read back to say what took them along.
const MAX_VIEWS: usize = 2_000;

/// This worker's name: in its consumer group, in `ce_source`, in dead letters.
pub const WORKER: &str = "discovery";

/// The discovery worker.
pub struct Worker {
    inspector: Arc<dyn Inspector>,
    last_known: Arc<dyn LastKnown>,
    pauses: bool,
}

/// Why a run ends before its time.
enum Broken {
    /// A failure of our own.
    Ours(Failure),
    /// The customer's server refused.
    Theirs(Problem),
}

impl From<Failure> for Broken {
    fn from(failure: Failure) -> Self {
        Self::Ours(failure)
    }
}

impl From<Problem> for Broken {
    fn from(problem: Problem) -> Self {
        Self::Theirs(problem)
    }
}

impl Worker {
    /// A worker over its two ports.
    pub fn new(inspector: Arc<dyn Inspector>, last_known: Arc<dyn LastKnown>) -> Self {
        Self { inspector, last_known, pauses: true }
    }

    /// The same, asking for page after page: for servers of one's own.
    #[must_use]
    pub fn without_pauses(self) -> Self {
        Self { pauses: false, ..self }
    }

    fn pace(&self, strategy: Strategy) -> Pace {
        let pace = Pace::new(strategy);
        if self.pauses { pace } else { pace.without_pauses() }
    }

    async fn discover(&self, run: &mut Run) -> Result<(Conclusion, Vec<String>), Broken> {
        let begun = Instant::now();
        let work = run.work().clone();
        let source = work.meta.source_id.ok_or_else(problems::no_source)?;
        if !work.dry_run {
            let (run_id, attempt, strategy) = (work.run_id, run.attempt(), work.strategy);
            let scope = decide::scope_of(&work).clone();
            let started = DiscoveryStarted { run_id, attempt, strategy, scope, ..DiscoveryStarted::default() };
            run.publish(vec![started.into()]).await?;
            run.settle().await?;
        }
        let base = self.last_known.base(&work.meta.tenant_id, source).await?;
        deletion::check_confirmation(&base, work.confirms).map_err(|nothing| problems::nothing_held(&nothing))?;
        let mut reading = Reading::begin(&*self.inspector, &work, run.time_left()).await?;
        let scope = decide::scope_of(&work).clone();
        let mut whole = Whole { scope, sight: reading.sight().await?, confirms: work.confirms, ..Whole::default() };
        let Plan::Read { trust } = decide::plan(&work, &base, &whole.sight) else {
            whole.cost(reading.close(), begun.elapsed());
            return Ok((decide::unchanged(&work, &base, &whole), Vec::new()));
        };
        let listings = reading.listings().await?;
        whole.complete = listings.iter().all(|listing| listing.complete);
        let matching = identity::matched(source, &base.objects, listings, trust);
        let mut survey = Survey::new(source, &work, base, matching, &whole.sight);
        if !work.dry_run {
            self.details(run, &mut reading, &mut survey).await?;
        }
        if survey.is_missing_any() {
            whole.schemas = reading.schemas().await?;
        }
        whole.cost(reading.close(), begun.elapsed());
        let verdict = decide::verdict(&survey, &whole);
        if work.dry_run {
            let preview = decide::preview(&survey, &verdict, &whole.sight);
            return Ok((decide::conclude(survey, &whole, verdict, &[]), preview));
        }
        let views = self.dropped_views(&work, &survey, &verdict).await?;
        Ok((decide::conclude(survey, &whole, verdict, &views), Vec::new()))
    }

    /// Reads the details of everything listed, and publishes what differs.
    async fn details(&self, run: &mut Run, reading: &mut Reading<'_>, survey: &mut Survey) -> Result<(), Broken> {
        for at in 0..reading.sites() {
            loop {
                let reader = reading.session(at).await?;
                match self.pages(run, reading, survey, at, &*reader).await? {
                    None => {
                        reading.give_back(at, reader);
                        break;
                    }
                    // what is left is read by another session
                    Some(problem) => {
                        reading.retire(&*reader);
                        drop(reader);
                        reading.again(problem).await?;
                    }
                }
            }
        }
        Ok(run.publish(survey.rest()).await?)
    }

    /// Reads what is left of one database, what could not be read for a passing reason up to three times. A problem ends
    /// the session.
    async fn pages(
        &self,
        run: &mut Run,
        reading: &mut Reading<'_>,
        survey: &mut Survey,
        at: usize,
        reader: &dyn Reader,
    ) -> Result<Option<Problem>, Failure> {
        let mut list = survey.unread(at);
        for last in [false, false, true] {
            let mut pages = reader.pages(list, self.pace(run.work().strategy));
            let mut postponed = Vec::new();
            let mut page = pages.next().await;
            loop {
                let mut items = match page {
                    Ok(Some(items)) => items,
                    Ok(None) => break,
                    Err(problem) => return Ok(Some(problem)),
                };
                reading.succeeded();
                if !last {
                    postpone(&mut items, &mut postponed);
                }
                // The server reads the next page while this one is published.
                let published = self.page(run, survey, at, items);
                let (next, published) = futures::future::join(pages.next(), published).await;
                published?;
                page = next;
            }
            if postponed.is_empty() {
                break;
            }
            list = postponed;
            reading.pause().await;
        }
        Ok(None)
    }

    /// Publishes what differs on one page.
    async fn page(&self, run: &mut Run, survey: &mut Survey, at: usize, items: Vec<PageItem>) -> Result<(), Failure> {
        let (fresh, unreadable) = survey.page(at, items);
        run.publish(unreadable).await?;
        for fresh in in_chunks(fresh) {
            let former = self.former(run.work(), &survey.former_ids(&fresh)).await?;
            run.publish(survey.observe(fresh, former)).await?;
        }
        let (done, total) = survey.progress();
        run.progress(done, Some(total), "reading the catalog").await
    }

    async fn former(&self, work: &WorkItem, ids: &[Uuid]) -> Result<Vec<SchemaObjectObserved>, Failure> {
        let source = work.meta.source_id.unwrap_or_default();
        if ids.is_empty() { Ok(Vec::new()) } else { self.last_known.contents(&work.meta.tenant_id, source, ids).await }
    }

    async fn dropped_views(
        &self,
        work: &WorkItem,
        survey: &Survey,
        verdict: &Verdict,
    ) -> Result<Vec<SchemaObjectObserved>, Failure> {
        let is_view = |kind| matches!(kind, ObjectKind::View | ObjectKind::MaterializedView);
        let dropped = verdict.dropped.iter().map(|drop| survey.known_object(drop.known));
        let ids: Vec<Uuid> = dropped.filter(|object| is_view(object.kind)).map(|object| object.object_id).collect();
        let mut views = Vec::new();
        for ids in ids[..ids.len().min(MAX_VIEWS)].chunks(CONTENTS) {
            views.extend(self.former(work, ids).await?);
        }
        Ok(views)
    }
}

/// Puts aside what could not be read for a reason that may pass, such as a lock.
fn postpone(items: &mut Vec<PageItem>, postponed: &mut Vec<Listed>) {
    items.retain(|item| match item {
        PageItem::Unreadable(listed, problem) if problem.retryable => {
            postponed.push(listed.clone());
            false
        }
        PageItem::Unreadable(..) | PageItem::Object(_) | PageItem::Vanished(_) => true,
    });
}

fn in_chunks(mut fresh: Vec<Fresh>) -> Vec<Vec<Fresh>> {
    let mut chunks = Vec::new();
    while fresh.len() > CONTENTS {
        let rest = fresh.split_off(CONTENTS);
        chunks.push(std::mem::replace(&mut fresh, rest));
    }
    if !fresh.is_empty() {
        chunks.push(fresh);
    }
    chunks
}

#[async_trait]
impl Runner for Worker {
    fn place(&self) -> Place {
        Place { worker: WORKER, work: Topic::WorkDiscovery, results: Topic::Schema }
    }

    async fn run(&self, run: &mut Run) -> Result<Ending, Failure> {
        let dry_run = run.work().dry_run;
        match Box::pin(self.discover(run)).await {
            Ok((Conclusion { events, result }, preview)) => {
                let events = if dry_run { Vec::new() } else { events };
                let result: BTreeMap<String, String> = result;
                Ok(Ending { events, outcome: Outcome::Succeeded { result, preview } })
            }
            Err(Broken::Ours(failure)) => Err(failure),
            Err(Broken::Theirs(problem)) => {
                let events = failed(run.work(), problem.clone());
                Ok(Ending { events, outcome: Outcome::Failed(problem) })
            }
        }
    }

    fn stopped(&self, work: &WorkItem, stop: &Stop) -> Vec<Event> {
        match stop {
            Stop::Deadline => failed(work, problems::deadline()),
            Stop::Cancelled { .. } if work.dry_run => Vec::new(),
            Stop::Cancelled { .. } => {
                vec![DiscoveryCancelled { run_id: work.run_id, ..DiscoveryCancelled::default() }.into()]
            }
        }
    }
}

/// A dry run leaves nothing on the schema topic, not even its failure.
fn failed(work: &WorkItem, problem: Problem) -> Vec<Event> {
    if work.dry_run {
        return Vec::new();
    }
    vec![DiscoveryFailed { run_id: work.run_id, problem, ..DiscoveryFailed::default() }.into()]
}
