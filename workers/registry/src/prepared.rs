//! Admissions ahead of their turn: while one batch is decided and committed, the next one's signatures are verified. Only
//! a saving: what is not found here is admitted in its turn, with the same result.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pursight_attestation::TrustedKeys;
use pursight_engine::Record;

use crate::admit::{Admission, admit, admit_all};

/// Of one partition: the epoch of the claim under which they were made, and each by its record's offset.
type Ahead = (u64, BTreeMap<i64, Admission>);

/// By partition.
#[derive(Default)]
pub struct Prepared(Mutex<HashMap<i32, Ahead>>);

impl Prepared {
    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Ahead>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Admits records whose turn has not come. On one processor: the others decide.
    pub fn admit(&self, records: &[Record], epoch: u64, keys: &TrustedKeys) {
        let Some(partition) = records.first().map(|record| record.partition) else { return };
        let admissions: Vec<_> = records.iter().map(|record| (record.offset, admit(record, keys))).collect();
        let mut all = self.lock();
        let ahead = all.entry(partition).or_default();
        if ahead.0 < epoch {
            *ahead = (epoch, BTreeMap::new());
        }
        if ahead.0 == epoch {
            ahead.1.extend(admissions);
        }
    }

    /// Admits records in their turn: those at the front that were prepared under the same claim are done. What was prepared
    /// for earlier ones is forgotten.
    pub fn take<'r>(&self, records: &'r [Record], epoch: u64, keys: &TrustedKeys) -> Vec<(&'r Record, Admission)> {
        let Some(last) = records.last() else { return Vec::new() };
        let mut found = BTreeMap::new();
        if let Some((of, ahead)) = self.lock().get_mut(&last.partition)
            && *of == epoch
        {
            let later = ahead.split_off(&(last.offset + 1));
            found = std::mem::replace(ahead, later);
        }
        let done = records.iter().map_while(|record| Some((record, found.remove(&record.offset)?)));
        let mut admitted: Vec<_> = done.collect();
        let rest = &records[admitted.len()..];
        admitted.extend(admit_all(rest, keys));
        admitted
    }

    /// Forgets a partition.
    pub fn forget(&self, partition: i32) {
        self.lock().remove(&partition);
    }
}
