//! From start to stop: named tasks under one token. A signal, or a task that ends before it was told to, stops all of them;
//! they get a deadline to finish. Must not know what the tasks do.

use std::collections::HashMap;
use std::error::Error;
use std::future::Future;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{Id, JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::health::Health;

/// What went wrong in a task, of whatever kind.
pub type TaskError = Box<dyn Error + Send + Sync>;

/// Why the process ends other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum LifecycleError {
    /// A task returned although nobody asked it to.
    #[error("task {0} ended by itself")]
    Ended(String),
    /// A task failed.
    #[error("task {name} failed")]
    Failed {
        /// Which task.
        name: String,
        /// Why.
        #[source]
        source: TaskError,
    },
    /// A task panicked.
    #[error("task {0} panicked")]
    Panicked(String),
    /// Tasks did not finish in time.
    #[error("not finished in time: {0}")]
    DrainTooLong(String),
    /// The operating system gives no signals.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
}

/// The tasks of a process.
pub struct Lifecycle {
    stop: CancellationToken,
    health: Health,
    drain: Duration,
    tasks: JoinSet<Result<(), TaskError>>,
    names: HashMap<Id, String>,
}

impl Lifecycle {
    /// No task yet. `drain` is the time that tasks get to finish.
    pub fn new(health: Health, drain: Duration) -> Self {
        Self { stop: CancellationToken::new(), health, drain, tasks: JoinSet::new(), names: HashMap::new() }
    }

    /// Fires when the process is to stop; every task must heed it.
    pub fn stop_token(&self) -> CancellationToken {
        self.stop.clone()
    }

    /// Starts a task that runs until the token fires.
    pub fn spawn<E: Into<TaskError>>(
        &mut self,
        name: impl Into<String>,
        task: impl Future<Output = Result<(), E>> + Send + 'static,
    ) {
        let handle = self.tasks.spawn(async move { task.await.map_err(Into::into) });
        self.names.insert(handle.id(), name.into());
    }

    /// Runs until SIGTERM or SIGINT, or until a task ends early; then drains. A second signal ends the wait.
    ///
    /// # Errors
    /// Why it ended, if nobody told it to or not all finished.
    pub async fn run(self) -> Result<(), LifecycleError> {
        let mut terminate = signal(SignalKind::terminate()).map_err(LifecycleError::Signals)?;
        let mut interrupt = signal(SignalKind::interrupt()).map_err(LifecycleError::Signals)?;
        let mut told = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        self.run_until(async || told().await).await
    }

    /// As [`Lifecycle::run`], with another signal: each call of `told` waits for the next one.
    ///
    /// # Errors
    /// As [`Lifecycle::run`].
    pub async fn run_until(mut self, mut told: impl AsyncFnMut()) -> Result<(), LifecycleError> {
        let early = tokio::select! {
            () = told() => None,
            Some(ended) = self.tasks.join_next_with_id() => Some(self.early(ended)),
        };
        self.health.drain();
        match &early {
            None => tracing::info!("told to stop, draining"),
            Some(error) => tracing::error!(error = %error, "a task ended early, draining"),
        }
        self.stop.cancel();
        let drain = self.drain;
        let drained = tokio::select! {
            drained = tokio::time::timeout(drain, self.drained()) => drained.unwrap_or(Ok(false)),
            () = told() => Ok(false),
        };
        let left: Vec<&str> = self.names.values().map(String::as_str).collect();
        match (early, drained) {
            (Some(error), _) | (None, Err(error)) => Err(error),
            (None, Ok(true)) => Ok(()),
            (None, Ok(false)) => Err(LifecycleError::DrainTooLong(left.join(", "))),
        }
    }

    /// Waits for all tasks; true when all of them finished well.
    async fn drained(&mut self) -> Result<bool, LifecycleError> {
        let mut first = Ok(true);
        while let Some(ended) = self.tasks.join_next_with_id().await {
            let failed = match self.early(ended) {
                LifecycleError::Ended(_) => continue,
                failed => failed,
            };
            tracing::error!(error = %failed, "a task failed while draining");
            first = first.and(Err(failed));
        }
        first
    }

    fn early(&mut self, ended: Result<(Id, Result<(), TaskError>), JoinError>) -> LifecycleError {
        let id = match &ended {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let name = self.names.remove(&id).unwrap_or_default();
        match ended {
            Ok((_, Ok(()))) => LifecycleError::Ended(name),
            Ok((_, Err(source))) => LifecycleError::Failed { name, source },
            Err(_) => LifecycleError::Panicked(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::io;

    use super::*;

    fn lifecycle() -> Lifecycle {
        Lifecycle::new(Health::new(), Duration::from_secs(60))
    }

    async fn obedient(stop: CancellationToken) -> Result<(), TaskError> {
        stop.cancelled().await;
        Ok(())
    }

    #[tokio::test]
    async fn told_to_stop_all_tasks_finish_and_readiness_ends() {
        let health = Health::new();
        let mut life = Lifecycle::new(health.clone(), Duration::from_secs(60));
        life.spawn("one", obedient(life.stop_token()));
        life.spawn("two", obedient(life.stop_token()));
        let mut signals = 0;
        let told = async || {
            signals += 1;
            if signals > 1 {
                pending::<()>().await;
            }
        };
        assert!(life.run_until(told).await.is_ok());
        assert!(!health.readiness().ok);
    }

    #[tokio::test]
    async fn a_task_that_ends_early_stops_the_others_and_is_a_failure() {
        let mut life = lifecycle();
        life.spawn("obedient", obedient(life.stop_token()));
        life.spawn("early", async { Ok::<(), TaskError>(()) });
        let ended = life.run_until(async || pending().await).await;
        assert!(matches!(ended, Err(LifecycleError::Ended(name)) if name == "early"));
    }

    #[tokio::test]
    async fn failures_and_panics_are_told_apart() {
        let mut life = lifecycle();
        life.spawn("broken", async { Err::<(), _>(io::Error::other("broken")) });
        let ended = life.run_until(async || pending().await).await;
        assert!(matches!(ended, Err(LifecycleError::Failed { name, .. }) if name == "broken"));
        let mut life = lifecycle();
        life.spawn("panics", async {
            assert!(std::hint::black_box(false), "on purpose");
            Ok::<(), TaskError>(())
        });
        let ended = life.run_until(async || pending().await).await;
        assert!(matches!(ended, Err(LifecycleError::Panicked(name)) if name == "panics"));
    }

    #[tokio::test]
    async fn who_does_not_finish_in_time_is_named() {
        let mut life = Lifecycle::new(Health::new(), Duration::from_millis(1));
        life.spawn("deaf", pending::<Result<(), TaskError>>());
        let mut signals = 0;
        let told = async || {
            signals += 1;
            if signals > 1 {
                pending::<()>().await;
            }
        };
        let ended = life.run_until(told).await;
        assert!(matches!(ended, Err(LifecycleError::DrainTooLong(names)) if names == "deaf"));
    }

    #[tokio::test]
    async fn a_second_signal_ends_the_wait() {
        let mut life = lifecycle();
        life.spawn("deaf", pending::<Result<(), TaskError>>());
        let ended = life.run_until(async || ()).await;
        assert!(matches!(ended, Err(LifecycleError::DrainTooLong(_))));
    }
}
