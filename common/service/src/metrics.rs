//! Names of all metrics, and the recorder behind `/metrics`. Base units; labels come from closed lists only. Who counts
//! something adds its name here.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

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

const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0];

/// Installs the recorder of this process. Call it once, in `main`.
///
/// # Errors
/// When a recorder is installed already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let builder = PrometheusBuilder::new();
    let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?;
    let handle = builder.install_recorder()?;
    describe_counter!(MESSAGES, "messages handled, by worker and outcome");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "time from taking a batch to its end");
    describe_counter!(TRANSACTIONS, "Kafka transactions, by worker and result");
    describe_gauge!(PARTITIONS, "partitions owned");
    describe_counter!(RETRIES, "batches tried again after a transient failure");
    Ok(handle)
}
