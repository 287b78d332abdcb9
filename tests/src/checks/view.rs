//! A history as the checks look at it: events decoded, and what publishers sent sorted into commands, repeats and what
//! must never be believed. The publisher's own word says which is which, never the product's.

use std::collections::BTreeMap;

use pursight_schemas::{Event, EventMeta, Topic};
use uuid::Uuid;

use crate::history::{History, Operation, Recorded, Shape};

/// A command: tenant and id.
pub(super) type CommandKey = (String, Uuid);

/// An event and the record that it lies in.
pub(super) struct Placed<'h> {
    pub(super) topic: Topic,
    pub(super) record: &'h Recorded,
    pub(super) event: Event,
}

impl Placed<'_> {
    pub(super) fn meta(&self) -> &EventMeta {
        self.event.meta()
    }

    /// Which worker wrote it.
    pub(super) fn is_by(&self, worker: &str) -> bool {
        self.record.header("ce_source") == Some(&format!("/pursight/{worker}"))
    }

    /// The command that it is of.
    pub(super) fn command(&self) -> Option<CommandKey> {
        let meta = self.meta();
        Some((meta.tenant_id.clone(), meta.command_id?))
    }

    pub(super) fn place(&self) -> super::Place {
        super::Place::record(self.topic, self.record).command(self.meta().command_id)
    }
}

/// The events of a topic, in log order. What cannot be read is `sound`'s business.
pub(super) fn events<'h>(history: &'h History, topic: Topic) -> Vec<Placed<'h>> {
    let placed = |record: &'h Recorded| Event::decode(&record.value).ok().map(|event| Placed { topic, record, event });
    history.committed(topic).iter().filter_map(placed).collect()
}

/// Topics that hold events.
pub(super) fn event_topics() -> impl Iterator<Item = Topic> {
    Topic::ALL.into_iter().filter(|topic| !matches!(topic, Topic::Command | Topic::DeadLetter))
}

/// What a record of the command topic is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// The first record of a command's id: it is decided.
    First,
    /// The same again: nothing happens.
    Repeat,
    /// Must become a dead letter of this code.
    Dead(&'static str),
}

/// A record of the command topic with what it is.
pub(super) struct Sent<'h> {
    pub(super) record: &'h Recorded,
    pub(super) operation: &'h Operation,
    pub(super) role: Role,
}

impl Sent<'_> {
    pub(super) fn place(&self) -> super::Place {
        super::Place::record(Topic::Command, self.record).command(self.operation.command_id)
    }

    pub(super) fn key(&self) -> Option<CommandKey> {
        Some((self.operation.tenant.clone(), self.operation.command_id?))
    }
}

/// Every record of the command topic whose operation is known, in log order. A tenant's commands lie on one partition,
/// so the order in which they are decided is theirs in the log.
pub(super) fn sent(history: &History) -> Vec<Sent<'_>> {
    let operations: BTreeMap<u64, &Operation> = history.operations.iter().map(|one| (one.n, one)).collect();
    let mut first: BTreeMap<CommandKey, &str> = BTreeMap::new();
    let mut all = Vec::new();
    for record in history.committed(Topic::Command) {
        let Some(operation) = record.operation().and_then(|n| operations.get(&n).copied()) else { continue };
        let role = match (operation.shape, operation.command_id) {
            (Shape::Command, Some(id)) => match first.get(&(operation.tenant.clone(), id)) {
                None => {
                    first.insert((operation.tenant.clone(), id), &operation.value_sha256);
                    Role::First
                }
                Some(sha256) if **sha256 == operation.value_sha256 => Role::Repeat,
                Some(_) => Role::Dead("PAYLOAD_MISMATCH"),
            },
            (shape, _) => Role::Dead(shape.code().unwrap_or_default()),
        };
        all.push(Sent { record, operation, role });
    }
    all
}

/// Name of the command topic on the broker.
pub(super) fn command_topic(history: &History) -> String {
    Topic::Command.name(&history.plan.prefix)
}
