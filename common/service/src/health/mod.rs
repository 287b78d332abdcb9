//! Whether the process lives and whether it may be given work, with the reasons in words.
//! A condition is ready or says why not; a heartbeat that stays out for too long ends liveness. Must not know who reports.

mod http;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

pub use http::{Server, router};

/// Health of this process. Cheap to clone.
#[derive(Clone, Default)]
pub struct Health(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    next: u64,
    draining: bool,
    conditions: BTreeMap<u64, (String, Option<String>)>,
    heartbeats: BTreeMap<u64, (String, Instant, Duration)>,
}

/// What `/livez` or `/readyz` answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether everything is well.
    pub ok: bool,
    /// Every condition by name: `ok`, or why not.
    pub conditions: Vec<(String, String)>,
}

impl Health {
    /// Without any condition: ready and alive.
    pub fn new() -> Self {
        Self::default()
    }

    /// A named condition of readiness. It is not ready before it says so, and gone when dropped.
    pub fn condition(&self, name: impl Into<String>) -> Condition {
        let mut state = self.state();
        state.next += 1;
        let id = state.next;
        state.conditions.insert(id, (name.into(), Some("starting".to_owned())));
        Condition { id, health: self.clone() }
    }

    /// A named heartbeat: liveness ends when it stays out for longer than `longest`. Gone when dropped.
    pub fn heartbeat(&self, name: impl Into<String>, longest: Duration) -> Heartbeat {
        let mut state = self.state();
        state.next += 1;
        let id = state.next;
        state.heartbeats.insert(id, (name.into(), Instant::now(), longest));
        Heartbeat { id, health: self.clone() }
    }

    /// The process is about to end: not ready any more, still alive.
    pub fn drain(&self) {
        self.state().draining = true;
    }

    /// Whether the process may be given work.
    pub fn readiness(&self) -> Report {
        let state = self.state();
        let mut conditions: Vec<_> = state.conditions.values().cloned().collect();
        if state.draining {
            conditions.push(("process".to_owned(), Some("draining".to_owned())));
        }
        Report::of(conditions)
    }

    /// Whether the process lives. A supervisor restarts it when not.
    pub fn liveness(&self) -> Report {
        let state = self.state();
        let late = |(name, at, longest): &(String, Instant, Duration)| {
            let silent = at.elapsed();
            let reason = (silent > *longest).then(|| format!("no sign of life for {} s", silent.as_secs()));
            (name.clone(), reason)
        };
        Report::of(state.heartbeats.values().map(late).collect())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Report {
    fn of(conditions: Vec<(String, Option<String>)>) -> Self {
        let ok = conditions.iter().all(|(_, reason)| reason.is_none());
        let text = |(name, reason): (String, Option<String>)| (name, reason.unwrap_or_else(|| "ok".to_owned()));
        let mut conditions: Vec<_> = conditions.into_iter().map(text).collect();
        conditions.sort();
        Self { ok, conditions }
    }
}

/// One condition of readiness.
pub struct Condition {
    id: u64,
    health: Health,
}

impl Condition {
    /// All is well.
    pub fn ready(&self) {
        self.set(None);
    }

    /// It is not, because of this. Reasons are shown to whoever asks: no secret, no driver's text.
    pub fn not_ready(&self, reason: impl Into<String>) {
        self.set(Some(reason.into()));
    }

    fn set(&self, reason: Option<String>) {
        if let Some((name, present)) = self.health.state().conditions.get_mut(&self.id) {
            if *present != reason {
                match &reason {
                    Some(reason) => tracing::warn!(condition = %name, reason, "not ready"),
                    None => tracing::info!(condition = %name, "ready"),
                }
            }
            *present = reason;
        }
    }
}

impl Drop for Condition {
    fn drop(&mut self) {
        self.health.state().conditions.remove(&self.id);
    }
}

/// One sign of life.
pub struct Heartbeat {
    id: u64,
    health: Health,
}

impl Heartbeat {
    /// Still here.
    pub fn beat(&self) {
        if let Some((_, at, _)) = self.health.state().heartbeats.get_mut(&self.id) {
            *at = Instant::now();
        }
    }
}

impl Drop for Heartbeat {
    fn drop(&mut self) {
        self.health.state().heartbeats.remove(&self.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_who_has_nothing_against_it() {
        let health = Health::new();
        assert!(health.readiness().ok);
        let database = health.condition("database");
        let broker = health.condition("broker");
        assert!(!health.readiness().ok);
        database.ready();
        broker.not_ready("no broker answers");
        let expected = [("broker", "no broker answers"), ("database", "ok")];
        assert_eq!(health.readiness().conditions, expected.map(|(name, text)| (name.to_owned(), text.to_owned())));
        drop(broker);
        assert!(health.readiness().ok);
        health.drain();
        assert!(!health.readiness().ok && health.liveness().ok);
    }

    #[test]
    fn a_heart_that_stops_ends_the_life() {
        let health = Health::new();
        let heart = health.heartbeat("loop", Duration::ZERO);
        let _calm = health.heartbeat("other", Duration::from_secs(3600));
        while health.liveness().ok {
            std::thread::yield_now();
        }
        assert!(health.readiness().ok);
        drop(heart);
        assert!(health.liveness().ok);
    }
}
