//! `connection`: connection tests. One event is a whole run.

use pursight_read_model::table::connection_test::ConnectionTest;
use pursight_schemas::{ConnectionTested, Event, StepResult};

use super::run::{self, Turn};
use super::{Gap, Verdict, json, json_or_none, time};
use crate::state::State;

/// Folds an event of the connection topic.
pub(super) fn fold(state: &mut State, event: &Event) -> Result<Verdict, Gap> {
    let Event::ConnectionTested(tested) = event else { return Ok(Verdict::Noted) };
    let row = match run::turn(state, event, "TEST")? {
        Turn::Not(verdict) => return Ok(verdict),
        Turn::Next(row) => row,
    };
    // Cancelled before it came to anything: that says nothing of the source.
    if tested.steps.iter().all(|step| step.result == StepResult::Skipped) {
        run::end(row, "CANCELLED", &tested.meta);
        return Ok(Verdict::Folded);
    }
    let test = test(tested);
    row.result = Some(test.result.clone());
    row.duration_us = Some(test.duration_us);
    row.problem.clone_from(&test.problem);
    run::end(row, "SUCCEEDED", &tested.meta);
    state.tests.push(test);
    Ok(Verdict::Folded)
}

fn test(tested: &ConnectionTested) -> ConnectionTest {
    // A warning stands on a step that is OK; only a failed step's problem is the test's.
    let failed = tested.steps.iter().find(|step| step.result == StepResult::Failed);
    let problem = failed.and_then(|step| step.problem.as_ref());
    ConnectionTest {
        tenant_id: tested.meta.tenant_id.clone(),
        run_id: tested.run_id,
        source_id: tested.meta.source_id,
        command_id: tested.meta.command_id,
        result: tested.result.symbol().to_owned(),
        failed_step: failed.map(|step| step.name.clone()),
        code: problem.map(|problem| problem.code.clone()),
        problem: json_or_none(problem),
        steps: json(&tested.steps),
        server: json_or_none(tested.server.as_ref()),
        latency_us: tested.latency_us,
        duration_us: tested.steps.iter().fold(0_i64, |sum, step| sum.saturating_add(step.duration_us)),
        principal: tested.meta.actor.principal.clone(),
        tested_at: time(tested.meta.occurred_at),
    }
}
