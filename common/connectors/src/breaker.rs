//! Restraint towards servers: how many connections of this process one address may have at once, and a breaker that
//! leaves an address alone after repeated failures. Times come in as data.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Most connections of this process to one address; strategies ask for three at most per run.
const PERMITS: usize = 8;
/// Addresses remembered; beyond it the idle ones are forgotten.
const REMEMBERED: usize = 4096;
/// Failures in a row that open a breaker.
const THRESHOLD: u32 = 5;
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Whether an address may be tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BreakerState {
    /// Yes.
    Closed,
    /// Not for that long.
    Open(Duration),
}

/// Counts failures in a row; opens for 30 s, then lets one probe through, doubling to 10 min.
#[derive(Debug, Clone, Default)]
pub struct Breaker {
    failures: u32,
    pause: Option<Duration>,
    until: Option<Instant>,
}

impl Breaker {
    /// Whether a try may begin now. After a pause the first to ask is the probe; others wait for its result.
    pub fn ask(&mut self, now: Instant) -> BreakerState {
        match (self.until, self.pause) {
            (Some(until), _) if until > now => BreakerState::Open(until - now),
            (Some(_), Some(pause)) => {
                self.until = Some(now + pause);
                BreakerState::Closed
            }
            _ => BreakerState::Closed,
        }
    }

    /// A try succeeded, or failed in a way that shows a living server.
    pub fn succeeded(&mut self) {
        *self = Self::default();
    }

    /// A try failed in a way that may pass.
    pub fn failed(&mut self, now: Instant) {
        self.failures += 1;
        if self.failures < THRESHOLD {
            return;
        }
        let pause = self.pause.map_or(FIRST_PAUSE, |last| (last * 2).min(LONGEST_PAUSE));
        self.pause = Some(pause);
        self.until = Some(now + pause);
    }
}

/// Permits and breakers by address.
#[derive(Default)]
pub(crate) struct Addresses {
    known: Mutex<HashMap<SocketAddr, Entry>>,
}

struct Entry {
    permits: Arc<Semaphore>,
    breaker: Breaker,
}

impl Addresses {
    fn with<T>(&self, address: SocketAddr, work: impl FnOnce(&mut Entry) -> T) -> T {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED && !known.contains_key(&address) {
            known.retain(|_, entry| entry.permits.available_permits() < PERMITS || entry.breaker.until.is_some());
        }
        let fresh = || Entry { permits: Arc::new(Semaphore::new(PERMITS)), breaker: Breaker::default() };
        work(known.entry(address).or_insert_with(fresh))
    }

    pub(crate) async fn permit(&self, address: SocketAddr) -> Option<OwnedSemaphorePermit> {
        let permits = self.with(address, |entry| entry.permits.clone());
        permits.acquire_owned().await.ok()
    }

    pub(crate) fn ask(&self, address: SocketAddr, now: Instant) -> BreakerState {
        self.with(address, |entry| entry.breaker.ask(now))
    }

    pub(crate) fn told(&self, address: SocketAddr, alive: bool, now: Instant) {
        self.with(address, |entry| if alive { entry.breaker.succeeded() } else { entry.breaker.failed(now) });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_open_it_and_one_probe_may_try_after_the_pause() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut breaker = Breaker::default();
        for _ in 0..4 {
            breaker.failed(start);
            assert_eq!(breaker.ask(start), BreakerState::Closed);
        }
        breaker.failed(start);
        assert_eq!(breaker.ask(at(10)), BreakerState::Open(Duration::from_secs(20)));
        assert_eq!(breaker.ask(at(31)), BreakerState::Closed, "the probe");
        assert!(matches!(breaker.ask(at(31)), BreakerState::Open(_)), "everybody else");
        breaker.failed(at(32));
        assert_eq!(breaker.ask(at(33)), BreakerState::Open(Duration::from_secs(59)), "twice as long");
        for round in 1..8 {
            breaker.failed(at(1_000 * round));
        }
        assert_eq!(breaker.ask(at(7_000)), BreakerState::Open(LONGEST_PAUSE), "never longer than that");
        breaker.succeeded();
        assert_eq!(breaker.ask(at(7_000)), BreakerState::Closed);
    }

    #[tokio::test]
    async fn an_address_has_so_many_permits_and_gets_them_back() {
        let addresses = Addresses::default();
        let one = SocketAddr::from(([127, 0, 0, 1], 1));
        let mut held = Vec::new();
        for _ in 0..PERMITS {
            held.push(addresses.permit(one).await);
        }
        assert!(futures::FutureExt::now_or_never(addresses.permit(one)).is_none(), "all are taken");
        let other = SocketAddr::from(([127, 0, 0, 1], 2));
        assert!(addresses.permit(other).await.is_some(), "another address has its own");
        held.pop();
        assert!(addresses.permit(one).await.is_some(), "one came back");
    }
}
