//! The limit of a worker: consume a batch of one partition, write what it leads to on other topics, commit offset and
//! records in one transaction, and nothing else. Its settings of the client are those that made it fastest.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use pursight_tests::Read;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::message::{BorrowedMessage, Message as _};
use rdkafka::producer::{BaseProducer, Producer as _};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use uuid::Uuid;

use crate::commands::{Signed, acknowledged, send};
use crate::progress::until;

const FOREVER: Duration = Duration::from_secs(60);
/// As the product's own topics have.
const PARTITIONS: i32 = 12;

/// Topics of its own on a broker; they go with it.
pub struct Bare {
    bootstrap: String,
    runtime: tokio::runtime::Runtime,
    admin: AdminClient<DefaultClientContext>,
    topics: Vec<String>,
}

impl Bare {
    /// With so many topics.
    pub fn new(bootstrap: &str, topics: usize) -> Result<Self> {
        let mut config = ClientConfig::new();
        let admin = config.set("bootstrap.servers", bootstrap).create()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let topics: Vec<String> = (0..topics).map(|_| format!("limit-{}", Uuid::new_v4())).collect();
        let bare = Self { bootstrap: bootstrap.to_owned(), runtime, admin, topics };
        let new: Vec<NewTopic<'_>> =
            bare.topics.iter().map(|name| NewTopic::new(name, PARTITIONS, TopicReplication::Fixed(1))).collect();
        for made in bare.runtime.block_on(bare.admin.create_topics(&new, &AdminOptions::new()))? {
            made.map_err(|(name, code)| anyhow!("{name}: {code}"))?;
        }
        bare.wait_there()?;
        Ok(bare)
    }

    /// The broker has answered before every partition has a leader.
    fn wait_there(&self) -> Result<()> {
        let client: BaseConsumer = self.client().create()?;
        let led = |name: &str| -> Result<bool> {
            let metadata = client.fetch_metadata(Some(name), FOREVER)?;
            let partitions = metadata.topics().first().map(|topic| topic.partitions()).unwrap_or_default();
            Ok(i32::try_from(partitions.len()) == Ok(PARTITIONS)
                && partitions.iter().all(|partition| partition.leader() >= 0))
        };
        until("the topics of the limit are there", Duration::from_millis(50), || {
            let led = self.topics.iter().map(|name| led(name)).collect::<Result<Vec<_>>>()?;
            Ok(led.into_iter().all(|led| led).then_some(()))
        })
    }

    /// The name of a topic.
    pub fn topic(&self, at: usize) -> &str {
        &self.topics[at]
    }

    fn client(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.bootstrap);
        config
    }

    /// A producer without transactions.
    pub fn producer(&self) -> Result<BaseProducer> {
        let mut config = self.client();
        config.set("acks", "all").set("enable.idempotence", "true").set("partitioner", "murmur2_random");
        Ok(config.set("linger.ms", "0").set("queue.buffering.max.messages", "200000").create()?)
    }

    /// A producer whose transactions cost as little as they can.
    pub fn transactional(&self) -> Result<BaseProducer> {
        let mut config = self.client();
        config.set("acks", "all").set("enable.idempotence", "true").set("partitioner", "murmur2_random");
        config.set("linger.ms", "0").set("queue.buffering.max.messages", "200000").set("retry.backoff.ms", "5");
        let producer: BaseProducer = config.set("transactional.id", format!("limit-{}", Uuid::new_v4())).create()?;
        producer.init_transactions(FOREVER)?;
        Ok(producer)
    }

    /// A member of a new group that reads a topic from its start.
    pub fn consumer(&self, topic: usize) -> Result<BaseConsumer> {
        let mut config = self.client();
        config.set("group.id", format!("limit-{}", Uuid::new_v4())).set("enable.auto.commit", "false");
        config.set("isolation.level", "read_committed").set("auto.offset.reset", "earliest");
        let consumer: BaseConsumer = config.set("partition.assignment.strategy", "cooperative-sticky").create()?;
        consumer.subscribe(&[self.topic(topic)])?;
        Ok(consumer)
    }

    /// Inputs a second: reads `inputs` in batches of `size`, and writes for each its share of every list of `outputs`.
    pub fn transform(&self, inputs: &[Signed], outputs: &[Vec<Read>], size: usize) -> Result<f64> {
        let feed = self.producer()?;
        inputs.iter().try_for_each(|one| send(&feed, self.topic(0), "tenant", &one.value, &one.headers))?;
        acknowledged(&feed)?;
        let (producer, consumer) = (self.transactional()?, self.consumer(0)?);
        let mut batch = vec![next(&consumer)?]; // joined, and the first fetch is in
        let mut done = 0;
        let start = Instant::now();
        while done < inputs.len() {
            while batch.len() < size.min(inputs.len() - done) {
                batch.push(next(&consumer)?);
            }
            producer.begin_transaction()?;
            for (at, list) in outputs.iter().enumerate() {
                let share = |inputs_done: usize| inputs_done * list.len() / inputs.len();
                for read in &list[share(done)..share(done + batch.len())] {
                    send(&producer, self.topic(at + 1), &read.key, &read.value, &read.headers)?;
                }
            }
            commit(&consumer, &producer, &batch)?;
            done += batch.len();
            batch.clear();
        }
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        Ok(done as f64 / start.elapsed().as_secs_f64())
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        let names: Vec<&str> = self.topics.iter().map(String::as_str).collect();
        // What cannot be removed is only untidy: nobody else uses these names.
        drop(self.runtime.block_on(self.admin.delete_topics(&names, &AdminOptions::new())));
    }
}

/// The next record, however long it takes.
pub fn next(consumer: &BaseConsumer) -> Result<BorrowedMessage<'_>> {
    let until = Instant::now() + FOREVER;
    loop {
        match consumer.poll(Duration::from_millis(100)) {
            Some(message) => return Ok(message?),
            None => ensure!(Instant::now() < until, "nothing came in {FOREVER:?}"),
        }
    }
}

/// Ends a transaction with the offset behind a batch of one partition.
pub fn commit(consumer: &BaseConsumer, producer: &BaseProducer, batch: &[BorrowedMessage<'_>]) -> Result<()> {
    let last = batch.last().context("a batch is not empty")?;
    let mut offsets = TopicPartitionList::new();
    offsets.add_partition_offset(last.topic(), last.partition(), Offset::Offset(last.offset() + 1))?;
    let group = consumer.group_metadata().context("no group metadata")?;
    // Not left to the commit, which would wait for the reports in steps of 100 ms.
    acknowledged(producer)?;
    producer.send_offsets_to_transaction(&offsets, &group, FOREVER)?;
    Ok(producer.commit_transaction(FOREVER)?)
}
