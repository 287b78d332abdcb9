//! What each TLS mode demands of a server, against real ones.

use pursight_schemas::{Location, TlsMode};

use crate::fakes;
use crate::servers::{failure, reference, servers, source, test};

#[tokio::test]
async fn a_certificate_for_another_name_fails_only_full_verification() {
    let servers = servers();
    servers.prepare(servers.good, "named").await;
    let mut spec = source(servers.good, "named");
    spec.tls.server_name = Some("elsewhere.example.com".to_owned());
    let report = test(&spec).await;
    let problem = failure(&report);
    assert_eq!((problem.code.as_str(), problem.native_code.as_deref()), ("TLS_FAILED", Some("name_mismatch")));
    assert!(problem.message.contains("\"db.example.com\""), "it tells the names that there are: {}", problem.message);
    spec.tls.mode = TlsMode::VerifyCa;
    assert!(test(&spec).await.failure().is_none());
    spec.tls.mode = TlsMode::VerifyFull;
    spec.tls.server_name = Some("db.example.com".to_owned());
    assert!(test(&spec).await.failure().is_none());
    spec.tls.server_name = None;
    spec.hosts[0].host = "127.0.0.1".to_owned();
    assert_eq!(failure(&test(&spec).await).native_code.as_deref(), Some("name_mismatch"), "an address is a name too");
}

#[tokio::test]
async fn required_tls_is_encrypted_and_verifies_nothing() {
    let servers = servers();
    servers.prepare(servers.expired, "lenient").await;
    let mut spec = source(servers.expired, "lenient");
    spec.tls.mode = TlsMode::VerifyCa;
    assert_eq!(failure(&test(&spec).await).native_code.as_deref(), Some("expired"));
    spec.tls.mode = TlsMode::Require;
    spec.tls.ca = None;
    let report = test(&spec).await;
    assert!(report.failure().is_none(), "{report:#?}");
    assert_eq!(report.server.unwrap().tls_version.as_deref(), Some("TLSv1.3"));
}

#[tokio::test]
async fn the_default_verifies_in_the_cloud_and_encrypts_at_home() {
    let servers = servers();
    servers.prepare(servers.good, "defaulting").await;
    let mut spec = source(servers.good, "defaulting");
    (spec.tls.mode, spec.tls.ca) = (TlsMode::Default, None);
    assert!(test(&spec).await.failure().is_none());
    spec.location = Location::Cloud;
    let report = test(&spec).await;
    assert_eq!(failure(&report).native_code.as_deref(), Some("unknown_ca"), "our authority is none of the public ones");
}

#[tokio::test]
async fn a_self_signed_certificate_is_trusted_when_the_source_names_it() {
    let servers = servers();
    servers.prepare(servers.good, "pinned").await;
    let mut spec = source(servers.good, "pinned");
    spec.tls.ca = reference("pem://server.crt");
    assert!(test(&spec).await.failure().is_none());
    servers.prepare(servers.expired, "pinned").await;
    let mut spec = source(servers.expired, "pinned");
    spec.tls.ca = reference("pem://stale.crt");
    assert_eq!(failure(&test(&spec).await).native_code.as_deref(), Some("expired"));
}

#[tokio::test]
async fn a_client_certificate_is_shown_when_the_server_wants_one() {
    let servers = servers();
    servers.prepare(servers.good, "certified").await;
    let mut spec = source(servers.good, "certified");
    let report = test(&spec).await;
    assert_eq!(failure(&report).code, "AUTHENTICATION_FAILED", "{report:#?}");
    spec.tls.client_certificate = reference("pem://client.crt");
    spec.tls.client_key = reference("pem://client.key");
    let report = test(&spec).await;
    assert!(report.failure().is_none(), "{report:#?}");
    spec.tls.client_key = reference("pem://server.key");
    assert_eq!(failure(&test(&spec).await).code, "TLS_FAILED", "the key is not the certificate's");
    spec.tls.client_key = None;
    assert_eq!(failure(&test(&spec).await).code, "TLS_FAILED", "half of it");
}

#[tokio::test]
async fn without_tls_only_where_the_source_says_so() {
    let servers = servers();
    servers.prepare(servers.plain, "clear").await;
    let mut spec = source(servers.plain, "clear");
    spec.tls.mode = TlsMode::Require;
    assert_eq!(failure(&test(&spec).await).native_code.as_deref(), Some("not_offered"));
    spec.tls.mode = TlsMode::Disable;
    let report = test(&spec).await;
    assert!(report.failure().is_none() && report.warnings().count() == 0, "on loopback without a word: {report:#?}");
    assert_eq!(report.server.unwrap().tls_version, None);
}

#[tokio::test]
async fn servers_that_do_not_speak_the_protocol_are_told_apart() {
    let mut spec = source(1, "postgres");
    for (fake, code, native) in [
        (fakes::answering(b'N').await, "TLS_FAILED", "not_offered"),
        (fakes::answering(b'E').await, "TLS_FAILED", "not_postgresql"),
        (fakes::closing().await, "CONNECTION_REFUSED", "closed"),
        (fakes::answering(b'S').await, "CONNECT_TIMEOUT", "silent"),
    ] {
        spec.hosts[0].port = Some(i32::from(fake.port()));
        let report = test(&spec).await;
        let problem = failure(&report);
        let native_seen = problem.native_code.as_deref().map(|word| word.replace("reset", "closed"));
        assert_eq!((problem.code.as_str(), native_seen.as_deref()), (code, Some(native)), "{problem:#?}");
    }
}

#[tokio::test]
async fn what_is_not_pem_is_named() {
    let servers = servers();
    let mut spec = source(servers.good, "postgres");
    spec.tls.ca = reference("test://password");
    let report = test(&spec).await;
    let problem = failure(&report);
    assert_eq!((problem.code.as_str(), problem.step.as_deref()), ("TLS_FAILED", Some("secret")));
    assert!(problem.message.contains("tls.ca"), "{}", problem.message);
}
