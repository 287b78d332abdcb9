//! Signed commands and the plain client that publishes them: an upstream team in one process, without the cost of a call
//! of the command line for each.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, ensure};
use pursight_attestation::{Claims, HEADER, Permission, SigningKey};
use pursight_schemas::{
    Actor, Command, CommandMeta, CreateDataSource, DataSourcePatch, DataSourceSpec, DiscoverSchema, HostPort, Location,
    Micros, SourceType, Strategy, Topic, UpdateDataSource,
};
use pursight_tests::System;
use rdkafka::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, Producer as _};
use uuid::Uuid;

/// A command as it will lie on the log.
#[derive(Debug, Clone)]
pub struct Signed {
    /// Its id.
    pub id: Uuid,
    /// The source that it names.
    pub source: Uuid,
    /// Framed value.
    pub value: Vec<u8>,
    /// In order.
    pub headers: Vec<(String, String)>,
}

/// Signs and writes commands of one tenant.
pub struct Publisher {
    key: SigningKey,
    producer: BaseProducer,
    topic: String,
    tenant: String,
}

impl Publisher {
    /// For the tenant and with the key of a system.
    pub fn new(system: &System) -> Result<Self> {
        let key = SigningKey::load(&system.settings["PURSIGHT_SIGNING_KEY"])?;
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &system.kafka.bootstrap).set("acks", "all").set("enable.idempotence", "true");
        config.set("partitioner", "murmur2_random").set("linger.ms", "0").set("queue.buffering.max.messages", "200000");
        let topic = Topic::Command.name(&system.kafka.prefix);
        Ok(Self { key, producer: config.create()?, topic, tenant: system.tenant.clone() })
    }

    /// Half of them create a source, the other half change those: `count` commands of about 600 bytes with their headers.
    pub fn mixed(&self, count: usize) -> Result<Vec<Signed>> {
        let created = (0..count.div_ceil(2)).map(|_| self.create()).collect::<Result<Vec<_>>>()?;
        let changed = created.iter().take(count / 2).map(|one| self.update(one.source, "changed"));
        let changed = changed.collect::<Result<Vec<_>>>()?;
        Ok(created.into_iter().chain(changed).collect())
    }

    /// Registers a source under a name that nothing else has.
    pub fn create(&self) -> Result<Signed> {
        let source = Uuid::now_v7();
        let host = |host: &str| HostPort { host: host.to_owned(), port: Some(5432) };
        let spec = DataSourceSpec {
            name: format!("source {source}"),
            description: Some("orders, invoices and what belongs to them, of the northern region".to_owned()),
            source_type: SourceType::Postgresql,
            location: Location::OnPrem,
            hosts: vec![host("first.db.example"), host("second.db.example")],
            database: Some("orders".to_owned()),
            username: Some("reader".to_owned()),
            owner: Some("team-orders@acme.example".to_owned()),
            tags: ["orders", "north", "tier-1"].map(str::to_owned).to_vec(),
            ..DataSourceSpec::default()
        };
        let command =
            CreateDataSource { meta: self.meta(), source_id: Some(source), spec, ..CreateDataSource::default() };
        self.sign(&command.into(), source)
    }

    /// Changes its description.
    pub fn update(&self, source: Uuid, text: &str) -> Result<Signed> {
        let patch = DataSourcePatch { description: Some(text.to_owned()), ..DataSourcePatch::default() };
        let command = UpdateDataSource { meta: self.meta(), source_id: source, patch, ..UpdateDataSource::default() };
        self.sign(&command.into(), source)
    }

    /// Discovers it, as hard as allowed.
    pub fn discover(&self, source: Uuid) -> Result<Signed> {
        let (meta, strategy) = (self.meta(), Strategy::Aggressive);
        self.sign(&DiscoverSchema { meta, source_id: source, strategy, ..DiscoverSchema::default() }.into(), source)
    }

    fn meta(&self) -> CommandMeta {
        let actor = Actor { principal: "tester".to_owned(), ..Actor::default() };
        CommandMeta { command_id: Uuid::now_v7(), tenant_id: self.tenant.clone(), actor, ..CommandMeta::default() }
    }

    fn sign(&self, command: &Command, source: Uuid) -> Result<Signed> {
        let (id, value) = (command.meta().command_id, command.encode()?);
        let publisher = pursight_attestation::Publisher {
            issuer: "tests".to_owned(),
            tenant: self.tenant.clone(),
            subject: "tester".to_owned(),
            permissions: Permission::ALL.to_vec(),
        };
        let at = Micros(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?);
        let token = self.key.sign(&Claims::of(publisher, id, &value, at)?);
        let headers = [
            (HEADER, token),
            ("content-type", "application/avro".to_owned()),
            ("ce_specversion", "1.0".to_owned()),
            ("ce_id", id.to_string()),
            ("ce_type", command.full_name().to_owned()),
            ("ce_source", "/pursight/bench".to_owned()),
            ("ce_time", at.rfc3339()),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Ok(Signed { id, source, value, headers })
    }

    /// Writes them and waits until all are acknowledged.
    pub fn publish(&self, commands: &[Signed]) -> Result<()> {
        for command in commands {
            send(&self.producer, &self.topic, &self.tenant, &command.value, &command.headers)?;
        }
        acknowledged(&self.producer)
    }
}

/// Hands a record to a client, waiting while its queue is full.
pub fn send(producer: &BaseProducer, topic: &str, key: &str, value: &[u8], headers: &[(String, String)]) -> Result<()> {
    let mut owned = OwnedHeaders::new_with_capacity(headers.len());
    for (key, value) in headers {
        owned = owned.insert(Header { key, value: Some(value) });
    }
    let mut record = BaseRecord::to(topic).key(key).payload(value).headers(owned);
    loop {
        match producer.send(record) {
            Ok(()) => return Ok(()),
            Err((KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull), back)) => {
                record = back;
                producer.poll(Duration::from_millis(5));
            }
            Err((error, _)) => return Err(error.into()),
        }
    }
}

/// Waits until every record is acknowledged. `flush` would do it too, but in steps of 100 ms.
pub fn acknowledged(producer: &BaseProducer) -> Result<()> {
    let until = std::time::Instant::now() + Duration::from_secs(60);
    while producer.in_flight_count() > 0 {
        producer.poll(Duration::from_millis(1));
        ensure!(std::time::Instant::now() < until, "records were not acknowledged");
    }
    Ok(())
}
