//! A publisher: signs, sends in bursts without waiting in between, notes what it was told, and sends again what it was
//! told nothing about, as publishers do.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use pursight_attestation::{Claims, HEADER, Permission, Publisher, SigningKey};
use pursight_schemas::hash::sha256_hex;
use pursight_schemas::topics::partition_of;
use pursight_schemas::{Micros, Topic};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{DeliveryFuture, FutureProducer, FutureRecord};

use super::operation::{Key, Planned, Signature};
use super::time::now_ms;
use crate::history::{Folder, Lines, OPERATION_HEADER, Operation, Sent};

/// After this long a publisher does not know whether its record was written.
const ACKNOWLEDGE_MS: &str = "4000";
/// How often a command is sent again whose fate is unknown.
const TRIES: usize = 30;

/// The keys of a run's publishers.
pub struct Keys {
    /// Trusted with everything.
    pub trusted: SigningKey,
    /// Trusted for looking only.
    pub viewer: SigningKey,
    /// Not trusted.
    pub stranger: SigningKey,
}

impl Keys {
    fn sign(&self, signature: &Signature, subject: &str) -> Result<String> {
        let (key, issuer) = match signature.by {
            Key::Trusted => (&self.trusted, "tests"),
            Key::Viewer => (&self.viewer, "viewer"),
            Key::Stranger => (&self.stranger, "tests"),
        };
        let publisher = Publisher {
            issuer: issuer.to_owned(),
            tenant: signature.tenant.clone(),
            subject: subject.to_owned(),
            permissions: Permission::ALL.to_vec(),
        };
        let at = Micros::from_millis(now_ms()).plus_seconds(signature.seconds_off);
        Ok(key.sign(&Claims::of(publisher, signature.command_id, &signature.value, at)?))
    }
}

/// What all publishers share.
pub struct Desk<'d> {
    /// The broker.
    pub bootstrap: &'d str,
    /// The command topic's name.
    pub topic: String,
    /// Keys.
    pub keys: Keys,
    /// Where operations are noted.
    pub folder: &'d Folder,
    /// Number of the next operation.
    pub next: AtomicU64,
    /// Operations that have ended.
    pub ended: AtomicU64,
}

/// A record that is on its way.
struct Underway<'p> {
    planned: &'p Planned,
    operation: Operation,
    delivery: Option<DeliveryFuture>,
}

/// Sends everything that publisher `number` is to send.
///
/// # Errors
/// The history cannot be written, a record cannot be signed, or a command is never acknowledged.
pub fn publish(desk: &Desk<'_>, number: usize, stream: &[Planned], start: Instant) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let mut producer = producer(desk.bootstrap)?;
    for burst in stream.chunk_by(|one, next| one.at == next.at) {
        let at = burst.first().map_or(Duration::ZERO, |one| one.at);
        std::thread::sleep((start + at).saturating_duration_since(Instant::now()));
        let mut open: Vec<&Planned> = burst.iter().collect();
        for _ in 0..TRIES {
            let underway = open.iter().map(|planned| desk.send(&producer, number, planned));
            let underway = underway.collect::<Result<Vec<_>>>()?;
            let ended = runtime.block_on(all(underway));
            let operations: Vec<Operation> = ended.iter().map(|one| one.operation.clone()).collect();
            desk.folder.append(Lines::Operations, &operations)?;
            desk.ended.fetch_add(operations.len().try_into()?, Ordering::Relaxed);
            let again = |one: &Underway<'_>| one.operation.result != Sent::Ok && one.planned.shape.is_command();
            open = ended.into_iter().filter(again).map(|one| one.planned).collect();
            if open.is_empty() {
                break;
            }
            producer = self::producer(desk.bootstrap)?;
        }
        anyhow::ensure!(open.is_empty(), "publisher {number} got no answer in {TRIES} tries");
    }
    Ok(())
}

fn producer(bootstrap: &str) -> Result<FutureProducer> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", bootstrap)
        .set("acks", "all")
        .set("enable.idempotence", "true")
        .set("compression.type", "zstd")
        .set("linger.ms", "0")
        .set("reconnect.backoff.max.ms", "500")
        .set("message.timeout.ms", ACKNOWLEDGE_MS);
    config.create().context("a publisher's client")
}

impl Desk<'_> {
    fn send<'p>(&self, producer: &FutureProducer, number: usize, planned: &'p Planned) -> Result<Underway<'p>> {
        let n = self.next.fetch_add(1, Ordering::Relaxed);
        let partitions = Topic::Command.partitions();
        let own = partition_of(planned.key.as_bytes(), partitions);
        let partition = (own + planned.partitions_off) % partitions;
        let mut operation = Operation {
            n,
            publisher: number.try_into()?,
            kind: planned.kind.clone(),
            shape: planned.shape,
            command_id: planned.command_id,
            tenant: planned.tenant.clone(),
            key: planned.key.clone(),
            partition,
            value_sha256: sha256_hex(&planned.value),
            payload_sha256: planned.signature.as_ref().map(|signature| sha256_hex(&signature.value)),
            invoked_at_ms: now_ms(),
            ended_at_ms: 0,
            result: Sent::Unknown,
            offset: None,
        };
        let number_text = n.to_string();
        let mut headers = OwnedHeaders::new().insert(Header { key: OPERATION_HEADER, value: Some(&number_text) });
        if let Some(signature) = &planned.signature {
            let text = self.keys.sign(signature, &format!("publisher-{number}"))?;
            headers = headers.insert(Header { key: HEADER, value: Some(&text) });
        }
        let record = FutureRecord::to(&self.topic).key(&planned.key).payload(&planned.value);
        let delivery = match producer.send_result(record.headers(headers).partition(partition)) {
            Ok(delivery) => Some(delivery),
            Err(_) => {
                // It never left this process.
                operation.result = Sent::Fail;
                operation.ended_at_ms = now_ms();
                None
            }
        };
        Ok(Underway { planned, operation, delivery })
    }
}

/// Waits for everything that is on its way.
async fn all(mut underway: Vec<Underway<'_>>) -> Vec<Underway<'_>> {
    for one in &mut underway {
        let Some(delivery) = one.delivery.take() else { continue };
        let (result, offset) = match delivery.await {
            // A duplicate that the broker had already is acknowledged without a place.
            Ok(Ok(delivery)) => (Sent::Ok, Some(delivery.offset).filter(|offset| *offset >= 0)),
            Ok(Err((error, _))) => (told(&error), None),
            Err(_) => (Sent::Unknown, None),
        };
        one.operation.result = result;
        one.operation.offset = offset;
        one.operation.ended_at_ms = now_ms();
    }
    underway
}

fn told(error: &KafkaError) -> Sent {
    match error.rdkafka_error_code() {
        Some(RDKafkaErrorCode::MessageSizeTooLarge | RDKafkaErrorCode::InvalidRecord) => Sent::Fail,
        _ => Sent::Unknown,
    }
}
