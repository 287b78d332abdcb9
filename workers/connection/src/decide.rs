//! What is asked of a server, and what its answer means for the command and the log. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use pursight_connectors::postgres::{SessionOptions, TEST_BUDGET, TestReport};
use pursight_connectors::unsupported_type;
use pursight_engine::runs::deadline_problem;
use pursight_engine::{Ending, Failure, Outcome, Stop};
use pursight_schemas::{
    ConnectionTested, DataSourceSpec, Event, Problem, ScopeFilter, SecretRef, SecretsRevoked, SourceType, StepResult,
    TestResult, TestStep, WorkItem, WorkKind,
};

/// What a work item asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Plan {
    /// A connection test.
    Test {
        /// What the source's role should be able to read.
        scope: ScopeFilter,
        /// How the session is set up.
        options: SessionOptions,
    },
    /// The source was purged: these secrets go.
    Revoke(Vec<SecretRef>),
    /// Nothing that could be tried.
    Refuse(Problem),
}

/// Reads a work item.
///
/// # Errors
/// Poison, when the item is not this worker's.
pub fn plan(work: &WorkItem, time_left: Duration) -> Result<Plan, Failure> {
    match work.kind {
        WorkKind::Test if work.spec.source_type != SourceType::Postgresql => {
            Ok(Plan::Refuse(*unsupported_type(work.spec.source_type)))
        }
        WorkKind::Test => {
            // A tenth of what is left stays for writing the result, so that a slow server is a report and not a deadline.
            let budget = TEST_BUDGET.min(time_left * 9 / 10);
            let scope = work.scope.clone().unwrap_or_else(|| work.spec.scope.clone());
            Ok(Plan::Test { scope, options: SessionOptions::of_test(work.run_id, budget) })
        }
        WorkKind::RevokeSecrets => Ok(Plan::Revoke(sealed_refs(&work.spec))),
        WorkKind::Discover
        | WorkKind::Statistics
        | WorkKind::ConfirmDeletions
        | WorkKind::Classify
        | WorkKind::Unknown => Err(Failure::Poison {
            code: "UNDECODABLE",
            what: format!("work of the kind {} on the connection topic", work.kind.symbol()),
        }),
    }
}

/// Every sealed secret that a source names, each once. Secrets in other stores are the customer's own.
pub fn sealed_refs(spec: &DataSourceSpec) -> Vec<SecretRef> {
    let cloud = spec.cloud.as_ref().and_then(|cloud| cloud.service_account.as_ref());
    let tls = [&spec.tls.ca, &spec.tls.client_certificate, &spec.tls.client_key].map(Option::as_ref);
    let mut refs: Vec<SecretRef> = Vec::new();
    for reference in [spec.credential.as_ref(), cloud].into_iter().chain(tls).flatten() {
        if reference.uri.starts_with("sealed://") && !refs.iter().any(|known| known.uri == reference.uri) {
            refs.push(reference.clone());
        }
    }
    refs
}

/// What a test's steps mean: the event, and the command's answer. A test that failed succeeded in testing.
pub fn conclude(work: &WorkItem, report: TestReport) -> Ending {
    let mut result = BTreeMap::new();
    let mut tell = |name: &str, value: &str| result.insert(name.to_owned(), value.to_owned());
    let failed = report.failure().cloned();
    match &failed {
        Some(problem) => {
            tell("test", "FAILED");
            tell("code", &problem.code);
            tell("message", &problem.message);
            for (name, value) in [
                ("step", &problem.step),
                ("native_code", &problem.native_code),
                ("remedy", &problem.remedy),
                ("remedy_sql", &problem.remedy_sql),
            ] {
                if let Some(value) = value {
                    tell(name, value);
                }
            }
        }
        None => {
            tell("test", "OK");
            if let Some(warning) = report.warnings().next() {
                tell("warning_code", &warning.code);
                tell("warning", &warning.message);
            }
        }
    }
    if let Some(server) = &report.server {
        tell("server", format!("{} {}", server.product, server.version).trim());
    }
    if let Some(latency) = report.latency_us {
        tell("latency_us", &latency.to_string());
    }
    let event = ConnectionTested {
        run_id: work.run_id,
        result: if failed.is_some() { TestResult::Failed } else { TestResult::Ok },
        steps: report.steps,
        server: report.server,
        latency_us: report.latency_us,
        ..ConnectionTested::default()
    };
    Ending { events: vec![event.into()], outcome: Outcome::Succeeded { result, preview: Vec::new() } }
}

/// The end of a run that had nothing to try.
pub fn refuse(work: &WorkItem, problem: Problem) -> Ending {
    let event = untested(work, Some(problem.clone()));
    Ending { events: vec![event], outcome: Outcome::Failed(problem) }
}

/// The end of a purge.
pub fn revoked(refs: Vec<SecretRef>) -> Ending {
    let result = BTreeMap::from([("revoked".to_owned(), refs.len().to_string())]);
    let event = SecretsRevoked { refs, ..SecretsRevoked::default() };
    Ending { events: vec![event.into()], outcome: Outcome::Succeeded { result, preview: Vec::new() } }
}

/// The terminal event of a test that was stopped. A purge that was stopped says nothing: its secrets may still be there.
pub fn stopped(work: &WorkItem, stop: &Stop) -> Vec<Event> {
    match (work.kind, stop) {
        (WorkKind::RevokeSecrets, _) => Vec::new(),
        (_, Stop::Deadline) => vec![untested(work, Some(deadline_problem()))],
        (_, Stop::Cancelled { .. }) => vec![untested(work, None)],
    }
}

/// A test that came to no step; the problem, if there is one, stands at the first.
fn untested(work: &WorkItem, problem: Option<Problem>) -> Event {
    let mut steps = pursight_connectors::untaken_steps();
    if let (Some(problem), Some(first)) = (problem, steps.first_mut()) {
        let problem = Problem { step: Some(first.name.clone()), ..problem };
        *first = TestStep { result: StepResult::Failed, problem: Some(problem), ..first.clone() };
    }
    let tested =
        ConnectionTested { run_id: work.run_id, result: TestResult::Failed, steps, ..ConnectionTested::default() };
    tested.into()
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
