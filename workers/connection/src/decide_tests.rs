//! Tables of work items and reports, and what becomes of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use pursight_connectors::{code, refused};
use pursight_schemas::{Actor, ServerInfo};
use uuid::Uuid;

use super::*;

fn work(kind: WorkKind) -> WorkItem {
    let mut work = WorkItem { kind, run_id: Uuid::from_u128(5), ..WorkItem::default() };
    work.spec.source_type = SourceType::Postgresql;
    work
}

fn reference(uri: &str) -> Option<SecretRef> {
    Some(SecretRef { uri: uri.to_owned(), version: None })
}

fn tested(ending: &Ending) -> &ConnectionTested {
    match ending.events.as_slice() {
        [Event::ConnectionTested(tested)] => tested,
        other => panic!("{other:?}"),
    }
}

fn answer(ending: &Ending) -> BTreeMap<String, String> {
    match &ending.outcome {
        Outcome::Succeeded { result, .. } => result.clone(),
        Outcome::Failed(problem) => panic!("{problem:?}"),
    }
}

#[test]
fn a_test_has_ten_seconds_or_what_the_deadline_leaves() {
    for (left, budget) in [(60_000, 10_000), (10_000, 9_000), (2_000, 1_800)] {
        let Plan::Test { options, .. } = plan(&work(WorkKind::Test), Duration::from_millis(left)).unwrap() else {
            panic!("it is a test");
        };
        assert_eq!(options.time_left, Duration::from_millis(budget));
        assert_eq!(options.application_name, format!("pursight/{}", Uuid::from_u128(5)));
        assert!(!options.respect_breaker, "a person asks");
    }
}

#[test]
fn the_scope_of_the_work_stands_before_that_of_the_source() {
    let mut item = work(WorkKind::Test);
    item.spec.scope.include = vec!["a.*".to_owned()];
    let scope_of = |item: &WorkItem| match plan(item, TEST_BUDGET).unwrap() {
        Plan::Test { scope, .. } => scope.include,
        other => panic!("{other:?}"),
    };
    assert_eq!(scope_of(&item), ["a.*"]);
    item.scope = Some(ScopeFilter { include: vec!["b.*".to_owned()], exclude: Vec::new() });
    assert_eq!(scope_of(&item), ["b.*"]);
}

#[test]
fn other_types_end_with_a_code_and_other_kinds_are_poison() {
    let mut item = work(WorkKind::Test);
    item.spec.source_type = SourceType::Mysql;
    let Plan::Refuse(problem) = plan(&item, TEST_BUDGET).unwrap() else { panic!("it is refused") };
    assert_eq!(problem.code, "UNSUPPORTED_TYPE");
    let ending = refuse(&item, problem);
    assert_eq!(tested(&ending).result, TestResult::Failed);
    assert_eq!(tested(&ending).steps[0].problem.as_ref().unwrap().code, "UNSUPPORTED_TYPE");
    assert!(matches!(&ending.outcome, Outcome::Failed(problem) if problem.code == "UNSUPPORTED_TYPE"));
    assert!(matches!(plan(&work(WorkKind::Discover), TEST_BUDGET), Err(Failure::Poison { .. })));
}

#[test]
fn a_failing_test_is_a_success_that_says_failed() {
    let mut problem = *refused(code::MISSING_GRANT, "may not", "let it");
    problem.step = Some("rights".to_owned());
    problem.remedy_sql = Some("GRANT …".to_owned());
    let mut steps = pursight_connectors::untaken_steps();
    steps[7].result = StepResult::Failed;
    steps[7].problem = Some(problem);
    let server = ServerInfo { product: "PostgreSQL".into(), version: "15.1".into(), ..ServerInfo::default() };
    let report = TestReport { steps, server: Some(server), latency_us: Some(250) };
    let ending = conclude(&work(WorkKind::Test), report.clone());
    let expected = [
        ("code", "MISSING_GRANT"),
        ("latency_us", "250"),
        ("message", "may not"),
        ("remedy", "let it"),
        ("remedy_sql", "GRANT …"),
        ("server", "PostgreSQL 15.1"),
        ("step", "rights"),
        ("test", "FAILED"),
    ];
    assert_eq!(answer(&ending), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    let event = tested(&ending);
    assert_eq!(
        (event.result, event.run_id, event.steps.clone()),
        (TestResult::Failed, Uuid::from_u128(5), report.steps)
    );
}

#[test]
fn a_warning_leaves_a_test_ok() {
    let mut steps = pursight_connectors::untaken_steps();
    for step in &mut steps {
        step.result = StepResult::Ok;
    }
    steps[7].problem = Some(*refused(code::MISSING_GRANT, "reads 3 of 4", "let it"));
    let ending = conclude(&work(WorkKind::Test), TestReport { steps, ..TestReport::default() });
    let expected = [("test", "OK"), ("warning", "reads 3 of 4"), ("warning_code", "MISSING_GRANT")];
    assert_eq!(answer(&ending), expected.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(tested(&ending).result, TestResult::Ok);
}

#[test]
fn a_purge_takes_every_sealed_secret_once_and_no_other() {
    let mut item = work(WorkKind::RevokeSecrets);
    item.spec.credential = reference("sealed://acme/a");
    item.spec.tls.ca = reference("env://CA");
    item.spec.tls.client_certificate = reference("sealed://acme/b");
    item.spec.tls.client_key = reference("sealed://acme/a");
    let Plan::Revoke(refs) = plan(&item, TEST_BUDGET).unwrap() else { panic!("it is a purge") };
    let uris: Vec<_> = refs.iter().map(|reference| reference.uri.as_str()).collect();
    assert_eq!(uris, ["sealed://acme/a", "sealed://acme/b"]);
    let ending = revoked(refs.clone());
    assert_eq!(answer(&ending)["revoked"], "2");
    assert!(matches!(&ending.events[..], [Event::SecretsRevoked(event)] if event.refs == refs));
}

#[test]
fn a_stopped_test_still_ends_with_its_event() {
    let item = work(WorkKind::Test);
    let cancelled = stopped(&item, &Stop::Cancelled { by: Actor::default() });
    let [Event::ConnectionTested(event)] = &cancelled[..] else { panic!("{cancelled:?}") };
    assert_eq!((event.result, event.steps.len()), (TestResult::Failed, 8));
    assert!(event.steps.iter().all(|step| step.result == StepResult::Skipped));
    let late = stopped(&item, &Stop::Deadline);
    let [Event::ConnectionTested(event)] = &late[..] else { panic!("{late:?}") };
    assert_eq!(event.steps[0].problem.as_ref().unwrap().code, "DEADLINE_EXCEEDED");
    assert!(stopped(&work(WorkKind::RevokeSecrets), &Stop::Deadline).is_empty());
}
