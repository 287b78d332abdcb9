//! Who was told to stop: the content of the control topic, kept in memory by every runner.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use pursight_schemas::{Actor, Cancel, Micros};
use tokio::sync::watch;
use uuid::Uuid;

/// Cancellations remembered at most; the topic keeps 30 days.
const MAX_REMEMBERED: usize = 200_000;

#[derive(Default)]
struct Known {
    runs: HashMap<Uuid, Actor>,
    sources: HashMap<Uuid, (Micros, Actor)>,
}

/// All cancellations seen so far, and whether the topic was read to its end.
pub struct Cancellations {
    known: Mutex<Known>,
    changes: watch::Sender<u64>,
    caught_up: watch::Sender<bool>,
}

impl Default for Cancellations {
    fn default() -> Self {
        Self { known: Mutex::default(), changes: watch::Sender::new(0), caught_up: watch::Sender::new(false) }
    }
}

impl Cancellations {
    /// Takes one in.
    pub fn add(&self, cancel: &Cancel) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.runs.len() + known.sources.len() >= MAX_REMEMBERED {
            known.runs.clear();
        }
        let actor = cancel.meta.actor.clone();
        if let Some(run) = cancel.run_id {
            known.runs.insert(run, actor.clone());
        }
        if let Some(source) = cancel.source_id {
            // The topic may be read again from its start: an older one takes nothing back.
            let at = cancel.meta.occurred_at;
            if known.sources.get(&source).is_none_or(|(known, _)| *known <= at) {
                known.sources.insert(source, (at, actor));
            }
        }
        drop(known);
        self.changes.send_modify(|count| *count += 1);
    }

    /// The topic was read to its end once.
    pub fn set_caught_up(&self) {
        self.caught_up.send_replace(true);
    }

    /// Returns once the topic was read to its end: before that a cancelled run could be started.
    pub async fn caught_up(&self) {
        // The sender is ours: it cannot be gone.
        drop(self.caught_up.subscribe().wait_for(|caught_up| *caught_up).await);
    }

    /// Who cancelled a run, if anybody did. `asked_at`: when its work item was written.
    pub fn by(&self, run: Uuid, source: Option<Uuid>, asked_at: Micros) -> Option<Actor> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let of_source = source.and_then(|source| known.sources.get(&source)).filter(|(at, _)| asked_at < *at);
        known.runs.get(&run).or(of_source.map(|(_, actor)| actor)).cloned()
    }

    /// Returns when the run is cancelled; never if it is not.
    pub async fn cancelled(&self, run: Uuid, source: Option<Uuid>, asked_at: Micros) -> Actor {
        let mut changes = self.changes.subscribe();
        loop {
            if let Some(actor) = self.by(run, source, asked_at) {
                return actor;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_source_cancels_only_what_was_asked_for_before() {
        let cancellations = Cancellations::default();
        let (run, source) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut cancel = Cancel { source_id: Some(source), ..Cancel::default() };
        cancel.meta.occurred_at = Micros(100);
        cancellations.add(&cancel);
        assert!(cancellations.by(run, Some(source), Micros(99)).is_some());
        assert!(cancellations.by(run, Some(source), Micros(100)).is_none());
        assert!(cancellations.by(run, None, Micros(99)).is_none());
    }

    #[test]
    fn an_older_one_that_is_read_again_takes_nothing_back() {
        let cancellations = Cancellations::default();
        let (run, source) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let mut cancel = Cancel { source_id: Some(source), ..Cancel::default() };
        for at in [100, 200, 100] {
            cancel.meta.occurred_at = Micros(at);
            cancellations.add(&cancel);
        }
        assert!(cancellations.by(run, Some(source), Micros(150)).is_some());
    }
}
