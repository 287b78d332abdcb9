//! Work ahead of its turn: while one batch is decided and committed, the next one's signatures are verified and the read
//! model is asked what it needs. Only a saving: what is not found here is done in its turn, with the same result.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use pursight_attestation::TrustedKeys;
use pursight_engine::Record;
use tokio::sync::oneshot;

use crate::admit::{Admission, admit_all};
use crate::lookup::Known;

/// What was done for some records.
#[derive(Default)]
pub struct Batch {
    /// Each by its record's offset.
    pub admissions: BTreeMap<i64, Admission>,
    /// What the first of them need to be decided.
    pub known: Option<Known>,
}

/// Of one partition: the epoch of the claim, and each batch that is under way or done by its first offset.
type Ahead = (u64, BTreeMap<i64, oneshot::Receiver<Batch>>);

/// By partition.
#[derive(Default)]
pub struct Prepared(Mutex<HashMap<i32, Ahead>>);

impl Prepared {
    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Ahead>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Announces that a batch is being prepared under this claim, and takes the result; `None` when the claim is over. From
    /// now on its turn waits for it.
    pub fn begin(&self, partition: i32, first: i64, epoch: u64) -> Option<oneshot::Sender<Batch>> {
        let mut all = self.lock();
        let ahead = all.entry(partition).or_default();
        if ahead.0 < epoch {
            *ahead = (epoch, BTreeMap::new());
        }
        (ahead.0 == epoch).then(|| {
            let (tell, told) = oneshot::channel();
            ahead.1.insert(first, told);
            tell
        })
    }

    /// Admits records in their turn, and hands out what is known for them: those at the front that were prepared under the
    /// same claim are done. What was prepared for earlier ones is forgotten.
    pub async fn take<'r>(
        &self,
        records: &'r [Record],
        epoch: u64,
        keys: &TrustedKeys,
    ) -> (Vec<(&'r Record, Admission)>, Option<Known>) {
        let Some(last) = records.last() else { return (Vec::new(), None) };
        let mut found = Batch::default();
        for told in self.until(last, epoch) {
            // Whoever prepared it may have panicked: then these records will do so in their turn.
            if let Ok(batch) = told.await {
                found.admissions.extend(batch.admissions);
                found.known = batch.known;
            }
        }
        let later = found.admissions.split_off(&(last.offset + 1));
        if let Some(first) = later.keys().next().copied()
            && let Some(tell) = self.begin(last.partition, first, epoch)
        {
            drop(tell.send(Batch { admissions: later, known: None }));
        }
        let done = records.iter().map_while(|record| Some((record, found.admissions.remove(&record.offset)?)));
        let mut admitted: Vec<_> = done.collect();
        let rest = &records[admitted.len()..];
        admitted.extend(admit_all(rest, keys));
        (admitted, found.known)
    }

    /// Everything up to a record, in order.
    fn until(&self, last: &Record, epoch: u64) -> Vec<oneshot::Receiver<Batch>> {
        match self.lock().get_mut(&last.partition) {
            Some((of, ahead)) if *of == epoch => {
                let later = ahead.split_off(&(last.offset + 1));
                std::mem::replace(ahead, later).into_values().collect()
            }
            _ => Vec::new(),
        }
    }

    /// Forgets a partition.
    pub fn forget(&self, partition: i32) {
        self.lock().remove(&partition);
    }
}
