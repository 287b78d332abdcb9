//! The fold: events to row changes. Pure: no clock, no random number, no I/O; the same log gives the same rows, byte for
//! byte. One file per stream; each row is written by the events of one stream partition only.

mod audit;
mod connection;
mod dead_letter;
mod outcome;
mod parts;
mod run;
mod schema;
mod source;
mod statistics;
#[cfg(test)]
mod tests;
mod work;

use chrono::{DateTime, Utc};
use pursight_engine::Failure;
use pursight_read_model::fold::Wanted;
use pursight_schemas::{Event, Micros, Topic};
use serde::Serialize;
use serde_json::Value;

use crate::decode::{Message, place};
use crate::state::State;

/// Commands are kept so long after their last record, by record time.
const COMMANDS_KEPT_DAYS: i64 = 31;

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Rows changed.
    Folded,
    /// It had been folded before, or its subject has already ended.
    Repeated,
    /// It says nothing that is kept as rows.
    Noted,
    /// Written under an older owner, or by a foreign writer: not folded, and a person must look.
    Foreign,
}

impl Verdict {
    /// In one word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Folded => "folded",
            Self::Repeated => "repeated",
            Self::Noted => "noted",
            Self::Foreign => "ignored_foreign",
        }
    }
}

/// An event is missing before this one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    subject: String,
    last: i64,
    found: i64,
}

/// Adds the keys of the rows that an event may change.
pub(crate) fn want(wanted: &mut Wanted, message: &Message<'_>) {
    let Some(event) = &message.event else { return };
    let tenant = || event.meta().tenant_id.clone();
    match message.record.topic {
        Topic::Source => {
            wanted.sources.extend(event.meta().source_id.map(|source| (tenant(), source)));
        }
        Topic::Outcome => {
            wanted.commands.extend(event.meta().command_id.map(|command| (tenant(), command)));
        }
        Topic::Connection | Topic::Schema | Topic::Statistics => {
            wanted.runs.extend(run::of(event).map(|run| (tenant(), run)));
            schema::want(wanted, event);
        }
        Topic::Command
        | Topic::WorkConnection
        | Topic::WorkDiscovery
        | Topic::WorkStatistics
        | Topic::Control
        | Topic::Audit
        | Topic::DeadLetter => {}
    }
}

/// Folds one message and moves the position past it.
pub(crate) fn fold(state: &mut State, message: &Message<'_>) -> Result<Verdict, Failure> {
    let verdict = apply(state, message).map_err(|gap| {
        Failure::fatal(
            format!(
                "{} has sequence {} after {} at {}: an event is missing",
                gap.subject,
                gap.found,
                gap.last,
                place(message.record)
            ),
            "the log has lost an event or somebody else wrote to it: compare with `pursight replay`; the read model stands \
             still here so that nothing is skipped",
        )
    })?;
    state.position.next_offset = message.record.offset.saturating_add(1);
    pass_time(state, message);
    Ok(verdict)
}

fn apply(state: &mut State, message: &Message<'_>) -> Result<Verdict, Gap> {
    let Some(event) = &message.event else {
        dead_letter::fold(state, message.record);
        return Ok(Verdict::Folded);
    };
    if let Event::OwnershipTaken(marker) = event {
        state.position.owner = Some(marker.meta.event_id);
        return Ok(Verdict::Noted);
    }
    if is_foreign(state, message) {
        return Ok(Verdict::Foreign);
    }
    match message.record.topic {
        Topic::Source => source::fold(state, event),
        Topic::Outcome => Ok(outcome::fold(state, event, message.record)),
        Topic::WorkConnection | Topic::WorkDiscovery | Topic::WorkStatistics => Ok(work::fold(state, event)),
        Topic::Connection => connection::fold(state, event),
        Topic::Schema => schema::fold(state, event),
        Topic::Statistics => statistics::fold(state, event),
        Topic::Audit => Ok(audit::fold(state, event, message.record)),
        Topic::Command | Topic::Control | Topic::DeadLetter => Ok(Verdict::Noted),
    }
}

/// Only the registry writes to the source topic, always under a marker; to the outcome topic runners write too, without
/// one. An event under a marker that is not the newest comes from an owner that had been ousted.
fn is_foreign(state: &State, message: &Message<'_>) -> bool {
    match message.record.topic {
        Topic::Source => message.owner().is_none() || message.owner() != state.position.owner,
        Topic::Outcome => match message.owner() {
            Some(owner) => Some(owner) != state.position.owner,
            None => message.is_of_registry(),
        },
        _ => false,
    }
}

/// How many of these messages may be written in one transaction. Two events settle rows that a batch does not hold: the
/// end of a complete listing those of its source, and the first outcome of a new day those of old commands. Nothing that
/// follows them may be written with them, or a rebuild, whose batches begin and end elsewhere, could differ.
pub(crate) fn part_length(messages: &[Message<'_>], newest: Option<DateTime<Utc>>) -> usize {
    let mut newest = newest;
    for (index, message) in messages.iter().enumerate() {
        let now = time(message.record.timestamp);
        let is_whole = matches!(&message.event, Some(Event::SchemaSnapshotCompleted(event)) if event.complete);
        if is_whole || message.record.topic == Topic::Outcome && enters_day(newest, now) {
            return index + 1;
        }
        newest = newest.max(Some(now));
    }
    messages.len()
}

fn enters_day(newest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    newest.is_some_and(|newest| newest.date_naive() < now.date_naive())
}

/// Record time passes. Old commands are forgotten when it enters a new day, so that a rebuild, whose batches begin and
/// end elsewhere, forgets the same ones.
fn pass_time(state: &mut State, message: &Message<'_>) {
    let now = time(message.record.timestamp);
    let before = state.position.newest_record_at;
    if before.is_some_and(|before| before >= now) {
        return;
    }
    state.position.newest_record_at = Some(now);
    if message.record.topic == Topic::Outcome && enters_day(before, now) {
        let midnight = now.date_naive().and_time(chrono::NaiveTime::MIN).and_utc();
        let cut = midnight - chrono::TimeDelta::days(COMMANDS_KEPT_DAYS);
        state.forget_commands = Some((message.record.partition, cut));
    }
}

/// A time as PostgreSQL can hold it: publishers may write any number.
pub(crate) fn time(micros: Micros) -> DateTime<Utc> {
    /// 0001-01-01 and 9999-12-31T23:59:59.999999Z.
    const RANGE: (i64, i64) = (-62_135_596_800_000_000, 253_402_300_799_999_999);
    DateTime::from_timestamp_micros(micros.0.clamp(RANGE.0, RANGE.1)).unwrap_or_default()
}

/// A record's part as JSON. Our own types always have a JSON form.
fn json(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn json_or_none<T: Serialize>(value: Option<&T>) -> Option<Value> {
    value.map(json)
}
