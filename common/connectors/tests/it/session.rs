//! What a session promises, on a real server.

use std::time::{Duration, Instant};

use pursight_connectors::postgres::{PgSession, SessionOptions};
use pursight_schemas::{DataSourceSpec, HostPort, Replica, ReplicaTarget};
use tokio_postgres::Client;
use uuid::Uuid;

use crate::fakes;
use crate::servers::{connectors, dead_port, reference, servers, source};

async fn open(spec: &DataSourceSpec, run: u128, time: Duration) -> PgSession {
    let options = SessionOptions::of_run(Uuid::from_u128(run), time);
    connectors().postgres_session("acme", spec, None, &options).await.unwrap_or_else(|problem| panic!("{problem:?}"))
}

/// Waits until the server's view of a run's sessions is as expected.
async fn sessions_become(admin: &Client, run: u128, wanted: i64) {
    let name = format!("pursight/{}", Uuid::from_u128(run));
    let started = Instant::now();
    loop {
        let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
        let count: i64 = admin.query_one(sql, &[&name]).await.unwrap().get(0);
        if count == wanted {
            return;
        }
        assert!(started.elapsed() < Duration::from_secs(10), "there are still {count} sessions");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn it_is_read_only_bounded_and_named() {
    let servers = servers();
    servers.prepare(servers.good, "bounded").await;
    let session = open(&source(servers.good, "bounded"), 1, Duration::from_secs(20)).await;
    let sql = "SELECT name, setting FROM pg_settings WHERE name = ANY ($1) ORDER BY name";
    let names = [
        "default_transaction_read_only",
        "statement_timeout",
        "lock_timeout",
        "idle_in_transaction_session_timeout",
        "search_path",
        "application_name",
        "standard_conforming_strings",
        "TimeZone",
    ];
    let rows = session.query(sql, &[&&names[..]]).await.unwrap();
    let mut found: Vec<(String, String)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    found.sort();
    let mut wanted = [
        ("application_name", "pursight/00000000-0000-0000-0000-000000000001"),
        ("TimeZone", "UTC"),
        ("default_transaction_read_only", "on"),
        ("idle_in_transaction_session_timeout", "10000"),
        ("lock_timeout", "500"),
        ("search_path", "pg_catalog"),
        ("standard_conforming_strings", "on"),
        ("statement_timeout", "20000"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()));
    wanted.sort();
    assert_eq!(found, wanted);
    let refused = session.simple("CREATE TABLE app.x (id int)").await.unwrap_err();
    assert_eq!(refused.native_code.as_deref(), Some("25006"));
    let counts = session.counts();
    assert_eq!((counts.queries, counts.rows_read), (2, 8));
    assert!(counts.time > Duration::ZERO && session.major_version() >= 11);
    assert_eq!((session.database(), session.user()), ("bounded", "bounded"));
}

#[tokio::test]
async fn dropping_it_ends_what_runs_on_the_server() {
    let servers = servers();
    servers.prepare(servers.good, "dropped").await;
    let admin = servers.admin(servers.good, "postgres").await;
    let session = open(&source(servers.good, "dropped"), 2, Duration::from_secs(60)).await;
    {
        let sleeping = session.query("SELECT pg_sleep(50)::text", &[]);
        tokio::pin!(sleeping);
        tokio::select! {
            _ = &mut sleeping => panic!("it sleeps for 50 s"),
            () = running(&admin, 2) => {}
        }
    }
    drop(session);
    sessions_become(&admin, 2, 0).await;
}

async fn running(admin: &Client, run: u128) {
    let name = format!("pursight/{}", Uuid::from_u128(run));
    let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1 AND wait_event = 'PgSleep'";
    while admin.query_one(sql, &[&name]).await.unwrap().get::<_, i64>(0) == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_slow_statement_and_a_held_lock_are_problems_that_may_pass() {
    let servers = servers();
    servers.prepare(servers.good, "slow").await;
    let mut options = SessionOptions::of_run(Uuid::from_u128(3), Duration::from_secs(20));
    options.statement_timeout = Duration::from_millis(300);
    let session = connectors().postgres_session("acme", &source(servers.good, "slow"), None, &options).await.unwrap();
    let problem = session.query("SELECT pg_sleep(5)::text", &[]).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.retryable), ("STATEMENT_TIMEOUT", true));
    assert_eq!(session.query("SELECT 1", &[]).await.unwrap().len(), 1, "the session lives on");

    let session = open(&source(servers.good, "slow"), 4, Duration::from_secs(20)).await;
    let mut admin = servers.admin(servers.good, "slow").await;
    let holder = admin.transaction().await.unwrap();
    holder.batch_execute("LOCK TABLE app.orders").await.unwrap();
    let problem = session.query("SELECT count(*) FROM app.orders", &[]).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.native_code.as_deref()), ("STATEMENT_TIMEOUT", Some("55P03")));
}

#[tokio::test]
async fn a_killed_session_and_a_revoked_right_are_typed_problems() {
    let servers = servers();
    servers.prepare(servers.good, "killed").await;
    let admin = servers.admin(servers.good, "killed").await;
    let session = open(&source(servers.good, "killed"), 5, Duration::from_secs(20)).await;
    session.query("SELECT count(*) FROM app.orders", &[]).await.unwrap();
    admin.batch_execute("REVOKE SELECT ON app.orders FROM killed").await.unwrap();
    let problem = session.query("SELECT count(*) FROM app.orders", &[]).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.retryable), ("MISSING_GRANT", false));
    let kill = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'killed'";
    admin.batch_execute(kill).await.unwrap();
    let problem = session.query("SELECT 1", &[]).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.retryable), ("CONNECTION_REFUSED", true), "{problem:?}");
    while !session.is_closed() {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn an_answer_above_the_caps_ends_the_session_and_not_the_process() {
    let servers = servers();
    servers.prepare(servers.good, "flooded").await;
    let spec = source(servers.good, "flooded");
    let session = open(&spec, 6, Duration::from_secs(20)).await;
    let problem = session.query("SELECT repeat('x', 2000000)", &[]).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.native_code.as_deref()), ("SERVER_LIMIT", Some("too_large")));
    let session = open(&spec, 6, Duration::from_secs(20)).await;
    let problem = session.query("SELECT repeat('x', 100000) FROM generate_series(1, 1000000)", &[]).await.unwrap_err();
    assert_eq!(problem.code, "SERVER_LIMIT", "{problem:?}");
    drop(session);
    sessions_become(&servers.admin(servers.good, "postgres").await, 6, 0).await;
}

#[tokio::test]
async fn the_time_of_a_run_is_kept() {
    let servers = servers();
    servers.prepare(servers.good, "late").await;
    let session = open(&source(servers.good, "late"), 7, Duration::from_millis(1_500)).await;
    let started = Instant::now();
    let problem = session.query("SELECT pg_sleep(20)::text", &[]).await.unwrap_err();
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(["DEADLINE_EXCEEDED", "STATEMENT_TIMEOUT"].contains(&problem.code.as_str()), "{problem:?}");
}

#[tokio::test]
async fn hosts_are_tried_in_order_and_the_wanted_role_decides() {
    let servers = servers();
    servers.prepare(servers.good, "several").await;
    let mut spec = source(servers.good, "several");
    let dead = HostPort { host: "localhost".to_owned(), port: Some(i32::from(dead_port())) };
    let unknown = HostPort { host: "no-such-host.invalid".to_owned(), port: None };
    spec.hosts = vec![dead, unknown, spec.hosts[0].clone()];
    for target in [ReplicaTarget::Any, ReplicaTarget::Primary, ReplicaTarget::PreferStandby] {
        spec.replica = Some(Replica { target, ..Replica::default() });
        let session = open(&spec, 8, Duration::from_secs(20)).await;
        assert_eq!(session.query("SELECT 1", &[]).await.unwrap().len(), 1, "{target:?}");
    }
    spec.credential = reference("test://wrong");
    spec.hosts.rotate_right(1);
    let options = SessionOptions::of_run(Uuid::from_u128(8), Duration::from_secs(20));
    let problem = connectors().postgres_session("acme", &spec, None, &options).await.err().unwrap();
    assert_eq!(problem.code, "AUTHENTICATION_FAILED", "a refusal is not tried elsewhere");
}

#[tokio::test]
async fn a_silent_address_gives_its_permits_back_and_is_left_alone_in_the_end() {
    let fake = fakes::silent().await;
    let mut spec = source(fake.port(), "postgres");
    spec.options.insert("connect_timeout_s".to_owned(), "1".to_owned());
    let connectors = connectors();
    let options = SessionOptions::of_run(Uuid::from_u128(9), Duration::from_millis(300));
    let mut codes = Vec::new();
    for _ in 0..7 {
        let problem = connectors.postgres_session("acme", &spec, None, &options).await.err().unwrap();
        codes.push((problem.code.clone(), problem.native_code.clone().unwrap_or_default()));
    }
    assert!(codes[..5].iter().all(|(code, _)| code == "CONNECT_TIMEOUT"), "{codes:?}");
    assert!(codes[5..].iter().all(|(_, native)| native == "breaker_open"), "{codes:?}");
    let asked = SessionOptions::of_test(Uuid::from_u128(9), Duration::from_millis(300));
    let problem = connectors.postgres_session("acme", &spec, None, &asked).await.err().unwrap();
    assert_eq!(problem.code, "CONNECT_TIMEOUT", "a person's test tries at once");
}

#[tokio::test]
async fn other_kinds_of_servers_are_not_supported_yet() {
    let mut spec = source(1, "x");
    spec.source_type = pursight_schemas::SourceType::Mysql;
    let options = SessionOptions::of_run(Uuid::from_u128(10), Duration::from_secs(5));
    let problem = connectors().postgres_session("acme", &spec, None, &options).await.err().unwrap();
    assert_eq!(problem.code, "UNSUPPORTED_TYPE");
}
