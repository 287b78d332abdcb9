#![doc = include_str!("../README.md")]
//!
//! A run asks the read model for the sample before, measures database by database, publishes the figures of objects and
//! ends with those of the source. Owns what is measured and what it means; knows nothing of how records travel (the
//! engine's) nor of how a server is reached (the connectors'). Next: [`mod@survey`], then [`decide`].

pub mod decide;
pub mod history;
pub mod measure;
pub mod survey;

use std::sync::Arc;

use async_trait::async_trait;
use pursight_engine::{Ending, Failure, Place, Run, Runner, Stop};
use pursight_schemas::{Event, Problem, Topic, WorkItem};

use crate::history::History;
use crate::measure::Meter;
use crate::survey::{Listener, survey};

/// This worker's name: in its consumer group, in `ce_source`, in dead letters.
pub const WORKER: &str = "statistics";

/// The statistics worker.
pub struct Worker {
    meter: Arc<dyn Meter>,
    history: Arc<dyn History>,
}

/// Why a run ends before its time.
pub enum Broken {
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
    /// A worker with its two ports.
    pub fn new(meter: Arc<dyn Meter>, history: Arc<dyn History>) -> Self {
        Self { meter, history }
    }

    async fn collect(&self, run: &mut Run) -> Result<Ending, Broken> {
        let work = run.work().clone();
        let source = work.meta.source_id.ok_or_else(decide::no_source)?;
        let left = run.time_left();
        let past = self.history.past(&work.meta.tenant_id, source).await?;
        let survey = survey(&*self.meter, &work, left, run).await?;
        if work.dry_run {
            return Ok(decide::preview(&survey));
        }
        for event in decide::objects(&work, source, &survey, &past) {
            run.publish(vec![event]).await?;
        }
        Ok(decide::conclude(&work, &survey, &past))
    }
}

#[async_trait]
impl Listener for Run {
    async fn counted(&mut self, done: usize, total: usize) -> Result<(), Failure> {
        let whole = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        self.progress(whole(done), Some(whole(total)), "tables counted").await
    }
}

#[async_trait]
impl Runner for Worker {
    fn place(&self) -> Place {
        Place { worker: WORKER, work: Topic::WorkStatistics, results: Topic::Statistics }
    }

    async fn run(&self, run: &mut Run) -> Result<Ending, Failure> {
        match Box::pin(self.collect(run)).await {
            Ok(ending) => Ok(ending),
            Err(Broken::Ours(failure)) => Err(failure),
            Err(Broken::Theirs(problem)) => Ok(decide::failed(run.work(), problem)),
        }
    }

    fn stopped(&self, work: &WorkItem, stop: &Stop) -> Vec<Event> {
        decide::stopped(work, stop)
    }
}
