//! The twelve cases that a connection test must tell apart, each with its code, its remedy and in time; and the remedy,
//! where it is SQL, works.

use pursight_schemas::{DataSourceSpec, Problem, StepResult, TlsMode};

use crate::fakes;
use crate::servers::{connectors_allowing, dead_port, failure, outline, reference, servers, source, test, test_with};

const ALL_OK: &str = "secret=Ok egress=Ok tcp=Ok tls=Ok login=Ok database=Ok read_only=Ok rights=Ok";

#[tokio::test]
async fn right_settings_pass_every_step() {
    let servers = servers();
    servers.prepare(servers.good, "settled").await;
    let report = test(&source(servers.good, "settled")).await;
    assert_eq!(outline(&report.steps), ALL_OK);
    assert_eq!(report.warnings().count(), 0, "{report:#?}");
    assert!(report.latency_us.is_some_and(|us| us > 0));
    let server = report.server.unwrap();
    assert_eq!((server.product.as_str(), server.read_only), ("PostgreSQL", Some(false)));
    assert_eq!(server.tls_version.as_deref(), Some("TLSv1.3"));
    assert!(server.cipher.unwrap().starts_with("TLS13_"));
    assert!(server.certificate_not_after.unwrap().0 > 1_700_000_000_000_000);
    assert!(report.steps.iter().all(|step| step.duration_us >= 0) && report.steps[4].duration_us > 0);
}

/// What has to differ between two cases.
fn mark(problem: &Problem) -> (String, Option<String>, Option<String>, String) {
    (problem.code.clone(), problem.native_code.clone(), problem.step.clone(), problem.remedy.clone().unwrap())
}

async fn expect(spec: &DataSourceSpec, code: &str, step: &str) -> Problem {
    let report = test(spec).await;
    let problem = failure(&report).clone();
    assert_eq!((problem.code.as_str(), problem.step.as_deref()), (code, Some(step)), "{problem:#?}");
    let failed = report.steps.iter().position(|step| step.result == StepResult::Failed).unwrap();
    assert!(report.steps[..failed].iter().all(|step| step.result == StepResult::Ok), "{}", outline(&report.steps));
    assert!(report.steps[failed + 1..].iter().all(|step| step.result == StepResult::Skipped));
    problem
}

/// Cases that never come to a login: port, host, silence, swallowed packets, egress policy.
async fn unreachable(right: &DataSourceSpec) -> Vec<Problem> {
    let mut seen = Vec::new();
    let mut spec = right.clone();
    spec.hosts[0].port = Some(i32::from(dead_port()));
    seen.push(expect(&spec, "CONNECTION_REFUSED", "tcp").await);

    spec.hosts[0].port = Some(i32::from(fakes::silent().await.port()));
    seen.push(expect(&spec, "CONNECT_TIMEOUT", "tls").await);

    let hole = fakes::black_hole().await;
    spec.hosts[0].port = Some(i32::from(hole.0.local_addr().unwrap().port()));
    let problem = expect(&spec, "CONNECT_TIMEOUT", "tcp").await;
    assert!(problem.message.contains("did not answer within 5.0 s"), "{}", problem.message);
    seen.push(problem);

    spec.hosts[0].host = "no-such-host.invalid".to_owned();
    seen.push(expect(&spec, "HOST_NOT_FOUND", "egress").await);

    let report = test_with(&connectors_allowing("10.0.0.0/8"), right).await;
    let problem = failure(&report).clone();
    assert_eq!((problem.code.as_str(), problem.step.as_deref()), ("EGRESS_DENIED", Some("egress")));
    let remedy = problem.remedy.clone().unwrap();
    assert!(remedy.contains("PURSIGHT_EGRESS_ALLOW") && remedy.contains("127.0.0.1/32"), "{remedy}");
    let report = test_with(&connectors_allowing("127.0.0.1/32"), right).await;
    assert_eq!(outline(&report.steps), ALL_OK, "the range that the remedy names is enough");
    seen.push(problem);
    seen
}

/// No TLS, another authority, an expired certificate.
async fn untrusted(right: &DataSourceSpec, name: &str) -> Vec<Problem> {
    let servers = servers();
    let mut plain = source(servers.plain, name);
    plain.tls.mode = TlsMode::Default;
    let none = expect(&plain, "TLS_FAILED", "tls").await;

    let mut spec = right.clone();
    spec.tls.ca = reference("pem://other.crt");
    let other = expect(&spec, "TLS_FAILED", "tls").await;
    assert!(other.message.contains("CN=Test Authority"), "{other:?}");

    let expired = expect(&source(servers.expired, name), "TLS_FAILED", "tls").await;
    let seen = vec![none, other, expired];
    let natives: Vec<_> = seen.iter().map(|problem| problem.native_code.as_deref().unwrap()).collect();
    assert_eq!(natives, ["not_offered", "unknown_ca", "expired"]);
    seen
}

/// A wrong password, a wrong database, no right to connect, no right to read; what is SQL in a remedy is run.
async fn not_allowed(right: &DataSourceSpec, name: &str) -> Vec<Problem> {
    let servers = servers();
    let mut seen = Vec::new();
    let mut spec = right.clone();
    spec.credential = reference("test://wrong");
    seen.push(expect(&spec, "AUTHENTICATION_FAILED", "login").await);

    spec = right.clone();
    spec.database = Some(name.replace('i', ""));
    let problem = expect(&spec, "DATABASE_NOT_FOUND", "database").await;
    assert!(problem.remedy.as_deref().unwrap().contains(&format!("\"{name}\"")), "it names the near one: {problem:?}");
    seen.push(problem);

    let inside = servers.admin(servers.good, name).await;
    inside.batch_execute(&format!("REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")).await.unwrap();
    let problem = expect(right, "MISSING_GRANT", "database").await;
    inside.batch_execute(problem.remedy_sql.as_deref().unwrap()).await.unwrap();
    assert_eq!(outline(&test(right).await.steps), ALL_OK);
    seen.push(problem);

    inside.batch_execute(&format!("REVOKE SELECT ON ALL TABLES IN SCHEMA app, public FROM {name}")).await.unwrap();
    let problem = expect(right, "MISSING_GRANT", "rights").await;
    inside.batch_execute(problem.remedy_sql.as_deref().unwrap()).await.unwrap();
    let report = test(right).await;
    assert_eq!((outline(&report.steps).as_str(), report.warnings().count()), (ALL_OK, 0));
    seen.push(problem);
    seen
}

#[tokio::test]
async fn every_failure_has_its_own_code_and_remedy() {
    let servers = servers();
    for port in [servers.good, servers.plain, servers.expired] {
        servers.prepare(port, "failing").await;
    }
    let right = source(servers.good, "failing");
    let seen =
        [unreachable(&right).await, untrusted(&right, "failing").await, not_allowed(&right, "failing").await].concat();
    assert_eq!(seen.len(), 12);
    for (position, problem) in seen.iter().enumerate() {
        for other in &seen[..position] {
            let ((code, native, step, remedy), (code2, native2, step2, remedy2)) = (mark(problem), mark(other));
            assert_ne!((code, native, step), (code2, native2, step2));
            assert_ne!(remedy, remedy2);
        }
    }
}

#[tokio::test]
async fn a_role_that_lacks_some_rights_is_warned_and_the_statements_mend_it() {
    let servers = servers();
    servers.prepare(servers.good, "partly").await;
    let inside = servers.admin(servers.good, "partly").await;
    inside
        .batch_execute(
            "REVOKE SELECT ON app.\"Odd \"\"name\" FROM partly; REVOKE pg_read_all_stats FROM partly; \
             CREATE SCHEMA \"Closed\"; CREATE TABLE \"Closed\".t (id int)",
        )
        .await
        .unwrap();
    let spec = source(servers.good, "partly");
    let report = test(&spec).await;
    assert_eq!(outline(&report.steps), ALL_OK);
    let warning = report.warnings().next().unwrap();
    assert_eq!((warning.code.as_str(), warning.step.as_deref()), ("MISSING_GRANT", Some("rights")));
    assert!(warning.message.contains("2 of 4 tables"), "{}", warning.message);
    assert_eq!(
        warning.remedy_sql.as_deref(),
        Some(
            "GRANT USAGE ON SCHEMA \"Closed\" TO \"partly\";\nGRANT SELECT ON ALL TABLES IN SCHEMA \"Closed\" TO \"partly\";\n\
             GRANT SELECT ON \"app\".\"Odd \"\"name\" TO \"partly\";\nGRANT pg_read_all_stats TO \"partly\";"
        )
    );
    inside.batch_execute(warning.remedy_sql.as_deref().unwrap()).await.unwrap();
    assert_eq!(test(&spec).await.warnings().count(), 0);
}

#[tokio::test]
async fn secrets_that_cannot_be_had_fail_the_first_step() {
    let servers = servers();
    let mut spec = source(servers.good, "postgres");
    spec.credential = reference("sealed://acme/gone");
    let problem = expect(&spec, "SECRET_NOT_FOUND", "secret").await;
    assert!(problem.message.contains("sealed://acme/gone"), "{problem:?}");
    spec.credential = reference("test://away");
    let problem = expect(&spec, "SECRET_STORE_UNAVAILABLE", "secret").await;
    assert!(problem.retryable);
}
