//! Names of all metrics, and the recorder behind `/metrics`. Base units; labels come from closed enums only.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Messages handled; labels `worker`, `outcome`.
pub const MESSAGES: &str = "pursight_messages_total";
/// Time to handle a batch; label `worker`.
pub const BATCH_SECONDS: &str = "pursight_batch_duration_seconds";
/// Kafka transactions; labels `worker`, `result` (committed, aborted).
pub const TRANSACTIONS: &str = "pursight_transactions_total";
/// Time of a Kafka transaction; label `worker`.
pub const TRANSACTION_SECONDS: &str = "pursight_transaction_duration_seconds";
/// Dead letters; labels `worker`, `code`.
pub const DEAD_LETTERS: &str = "pursight_dead_letters_total";
/// Batches tried again; label `worker`.
pub const RETRIES: &str = "pursight_retries_total";
/// Records between the committed offset and the end, summed over the worker's partitions; label `worker`.
pub const LAG: &str = "pursight_lag_records";
/// Partitions owned; label `worker`.
pub const PARTITIONS: &str = "pursight_partitions_owned";
/// Partitions that stand still; label `worker`.
pub const HALTED: &str = "pursight_partitions_halted";
/// Runs ended; labels `worker`, `outcome`.
pub const RUNS: &str = "pursight_runs_total";
/// Time of a run; label `worker`.
pub const RUN_SECONDS: &str = "pursight_run_duration_seconds";
/// Time spent waiting for the read model; label `worker`.
pub const BARRIER_SECONDS: &str = "pursight_barrier_wait_seconds";
/// Events folded into the read model.
pub const FOLDED: &str = "pursight_events_folded_total";

const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 300.0];

/// Installs the recorder of this process. Call it once, in `main`.
///
/// # Errors
/// When a recorder is installed already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let builder = PrometheusBuilder::new();
    let builder = builder.set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &BUCKETS)?;
    let handle = builder.install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!(MESSAGES, "messages handled, by worker and outcome");
    describe_histogram!(BATCH_SECONDS, Unit::Seconds, "time to handle a batch");
    describe_counter!(TRANSACTIONS, "Kafka transactions, by worker and result");
    describe_histogram!(TRANSACTION_SECONDS, Unit::Seconds, "time of a Kafka transaction");
    describe_counter!(DEAD_LETTERS, "dead letters, by worker and code");
    describe_counter!(RETRIES, "batches tried again");
    describe_gauge!(LAG, "records between the committed offset and the end of the owned partitions");
    describe_gauge!(PARTITIONS, "partitions owned");
    describe_gauge!(HALTED, "partitions that stand still until somebody looks");
    describe_counter!(RUNS, "runs ended, by worker and outcome");
    describe_histogram!(RUN_SECONDS, Unit::Seconds, "time of a run");
    describe_histogram!(BARRIER_SECONDS, Unit::Seconds, "time spent waiting for the read model");
    describe_counter!(FOLDED, "events folded into the read model");
}
