//! Calls of the handler, each a task beside the loop, which is told their ends. Knows the slot that a call is for; what
//! follows from an end is the loop's.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Instant;

use futures::FutureExt as _;
use tokio::runtime::Handle;

use crate::handler::{Claim, Handler};
use crate::message::Record;
use crate::slot::{Ended, Phase, Slot};
use crate::worker::Ask;

/// Lets the handler take the partition over.
pub(crate) fn take_over(slot: &mut Slot, handler: &Arc<dyn Handler>, runtime: &Handle, outbox: &Sender<Ask>) {
    slot.phase = Phase::TakingOver;
    let (handler, claim, outbox) = (Arc::clone(handler), slot.claim.clone(), outbox.clone());
    let task = runtime.spawn(async move {
        let result = AssertUnwindSafe(handler.take_over(&claim)).catch_unwind().await;
        tell(&outbox, &claim, result.map_or(Ended::Panicked, Ended::TookOver));
    });
    slot.task = Some(task.abort_handle());
}

/// Gives the batch to the handler.
pub(crate) fn handle(slot: &mut Slot, handler: &Arc<dyn Handler>, runtime: &Handle, outbox: &Sender<Ask>) {
    slot.phase = Phase::Busy;
    slot.began = Instant::now();
    let batch = Arc::clone(&slot.batch);
    let (handler, claim, outbox) = (Arc::clone(handler), slot.claim.clone(), outbox.clone());
    let task = runtime.spawn(async move {
        let result = AssertUnwindSafe(handler.handle(&batch, &claim)).catch_unwind().await;
        tell(&outbox, &claim, result.map_or(Ended::Panicked, Ended::Handled));
    });
    slot.task = Some(task.abort_handle());
}

/// Shows the handler at most so many records of what follows its batch, if it wants to see them. A panic there is of no
/// account: the record panics again in its turn.
pub(crate) fn prepare(slot: &Slot, most: usize, handler: &Arc<dyn Handler>, runtime: &Handle) {
    if !handler.prepares() {
        return;
    }
    let records: Vec<Record> = slot.waiting().take(most).cloned().collect();
    if !records.is_empty() {
        let (handler, claim) = (Arc::clone(handler), slot.claim.clone());
        drop(runtime.spawn_blocking(move || handler.prepare(&records, &claim)));
    }
}

fn tell(outbox: &Sender<Ask>, claim: &Claim, ended: Ended) {
    let Claim { topic, partition, epoch, .. } = *claim;
    // The loop may have ended: then nobody wants to know.
    drop(outbox.send(Ask::Ended { topic, partition, epoch, ended }));
}
