//! Records that can never be handled: kept whole, sealed, with complete coordinates and a code; never a driver's text.

use pursight_schemas::{Micros, Topic};

use crate::failure::Failure;
use crate::handler::Seal;
use crate::message::{Outgoing, Record};

/// Version of the code that gave up, for the header of that name.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the headers say beside the record's own coordinates.
#[derive(Debug, Clone, Copy)]
pub struct Why<'w> {
    /// Stable code, such as `UNDECODABLE`.
    pub code: &'w str,
    /// Worker that gave up.
    pub worker: &'w str,
    /// Full name of the record's topic.
    pub topic: &'w str,
    /// How often it was tried.
    pub attempts: u32,
    /// When it first failed; the record's own time, so that deciding again gives the same.
    pub first_failed_at: Micros,
}

/// The dead letter of a record: its value sealed for its tenant, its key as it was.
///
/// # Errors
/// [`Failure::Fatal`] when there is no key to seal with.
pub fn dead_letter(record: &Record, why: Why<'_>, seal: &dyn Seal) -> Result<Outgoing, Failure> {
    let key = String::from_utf8_lossy(&record.key).into_owned();
    let id = format!("{}/{}/{}", why.topic, record.partition, record.offset);
    let headers = [
        ("topic", why.topic.to_owned()),
        ("partition", record.partition.to_string()),
        ("offset", record.offset.to_string()),
        ("code", why.code.to_owned()),
        ("first-failed-at", why.first_failed_at.rfc3339()),
        ("attempts", why.attempts.to_string()),
        ("worker", why.worker.to_owned()),
        ("version", VERSION.to_owned()),
    ];
    Ok(Outgoing {
        topic: Topic::DeadLetter,
        partition: None,
        value: seal.seal(&key, &id, &record.value)?,
        key,
        headers: headers.into_iter().map(|(name, value)| (format!("pursight-dlq-{name}"), value)).collect(),
    })
}

/// Stops a worker that gives up too often: then it is our deploy that is bad, not the data.
#[derive(Debug, Default)]
pub(crate) struct Brake {
    running: u32,
    seen: u32,
    dead: u32,
}

impl Brake {
    /// More than this many dead letters without anything good between them stop the worker.
    const RUNNING: u32 = 20;
    /// Of this many records at most half may be dead letters.
    const WINDOW: u32 = 1_000;

    /// Counts one record; says whether the worker must stop.
    pub(crate) fn count(&mut self, dead: bool) -> bool {
        self.running = if dead { self.running + 1 } else { 0 };
        self.seen += 1;
        self.dead += u32::from(dead);
        let share = self.seen >= Self::WINDOW && self.dead * 2 > self.seen;
        if self.seen >= Self::WINDOW {
            (self.seen, self.dead) = (0, 0);
        }
        share || self.running > Self::RUNNING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twenty_in_a_row_pass_and_one_more_stops() {
        let mut brake = Brake::default();
        assert!((0..20).all(|_| !brake.count(true)));
        assert!(!brake.count(false));
        assert!((0..20).all(|_| !brake.count(true)));
        assert!(brake.count(true));
    }

    #[test]
    fn more_than_half_of_a_thousand_stops() {
        let mut brake = Brake::default();
        let stopped = (0..1_000).filter(|at| brake.count(at % 9 < 5)).count();
        assert_eq!(stopped, 1);
    }
}
