//! What ends before its turn: records of an owned partition that wait behind another one, or for a free hand, and need
//! none any more (a cancelled run, a run past its deadline). Their end is written at once; that it is written stands in the
//! metadata of the committed offset, so that no later owner writes it again. Who needs no turn is the handler's to say.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use pursight_schemas::Topic;

use crate::failure::Failure;
use crate::line;
use crate::log::{Log, NotCommitted};
use crate::slot::{Phase, Slot};
use crate::worker::Worker;

/// How often those who wait are looked at.
const EVERY: Duration = Duration::from_millis(500);
/// Most ends before their turn per partition; their offsets have to fit the metadata beside the handler's own.
const MOST: usize = 64;
/// Separates the handler's metadata from the offsets.
const SEPARATOR: &str = "\nended ";

/// What lies in the metadata of a committed offset.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ahead {
    /// What the handler left, for the record at the committed offset.
    pub(crate) own: String,
    /// Offsets behind the committed one whose end is written.
    pub(crate) ended: BTreeSet<i64>,
}

impl Ahead {
    pub(crate) fn parse(metadata: &str) -> Self {
        let Some((own, list)) = metadata.rsplit_once(SEPARATOR) else {
            return Self { own: metadata.to_owned(), ended: BTreeSet::new() };
        };
        Self { own: own.to_owned(), ended: list.split(' ').filter_map(|offset| offset.parse().ok()).collect() }
    }

    pub(crate) fn text(&self) -> String {
        if self.ended.is_empty() {
            return self.own.clone();
        }
        let list: Vec<String> = self.ended.iter().map(i64::to_string).collect();
        format!("{}{SEPARATOR}{}", self.own, list.join(" "))
    }
}

impl<L: Log> Worker<L> {
    /// From time to time ends whoever waits in vain, and passes over what has ended: in this order, since the next batch is
    /// taken behind it, and must not begin with a record whose end has just been written.
    pub(crate) fn look_ahead(&mut self) -> Result<(), Failure> {
        if self.handler.looks_ahead() && self.looked_ahead.elapsed() >= EVERY {
            self.looked_ahead = Instant::now();
            let keys: Vec<(Topic, i32)> = self.slots.keys().copied().collect();
            for key in keys {
                self.end_ahead(key)?;
            }
        }
        let ended: Vec<_> = self.slots.values().filter(|slot| !slot.ahead.ended.is_empty()).map(Slot::key).collect();
        for key in ended {
            self.pass_ended(key)?;
        }
        Ok(())
    }

    fn end_ahead(&mut self, key: (Topic, i32)) -> Result<(), Failure> {
        let Some(slot) = self.slots.get(&key) else { return Ok(()) };
        let taken_over = match slot.phase {
            Phase::Idle | Phase::Busy => slot.singly == 0,
            Phase::Waiting(_) => !slot.batch.is_empty(),
            Phase::Claiming | Phase::TakingOver | Phase::Beginning => false,
        };
        if !taken_over {
            return Ok(());
        }
        let waits = |offset: i64| !slot.ahead.ended.contains(&offset);
        let handler = &self.handler;
        let ends: Vec<_> = slot
            .waiting()
            .filter(|record| waits(record.offset))
            .filter_map(|record| Some((record.clone(), handler.ends_early(record, &slot.claim)?)))
            .take(MOST.saturating_sub(slot.ahead.ended.len()))
            .collect();
        for (record, (said, events)) in ends {
            let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
            slot.ahead.ended.insert(record.offset);
            let (next, own) = (slot.next, slot.ahead.own.clone());
            if !self.carried(key, next, &own, &events)? {
                return Ok(());
            }
            line::write(&self.settings, &record, &said, 1, Duration::ZERO);
        }
        Ok(())
    }

    /// Moves an idle partition past what has ended already.
    fn pass_ended(&mut self, key: (Topic, i32)) -> Result<(), Failure> {
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        if !matches!(slot.phase, Phase::Idle) || !slot.batch.is_empty() {
            return Ok(());
        }
        let Some(last) = slot.pass_ended() else { return Ok(()) };
        self.carried(key, last + 1, "", &[]).map(drop)
    }

    /// Writes a transaction that no handler waits for; false when it was aborted and the partition starts over.
    fn carried(
        &mut self,
        key: (Topic, i32),
        next: i64,
        own: &str,
        events: &[crate::Outgoing],
    ) -> Result<bool, Failure> {
        match self.transact(key, next, own, events) {
            Ok(_) => Ok(true),
            Err(NotCommitted::Aborted(_)) => {
                self.restart(key);
                Ok(false)
            }
            Err(NotCommitted::Fatal(failure)) => Err(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metadata_of_both_fit_into_one_text() {
        for (own, ended) in
            [("", vec![]), ("{\"a\":1}", vec![]), ("", vec![7]), ("{\"a\":\"b\"}", vec![7, 12, i64::MAX])]
        {
            let ahead = Ahead { own: own.to_owned(), ended: ended.into_iter().collect() };
            assert_eq!(Ahead::parse(&ahead.text()), ahead);
        }
        let most = Ahead { own: "x".repeat(1_000), ended: (0..64).map(|n| i64::MAX - n).collect() };
        assert!(most.text().len() <= 3 * 1024, "{}", most.text().len());
    }
}
