//! How a worker is, for health endpoints: shared between the loop, which writes, and whoever serves `/readyz`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What readiness says while the broker does not answer.
pub(crate) const AWAY: &str = "the broker cannot be reached; trying again";

/// What a worker is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Not in its group yet.
    Starting,
    /// At work, or ready for it.
    Ready,
    /// Something of ours is away; it goes on by itself.
    Waiting(String),
    /// Told to stop.
    Draining,
    /// Stopped for good, with the reason and the remedy.
    Failed(String),
}

#[derive(Debug)]
struct Inner {
    state: State,
    since: Instant,
    beat: Instant,
}

/// A worker's state and heartbeat.
#[derive(Debug, Clone)]
pub struct Status(Arc<Mutex<Inner>>);

impl Default for Status {
    fn default() -> Self {
        let now = Instant::now();
        Self(Arc::new(Mutex::new(Inner { state: State::Starting, since: now, beat: now })))
    }
}

impl Status {
    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets the state. A failure is final.
    pub fn set(&self, state: State) {
        self.with(|inner| {
            if !matches!(inner.state, State::Failed(_)) && inner.state != state {
                inner.state = state;
                inner.since = Instant::now();
            }
        });
    }

    /// The state and for how long it has been so.
    pub fn get(&self) -> (State, Duration) {
        self.with(|inner| (inner.state.clone(), inner.since.elapsed()))
    }

    /// The loop came round.
    pub fn beat(&self) {
        self.with(|inner| inner.beat = Instant::now());
    }

    /// Since when the loop has not come round.
    pub fn silent_for(&self) -> Duration {
        self.with(|inner| inner.beat.elapsed())
    }
}
