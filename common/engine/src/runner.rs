//! What is common to workers whose work is talking to a customer's server: one work item is one run, with a deadline,
//! cancellation, numbered events and exactly one end.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use pursight_schemas::{Actor, Event, Problem, Topic, WorkItem};
use tokio_util::sync::CancellationToken;

use crate::failure::Failure;

/// A worker that executes runs.
#[async_trait]
pub trait Runner: Send + Sync + 'static {
    /// Which worker this is and where its work and its results lie.
    fn place(&self) -> Place;

    /// Executes one run. May publish on the way through `run`; returns its last events and its outcome. The future is
    /// dropped when the run is cancelled or its deadline passes: everything it holds open must end with it.
    ///
    /// # Errors
    /// Only failures of our own; what the customer's server refuses is an [`Ending`].
    async fn run(&self, run: &mut Run) -> Result<Ending, Failure>;

    /// The terminal events of a run that was stopped from outside.
    fn stopped(&self, work: &WorkItem, stop: &Stop) -> Vec<Event>;
}

/// Where a runner stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Worker's name.
    pub worker: &'static str,
    /// Topic of its work items.
    pub work: Topic,
    /// Topic of its results.
    pub results: Topic,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// Last events of the results topic, the terminal one last; their `meta` is filled in by the engine.
    pub events: Vec<Event>,
    /// What the command is answered.
    pub outcome: Outcome,
}

/// The command's terminal outcome.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Done, with results by name and, for a dry run, what would have happened.
    Succeeded {
        /// Results by name.
        result: BTreeMap<String, String>,
        /// Lines of a dry run.
        preview: Vec<String>,
    },
    /// Tried and not possible.
    Failed(Problem),
}

/// Why a run was stopped from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// A `CancelRun`, or the pause or deletion of its source.
    Cancelled {
        /// Who asked.
        by: Actor,
    },
    /// Its deadline passed.
    Deadline,
}

/// One run under way, as its runner sees it.
pub struct Run {
    pub(crate) work: WorkItem,
    pub(crate) attempt: i32,
    pub(crate) cancelled: CancellationToken,
    pub(crate) port: Box<dyn RunPort>,
}

/// How a run reaches the log; the engine's part.
#[async_trait]
pub(crate) trait RunPort: Send + Sync {
    async fn publish(&mut self, events: Vec<Event>) -> Result<(), Failure>;
    async fn settle(&mut self) -> Result<(), Failure>;
    async fn progress(&mut self, done: i64, total: Option<i64>, message: &str) -> Result<(), Failure>;
    fn time_left(&self) -> Duration;
}

impl Run {
    /// What was asked for.
    pub fn work(&self) -> &WorkItem {
        &self.work
    }

    /// From 1; a new owner of a broken run takes the next.
    pub fn attempt(&self) -> i32 {
        self.attempt
    }

    /// Fires when the run is stopped, for work that outlives a dropped future (such as a statement on a server).
    pub fn stop_token(&self) -> CancellationToken {
        self.cancelled.clone()
    }

    /// Time until the deadline; zero when it has passed.
    pub fn time_left(&self) -> Duration {
        self.port.time_left()
    }

    /// Publishes events of the results topic, in order; splits them into transactions of at most 500 events or 512 KiB.
    /// Their `meta` is filled in here.
    ///
    /// # Errors
    /// [`Failure::Lost`] when another worker has taken over: end quietly.
    pub async fn publish(&mut self, events: Vec<Event>) -> Result<(), Failure> {
        self.port.publish(events).await
    }

    /// Waits until the read model has folded everything that this run has published so far.
    ///
    /// # Errors
    /// As [`Run::publish`]; transient ones when the read model cannot be asked.
    pub async fn settle(&mut self) -> Result<(), Failure> {
        self.port.settle().await
    }

    /// Tells the publisher how far the run is; dropped silently when the run answers no command.
    ///
    /// # Errors
    /// As [`Run::publish`].
    pub async fn progress(&mut self, done: i64, total: Option<i64>, message: &str) -> Result<(), Failure> {
        self.port.progress(done, total, message).await
    }
}
