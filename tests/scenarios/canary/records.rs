//! Everything that a consumer can get from a broker: all topics, its own too, committed or not, as bytes and decoded.

use std::time::Duration;

use anyhow::{Result, ensure};
use pursight_schemas::json;
use pursight_tests::canary::{Found, Scan};
use pursight_tests::kafka::read_to_ends;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Headers as _, Message as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// How a record is called in findings.
pub fn place(topic: &str, partition: i32, offset: i64) -> String {
    format!("{topic}/{partition}/{offset}")
}

/// Searches every record that readers of this isolation see. Returns what was found, and how many records there were.
pub fn search(bootstrap: &str, isolation: &str, scan: &Scan) -> Result<(Vec<Found>, usize)> {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", bootstrap).set("group.id", "canary-scan").set("isolation.level", isolation);
    config.set("enable.auto.commit", "false").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create()?;
    let metadata = consumer.fetch_metadata(None, Duration::from_secs(30))?;
    let mut list = TopicPartitionList::new();
    for topic in metadata.topics() {
        for partition in topic.partitions() {
            list.add_partition_offset(topic.name(), partition.id(), Offset::Beginning)?;
        }
    }
    let (mut found, mut count) = (Vec::new(), 0);
    read_to_ends(
        || Ok(config.create()?),
        &list,
        Duration::from_secs(60),
        |message| {
            count += 1;
            found.extend(of_record(message, scan));
        },
    )?;
    ensure!(count > 0, "there is not one record");
    Ok((found, count))
}

fn of_record(message: &BorrowedMessage<'_>, scan: &Scan) -> Vec<Found> {
    let mut bytes = message.key().unwrap_or_default().to_vec();
    for header in message.headers().iter().flat_map(|headers| headers.iter()) {
        bytes.extend_from_slice(&[b"\n", header.key.as_bytes(), b"=", header.value.unwrap_or_default()].concat());
    }
    let value = message.payload().unwrap_or_default();
    bytes.extend_from_slice(b"\n");
    bytes.extend_from_slice(value);
    if let Ok(decoded) = json::write(value) {
        bytes.extend_from_slice(format!("\n{decoded}").as_bytes());
    }
    scan.bytes(&place(message.topic(), message.partition(), message.offset()), &bytes)
}
