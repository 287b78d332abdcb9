//! What the client does on its own, on its own fake cluster.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Instant;

use rdkafka::consumer::CommitMode;
use rdkafka::mocking::MockCluster;

use super::*;
use crate::worker::Inbox;

const FAKE_READER: Reader = Reader { worker: "test", topics: &[Topic::Command] };

/// A member of a group on a cluster with one topic, which has one partition.
fn open(fake_cluster: &MockCluster<'_, impl rdkafka::ClientContext>, debug: &str, inbox: &Inbox) -> KafkaLog {
    fake_cluster.create_topic(&Topic::Command.name("test"), 1, 1).unwrap();
    let options = Options {
        bootstrap: fake_cluster.bootstrap_servers(),
        prefix: "test".to_owned(),
        instance: "one".to_owned(),
        session_timeout_ms: 6_000,
        security: vec![("debug".to_owned(), debug.to_owned())],
    };
    KafkaLog::open(&options, &FAKE_READER, false, "nonce".to_owned(), inbox.waker(), &Status::default()).unwrap()
}

#[test]
fn another_member_takes_the_place_of_a_lost_one() {
    let fake_cluster = MockCluster::new(1).unwrap();
    let inbox = Inbox::default();
    let mut log = open(&fake_cluster, "cgrp", &inbox);
    let all = [(Topic::Command, 0)];
    let assigned = |log: &mut KafkaLog| {
        let until = Instant::now() + Duration::from_secs(60);
        while Instant::now() < until {
            let told = log.poll();
            if told.iter().any(|one| matches!(one, Happening::Assigned(partitions) if *partitions == all)) {
                return true;
            }
            assert!(!told.iter().any(|one| matches!(one, Happening::Revoked(_) | Happening::Fatal(_))), "{told:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    };
    let gave_up =
        |told: &[Happening]| matches!(told, [Happening::Revoked(partitions), Happening::Away(_)] if *partitions == all);
    assert!(assigned(&mut log));
    // Who comes after finds an offset to begin from, as in a group that was prepared.
    log.consumer.commit(&log.one(Topic::Command, 0, Offset::Offset(0)), CommitMode::Sync).unwrap();
    let mut told = Vec::new();
    log.join_anew("the test wants it", &mut told);
    assert!(gave_up(&told), "{told:?}");
    assert!(assigned(&mut log));
    let until = Instant::now() + Duration::from_secs(60);
    while log.presence.is_away() && Instant::now() < until {
        log.poll();
        std::thread::sleep(Duration::from_millis(20));
    }
    // A partition that the client never fetches: there is no such one.
    assert!(!log.begin(Topic::Command, 7, 0).unwrap());
    log.not_fetched.age();
    let told = log.poll();
    assert!(gave_up(&told), "{told:?}");
    assert!(!log.not_fetched.any_never());
    assert!(assigned(&mut log));
}

#[test]
fn a_client_that_finds_no_offset_before_the_loop_has_asked_names_the_partition() {
    let fake_cluster = MockCluster::new(1).unwrap();
    let inbox = Inbox::default();
    let mut log = open(&fake_cluster, "cgrp", &inbox);
    let mut said = None;
    let until = Instant::now() + Duration::from_secs(60);
    while said.is_none() && Instant::now() < until {
        said = log.poll().into_iter().find_map(|happening| match happening {
            Happening::Fatal(failure) => Some(failure.to_string()),
            _ => None,
        });
        std::thread::sleep(Duration::from_millis(20));
    }
    let said = said.unwrap();
    assert!(said.contains("the group of test has no offset in test.command.v1 partition 0"), "{said}");
}

/// What the client says (here: everything) stands in one queue with what it does.
#[test]
fn what_the_client_says_does_not_hold_up_what_it_does() {
    let told = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_writer(std::io::sink);
    told.try_init().unwrap();
    let fake_cluster = MockCluster::new(1).unwrap();
    let inbox = Inbox::default();
    let mut log = open(&fake_cluster, "all", &inbox);
    // A group's first rebalance takes three seconds, in which the client says some thousand lines.
    let turns = (0..100)
        .take_while(|_| {
            std::thread::sleep(Duration::from_millis(100));
            !log.poll().iter().any(|happening| matches!(happening, Happening::Assigned(_)))
        })
        .count();
    assert!(turns < 100, "not assigned after {turns} turns");
}
