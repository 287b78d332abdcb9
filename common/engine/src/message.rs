//! What comes out of the log and what goes into it. Plain data; knows nothing of Kafka's client.

use pursight_schemas::{CodecError, Event, Micros, Topic};
use uuid::Uuid;

use crate::trace::TraceParent;

/// A record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Which topic.
    pub topic: Topic,
    /// Which partition.
    pub partition: i32,
    /// Where in it.
    pub offset: i64,
    /// The record's timestamp; for commands the broker's append time.
    pub timestamp: Micros,
    /// Key bytes; empty if there are none.
    pub key: Vec<u8>,
    /// Value bytes; empty if there are none.
    pub value: Vec<u8>,
    /// Headers, in order.
    pub headers: Vec<(String, Vec<u8>)>,
}

impl Record {
    /// The last header of this name, as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().rev().find(|(key, _)| key == name)?;
        std::str::from_utf8(&found.1).ok()
    }

    /// The key as text, if it is UTF-8.
    pub fn key_text(&self) -> Option<&str> {
        std::str::from_utf8(&self.key).ok()
    }
}

/// A record to be written. Published only by [`crate::Claim::commit`], in one transaction with the input's offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub topic: Topic,
    /// Fixed partition; `None`: by key.
    pub partition: Option<i32>,
    /// Key.
    pub key: String,
    /// Value bytes, framed.
    pub value: Vec<u8>,
    /// Headers.
    pub headers: Vec<(String, String)>,
}

impl Outgoing {
    /// An event with its CloudEvents headers. `worker` goes into `ce_source`.
    pub fn event(
        topic: Topic,
        key: &str,
        event: &Event,
        worker: &str,
        trace: &TraceParent,
    ) -> Result<Self, CodecError> {
        let meta = event.meta();
        let mut headers = vec![
            ("content-type".to_owned(), "application/avro".to_owned()),
            ("ce_specversion".to_owned(), "1.0".to_owned()),
            ("ce_id".to_owned(), meta.event_id.to_string()),
            ("ce_type".to_owned(), event.full_name().to_owned()),
            ("ce_source".to_owned(), format!("/pursight/{worker}")),
            ("ce_time".to_owned(), meta.occurred_at.rfc3339()),
            ("traceparent".to_owned(), trace.child_text(meta.event_id)),
        ];
        if let Some(source) = meta.source_id {
            headers.push(("ce_subject".to_owned(), format!("sources/{source}")));
        }
        Ok(Self { topic, partition: None, key: key.to_owned(), value: event.encode()?, headers })
    }

    /// The same record with one more header.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// The same record on a fixed partition.
    #[must_use]
    pub fn on_partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }
}

/// Where a record came to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    /// Which topic.
    pub topic: Topic,
    /// Which partition.
    pub partition: i32,
    /// Where in it.
    pub offset: i64,
}

/// Canonical log fields of one message, filled by the handler, written by the engine.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    /// Tenant.
    pub tenant_id: String,
    /// Data source.
    pub source_id: Option<Uuid>,
    /// Command.
    pub command_id: Option<Uuid>,
    /// Short name of the message.
    pub message_type: String,
    /// Correlation.
    pub correlation_id: Option<Uuid>,
    /// What became of it, in one word.
    pub outcome: &'static str,
    /// Stable code, where it was refused.
    pub code: Option<String>,
}
