//! A steady flow of signed commands, and what must be true of it whatever happened to the workers meanwhile. Knows the
//! language and the topics, nothing of the product's insides.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result, bail, ensure};
use pursight_attestation::{Claims, HEADER, Permission, Publisher, SigningKey};
use pursight_schemas::topics::partition_of;
use pursight_schemas::{Event, Micros, Topic, json};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::{BaseProducer, BaseRecord, DeliveryResult, Producer as _, ProducerContext};
use rdkafka::{ClientConfig, ClientContext};
use serde_json::json;
use uuid::Uuid;

use crate::kafka::Read;
use crate::positions::{left, positions};
use crate::system::System;
use crate::wait::eventually;

/// Commands that claim the same name: one of them may have it.
const COPIES: usize = 2;
/// Longest wait for the broker's acknowledgements; longer than any outage of a test.
const ACKNOWLEDGED_WITHIN: Duration = Duration::from_secs(120);
/// After this another producer publishes what the broker has not acknowledged: a client may have lost its brokers for good.
const SILENCE: Duration = Duration::from_secs(20);

/// A `CreateDataSource` that was published.
#[derive(Debug, Clone)]
pub struct Sent {
    /// Its id.
    pub id: Uuid,
    /// Its tenant.
    pub tenant: String,
    /// The name that it claims.
    pub name: String,
}

/// Which commands, by their numbers, the broker has.
#[derive(Default)]
struct Acknowledged(Mutex<BTreeSet<usize>>);

impl Acknowledged {
    fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn contains(&self, number: usize) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }
}

/// What a producer of the flow tells.
#[derive(Clone, Default)]
struct Reports(Arc<Acknowledged>);

impl ClientContext for Reports {}

impl ProducerContext for Reports {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, number: usize) {
        if result.is_ok() {
            self.0.0.lock().unwrap_or_else(PoisonError::into_inner).insert(number);
        }
    }
}

/// A signed command.
struct Signed {
    value: Vec<u8>,
    signature: Vec<u8>,
}

/// Signs and publishes creates of several tenants, which lie on different partitions.
pub struct Flow {
    config: ClientConfig,
    producer: BaseProducer<Reports>,
    acknowledged: Arc<Acknowledged>,
    signed: Vec<Signed>,
    topic: String,
    key: SigningKey,
    tenants: Vec<String>,
    word: String,
    first: usize,
    sent: Vec<Sent>,
}

impl Flow {
    /// For a system's topics; nothing is published yet.
    ///
    /// # Errors
    /// The system has no signing key.
    pub fn new(system: &System, tenants: usize) -> Result<Self> {
        let mut config = ClientConfig::new();
        config
            .set("bootstrap.servers", &system.kafka.bootstrap)
            .set("enable.idempotence", "true")
            .set("linger.ms", "0")
            .set("message.timeout.ms", ACKNOWLEDGED_WITHIN.as_millis().to_string());
        let reports = Reports::default();
        let acknowledged = Arc::clone(&reports.0);
        let producer = config.create_with_context(reports)?;
        let key = SigningKey::load(&system.settings["PURSIGHT_SIGNING_KEY"])?;
        // Names whose partitions are all different, so that several deciders have work.
        let mut by_partition = BTreeMap::new();
        for number in 0..1_000 {
            let tenant = format!("{}-{number}", system.tenant);
            by_partition.entry(partition_of(tenant.as_bytes(), Topic::Command.partitions())).or_insert(tenant);
        }
        let tenants: Vec<String> = by_partition.into_values().take(tenants).collect();
        let (topic, word) = (Topic::Command.name(&system.kafka.prefix), "flow".to_owned());
        let (signed, sent) = (Vec::new(), Vec::new());
        Ok(Self { config, producer, acknowledged, signed, topic, key, tenants, word, first: 0, sent })
    }

    /// The same, going on with its names where an earlier one ended.
    ///
    /// # Errors
    /// As [`Flow::new`].
    pub fn continued(system: &System, tenants: usize, first: usize) -> Result<Self> {
        Ok(Self { first, ..Self::new(system, tenants)? })
    }

    /// For single commands of the system's own tenant, whose sources begin with `word`.
    ///
    /// # Errors
    /// As [`Flow::new`].
    pub fn probe(system: &System) -> Result<Self> {
        let word = format!("probe {}", Uuid::new_v4());
        Ok(Self { tenants: vec![system.tenant.clone()], word, ..Self::new(system, 1)? })
    }

    /// Publishes one more create; its acknowledgement is waited for in [`Flow::acknowledged`].
    ///
    /// # Errors
    /// The client refuses it.
    pub fn send(&mut self) -> Result<Uuid> {
        let number = self.first + self.sent.len();
        let turn = number / COPIES;
        let tenant = self.tenants[turn % self.tenants.len()].clone();
        let (id, name) = (Uuid::new_v4(), format!("{} {turn}", self.word));
        let meta = json!({"command_id": id, "tenant_id": tenant, "actor": {"principal": "flow", "type": "SERVICE"}});
        let spec = json!({"name": name, "source_type": "POSTGRESQL", "location": "ON_PREM", "hosts": [{"host": "db.example"}]});
        let command = json!({"type": "CreateDataSource", "meta": meta, "spec": spec, "afterwards": "NOTHING"});
        let value = json::read(&command).map_err(|problems| anyhow::anyhow!("{problems:?}"))?.bytes;
        let publisher = Publisher {
            issuer: "tests".to_owned(),
            tenant: tenant.clone(),
            subject: "flow".to_owned(),
            permissions: Permission::ALL.to_vec(),
        };
        let at = Micros(i64::try_from(SystemTime::now().duration_since(UNIX_EPOCH)?.as_micros())?);
        let signature = self.key.sign(&Claims::of(publisher, id, &value, at)?);
        self.signed.push(Signed { value, signature: signature.into() });
        self.sent.push(Sent { id, tenant, name });
        self.publish(self.sent.len() - 1)?;
        self.producer.poll(Duration::ZERO);
        Ok(id)
    }

    fn publish(&self, number: usize) -> Result<()> {
        let (Signed { value, signature }, tenant) = (&self.signed[number], &self.sent[number].tenant);
        let headers = OwnedHeaders::new().insert(Header { key: HEADER, value: Some(signature) });
        let partition = partition_of(tenant.as_bytes(), Topic::Command.partitions());
        let record = BaseRecord::with_opaque_to(&self.topic, number).key(tenant).payload(value);
        self.producer.send(record.headers(headers).partition(partition)).map_err(|(error, _)| error)?;
        Ok(())
    }

    /// Publishes until everything is acknowledged, and tells what was.
    ///
    /// # Errors
    /// The broker did not acknowledge everything.
    pub fn acknowledged(mut self) -> Result<Vec<Sent>> {
        let until = Instant::now() + ACKNOWLEDGED_WITHIN;
        loop {
            // Told by the count.
            drop(self.producer.flush(SILENCE));
            let open = self.sent.len() - self.acknowledged.count();
            if open == 0 {
                return Ok(self.sent);
            }
            ensure!(Instant::now() < until, "{open} of {} were not acknowledged", self.sent.len());
            self.publish_again()?;
        }
    }

    /// Another producer publishes what was not acknowledged.
    fn publish_again(&mut self) -> Result<()> {
        self.producer = self.config.create_with_context(Reports(Arc::clone(&self.acknowledged)))?;
        let mut open = (0..self.sent.len()).filter(|number| !self.acknowledged.contains(*number));
        open.try_for_each(|number| self.publish(number))
    }

    /// Goes on by itself, at so many commands a second, until [`Flowing::stop`].
    #[must_use]
    pub fn start(mut self, per_second: u64) -> Flowing {
        let (stop, acknowledged) = (Arc::new(AtomicBool::new(false)), Arc::clone(&self.acknowledged));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let pause = Duration::from_micros(1_000_000 / per_second.max(1));
            let mut last = (0, Instant::now());
            while !stopped.load(Ordering::SeqCst) {
                self.send()?;
                self.producer.poll(pause);
                let count = self.acknowledged.count();
                if count > last.0 || last.1.elapsed() > SILENCE {
                    if count == last.0 {
                        self.publish_again()?;
                    }
                    last = (count, Instant::now());
                }
            }
            self.acknowledged()
        });
        Flowing { stop, acknowledged, thread: Some(thread) }
    }
}

/// A flow that goes on by itself.
pub struct Flowing {
    stop: Arc<AtomicBool>,
    acknowledged: Arc<Acknowledged>,
    thread: Option<JoinHandle<Result<Vec<Sent>>>>,
}

impl Flowing {
    /// How many commands the broker has acknowledged so far.
    pub fn count(&self) -> usize {
        self.acknowledged.count()
    }

    /// Waits until it has acknowledged so many more.
    ///
    /// # Errors
    /// The flow has ended.
    pub fn wait_for(&self, more: usize) -> Result<()> {
        let until = self.count() + more;
        eventually("commands flow", || {
            let ended = self.thread.as_ref().is_none_or(JoinHandle::is_finished);
            ensure!(!ended, "the flow has ended");
            Ok((self.count() >= until).then_some(()))
        })
    }

    /// Ends it; what was acknowledged.
    ///
    /// # Errors
    /// A command was not acknowledged.
    pub fn stop(mut self) -> Result<Vec<Sent>> {
        self.stop.store(true, Ordering::SeqCst);
        let thread = self.thread.take().context("it was started")?;
        thread.join().map_err(|_| anyhow::anyhow!("the flow panicked"))?
    }
}

impl Drop for Flowing {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Waits until the read model shows the end of every command, and all that had become of them by then; how long that took.
/// Outcomes and sources lie on two topics, which are folded side by side.
///
/// # Errors
/// Some have none, or an event is not folded.
pub fn all_ended(system: &System, sent: &[Sent]) -> Result<Duration> {
    let began = Instant::now();
    let tenants = quoted(sent);
    let query = format!(
        "SELECT count(*) AS ended FROM pursight.command WHERE state IN ('SUCCEEDED', 'REJECTED') AND tenant_id IN ({tenants})"
    );
    let mut ended = 0;
    let all = eventually("the end of every command", || {
        ended = system.sql.row(&query)?["ended"].as_u64().unwrap_or_default();
        Ok((ended >= sent.len() as u64).then_some(()))
    });
    all.with_context(|| format!("{ended} of {} commands have ended", sent.len()))?;
    let sources = system.kafka.read(Topic::Source)?;
    eventually("the fold of what became of them", || {
        Ok((left(&positions(&system.sql)?, Topic::Source, &sources) == 0).then_some(()))
    })?;
    Ok(began.elapsed())
}

/// The tenants of a flow, for SQL.
fn quoted(sent: &[Sent]) -> String {
    let tenants: BTreeSet<String> = sent.iter().map(|sent| format!("'{}'", sent.tenant)).collect();
    tenants.into_iter().collect::<Vec<_>>().join(", ")
}

/// Everything that must be true of a flow, read from the log and from the read model: each command has exactly one end,
/// each name exactly one source, each source an unbroken sequence, no event lies behind the marker of a later owner, and
/// the rows say the same.
///
/// # Errors
/// Something is not true.
pub fn verify(system: &System, sent: &[Sent]) -> Result<()> {
    all_ended(system, sent)?;
    let outcomes = system.kafka.read(Topic::Outcome)?;
    let mut ends: HashMap<Uuid, Vec<&'static str>> = HashMap::new();
    for read in &outcomes {
        let event = read.event()?;
        if let (Some(command), Some(end)) = (event.meta().command_id, end(&event)) {
            ends.entry(command).or_default().push(end);
        }
    }
    let mut by_name: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for Sent { id, tenant, name } in sent {
        let ends = ends.get(id).map(Vec::as_slice).unwrap_or_default();
        ensure!(ends.len() == 1, "command {id} of {tenant} has the ends {ends:?}");
        by_name.entry((tenant, name)).or_default().extend(ends);
    }
    for (name, mut ends) in by_name.iter().map(|(name, ends)| (name, ends.clone())) {
        ends.sort_unstable();
        let whole = ends.len() == COPIES;
        ensure!(!whole || ends == ["CommandRejected", "CommandSucceeded"], "{name:?} ended {ends:?}");
    }
    let succeeded = by_name.values().flatten().filter(|end| **end == "CommandSucceeded").count();

    let sources = system.kafka.read(Topic::Source)?;
    let mut last: HashMap<Uuid, i64> = HashMap::new();
    for read in &sources {
        let event = read.event()?;
        let Some(source) = event.meta().source_id else { continue };
        if !sent.iter().any(|sent| sent.tenant == event.meta().tenant_id) {
            continue;
        }
        let before = last.insert(source, event.meta().sequence).unwrap_or_default();
        ensure!(event.meta().sequence == before + 1, "{source}: {} after {before}", event.meta().sequence);
    }
    ensure!(last.len() == succeeded, "{} sources for {succeeded} commands that succeeded", last.len());
    for (topic, reads) in [(Topic::Source, &sources), (Topic::Outcome, &outcomes)] {
        owners(reads).with_context(|| topic.short())?;
    }
    let rows = system.sql.row(&format!(
        "SELECT count(*) AS rows, count(DISTINCT (tenant_id, name)) AS names FROM pursight.data_source WHERE tenant_id IN ({})",
        quoted(sent)
    ))?;
    ensure!(rows["rows"] == json!(succeeded) && rows["names"] == json!(succeeded), "{succeeded} sources, rows: {rows}");
    Ok(())
}

/// How an event ends its command, if it does.
pub fn end(event: &Event) -> Option<&'static str> {
    let name = json::short(event.full_name());
    let ends = ["CommandSucceeded", "CommandRejected", "CommandFailed", "CommandCancelled", "CommandDeadLettered"];
    ends.contains(&name).then_some(name)
}

/// No event lies behind the marker of another owner than its own.
fn owners(reads: &[Read]) -> Result<()> {
    let mut newest: HashMap<i32, String> = HashMap::new();
    for read in reads {
        let Some(owner) = read.header("pursight-owner") else { continue };
        if matches!(read.event()?, Event::OwnershipTaken(_)) {
            newest.insert(read.partition, owner.to_owned());
        } else if newest.get(&read.partition).map(String::as_str) != Some(owner) {
            bail!("{}@{} is of an owner that had been ousted", read.partition, read.offset);
        }
    }
    Ok(())
}
