//! Where settings become the parts that workers need, and where one crate's part is put behind another one's trait.

use async_trait::async_trait;
use pursight_engine::kafka::Options;
use pursight_engine::{Barrier, Claim, Failure, Handler, Line, Mark, Outgoing, Record, SchemaRegistry, Seal};
use pursight_read_model::ReadModel;
use pursight_schemas::{CodecError, Topic, codec};
use pursight_secrets::DeadLetterSeal;
use pursight_service::settings::KafkaSettings;

/// The engine's view of the Kafka settings.
pub fn kafka_options(kafka: &KafkaSettings) -> Options {
    let security = &kafka.security;
    let mut lines = vec![("security.protocol".to_owned(), security.protocol.as_str().to_owned())];
    if security.protocol.has_login() {
        lines.push(("sasl.mechanism".to_owned(), security.sasl_mechanism.clone()));
        if let Some(username) = &security.username {
            lines.push(("sasl.username".to_owned(), username.clone()));
        }
        if let Some(password) = &security.password {
            lines.push(("sasl.password".to_owned(), password.expose().to_owned()));
        }
    }
    if let Some(path) = &security.ca_file {
        lines.push(("ssl.ca.location".to_owned(), path.display().to_string()));
    }
    Options {
        bootstrap: kafka.bootstrap.clone(),
        prefix: kafka.topic_prefix.clone(),
        instance: kafka.instance.clone(),
        session_timeout_ms: u32::try_from(kafka.session_timeout.as_millis()).unwrap_or(10_000),
        security: lines,
    }
}

/// Waits for the read model on behalf of the engine.
pub struct ReadBarrier(pub ReadModel);

#[async_trait]
impl Barrier for ReadBarrier {
    async fn passed(&self, marks: &[Mark]) -> Result<(), Failure> {
        let places: Vec<_> = marks.iter().map(|mark| (mark.topic, mark.partition, mark.offset)).collect();
        let passed = self.0.wait_past(&places).await;
        passed.map_err(|error| Failure::transient("the read model cannot be asked how far it is", error))
    }
}

/// Seals dead letters on behalf of the engine.
pub struct LetterSeal(pub DeadLetterSeal);

impl Seal for LetterSeal {
    fn seal(&self, tenant: &str, id: &str, bytes: &[u8]) -> Result<Vec<u8>, Failure> {
        self.0.seal(tenant, id, bytes).map_err(|error| Failure::fatal(error.to_string(), error.remedy()))
    }
}

/// A handler whose records may carry ids of a foreign schema registry: those are learnt before it sees them.
pub struct Learning<H> {
    /// Who handles them.
    pub inner: H,
    /// Who knows the ids.
    pub registry: SchemaRegistry,
}

#[async_trait]
impl<H: Handler> Handler for Learning<H> {
    fn batch_size(&self) -> usize {
        self.inner.batch_size()
    }

    async fn take_over(&self, claim: &Claim) -> Result<Option<i64>, Failure> {
        self.inner.take_over(claim).await
    }

    async fn handle(&self, batch: &[Record], claim: &Claim) -> Result<Vec<Line>, Failure> {
        for record in batch {
            if let Err(CodecError::UnknownSchema(id)) = codec::full_name(&record.value) {
                self.registry.learn(id).await?;
            }
        }
        self.inner.handle(batch, claim).await
    }

    fn prepares(&self) -> bool {
        self.inner.prepares()
    }

    fn prepare(&self, records: &[Record], claim: &Claim) {
        // What has to be learnt first is read in its turn.
        let is_known = |record: &&Record| !matches!(codec::full_name(&record.value), Err(CodecError::UnknownSchema(_)));
        self.inner.prepare(&records[..records.iter().take_while(is_known).count()], claim);
    }

    async fn astray(&self) -> Vec<(Topic, i32)> {
        self.inner.astray().await
    }

    fn looks_ahead(&self) -> bool {
        self.inner.looks_ahead()
    }

    fn ends_early(&self, record: &Record, claim: &Claim) -> Option<(Line, Vec<Outgoing>)> {
        self.inner.ends_early(record, claim)
    }

    fn poisoned(&self, record: &Record, code: &str) -> Vec<Outgoing> {
        self.inner.poisoned(record, code)
    }

    fn lost(&self, topic: Topic, partition: i32) {
        self.inner.lost(topic, partition);
    }
}
