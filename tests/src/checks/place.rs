//! Where a violation is: as much as is known, in words that lead to the record.

use std::fmt;

use pursight_schemas::Topic;
use serde::Serialize;
use uuid::Uuid;

use crate::history::Recorded;

/// Where to look.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Place {
    /// Short name of the topic.
    pub topic: Option<&'static str>,
    /// Partition.
    pub partition: Option<i32>,
    /// Offset.
    pub offset: Option<i64>,
    /// Command.
    pub command_id: Option<Uuid>,
    /// When it was seen, milliseconds since 1970, where the record does not tell.
    pub at_ms: Option<i64>,
    /// Anything else: a source, a run, a row, an operation.
    pub subject: Option<String>,
}

impl Place {
    /// A record.
    pub fn record(topic: Topic, record: &Recorded) -> Self {
        Self::at(topic, record.partition, record.offset)
    }

    /// Coordinates.
    pub fn at(topic: Topic, partition: i32, offset: i64) -> Self {
        Self { topic: Some(topic.short()), partition: Some(partition), offset: Some(offset), ..Self::default() }
    }

    /// A partition.
    pub fn partition(topic: Topic, partition: i32) -> Self {
        Self { topic: Some(topic.short()), partition: Some(partition), ..Self::default() }
    }

    /// A topic.
    pub fn topic(topic: Topic) -> Self {
        Self { topic: Some(topic.short()), ..Self::default() }
    }

    /// Something that lies nowhere.
    pub fn of(subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..Self::default() }
    }

    /// The same, about a command.
    #[must_use]
    pub fn command(self, command_id: Option<Uuid>) -> Self {
        Self { command_id: command_id.or(self.command_id), ..self }
    }

    /// The same, about something.
    #[must_use]
    pub fn about(self, subject: impl Into<String>) -> Self {
        Self { subject: Some(subject.into()), ..self }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = Vec::new();
        let partition = self.partition.map(|partition| format!("/{partition}")).unwrap_or_default();
        let offset = self.offset.map(|offset| format!("@{offset}")).unwrap_or_default();
        words.extend(self.topic.map(|topic| format!("{topic}{partition}{offset}")));
        words.extend(self.command_id.map(|id| format!("command {id}")));
        words.extend(self.subject.clone());
        f.write_str(&words.join(", "))
    }
}
