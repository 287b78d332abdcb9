//! The eight steps of a connection, each with its time and its problem. One path connects for everybody; a connection
//! test is that path with its steps shown. Knows no protocol.

use std::future::Future;
use std::time::{Duration, Instant};

use pursight_schemas::{StepResult, TestStep};

use crate::problem::Refused;

/// A step, in the order in which they are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Secret,
    Egress,
    Tcp,
    Tls,
    Login,
    Database,
    ReadOnly,
    Rights,
}

const NAMES: [&str; 8] = ["secret", "egress", "tcp", "tls", "login", "database", "read_only", "rights"];

fn untaken() -> [TestStep; 8] {
    NAMES.map(|name| TestStep { name: name.to_owned(), result: StepResult::Skipped, ..TestStep::default() })
}

/// The steps of a connection test that did not come to any.
pub fn untaken_steps() -> Vec<TestStep> {
    untaken().into()
}

/// What became of the steps so far.
pub(crate) struct Steps {
    records: [TestStep; 8],
    deadline: Instant,
}

impl Steps {
    pub(crate) fn within(budget: Duration) -> Self {
        Self { records: untaken(), deadline: Instant::now() + budget }
    }

    pub(crate) fn time_left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// Takes a step within `limit` and the time that is left; `late` says what it means when that is over.
    pub(crate) async fn take<T>(
        &mut self,
        step: Step,
        limit: Duration,
        late: impl FnOnce(Duration) -> Refused,
        work: impl Future<Output = Result<T, Refused>>,
    ) -> Result<T, Refused> {
        let started = Instant::now();
        let limit = limit.min(self.time_left());
        let result = match tokio::time::timeout(limit, work).await {
            Ok(result) => result,
            Err(_) => Err(late(limit)),
        };
        let spent = micros(started.elapsed());
        let record = &mut self.records[step as usize];
        record.duration_us = record.duration_us.saturating_add(spent);
        match result {
            Ok(value) => {
                record.result = StepResult::Ok;
                record.problem = None;
                Ok(value)
            }
            Err(mut problem) => {
                problem.step = Some(NAMES[step as usize].to_owned());
                record.result = StepResult::Failed;
                record.problem = Some((*problem).clone());
                Err(problem)
            }
        }
    }

    /// A step that an earlier one has answered too.
    pub(crate) fn pass(&mut self, step: Step) {
        self.records[step as usize].result = StepResult::Ok;
    }

    /// A step fails for a reason that was found outside of it.
    pub(crate) fn fail(&mut self, step: Step, mut problem: Refused) -> Refused {
        problem.step = Some(NAMES[step as usize].to_owned());
        self.records[step as usize].result = StepResult::Failed;
        self.records[step as usize].problem = Some((*problem).clone());
        problem
    }

    /// The failure of `from` belongs to `to`: one round trip of the protocol answers for both.
    pub(crate) fn shift_failure(&mut self, from: Step, to: Step, problem: Refused) -> Refused {
        self.records[from as usize].result = StepResult::Ok;
        self.records[from as usize].problem = None;
        self.fail(to, problem)
    }

    /// A step that succeeded, but with something that a person should know.
    pub(crate) fn warn(&mut self, step: Step, problem: &Refused) {
        let mut problem = (**problem).clone();
        problem.step = Some(NAMES[step as usize].to_owned());
        self.records[step as usize].problem = Some(problem);
    }

    /// Replaces the problem of a failed step by one that says more.
    pub(crate) fn refine(&mut self, step: Step, problem: &Refused) {
        self.records[step as usize].problem = Some((**problem).clone());
    }

    /// Another host is tried: what the last one showed from this step on does not stand.
    pub(crate) fn again_from(&mut self, step: Step) {
        for record in &mut self.records[step as usize..] {
            record.result = StepResult::Skipped;
            record.problem = None;
        }
    }

    pub(crate) fn finish(self) -> Vec<TestStep> {
        self.records.into()
    }
}

pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
