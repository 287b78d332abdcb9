//! One owned partition: who we are there, what we wrote that the read model has not folded yet, and how far it was seen
//! to have come. Does no I/O.

use std::collections::HashMap;

use pursight_engine::Failure;
use uuid::Uuid;

use crate::state::{Effect, Layer};

/// Own events that the read model has not folded yet, by tenant.
#[derive(Debug, Default)]
pub struct Overlay(HashMap<String, Layer>);

impl Overlay {
    /// What lies over a tenant.
    pub fn layer(&self, tenant: &str) -> Option<&Layer> {
        self.0.get(tenant)
    }

    /// Lays one effect on top, at the offset of its event.
    pub fn apply(&mut self, tenant: &str, effect: &Effect, offset: i64) {
        self.0.entry(tenant.to_owned()).or_default().apply(effect, offset);
    }

    /// Forgets what the read model has folded.
    pub fn prune(&mut self, source_next: i64, outcome_next: i64) {
        self.0.retain(|_, layer| {
            layer.prune(source_next, outcome_next);
            !layer.is_empty()
        });
    }

    /// How many facts it holds.
    pub fn len(&self) -> usize {
        self.0.values().map(Layer::len).sum()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// A partition that is ours.
#[derive(Debug)]
pub struct Owned {
    /// Id of our marker.
    pub owner: Uuid,
    /// What lies over the read model.
    pub overlay: Overlay,
    /// Records before this offset are decided. A batch that failed half-way comes again whole.
    pub next: i64,
    /// The record whose command is being decided, for the case that this panics.
    pub deciding: Option<i64>,
    seen: (i64, i64),
}

impl Owned {
    /// Ours from now on: the read model has folded everything before these offsets of the source and outcome topic.
    pub fn new(owner: Uuid, seen: (i64, i64)) -> Self {
        Self { owner, overlay: Overlay::default(), next: 0, deciding: None, seen }
    }

    /// Whether no snapshot was newer than these positions, in either topic.
    pub fn has_seen_no_later(&self, folded: (i64, i64)) -> bool {
        self.seen.0 <= folded.0 && self.seen.1 <= folded.1
    }

    /// Takes note of a snapshot's positions in the source and the outcome topic, and forgets what it has folded.
    ///
    /// # Errors
    /// [`Failure::Transient`] when the snapshot is older than one that was seen before, or when too much of ours is not
    /// folded yet. Waiting is right in both cases; an answer would be wrong.
    pub fn observe(&mut self, folded: (i64, i64), most: usize) -> Result<(), Failure> {
        if !self.has_seen_no_later(folded) {
            return Err(waiting("the read model is older than it was: an old copy in its place, or a lagging standby"));
        }
        self.seen = folded;
        self.overlay.prune(folded.0, folded.1);
        if self.overlay.len() > most {
            return Err(waiting(
                "too many decisions wait to be folded into the read model; is the projection running?",
            ));
        }
        Ok(())
    }
}

fn waiting(what: &str) -> Failure {
    Failure::Transient { what: what.to_owned(), source: None }
}
