//! Who is let in, and what the answer says when not.

use pursight_schemas::{HostPort, Replica, ReplicaTarget, TlsMode};

use crate::fakes;
use crate::servers::{failure, reference, servers, source, test};

#[tokio::test]
async fn a_role_that_may_not_log_in_gets_the_statement_that_lets_it() {
    let servers = servers();
    servers.prepare(servers.good, "sleeping").await;
    let admin = servers.admin(servers.good, "postgres").await;
    admin.batch_execute("ALTER ROLE sleeping NOLOGIN").await.unwrap();
    let spec = source(servers.good, "sleeping");
    let report = test(&spec).await;
    let problem = failure(&report);
    assert_eq!((problem.code.as_str(), problem.native_code.as_deref()), ("AUTHENTICATION_FAILED", Some("28000")));
    admin.batch_execute(problem.remedy_sql.as_deref().unwrap()).await.unwrap();
    assert!(test(&spec).await.failure().is_none());
}

#[tokio::test]
async fn a_role_without_a_rule_gets_the_line_for_pg_hba_conf() {
    let servers = servers();
    servers.prepare(servers.good, "unlisted").await;
    let report = test(&source(servers.good, "unlisted")).await;
    let remedy = failure(&report).remedy.as_deref().unwrap();
    assert!(remedy.contains("`hostssl \"unlisted\" \"unlisted\" 127.0.0.1/32 scram-sha-256`"), "{remedy}");
}

#[tokio::test]
async fn limits_are_told_with_their_figures() {
    let servers = servers();
    servers.prepare(servers.good, "crowded").await;
    let admin = servers.admin(servers.good, "postgres").await;
    let spec = source(servers.good, "crowded");
    admin.batch_execute("ALTER DATABASE crowded CONNECTION LIMIT 0").await.unwrap();
    let report = test(&spec).await;
    let problem = failure(&report);
    assert_eq!((problem.code.as_str(), problem.step.as_deref()), ("SERVER_LIMIT", Some("login")));
    let remedy = problem.remedy.as_deref().unwrap();
    assert!(remedy.contains("a limit of 0 and 0 connections; the server has") && remedy.contains("of 60"), "{remedy}");
    admin.batch_execute(problem.remedy_sql.as_deref().unwrap()).await.unwrap();
    assert!(test(&spec).await.failure().is_none());

    admin.batch_execute("ALTER ROLE crowded CONNECTION LIMIT 0").await.unwrap();
    let report = test(&spec).await;
    let problem = failure(&report);
    assert_eq!(problem.code, "SERVER_LIMIT");
    assert!(problem.message.contains("role"), "{}", problem.message);
    admin.batch_execute(problem.remedy_sql.as_deref().unwrap()).await.unwrap();
    assert!(test(&spec).await.failure().is_none());
}

#[tokio::test]
async fn a_missing_password_is_told_from_a_wrong_one() {
    let servers = servers();
    servers.prepare(servers.good, "forgetful").await;
    let mut spec = source(servers.good, "forgetful");
    spec.credential = None;
    let report = test(&spec).await;
    let problem = failure(&report);
    assert_eq!(problem.code, "AUTHENTICATION_FAILED");
    assert!(problem.message.contains("the source names none"), "{}", problem.message);
    spec.username = None;
    assert_eq!(failure(&test(&spec).await).step.as_deref(), Some("secret"));
}

#[tokio::test]
async fn a_password_goes_in_clear_only_to_a_verified_server() {
    let servers = servers();
    servers.prepare(servers.good, "cleartext").await;
    let mut spec = source(servers.good, "cleartext");
    assert!(test(&spec).await.failure().is_none());
    spec.tls.mode = TlsMode::Require;
    let report = test(&spec).await;
    let problem = failure(&report);
    assert_eq!(problem.native_code.as_deref(), Some("cleartext_password"), "{problem:?}");

    // The fake ends the test if it sees the password.
    let fake = fakes::saying(b"R\0\0\0\x08\0\0\0\x03").await;
    let mut spec = source(fake.port(), "cleartext");
    spec.tls.mode = TlsMode::Disable;
    let report = test(&spec).await;
    assert_eq!(failure(&report).native_code.as_deref(), Some("cleartext_password"));
}

#[tokio::test]
async fn an_older_password_hash_still_works() {
    let servers = servers();
    let admin = servers.admin(servers.good, "postgres").await;
    admin.batch_execute("SET password_encryption = md5").await.unwrap();
    servers.prepare(servers.good, "hashed").await;
    let password = crate::servers::PASSWORD;
    admin.batch_execute(&format!("ALTER ROLE hashed PASSWORD '{password}'")).await.unwrap();
    assert!(test(&source(servers.good, "hashed")).await.failure().is_none());
}

#[tokio::test]
async fn servers_that_flood_or_babble_at_login_are_cut_off() {
    for (answer, code, native) in [
        (&b"E\x7f\xff\xff\xffSFATAL"[..], "SERVER_LIMIT", "too_large"),
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], "SERVER_LIMIT", "too_large"),
        (&b"R\0\0\0\x01"[..], "CONNECTION_REFUSED", "not_postgresql"),
    ] {
        let fake = fakes::saying(answer).await;
        let mut spec = source(fake.port(), "postgres");
        spec.tls.mode = TlsMode::Disable;
        let report = test(&spec).await;
        let problem = failure(&report);
        assert_eq!((problem.code.as_str(), problem.native_code.as_deref()), (code, Some(native)), "{problem:#?}");
    }
}

#[tokio::test]
async fn an_error_text_of_the_server_goes_nowhere() {
    // A hostile server echoes what it likes; none of it is repeated.
    for (sqlstate, code) in [("28P01", "AUTHENTICATION_FAILED"), ("canary-in-error-text", "INTERNAL")] {
        let text = format!("SFATAL\0VFATAL\0C{sqlstate}\0Mpassword canary-in-error-text here\0\0");
        let length = u32::try_from(text.len() + 4).unwrap().to_be_bytes();
        let fake = fakes::saying([&b"E"[..], &length, text.as_bytes()].concat().leak()).await;
        let mut spec = source(fake.port(), "postgres");
        spec.tls.mode = TlsMode::Disable;
        spec.credential = reference("test://password");
        let report = test(&spec).await;
        assert!(!format!("{report:?}").contains("canary-in-error-text"));
        assert_eq!(report.failure().unwrap().code, code);
    }
}

#[tokio::test]
async fn a_server_that_falls_silent_after_the_first_stage_is_given_up_in_time() {
    let fake = fakes::silent().await;
    let mut spec = source(fake.port(), "postgres");
    spec.tls.mode = TlsMode::Disable;
    let report = test(&spec).await;
    let problem = failure(&report);
    assert_eq!((problem.code.as_str(), problem.step.as_deref()), ("CONNECT_TIMEOUT", Some("login")));
    assert!(problem.message.contains("did not answer the login"), "{}", problem.message);
}

#[tokio::test]
async fn a_port_that_does_not_exist_is_no_default() {
    let mut spec = source(1, "postgres");
    for port in [0, -1, 65_536] {
        spec.hosts[0].port = Some(port);
        let report = test(&spec).await;
        assert!(failure(&report).message.contains(&format!("no port {port}")), "{report:?}");
    }
}

#[tokio::test]
async fn a_source_without_a_host_fails_at_the_first_step_that_needs_one() {
    let mut spec = source(1, "postgres");
    spec.hosts.clear();
    let report = test(&spec).await;
    assert_eq!(failure(&report).step.as_deref(), Some("egress"));
}

#[tokio::test]
async fn the_wanted_role_of_a_server_decides_between_hosts() {
    let servers = servers();
    let mut spec = source(servers.good, "everywhere");
    spec.database = None;
    let good = spec.hosts[0].clone();
    let standby = HostPort { port: Some(i32::from(servers.standby)), ..good.clone() };
    for (target, hosts, is_standby) in [
        (ReplicaTarget::Any, vec![standby.clone(), good.clone()], true),
        (ReplicaTarget::Primary, vec![standby.clone(), good.clone()], false),
        (ReplicaTarget::PreferStandby, vec![good.clone(), standby.clone()], true),
        (ReplicaTarget::PreferStandby, vec![good.clone()], false),
    ] {
        spec.replica = Some(Replica { target, ..Replica::default() });
        spec.hosts = hosts;
        let report = test(&spec).await;
        let server = report.server.clone().unwrap_or_else(|| panic!("{report:#?}"));
        assert_eq!(server.read_only, Some(is_standby), "{target:?}");
        assert!(report.failure().is_none(), "{report:#?}");
    }
    spec.replica = Some(Replica { target: ReplicaTarget::Primary, ..Replica::default() });
    spec.hosts = vec![standby];
    let report = test(&spec).await;
    let problem = failure(&report);
    assert_eq!((problem.native_code.as_deref(), problem.step.as_deref()), (Some("no_primary"), Some("database")));
}
