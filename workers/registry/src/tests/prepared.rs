//! Admissions ahead of their turn.

use pursight_attestation::{HEADER, TrustedKeys};
use pursight_engine::Record;
use pursight_schemas::Topic;
use pursight_schemas::topics::partition_of;

use super::rig::{Rig, create};
use super::{NOW, TENANT, bytes, id};
use crate::admit::Admission;
use crate::prepared::Prepared;

fn records(rig: &Rig) -> Vec<Record> {
    let record = |offset| {
        let command = id(u128::try_from(offset).unwrap());
        let value = bytes(command, "CreateDataSource", &create("orders"));
        let header = rig.attestation(&rig.key, TENANT, command, &value);
        Record {
            topic: Topic::Command,
            partition: partition_of(TENANT.as_bytes(), 12),
            offset,
            timestamp: NOW,
            key: TENANT.as_bytes().to_vec(),
            value,
            headers: vec![(HEADER.to_owned(), header.into_bytes())],
        }
    };
    (7..12).map(record).collect()
}

fn believed(taken: &[(&Record, Admission)]) -> Vec<(i64, bool)> {
    taken.iter().map(|(record, admission)| (record.offset, admission.is_ok())).collect()
}

#[test]
fn what_was_prepared_is_used_once_and_only_under_the_same_claim() {
    let rig = Rig::prepared(1_000);
    let trusted = TrustedKeys::load(rig.folder.path().join("trusted.json")).unwrap();
    // With these nothing is believed: what is, was prepared.
    let strangers = TrustedKeys::load(rig.folder.path().join("nobody.json")).unwrap();
    let records = records(&rig);
    let prepared = Prepared::default();
    prepared.admit(&records[..2], 5, &trusted);
    prepared.admit(&records[2..4], 5, &trusted);
    assert_eq!(believed(&prepared.take(&records[..1], 4, &strangers)), [(7, false)], "another claim");
    assert_eq!(believed(&prepared.take(&records[1..3], 5, &strangers)), [(8, true), (9, true)]);
    assert_eq!(believed(&prepared.take(&records[..3], 5, &strangers)), [(7, false), (8, false), (9, false)], "used up");
    assert_eq!(
        believed(&prepared.take(&records[3..], 5, &strangers)),
        [(10, true), (11, false)],
        "the rest in its turn"
    );
    prepared.admit(&records, 6, &trusted);
    prepared.admit(&records, 5, &trusted);
    prepared.forget(records[0].partition);
    assert_eq!(believed(&prepared.take(&records[..1], 6, &strangers)), [(7, false)], "forgotten");
    assert!(prepared.take(&[], 6, &trusted).is_empty());
    rig.end();
}
