//! A worker's life in this process: wait for the read model, start the loop, tell health how it is, end.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use pursight_engine::kafka::{Admin, AdminError, Launch, follow_control, launch};
use pursight_engine::{Failure, Handler, State, Status};
use pursight_read_model::{ReadModel, ReadModelError};
use pursight_schemas::Topic;
use pursight_schemas::topics::READERS;
use pursight_service::clock::new_id;
use pursight_service::health::Condition;
use pursight_service::{Health, Lifecycle};
use tokio::runtime::Handle as Runtime;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::Which;
use super::parts::{Parts, fatal};
use crate::context::{ANSWER_WITHIN, database_error};
use crate::error::CliError;

/// How often a dependency that is away is asked again, and health is told how a worker is.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// A loop that has not come round for this long is not alive.
const SILENCE: Duration = Duration::from_secs(30);
/// How often the read model is asked for a sign of life.
const PING_EVERY: Duration = Duration::from_secs(2);

/// The first reason for which a worker ended, with its remedy.
#[derive(Clone, Default)]
pub struct Reason(Arc<Mutex<Option<CliError>>>);

impl Reason {
    fn give(&self, error: CliError) -> String {
        let text = format!("{error}; {}", error.remedy());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
        text
    }

    /// Takes it.
    pub fn take(&self) -> Option<CliError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Starts the workers, and what they share, under `lifecycle`. The reason of an early end is left in what is returned.
pub fn start(workers: &[Which], parts: &Arc<Parts>, lifecycle: &mut Lifecycle, health: &Health) -> Reason {
    let reason = Reason::default();
    let stop = lifecycle.stop_token();
    for which in workers.iter().copied() {
        let (parts, stop, reason) = (Arc::clone(parts), stop.clone(), reason.clone());
        let (condition, alive) = (health.condition(which.name()), health.clone());
        lifecycle.spawn(which.name(), async move {
            live(which, &parts, &condition, &alive, stop).await.map_err(|error| reason.give(error))
        });
    }
    let (model, quiet) = (parts.model.clone(), stop.clone());
    let condition = health.condition("database");
    lifecycle.spawn("database", async move {
        watch_database(&model, &condition, &quiet).await;
        Ok::<(), CliError>(())
    });
    if workers.iter().any(|which| which.is_runner()) {
        let (parts, stop, reason) = (Arc::clone(parts), stop.clone(), reason.clone());
        let condition = health.condition("control");
        lifecycle.spawn("control", async move {
            follow(&parts, &condition, stop).await.map_err(|error| reason.give(error))
        });
    }
    reason
}

async fn live(
    which: Which,
    parts: &Parts,
    condition: &Condition,
    health: &Health,
    stop: CancellationToken,
) -> Result<(), CliError> {
    if !database_ready(parts, condition, &stop).await? {
        return Ok(());
    }
    let Some(handler) = prepared(which, parts, condition, &stop).await? else { return Ok(()) };
    let reader = READERS.into_iter().find(|reader| reader.worker == which.name());
    let Some(reader) = reader else { return Err(CliError::failed("worker without a group", "report this")) };
    let status = Status::default();
    let settings = pursight_engine::Settings {
        worker: which.name(),
        prefix: parts.kafka.prefix.clone(),
        parallel: which.parallel(),
        batch: parts.batch_size(),
        seal: Arc::clone(&parts.seal),
    };
    let started = launch(Launch {
        options: parts.kafka.clone(),
        reader,
        writes: which.writes().to_vec(),
        handler,
        settings,
        nonce: new_id().to_string(),
        status: status.clone(),
        runtime: Runtime::current(),
        stop,
    });
    let thread = started.map_err(|failure| fatal(&failure))?;
    let heart = health.heartbeat(which.name(), SILENCE);
    while !thread.is_finished() {
        tell(condition, &status);
        if status.silent_for() < 2 * LOOK_EVERY {
            heart.beat();
        }
        sleep(LOOK_EVERY).await;
    }
    match thread.join() {
        Ok(ended) => ended.map_err(|failure: Failure| fatal(&failure)),
        Err(_) => Err(CliError::failed(format!("the loop of {} panicked", which.name()), "see the log")),
    }
}

fn tell(condition: &Condition, status: &Status) {
    match status.get().0 {
        State::Ready => condition.ready(),
        State::Starting => condition.not_ready("starting"),
        State::Waiting(reason) | State::Failed(reason) => condition.not_ready(reason),
        State::Draining => condition.not_ready("draining"),
    }
}

/// Waits for the read model; false when told to stop meanwhile.
async fn database_ready(parts: &Parts, condition: &Condition, stop: &CancellationToken) -> Result<bool, CliError> {
    let mut said = false;
    loop {
        match parts.model.check_migrations().await {
            Ok(()) => return Ok(true),
            Err(error) if error.is_transient() => {
                condition.not_ready("the read model's database cannot be reached; trying again");
                if !said {
                    tracing::warn!(error = %away(&error), "waiting for the read model");
                    said = true;
                }
            }
            Err(error) => return Err(database_error(&error)),
        }
        if stopped(stop).await {
            return Ok(false);
        }
    }
}

fn away(error: &ReadModelError) -> String {
    crate::error::chain(error)
}

/// Tells health whether the read model answers, also while nothing is to be done.
async fn watch_database(model: &ReadModel, condition: &Condition, stop: &CancellationToken) {
    while !stop.is_cancelled() {
        match model.ping().await {
            Ok(()) => condition.ready(),
            Err(_) => condition.not_ready("the read model's database cannot be reached; trying again"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = sleep(PING_EVERY) => {}
        }
    }
}

/// The worker's handler, once the broker answers; `None` when told to stop meanwhile.
async fn prepared(
    which: Which,
    parts: &Parts,
    condition: &Condition,
    stop: &CancellationToken,
) -> Result<Option<Arc<dyn Handler>>, CliError> {
    loop {
        match parts.handler(which).await {
            Ok(handler) => return Ok(Some(handler)),
            Err(CliError::Unreachable { .. }) => condition.not_ready("the broker cannot be reached; trying again"),
            Err(error) => return Err(error),
        }
        if stopped(stop).await {
            return Ok(None);
        }
    }
}

/// Waits for the control topic; false when told to stop meanwhile. The client that asks is gone afterwards.
async fn control_there(parts: &Parts, condition: &Condition, stop: &CancellationToken) -> Result<bool, CliError> {
    let admin = Admin::new(&parts.kafka.client("check"), &parts.kafka.prefix, ANSWER_WITHIN)?;
    loop {
        match admin.require(&[Topic::Control]).await {
            Ok(()) => return Ok(true),
            Err(AdminError::Unreachable { .. }) => condition.not_ready("the broker cannot be reached; trying again"),
            Err(error) => return Err(error.into()),
        }
        if stopped(stop).await {
            return Ok(false);
        }
    }
}

/// Follows the cancellations, once they can be followed.
async fn follow(parts: &Parts, condition: &Condition, stop: CancellationToken) -> Result<(), CliError> {
    if !control_there(parts, condition, &stop).await? {
        return Ok(());
    }
    condition.ready();
    let (options, cancellations) = (parts.kafka.clone(), Arc::clone(&parts.cancellations));
    let followed = tokio::task::spawn_blocking(move || follow_control(&options, &cancellations, &stop)).await;
    match followed {
        Ok(ended) => ended.map_err(|failure| fatal(&failure)),
        Err(_) => Err(CliError::failed("following cancellations panicked", "see the log")),
    }
}

/// Waits a moment; true when told to stop.
async fn stopped(stop: &CancellationToken) -> bool {
    tokio::select! {
        () = stop.cancelled() => true,
        () = sleep(LOOK_EVERY) => false,
    }
}
