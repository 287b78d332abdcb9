//! Names of the engine's metrics, in one place. Labels come from closed lists only.

use std::time::Duration;

/// Messages by worker and outcome.
pub const MESSAGES: &str = "pursight_engine_messages_total";
/// Time from taking a batch to its end, by worker.
pub const BATCH_SECONDS: &str = "pursight_engine_batch_seconds";
/// Transactions by worker and result (`committed`, `aborted`).
pub const TRANSACTIONS: &str = "pursight_engine_transactions_total";
/// Partitions owned, by worker.
pub const PARTITIONS: &str = "pursight_engine_partitions";
/// Retries of batches after transient failures, by worker.
pub const RETRIES: &str = "pursight_engine_retries_total";

pub(crate) fn message(worker: &'static str, outcome: &'static str) {
    metrics::counter!(MESSAGES, "worker" => worker, "outcome" => outcome).increment(1);
}

pub(crate) fn batch(worker: &'static str, took: Duration) {
    metrics::histogram!(BATCH_SECONDS, "worker" => worker).record(took.as_secs_f64());
}

pub(crate) fn transaction(worker: &'static str, result: &'static str) {
    metrics::counter!(TRANSACTIONS, "worker" => worker, "result" => result).increment(1);
}

pub(crate) fn partitions(worker: &'static str, count: usize) {
    metrics::gauge!(PARTITIONS, "worker" => worker).set(f64::from(u32::try_from(count).unwrap_or(u32::MAX)));
}

pub(crate) fn retry(worker: &'static str) {
    metrics::counter!(RETRIES, "worker" => worker).increment(1);
}
