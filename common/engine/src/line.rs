//! The canonical line: one a message, always the same dotted fields. Also how a chain of errors becomes text.

use std::sync::Arc;
use std::time::Duration;

use crate::message::{Line, Record};
use crate::metrics;
use crate::worker::Settings;

/// Outcome of a record that was given up.
pub const DEAD_LETTER: &str = "DEAD_LETTER";

/// A batch that was handled and has no lines yet.
pub(crate) struct Untold {
    pub(crate) records: Arc<[Record]>,
    pub(crate) lines: Vec<Line>,
    pub(crate) attempt: u32,
    pub(crate) took: Duration,
}

/// Writes the lines of these batches, and forgets them.
pub(crate) fn write_all(settings: &Settings, untold: &mut Vec<Untold>) {
    for Untold { records, lines, attempt, took } in untold.drain(..) {
        for (record, line) in records.iter().zip(&lines) {
            write(settings, record, line, attempt, took);
        }
    }
}

pub(crate) fn write(settings: &Settings, record: &Record, line: &Line, attempt: u32, took: Duration) {
    metrics::message(settings.worker, line.outcome);
    let text = |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    tracing::info!(
        worker = settings.worker,
        tenant.id = line.tenant_id,
        source.id = text(line.source_id),
        command.id = text(line.command_id),
        command.r#type = line.message_type,
        correlation.id = text(line.correlation_id),
        kafka.topic = record.topic.short(),
        kafka.partition = record.partition,
        kafka.offset = record.offset,
        attempt,
        outcome = line.outcome,
        error.code = line.code.as_deref().unwrap_or_default(),
        duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        "handled"
    );
}

pub(crate) fn write_dead(settings: &Settings, record: &Record, code: &str, attempt: u32) {
    let line = Line { outcome: DEAD_LETTER, code: Some(code.to_owned()), ..Line::default() };
    write(settings, record, &line, attempt, Duration::ZERO);
}

/// An error and its causes in one line.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
