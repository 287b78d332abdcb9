//! From records to messages: what is read of a record before it is folded. Everything on these topics was written by our
//! own workers, so what cannot be read is a fault that a person must look at, never something to skip.

use pursight_engine::{Failure, Line, Record};
use pursight_schemas::{Event, Topic};
use uuid::Uuid;

/// Header that names the marker under which the registry wrote an event.
const OWNER: &str = "pursight-owner";

/// A record, read.
pub(crate) struct Message<'a> {
    /// As it came.
    pub record: &'a Record,
    /// What it says; nothing for a dead letter, whose value is sealed.
    pub event: Option<Event>,
}

impl<'a> Message<'a> {
    /// Reads a record.
    pub(crate) fn read(record: &'a Record) -> Result<Self, Failure> {
        Ok(Self { record, event: event(record)? })
    }

    /// The owner's marker that the event was written under.
    pub(crate) fn owner(&self) -> Option<Uuid> {
        self.record.header(OWNER).and_then(|text| Uuid::parse_str(text).ok())
    }

    /// Whether the registry says that it wrote it.
    pub(crate) fn is_of_registry(&self) -> bool {
        self.record.header("ce_source").is_some_and(|source| source.ends_with("/registry"))
    }

    /// Its log line.
    pub(crate) fn line(&self, outcome: &'static str) -> Line {
        let Some(event) = &self.event else {
            return Line { message_type: "DeadLetter".to_owned(), outcome, ..Line::default() };
        };
        let meta = event.meta();
        Line {
            tenant_id: meta.tenant_id.clone(),
            source_id: meta.source_id,
            command_id: meta.command_id,
            message_type: event.full_name().rsplit('.').next().unwrap_or_default().to_owned(),
            correlation_id: meta.correlation_id,
            outcome,
            code: None,
        }
    }
}

/// What a record says.
pub(crate) fn event(record: &Record) -> Result<Option<Event>, Failure> {
    if record.topic == Topic::DeadLetter {
        return Ok(None);
    }
    Event::decode(&record.value).map(Some).map_err(|error| {
        Failure::fatal(
            format!("the event at {} cannot be read ({error})", place(record)),
            "this program is older than the one that wrote it, or a foreign writer reached the topic: run the newest \
             version, or see who may write to the topic",
        )
    })
}

/// Where a record lies, for people.
pub(crate) fn place(record: &Record) -> String {
    format!("{}/{}@{}", record.topic.short(), record.partition, record.offset)
}
