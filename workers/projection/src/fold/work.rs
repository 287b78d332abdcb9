//! `work.*`: what runners were asked to do, so that a queued run can be seen. A run is asked for once.

use pursight_read_model::table::work_item::WorkItemRow;
use pursight_schemas::Event;

use super::{Verdict, json_or_none, time};
use crate::state::State;

/// Folds a work item.
pub(super) fn fold(state: &mut State, event: &Event) -> Verdict {
    let Event::WorkItem(work) = event else { return Verdict::Noted };
    let row = WorkItemRow {
        tenant_id: work.meta.tenant_id.clone(),
        run_id: work.run_id,
        source_id: work.meta.source_id,
        command_id: work.meta.command_id,
        correlation_id: work.meta.correlation_id,
        kind: work.kind.symbol().to_owned(),
        command_type: work.command_type.clone(),
        answers_command: work.answers_command,
        source_version: work.version,
        strategy: work.strategy.symbol().to_owned(),
        scope: json_or_none(work.scope.as_ref()),
        full_listing: work.full,
        exact: work.exact,
        dry_run: work.dry_run,
        confirms: work.confirms,
        principal: work.meta.actor.principal.clone(),
        asked_at: time(work.meta.occurred_at),
        deadline: time(work.deadline),
    };
    // The table keeps the first one too.
    state.work_items.entry((row.tenant_id.clone(), row.run_id)).or_insert(row);
    Verdict::Folded
}
