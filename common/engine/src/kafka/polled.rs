//! A producer with a thread of its own that collects delivery reports. The client library has one, `ThreadedProducer`, but
//! that looks ten times a second and spins through the last millisecond of every look: half a percent of a core for each
//! idle worker. A look ends early for nobody: reports are told while it lasts.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::producer::{BaseProducer, ProducerContext};

use crate::failure::Failure;

/// How long one look lasts; also how long the end may take.
const LOOK: Duration = Duration::from_secs(1);

/// The producer; its thread ends with it.
pub(super) struct Polled<C: ProducerContext + 'static> {
    producer: Arc<BaseProducer<C>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl<C: ProducerContext + 'static> Polled<C> {
    /// Makes the producer and starts its thread.
    ///
    /// # Errors
    /// [`Failure::Fatal`]: settings that the client refuses, or no thread.
    pub(super) fn start(config: &ClientConfig, context: C) -> Result<Self, Failure> {
        let producer = BaseProducer::from_config_and_context(config, context).map_err(|error| {
            Failure::fatal(format!("cannot make a producer: {error}"), "check the PURSIGHT_KAFKA_* settings")
        })?;
        let (producer, stop) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let (polled, stopped) = (Arc::clone(&producer), Arc::clone(&stop));
        let look = move || {
            while !stopped.load(Ordering::Relaxed) {
                polled.poll(LOOK);
            }
        };
        let thread = std::thread::Builder::new().name("reports".to_owned()).spawn(look).map_err(|error| {
            Failure::fatal(format!("cannot start a thread: {error}"), "raise the limit of threads of this process")
        })?;
        Ok(Self { producer, stop, thread: Some(thread) })
    }
}

impl<C: ProducerContext + 'static> Deref for Polled<C> {
    type Target = BaseProducer<C>;

    fn deref(&self) -> &Self::Target {
        &self.producer
    }
}

impl<C: ProducerContext + 'static> Drop for Polled<C> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Waited for: while it holds the client another one under the same transactional id must not be made.
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}
