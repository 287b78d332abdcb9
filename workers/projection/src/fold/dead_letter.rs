//! `dead-letter`: headers and size. The value is sealed and may hold secrets: it is never looked at here.

use pursight_engine::Record;
use pursight_read_model::table::dead_letter::DeadLetter;
use pursight_schemas::names::is_tenant_id;

use super::time;
use crate::state::State;

/// Folds a dead letter.
pub(super) fn fold(state: &mut State, record: &Record) {
    let header = |name: &str| record.header(&format!("pursight-dlq-{name}")).map(str::to_owned);
    let number = |name: &str| header(name).and_then(|text| text.parse::<i64>().ok());
    let key = record.key_text();
    let topic = header("topic").unwrap_or_default();
    // Only topics that are keyed by tenant say whose it is; the rest is the operator's to see.
    let by_tenant = [".command.v1", ".source.v1", ".outcome.v1", ".audit.v1"].iter().any(|end| topic.ends_with(end));
    let tenant_id = key.filter(|key| by_tenant && is_tenant_id(key)).unwrap_or_default().to_owned();
    state.dead_letters.push(DeadLetter {
        tenant_id,
        partition: record.partition,
        log_offset: record.offset,
        code: header("code").unwrap_or_else(|| "UNKNOWN".to_owned()),
        original_topic: topic,
        original_partition: number("partition").and_then(|number| i32::try_from(number).ok()),
        original_offset: number("offset"),
        first_failed_at: header("first-failed-at"),
        attempts: number("attempts"),
        worker: header("worker"),
        worker_version: header("version"),
        record_key: key.map(|key| key.chars().take(128).collect()),
        size_bytes: i64::try_from(record.value.len()).unwrap_or(i64::MAX),
        recorded_at: time(record.timestamp),
    });
}
