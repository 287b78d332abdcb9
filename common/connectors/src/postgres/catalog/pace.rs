//! How large the next page may be, and how long to leave the server alone before it.
//! Owns the figures of the strategies and the arithmetic on measured times; must not know SQL, and sleeps nowhere.

use std::collections::VecDeque;
use std::time::Duration;

use pursight_schemas::Strategy;

/// Pages below this are not made smaller by a slow server, only by bisection.
const SMALLEST: usize = 25;
/// The first page is this part of a strategy's usual one, and pages grow by as much.
const STEPS: usize = 4;
/// A page never grows beyond this multiple of its start.
const LARGEST: usize = 8;
/// Pages whose times are remembered.
const WINDOW: usize = 8;
/// Rows of a page beyond which it does not grow, whatever the time: all of them are in memory at once, and those of the
/// page before, which is being published.
const ROWS: usize = 30_000;

/// Load control of one run on one session.
#[derive(Debug, Clone)]
pub struct Pace {
    start: usize,
    size: usize,
    target: Duration,
    /// Percent of the wall clock that may pass in queries.
    duty: u32,
    times: VecDeque<Duration>,
    rest: Duration,
}

impl Pace {
    /// The figures of a strategy.
    pub fn new(strategy: Strategy) -> Self {
        let (start, target, duty) = match strategy {
            Strategy::Conservative => (200, 150, 10),
            Strategy::Balanced | Strategy::Unknown => (500, 400, 30),
            Strategy::Aggressive => (2000, 1500, 80),
        };
        let target = Duration::from_millis(target);
        // Nobody knows yet how fast this server is; and the sooner the first page comes, the sooner it is published.
        let size = start / STEPS;
        Self { start, size, target, duty, times: VecDeque::new(), rest: Duration::ZERO }
    }

    /// The same pages with no pauses, for measurements and for servers of one's own.
    pub fn without_pauses(mut self) -> Self {
        self.duty = 100;
        self
    }

    /// Objects of the next page.
    pub fn size(&self) -> usize {
        self.size
    }

    /// A page came.
    pub fn succeeded(&mut self, took: Duration, rows: usize, pressure: bool) {
        self.rested(took);
        self.times.push_back(took);
        if self.times.len() > WINDOW {
            self.times.pop_front();
        }
        let slow = self.p95() > self.target * 2;
        if slow || pressure {
            self.halve();
        } else if self.p95() <= self.target && rows <= ROWS {
            self.size = (self.size + self.start / STEPS).min(self.start * LARGEST);
        }
    }

    /// A page failed: refused, timed out or waited for a lock.
    pub fn failed(&mut self, took: Duration) {
        self.rested(took);
        self.halve();
    }

    /// Another statement of the run was answered; it counts as load, not as a page.
    pub fn spent(&mut self, took: Duration) {
        self.rested(took);
    }

    /// How long to wait before the next statement, when this much has passed since the last one ended.
    pub fn pause(&self, since: Duration) -> Duration {
        self.rest.saturating_sub(since)
    }

    fn rested(&mut self, took: Duration) {
        self.rest = took * (100 - self.duty) / self.duty;
    }

    /// Times of larger pages say nothing about smaller ones.
    fn halve(&mut self) {
        self.size = (self.size / 2).max(SMALLEST.min(self.size));
        self.times.clear();
    }

    /// Nearest rank.
    fn p95(&self) -> Duration {
        let mut times: Vec<_> = self.times.iter().copied().collect();
        times.sort();
        let rank = (times.len() * 95).div_ceil(100);
        times.get(rank.saturating_sub(1)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAST: Duration = Duration::from_millis(10);

    #[test]
    fn pages_begin_at_a_quarter_of_the_usual_and_grow_by_as_much_up_to_eight_times() {
        let mut pace = Pace::new(Strategy::Conservative);
        assert_eq!(pace.size(), 50);
        pace.succeeded(FAST, 1, false);
        assert_eq!(pace.size(), 100);
        for _ in 0..100 {
            pace.succeeded(FAST, 1, false);
        }
        assert_eq!(pace.size(), 1600);
    }

    #[test]
    fn pages_are_halved_by_slowness_failure_and_pressure_but_not_below_the_smallest() {
        let mut pace = Pace::new(Strategy::Balanced);
        for _ in 0..3 {
            pace.succeeded(FAST, 1, false);
        }
        pace.succeeded(Duration::from_millis(801), 1, false);
        assert_eq!(pace.size(), 250);
        pace.failed(FAST);
        assert_eq!(pace.size(), 125);
        pace.succeeded(FAST, 1, true);
        assert_eq!(pace.size(), 62);
        for _ in 0..9 {
            pace.failed(FAST);
        }
        assert_eq!(pace.size(), 25);
        pace.succeeded(Duration::from_millis(700), 1, false);
        assert_eq!(pace.size(), 25, "between target and twice the target nothing moves");
    }

    #[test]
    fn a_page_of_very_many_rows_does_not_grow() {
        let mut pace = Pace::new(Strategy::Aggressive);
        pace.succeeded(FAST, ROWS + 1, false);
        assert_eq!(pace.size(), 500);
    }

    #[test]
    fn pauses_keep_the_share_of_the_wall_clock() {
        for (strategy, pause) in [(Strategy::Conservative, 900), (Strategy::Balanced, 233), (Strategy::Aggressive, 25)]
        {
            let mut pace = Pace::new(strategy);
            pace.succeeded(Duration::from_millis(100), 1, false);
            assert_eq!(pace.pause(Duration::ZERO).as_millis(), pause, "{strategy}");
            assert_eq!(pace.pause(Duration::from_secs(1)), Duration::ZERO, "time spent elsewhere counts");
        }
        let mut pace = Pace::new(Strategy::Conservative).without_pauses();
        pace.failed(FAST);
        assert_eq!(pace.pause(Duration::ZERO), Duration::ZERO);
    }
}
