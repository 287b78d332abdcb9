//! The engine's metrics: who is counted when. Their names are in `pursight_service::metrics`, with all others.

use std::time::Duration;

pub use pursight_service::metrics::{BATCH_SECONDS, MESSAGES, PARTITIONS, RETRIES, TRANSACTIONS};

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
