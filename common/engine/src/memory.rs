//! An in-memory log for tests: the same loop and handlers without a broker. Proves the loop, not the broker.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use pursight_schemas::topics::partition_of;
use pursight_schemas::{Micros, Topic};

use crate::failure::Failure;
use crate::log::{Committed, Happening, Log, NotCommitted, Transaction};
use crate::message::{Mark, Outgoing, Record};
use crate::worker::Waker;

#[derive(Default)]
struct Inner {
    records: BTreeMap<(Topic, i32), Vec<Record>>,
    committed: BTreeMap<(Topic, i32), (i64, String)>,
    transactions: Vec<Vec<Mark>>,
    aborts: u32,
    happenings: VecDeque<Happening>,
    reading: BTreeMap<(Topic, i32), i64>,
    wakers: Vec<Waker>,
}

/// The topics; cheap to clone, shared by everything in a test.
#[derive(Clone, Default)]
pub struct Memory(Arc<Mutex<Inner>>);

impl Memory {
    fn look<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        let result = self.look(act);
        self.wake();
        result
    }

    /// Wakes the workers, as if something had happened.
    pub fn wake(&self) {
        self.look(|inner| inner.wakers.iter().for_each(Waker::wake));
    }

    /// Appends a record as an outside producer would.
    pub fn append(
        &self,
        topic: Topic,
        key: &str,
        value: Vec<u8>,
        headers: Vec<(String, Vec<u8>)>,
        timestamp: Micros,
    ) -> Mark {
        let partition = partition_of(key.as_bytes(), topic.partitions());
        self.with(|inner| {
            push(inner, Record { topic, partition, offset: 0, timestamp, key: key.as_bytes().to_vec(), value, headers })
        })
    }

    /// Gives partitions to the worker.
    pub fn assign(&self, partitions: &[(Topic, i32)]) {
        self.with(|inner| inner.happenings.push_back(Happening::Assigned(partitions.to_vec())));
    }

    /// Takes partitions from the worker.
    pub fn revoke(&self, partitions: &[(Topic, i32)]) {
        self.with(|inner| {
            inner.reading.retain(|key, _| !partitions.contains(key));
            inner.happenings.push_back(Happening::Revoked(partitions.to_vec()));
        });
    }

    /// Lets the next transactions abort.
    pub fn abort_next(&self, count: u32) {
        self.with(|inner| inner.aborts = count);
    }

    /// Everything on a topic, by partition and offset.
    pub fn records(&self, topic: Topic) -> Vec<Record> {
        self.look(|inner| {
            inner.records.range((topic, 0)..=(topic, i32::MAX)).flat_map(|(_, records)| records.clone()).collect()
        })
    }

    /// Next record that the group would read, and its metadata.
    pub fn committed(&self, topic: Topic, partition: i32) -> (i64, String) {
        self.look(|inner| inner.committed.get(&(topic, partition)).cloned().unwrap_or_default())
    }

    /// The worker's end.
    pub fn log(&self, waker: Waker) -> MemoryLog {
        self.with(|inner| inner.wakers.push(waker));
        MemoryLog(self.clone())
    }
}

fn push(inner: &mut Inner, mut record: Record) -> Mark {
    let (topic, partition) = (record.topic, record.partition);
    let records = inner.records.entry((topic, partition)).or_default();
    let offset = i64::try_from(records.len()).unwrap_or(i64::MAX);
    record.offset = offset;
    records.push(record);
    Mark { topic, partition, offset }
}

fn append(inner: &mut Inner, event: &Outgoing) -> Mark {
    let partition = event.partition.unwrap_or_else(|| partition_of(event.key.as_bytes(), event.topic.partitions()));
    let headers = event.headers.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
    let (key, value) = (event.key.clone().into_bytes(), event.value.clone());
    push(inner, Record { topic: event.topic, partition, offset: 0, timestamp: Micros(0), key, value, headers })
}

/// One worker's end of a [`Memory`].
pub struct MemoryLog(Memory);

impl Log for MemoryLog {
    fn poll(&mut self) -> Vec<Happening> {
        self.0.look(|inner| {
            let mut happenings: Vec<Happening> = inner.happenings.drain(..).collect();
            for (key, next) in &mut inner.reading {
                let records = inner.records.get(key).map(Vec::as_slice).unwrap_or_default();
                let from = usize::try_from(*next).unwrap_or(0).min(records.len());
                happenings.extend(records[from..].iter().cloned().map(Happening::Record));
                *next = i64::try_from(records.len()).unwrap_or(i64::MAX);
            }
            happenings
        })
    }

    fn committed(&mut self, topic: Topic, partition: i32) -> Result<Committed, Failure> {
        let (next, metadata) = self.0.committed(topic, partition);
        Ok(Committed { next: Some(next), metadata, handed_over: false })
    }

    fn begin(&mut self, topic: Topic, partition: i32, offset: i64) -> Result<bool, Failure> {
        self.0.with(|inner| inner.reading.insert((topic, partition), offset));
        Ok(true)
    }

    fn pause(&mut self, _topic: Topic, _partition: i32, _paused: bool) {}

    fn transact(&mut self, transaction: &Transaction<'_>) -> Result<Vec<Mark>, NotCommitted> {
        self.0.with(|inner| {
            if inner.aborts > 0 {
                inner.aborts -= 1;
                return Err(NotCommitted::Aborted("the test wants it".to_owned()));
            }
            let marks: Vec<Mark> = transaction.events.iter().map(|event| append(inner, event)).collect();
            inner.committed.insert(
                (transaction.topic, transaction.partition),
                (transaction.next, transaction.metadata.to_owned()),
            );
            inner.transactions.push(marks.clone());
            Ok(marks)
        })
    }

    fn leave(&mut self) {
        self.0.with(|inner| inner.reading.clear());
    }
}
