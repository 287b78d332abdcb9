//! Starts one worker: its thread, its log and the watchdog that ends the process if a call into the client never
//! returns.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use pursight_schemas::Topic;
use pursight_schemas::topics::Reader;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use super::log::KafkaLog;
use super::options::Options;
use super::topics::check_topics;
use crate::failure::Failure;
use crate::handler::Handler;
use crate::status::{State, Status};
use crate::worker::{Inbox, Settings, Worker};

/// A loop that has not come round for this long hangs in a call that does not return.
const SILENCE: Duration = Duration::from_secs(60);

/// Everything about one worker.
pub struct Launch {
    /// How to reach the broker.
    pub options: Options,
    /// What it reads, and under which group.
    pub reader: Reader,
    /// What it writes; empty for a worker that writes nothing to the log.
    pub writes: Vec<Topic>,
    /// What it does.
    pub handler: Arc<dyn Handler>,
    /// Settings of its loop.
    pub settings: Settings,
    /// Unique per start of the process; recognises own commits.
    pub nonce: String,
    /// Where it reports how it is.
    pub status: Status,
    /// Runs handlers.
    pub runtime: Handle,
    /// Ends it.
    pub stop: CancellationToken,
}

/// Starts the worker on a thread of its own, which ends when it was stopped or cannot go on.
///
/// # Errors
/// [`Failure::Fatal`] when the thread cannot be started.
pub fn launch(launch: Launch) -> Result<JoinHandle<Result<(), Failure>>, Failure> {
    let name = launch.reader.worker;
    watch(name, launch.status.clone(), launch.stop.clone())?;
    std::thread::Builder::new().name(name.to_owned()).spawn(move || run(launch)).map_err(|error| no_thread(&error))
}

fn no_thread(error: &std::io::Error) -> Failure {
    Failure::fatal(format!("cannot start a thread: {error}"), "raise the limit of threads of this process")
}

fn run(launch: Launch) -> Result<(), Failure> {
    let Launch { options, reader, writes, handler, settings, nonce, status, runtime, stop } = launch;
    let opened = || {
        let topics: Vec<Topic> = reader.topics.iter().chain(&writes).copied().collect();
        check_topics(&options, &topics, &status, &|| stop.is_cancelled())?;
        if stop.is_cancelled() {
            return Ok(None);
        }
        let inbox = Inbox::default();
        let log = KafkaLog::open(&options, &reader, !writes.is_empty(), nonce, inbox.waker(), &status)?;
        Ok(Some((log, inbox)))
    };
    match opened() {
        Ok(Some((log, inbox))) => Worker::new(log, inbox, handler, settings, status, runtime).run(&stop),
        Ok(None) => Ok(()),
        Err(failure) => {
            let failure: Failure = failure;
            status.set(State::Failed(failure.to_string()));
            Err(failure)
        }
    }
}

fn watch(name: &'static str, status: Status, stop: CancellationToken) -> Result<(), Failure> {
    let watchdog = move || {
        while !stop.is_cancelled() {
            std::thread::sleep(Duration::from_secs(1));
            if matches!(status.get().0, State::Failed(_)) {
                return;
            }
            if status.silent_for() > SILENCE {
                tracing::error!(
                    worker = name,
                    "a call into the Kafka client does not return, the process ends; its supervisor starts it again"
                );
                std::process::exit(70);
            }
        }
    };
    std::thread::Builder::new()
        .name(format!("{name}-watchdog"))
        .spawn(watchdog)
        .map(drop)
        .map_err(|error| no_thread(&error))
}
