//! Hosts against a fake name server that answers as the test says, a different way each time if it says so.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use tokio::net::UdpSocket;

use super::*;

/// A fake name server: the n-th query for A records gets the n-th list, the last one for ever; AAAA gets nothing.
async fn name_server(answers: Vec<Vec<Ipv4Addr>>) -> (SocketAddr, Arc<AtomicUsize>) {
    let socket = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query).await {
            // The question: labels up to an empty one, then type and class.
            let mut end = 12;
            while query[end] != 0 {
                end += usize::from(query[end]) + 1;
            }
            end += 5;
            assert!(end <= length);
            let for_a = query[end - 3] == 1;
            let list = if for_a {
                let turn = count.fetch_add(1, Ordering::SeqCst).min(answers.len() - 1);
                answers[turn].clone()
            } else {
                Vec::new()
            };
            let mut reply = query[..end].to_vec();
            reply[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, u8::try_from(list.len()).unwrap(), 0, 0, 0, 0]);
            for ip in list {
                // Pointer to the name, A, IN, a life of 0 s, four bytes.
                reply.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                reply.extend(ip.octets());
            }
            socket.send_to(&reply, from).await.unwrap();
        }
    });
    (address, asked)
}

fn gate(server: SocketAddr, policy: &str) -> Gate {
    let mut connection = ConnectionConfig::udp();
    connection.port = server.port();
    let config = ResolverConfig::from_name_servers(vec![NameServerConfig::new(server.ip(), true, vec![connection])]);
    let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    Gate::over(builder, EgressPolicy::parse(policy).unwrap()).unwrap()
}

const PUBLIC: Ipv4Addr = Ipv4Addr::new(8, 8, 8, 8);
const METADATA: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);
const PRIVATE: Ipv4Addr = Ipv4Addr::new(10, 1, 2, 3);

#[tokio::test]
async fn every_address_of_a_name_is_checked() {
    for (answers, policy, allowed) in [
        (vec![PUBLIC], "", true),
        (vec![PUBLIC, Ipv4Addr::new(9, 9, 9, 9)], "", true),
        (vec![PRIVATE], "", false),
        (vec![PUBLIC, PRIVATE], "", false),
        (vec![PRIVATE, PUBLIC], "", false),
        (vec![PUBLIC, PRIVATE], "10.0.0.0/8", true),
        (vec![PUBLIC, PRIVATE], "10.0.0.0/8:5433", false),
        (vec![PUBLIC, METADATA], "0.0.0.0/0", false),
    ] {
        let (server, _) = name_server(vec![answers.clone()]).await;
        let found = gate(server, policy).addresses("db.example.com", 5432).await;
        match found {
            Ok(addresses) => {
                assert!(allowed, "{answers:?} under {policy:?}");
                assert_eq!(addresses.len(), answers.len());
                assert!(addresses.iter().all(|address| address.port() == 5432));
            }
            Err(problem) => assert!(!allowed && problem.code == "EGRESS_DENIED", "{answers:?}: {problem:?}"),
        }
    }
}

#[tokio::test]
async fn a_name_that_changes_its_mind_is_judged_by_the_addresses_that_are_dialled() {
    let (server, asked) = name_server(vec![vec![PUBLIC], vec![METADATA]]).await;
    let gate = gate(server, "");
    let addresses = gate.addresses("rebinding.example.com", 5432).await.unwrap();
    assert_eq!(addresses, [SocketAddr::new(IpAddr::V4(PUBLIC), 5432)], "these are dialled, and nothing is asked again");
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    let problem = gate.addresses("rebinding.example.com", 5432).await.unwrap_err();
    assert_eq!(problem.code, "EGRESS_DENIED", "the next connection is judged anew");
}

#[tokio::test]
async fn a_name_without_addresses_and_a_silent_name_server_are_told_apart() {
    let (server, _) = name_server(vec![Vec::new()]).await;
    let problem = gate(server, "").addresses("empty.example.com", 5432).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.retryable), ("HOST_NOT_FOUND", false));

    let silent = UdpSocket::bind(("127.0.0.1", 0)).await.unwrap();
    let started = std::time::Instant::now();
    let problem = gate(silent.local_addr().unwrap(), "").addresses("db.example.com", 5432).await.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.retryable), ("HOST_NOT_FOUND", true));
    assert!(started.elapsed() < DNS_TIMEOUT + Duration::from_millis(500));
}

#[tokio::test]
async fn localhost_and_addresses_need_no_name_server() {
    let nowhere = SocketAddr::from(([127, 0, 0, 1], 9));
    for (host, policy, expected) in [
        ("localhost", "127.0.0.0/8", "127.0.0.1:1"),
        ("LOCALHOST.", "127.0.0.0/8,::1", "127.0.0.1:1 [::1]:1"),
        ("pg.localhost", "::1", "[::1]:1"),
        ("127.0.0.1", "127.0.0.0/8", "127.0.0.1:1"),
        ("[::1]", "::1", "[::1]:1"),
        ("8.8.8.8", "", "8.8.8.8:1"),
    ] {
        let found = gate(nowhere, policy).addresses(host, 1).await.unwrap();
        assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "), expected, "{host}");
    }
    for host in ["localhost", "127.0.0.1", "::ffff:127.0.0.1", "10.0.0.1"] {
        let problem = gate(nowhere, "").addresses(host, 5432).await.unwrap_err();
        let remedy = problem.remedy.unwrap();
        assert!(remedy.contains("PURSIGHT_EGRESS_ALLOW") && remedy.contains("/32"), "{host}: {remedy}");
    }
    for host in ["user@localhost", "127.1", "0x7f000001", "bücher.example", "/tmp/socket"] {
        let problem = gate(nowhere, "0.0.0.0/0").addresses(host, 5432).await.unwrap_err();
        assert_eq!(problem.code, "HOST_NOT_FOUND", "{host}");
    }
}
