//! Real servers, started once for the whole binary, and sources that point at them.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use pursight_connectors::postgres::{SessionOptions, TEST_BUDGET, TestReport};
use pursight_connectors::{Connectors, EgressPolicy, SecretPort};
use pursight_schemas::{
    DataSourceSpec, HostPort, Location, Problem, ScopeFilter, SecretRef, SourceType, TestStep, TlsMode,
};
use pursight_secrets::{Cause, Secret, SecretError};
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

/// Every role's password; no report may contain it.
pub const PASSWORD: &str = "canary-5f1d9e-sesame";

pub struct Servers {
    pub good: u16,
    pub expired: u16,
    pub plain: u16,
    pub standby: u16,
    pub folder: String,
    /// Its standard input ends with this process, and the servers with it.
    _script: Child,
}

/// The servers, started by whoever asks first.
pub fn servers() -> &'static Servers {
    static SERVERS: OnceLock<Servers> = OnceLock::new();
    SERVERS.get_or_init(start)
}

fn needed(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!("{name} is not set: run the tests through ./dev test, or `source` what ./dev test-env prints")
    })
}

fn start() -> Servers {
    let bin = needed("PURSIGHT_TEST_PG_BIN");
    let [good, expired, plain, standby] = std::array::from_fn(|_| dead_port());
    let user = Command::new("id").arg("-u").output().expect("id runs").stdout;
    let mut command = if user == b"0\n" {
        let mut command = Command::new("runuser");
        command.args(["-u", &needed("PURSIGHT_TEST_UNPRIVILEGED_USER"), "--", "bash"]);
        command
    } else {
        Command::new("bash")
    };
    let mut script = command
        .args(["-c", include_str!("servers.sh"), "servers.sh", &bin, PASSWORD])
        .args([good, expired, plain, standby].map(|port| port.to_string()))
        .current_dir("/tmp")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash runs");
    let mut line = String::new();
    let output = script.stdout.as_mut().expect("it is piped");
    BufReader::new(output).read_line(&mut line).expect("the script speaks");
    let folder = line.trim().strip_prefix("READY ").expect("the servers start").to_owned();
    Servers { good, expired, plain, standby, folder, _script: script }
}

/// A port on which nobody listens, and nobody will by chance: below the range of outgoing connections' ports.
pub fn dead_port() -> u16 {
    static GIVEN: OnceLock<AtomicU16> = OnceLock::new();
    let given = GIVEN.get_or_init(|| AtomicU16::new(Uuid::new_v4().as_fields().1 % 10_000));
    let mut ports = std::iter::repeat_with(|| 10_000 + given.fetch_add(1, Ordering::Relaxed) % 10_000);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("it goes on for ever")
}

impl Servers {
    /// The text of a certificate or key of the servers' folder.
    pub fn pem(&self, name: &str) -> String {
        std::fs::read_to_string(format!("{}/{name}", self.folder)).expect("the script made it")
    }

    /// A superuser's session, beside the code under test.
    pub async fn admin(&self, port: u16, database: &str) -> Client {
        let settings = format!("host=127.0.0.1 port={port} user=postgres dbname={database}");
        let (client, connection) = tokio_postgres::connect(&settings, NoTls).await.expect("the superuser is trusted");
        tokio::spawn(connection);
        client
    }

    /// Makes a role and a database of one name with two tables in two schemas, all rights granted.
    pub async fn prepare(&self, port: u16, name: &str) {
        let admin = self.admin(port, "postgres").await;
        admin.batch_execute(&format!("CREATE ROLE {name} LOGIN PASSWORD '{PASSWORD}'")).await.unwrap();
        admin.batch_execute(&format!("CREATE DATABASE {name}")).await.unwrap();
        let inside = self.admin(port, name).await;
        inside
            .batch_execute(&format!(
                "CREATE SCHEMA app; CREATE TABLE app.orders (id int); CREATE TABLE app.\"Odd \"\"name\" (id int); \
                 CREATE TABLE public.notes (id int); GRANT USAGE ON SCHEMA app TO {name}; \
                 GRANT SELECT ON ALL TABLES IN SCHEMA app, public TO {name}; GRANT pg_read_all_stats TO {name}"
            ))
            .await
            .unwrap();
    }
}

/// Secrets of the tests: what follows `test://`, or a file of the servers' folder.
pub struct TestSecrets;

#[async_trait]
impl SecretPort for TestSecrets {
    async fn resolve(&self, _: &str, reference: &SecretRef) -> Result<Secret, SecretError> {
        let uri = reference.uri.clone();
        if let Some(name) = uri.strip_prefix("pem://") {
            return Ok(Secret::new(servers().pem(name)));
        }
        match uri.as_str() {
            "test://password" => Ok(Secret::new(PASSWORD.to_owned())),
            "test://wrong" => Ok(Secret::new("wrong".to_owned())),
            "test://away" => Err(SecretError::Unavailable { reference: uri, cause: Cause::Down }),
            _ => {
                Err(SecretError::NotFound { reference: uri, why: "nothing is there".into(), remedy: "seal it".into() })
            }
        }
    }
}

pub fn reference(uri: &str) -> Option<SecretRef> {
    Some(SecretRef { uri: uri.to_owned(), version: None })
}

/// Connectors that may reach loopback addresses.
pub fn connectors() -> Connectors {
    connectors_allowing("127.0.0.0/8")
}

pub fn connectors_allowing(policy: &str) -> Connectors {
    Connectors::new(EgressPolicy::parse(policy).unwrap(), Arc::new(TestSecrets)).unwrap()
}

/// A source as `name` on the server with the good certificate, fully verified.
pub fn source(port: u16, name: &str) -> DataSourceSpec {
    let mut spec = DataSourceSpec {
        name: "under test".to_owned(),
        source_type: SourceType::Postgresql,
        location: Location::OnPrem,
        hosts: vec![HostPort { host: "localhost".to_owned(), port: Some(i32::from(port)) }],
        database: Some(name.to_owned()),
        username: Some(name.to_owned()),
        credential: reference("test://password"),
        options: BTreeMap::new(),
        ..DataSourceSpec::default()
    };
    spec.tls.mode = TlsMode::VerifyFull;
    spec.tls.ca = reference("pem://ca.crt");
    spec
}

/// Tests a source as the connection worker does.
pub async fn test(spec: &DataSourceSpec) -> TestReport {
    test_with(&connectors(), spec).await
}

pub async fn test_with(connectors: &Connectors, spec: &DataSourceSpec) -> TestReport {
    let options = SessionOptions::of_test(Uuid::from_u128(7), TEST_BUDGET);
    let started = std::time::Instant::now();
    let report = connectors.postgres_test("acme", spec, &ScopeFilter::default(), &options).await;
    assert!(started.elapsed() < TEST_BUDGET + Duration::from_millis(500), "it took {:?}", started.elapsed());
    assert!(!format!("{report:?}").contains(PASSWORD), "a report holds the password");
    assert_eq!(report.steps.len(), 8);
    report
}

/// The problem of a failed test.
pub fn failure(report: &TestReport) -> &Problem {
    report.failure().unwrap_or_else(|| panic!("it did not fail: {report:#?}"))
}

/// `secret=OK egress=FAILED …`, for comparing.
pub fn outline(steps: &[TestStep]) -> String {
    let words: Vec<_> = steps.iter().map(|step| format!("{}={:?}", step.name, step.result)).collect();
    words.join(" ")
}
