//! `audit`: who did what. Each row's hash covers the one before it in its partition.

use pursight_engine::Record;
use pursight_read_model::chain;
use pursight_read_model::table::audit::AuditRow;
use pursight_schemas::Event;

use super::{Verdict, json_or_none, time};
use crate::state::State;

/// Folds an audit record. Every record counts, repeats too: the chain is over the topic as it lies.
pub(super) fn fold(state: &mut State, event: &Event, record: &Record) -> Verdict {
    let previous = state.position.chain_hash.clone().unwrap_or_default();
    let hash = chain::link(&previous, &record.value);
    state.position.chain_hash = Some(hash.clone());
    let Event::CommandAudited(audited) = event else { return Verdict::Noted };
    state.audit.push(AuditRow {
        tenant_id: audited.meta.tenant_id.clone(),
        partition: record.partition,
        log_offset: record.offset,
        event_id: audited.meta.event_id,
        decided_at: time(audited.meta.occurred_at),
        command_id: audited.command_id,
        command_type: audited.command_type.clone(),
        decision: audited.decision.symbol().to_owned(),
        code: audited.code.clone(),
        principal: audited.actor.as_ref().map(|actor| actor.principal.clone()),
        actor: json_or_none(audited.actor.as_ref()),
        payload_sha256: audited.payload_sha256.clone(),
        record_topic: audited.record.topic.clone(),
        record_partition: audited.record.partition,
        record_offset: audited.record.offset,
        previous_hash: previous,
        hash,
    });
    Verdict::Folded
}
