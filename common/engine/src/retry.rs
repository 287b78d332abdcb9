//! Waiting between attempts. The only place that knows the crate `backoff`; it could be exchanged here.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff as _;

/// Grows from attempt to attempt, with jitter, without an end: our own infrastructure will come back.
#[derive(Debug)]
pub struct Delays(ExponentialBackoff);

impl Delays {
    /// For our own infrastructure: 100 ms growing to 2 s. Not longer: when a server is back after an hour, work must go on
    /// within seconds, and a partition that asks every two seconds harms no server.
    pub fn ours() -> Self {
        Self::new(Duration::from_millis(100), Duration::from_secs(2))
    }

    /// From `first` growing to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        let policy = ExponentialBackoff {
            current_interval: first,
            initial_interval: first,
            max_interval: longest,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        Self(policy)
    }

    /// How long to wait before the next attempt.
    pub fn next_delay(&mut self) -> Duration {
        self.0.next_backoff().unwrap_or(self.0.max_interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_stay_below_their_limit() {
        let mut delays = Delays::new(Duration::from_millis(10), Duration::from_millis(100));
        let taken: Vec<Duration> = (0..50).map(|_| delays.next_delay()).collect();
        assert!(taken[0] <= Duration::from_millis(15));
        assert!(taken.iter().all(|delay| *delay <= Duration::from_millis(150)));
        assert!(taken[49] >= Duration::from_millis(50));
    }
}
