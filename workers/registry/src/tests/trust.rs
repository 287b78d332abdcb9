//! Who is believed: repeats, forgeries, wrong places, missing rights.

use pursight_attestation::{HEADER, Permission, SigningKey, TrustedKeys};
use pursight_engine::Record;
use pursight_schemas::topics::partition_of;
use pursight_schemas::{AuditDecision, Topic};
use serde_json::json;
use uuid::Uuid;

use super::rig::{Rig, create};
use super::{NOW, TENANT, bytes, id, spec};

#[test]
fn a_repeat_changes_nothing_and_another_payload_is_a_dead_letter() {
    let mut rig = Rig::start(1_000);
    let command = rig.send("CreateDataSource", create("orders"));
    rig.send_as(command, "CreateDataSource", create("orders"));
    rig.settled(2);
    rig.send_as(command, "CreateDataSource", create("orders"));
    rig.send_as(command, "CreateDataSource", create("others"));
    rig.settled(4);
    assert_eq!((rig.outcomes().len(), rig.events(Topic::Source).len()), (1, 1));
    assert_eq!(rig.dead_letters(), ["PAYLOAD_MISMATCH"]);
    let decisions: Vec<AuditDecision> = rig.audits().iter().map(|audit| audit.decision).collect();
    use AuditDecision::{Accepted, RefusedUnverified, Repeated};
    assert_eq!(decisions, [Accepted, Repeated, Repeated, RefusedUnverified]);
    let ids: std::collections::BTreeSet<Uuid> = rig.audits().iter().map(|audit| audit.meta.event_id).collect();
    assert_eq!(ids.len(), 4, "every line of the trail has its own id");
    rig.end();
}

#[test]
fn what_may_not_be_believed_is_a_dead_letter_without_an_outcome() {
    let rig = Rig::start(1_000);
    let value = |tenant: &str| {
        let body = json!({"spec": spec("orders"), "meta": {"tenant_id": tenant}});
        bytes(id(1), "CreateDataSource", &body)
    };
    let signed = |key: &SigningKey, tenant: &str, value: &[u8]| {
        vec![(HEADER.to_owned(), rig.attestation(key, tenant, id(1), value).into_bytes())]
    };
    let ours = value(TENANT);
    let good = signed(&rig.key, TENANT, &ours);
    let with = |name: &str, text: &str| {
        let mut headers = good.clone();
        headers.push((name.to_owned(), text.as_bytes().to_vec()));
        headers
    };
    rig.raw(b"garbage".to_vec(), good.clone());
    rig.raw(Vec::new(), Vec::new());
    rig.raw(ours[..ours.len() - 3].to_vec(), good.clone());
    rig.raw(ours.clone(), Vec::new());
    rig.raw(ours.clone(), signed(&rig.stranger, TENANT, &ours));
    rig.raw(value(TENANT), signed(&rig.key, TENANT, b"\0\0\x0f\x42\x41"));
    rig.raw(ours.clone(), signed(&rig.key, "other", &ours));
    let foreign = value("other");
    rig.raw(foreign.clone(), signed(&rig.key, TENANT, &foreign));
    rig.raw(ours.clone(), with("ce_id", &id(2).to_string()));
    rig.raw(ours.clone(), with("ce_type", "io.pursight.command.CancelRun"));
    let reason = json!({"spec": spec("orders"), "meta": {"actor": {"principal": "ada", "reason": "x".repeat(2_000)}}});
    let long = bytes(id(1), "CreateDataSource", &reason);
    rig.raw(long.clone(), signed(&rig.key, TENANT, &long));
    rig.settled(11);
    assert_eq!(
        rig.dead_letters(),
        [
            "UNDECODABLE",
            "UNDECODABLE",
            "UNDECODABLE",
            "ATTESTATION_MISSING",
            "ATTESTATION_INVALID",
            "ATTESTATION_INVALID",
            "WRONG_TENANT",
            "WRONG_TENANT",
            "MISROUTED",
            "MISROUTED",
            "UNDECODABLE",
        ]
    );
    assert_eq!((rig.outcomes().len(), rig.events(Topic::Source).len()), (0, 0));
    assert!(rig.audits().iter().all(|audit| audit.decision == AuditDecision::RefusedUnverified));
    let letter = rig.memory.records(Topic::DeadLetter)[3].clone();
    assert_eq!(
        (letter.header("pursight-dlq-offset"), letter.header("pursight-dlq-worker")),
        (Some("3"), Some("registry"))
    );
    assert_eq!(letter.header("pursight-dlq-topic"), Some("test.command.v1"));
    assert!(!letter.value.windows(6).any(|window| window == b"orders"), "sealed");
    rig.send_as(id(1), "CreateDataSource", create("orders"));
    rig.settled(12);
    assert_eq!(rig.outcomes(), ["CommandSucceeded"], "a forger cannot use up a command's id");
    rig.end();
}

#[test]
fn a_record_on_the_wrong_partition_is_misrouted() {
    let rig = Rig::start(1_000);
    let value = bytes(id(1), "CreateDataSource", &json!({"spec": spec("orders"), "meta": {"tenant_id": "other"}}));
    let header = rig.attestation(&rig.key, "other", id(1), &value);
    let record = Record {
        topic: Topic::Command,
        partition: partition_of(TENANT.as_bytes(), 12),
        offset: 0,
        timestamp: NOW,
        key: b"other".to_vec(),
        value,
        headers: vec![(HEADER.to_owned(), header.into_bytes())],
    };
    let keys = TrustedKeys::load(rig.folder.path().join("trusted.json")).unwrap();
    assert_eq!(crate::admit::admit(&record, &keys).err().map(|refused| refused.code), Some("MISROUTED"));
    let rightly = Record { partition: partition_of(b"other", 12), ..record };
    assert!(crate::admit::admit(&rightly, &keys).is_ok());
    rig.end();
}

#[test]
fn a_publisher_without_the_permission_is_refused() {
    let mut rig = Rig::start(1_000);
    rig.permissions = vec![Permission::ScanView];
    rig.send("CreateDataSource", create("orders"));
    rig.settled(1);
    assert_eq!(rig.outcomes(), ["CommandRejected PERMISSION_DENIED"]);
    assert_eq!(rig.audits()[0].code.as_deref(), Some("PERMISSION_DENIED"));
    rig.end();
}
