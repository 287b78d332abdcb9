//! A producer with a thread of its own that collects delivery reports. The client library has one, `ThreadedProducer`, but
//! that looks ten times a second and spins through the last millisecond of every look: half a percent of a core for each
//! idle worker. A look ends early for nobody: reports are told while it lasts.
//!
//! A second thread takes the call that may never return.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::config::FromClientConfigAndContext as _;
use rdkafka::producer::{BaseProducer, ProducerContext};

use crate::failure::Failure;

/// How long one look lasts; also how long the end may take.
const LOOK: Duration = Duration::from_secs(1);

type Call = Box<dyn FnOnce() + Send>;

/// The producer; its threads end with it.
pub(super) struct Polled<C: ProducerContext + 'static> {
    producer: Arc<BaseProducer<C>>,
    calls: Sender<Call>,
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
        let (calls, called) = mpsc::channel::<Call>();
        let call = move || called.into_iter().for_each(|call| call());
        let thread = spawn("reports", look)?;
        spawn("calls", call)?;
        Ok(Self { producer, calls, stop, thread: Some(thread) })
    }

    /// Calls the client beside this thread; `None` if that has not returned in time. Then the client is of no use any more:
    /// it is left behind with the thread that waits for it, and ends if that ever goes on.
    pub(super) fn aside<T: Send + 'static>(
        &self,
        within: Duration,
        call: impl FnOnce(&BaseProducer<C>) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = mpsc::sync_channel(1);
        let producer = Arc::clone(&self.producer);
        let call: Call = Box::new(move || {
            let result = call(&producer);
            // In this order: whoever has the answer may be the last to hold the client.
            drop(producer);
            // Nobody may wait for it any more.
            drop(answer.send(result));
        });
        self.calls.send(call).ok()?;
        answered.recv_timeout(within).ok()
    }

    /// Ends the client, which waits for its threads, and they may wait for a broker that it has forgotten: beside this thread,
    /// and no longer than this. What goes on after that is refused by the broker once another producer of this id is there.
    pub(super) fn end(self, within: Duration) {
        let (here, gone) = mpsc::channel::<()>();
        let leaving = spawn("leaving", move || {
            drop(self);
            drop(here);
        });
        if leaving.is_ok() && gone.recv_timeout(within) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("a Kafka client does not end, it is left behind");
        }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, Failure> {
    std::thread::Builder::new().name(name.to_owned()).spawn(work).map_err(|error| {
        Failure::fatal(format!("cannot start a thread: {error}"), "raise the limit of threads of this process")
    })
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
        // Waited for: it holds the client, which ends with the last who does.
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use std::sync::Mutex;
    use std::sync::mpsc::Receiver;

    use rdkafka::ClientContext;
    use rdkafka::producer::{DefaultProducerContext, DeliveryResult};

    use super::*;

    /// A client's context that does not end before it is let go.
    struct FakeHang(Mutex<Receiver<()>>);

    impl ClientContext for FakeHang {}

    impl ProducerContext for FakeHang {
        type DeliveryOpaque = ();

        fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
    }

    impl Drop for FakeHang {
        fn drop(&mut self) {
            self.0.lock().unwrap().recv().unwrap();
        }
    }

    #[test]
    fn a_client_that_does_not_end_is_left_behind() {
        let (going_on, held) = mpsc::channel::<()>();
        let lost = Polled::start(&ClientConfig::new(), FakeHang(Mutex::new(held))).unwrap();
        lost.end(Duration::from_millis(20));
        going_on.send(()).unwrap();
    }

    #[test]
    fn a_call_that_does_not_return_is_left_behind_and_the_next_producer_answers() {
        let config = ClientConfig::new();
        let lost = Polled::start(&config, DefaultProducerContext).unwrap();
        assert_eq!(lost.aside(Duration::from_secs(10), |_| 7), Some(7));
        let (going_on, held) = mpsc::channel::<()>();
        let hangs = move |_: &BaseProducer<DefaultProducerContext>| held.recv();
        assert_eq!(lost.aside(Duration::from_millis(20), hangs), None);
        lost.end(Duration::from_secs(10));
        let next = Polled::start(&config, DefaultProducerContext).unwrap();
        assert_eq!(next.aside(Duration::from_secs(10), |_| 8), Some(8));
        drop(going_on);
    }
}
