//! A command on its way to the log: encoded, attested, with its headers, on its partition. `envelope` is pure; only
//! [`Publisher::send`] talks to the broker. What becomes of the command is `follow.rs`'s business.

use std::time::Duration;

use pursight_attestation::{Claims, HEADER, SigningKey};
use pursight_engine::TraceParent;
use pursight_registry::decide::permission;
use pursight_schemas::{Command, Micros, Topic};
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{FutureProducer, FutureRecord};
use uuid::Uuid;

use crate::error::{CliError, chain};

/// How long the broker may take to acknowledge a command.
pub const ACKNOWLEDGE_WITHIN: Duration = Duration::from_secs(5);

/// A command as it will lie on the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Its id.
    pub command_id: Uuid,
    /// Avro full name.
    pub full_name: &'static str,
    /// Record key.
    pub tenant: String,
    /// Framed value.
    pub value: Vec<u8>,
    /// In order.
    pub headers: Vec<(&'static str, String)>,
}

/// Signs a framed command at `at` in the name of its actor and tenant.
///
/// # Errors
/// When the value is no command of the contract.
pub fn envelope(value: Vec<u8>, issuer: &str, key: &SigningKey, at: Micros) -> Result<Envelope, CliError> {
    let unusable = |error: pursight_schemas::CodecError| {
        CliError::usage(chain(&error), "commands and their fields: pursight schema list --topic command")
    };
    let command = Command::decode(&value).map_err(unusable)?;
    let meta = command.meta();
    let publisher = pursight_attestation::Publisher {
        issuer: issuer.to_owned(),
        tenant: meta.tenant_id.clone(),
        subject: meta.actor.principal.clone(),
        // What the command needs; nothing more is attested.
        permissions: vec![permission(&command)],
    };
    let claims = Claims::of(publisher, meta.command_id, &value, at).map_err(unusable)?;
    let headers = vec![
        (HEADER, key.sign(&claims)),
        ("content-type", "application/avro".to_owned()),
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", meta.command_id.to_string()),
        ("ce_type", command.full_name().to_owned()),
        ("ce_source", "/pursight/cli".to_owned()),
        ("ce_time", at.rfc3339()),
        ("traceparent", TraceParent::of(None, meta.command_id).child_text(meta.command_id)),
    ];
    let (command_id, tenant, full_name) = (meta.command_id, meta.tenant_id.clone(), command.full_name());
    Ok(Envelope { command_id, full_name, tenant, value, headers })
}

/// Writes commands.
pub struct Publisher {
    producer: FutureProducer,
    topic: String,
    bootstrap: String,
}

impl Publisher {
    /// Over the connection settings of `kafka`; talks to nobody yet.
    ///
    /// # Errors
    /// When the client does not accept its settings.
    pub fn new(kafka: &ClientConfig, prefix: &str) -> Result<Self, CliError> {
        let mut config = kafka.clone();
        config
            .set("acks", "all")
            .set("enable.idempotence", "true")
            .set("partitioner", "murmur2_random")
            .set("linger.ms", "0")
            .set("compression.type", "zstd")
            .set("message.max.bytes", Topic::Command.max_message_bytes().to_string())
            .set("message.timeout.ms", ACKNOWLEDGE_WITHIN.as_millis().to_string());
        let producer =
            config.create().map_err(|error| CliError::usage(chain(&error), "correct the PURSIGHT_KAFKA_* settings"))?;
        let bootstrap = kafka.get("bootstrap.servers").unwrap_or("(not set)").to_owned();
        Ok(Self { producer, topic: Topic::Command.name(prefix), bootstrap })
    }

    /// Writes one command and waits for the broker's acknowledgement. Returns the offset.
    ///
    /// # Errors
    /// When the broker does not acknowledge in time or refuses; the command may then have been written or not, and can
    /// be sent again under the same id.
    pub async fn send(&self, envelope: &Envelope) -> Result<i64, CliError> {
        let headers = envelope
            .headers
            .iter()
            .fold(OwnedHeaders::new(), |headers, (key, value)| headers.insert(Header { key, value: Some(value) }));
        let record = FutureRecord::to(&self.topic).key(&envelope.tenant).payload(&envelope.value).headers(headers);
        let sent = self.producer.send(record, ACKNOWLEDGE_WITHIN).await;
        sent.map(|delivery| delivery.offset).map_err(|(error, _)| self.explain(&error, envelope.command_id))
    }

    fn explain(&self, error: &KafkaError, command_id: Uuid) -> CliError {
        let again = format!("send it again with --command-id {command_id}: it is never carried out twice");
        match error.rdkafka_error_code() {
            Some(RDKafkaErrorCode::UnknownTopic | RDKafkaErrorCode::UnknownTopicOrPartition) => {
                CliError::failed(format!("topic {} is missing", self.topic), "run: pursight topics apply")
            }
            Some(RDKafkaErrorCode::MessageSizeTooLarge) => {
                CliError::usage("the command is larger than a record may be (1 MiB)", "send less in one command")
            }
            Some(RDKafkaErrorCode::TopicAuthorizationFailed | RDKafkaErrorCode::ClusterAuthorizationFailed) => {
                CliError::failed(
                    format!("the broker does not let us write to {}", self.topic),
                    "grant this user WRITE on the command topic",
                )
            }
            _ => CliError::unreachable(
                format!("the broker at {} did not acknowledge command {command_id}: {}", self.bootstrap, chain(error)),
                format!("check PURSIGHT_KAFKA_BOOTSTRAP and the broker; then {again}"),
            ),
        }
    }
}
